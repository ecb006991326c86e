from typing import Any

from django import forms
from django.conf import settings

from backoffice.orders.forms.fields import CheckedField, MoneyField
from orders.currencies import money_text, too_precise
from orders.inputs import Currency, Sku
from orders.models import Product


class ProductForm(forms.ModelForm):
    belong_together = [("unit_price", "currency", "kind", "interval")]

    sku = CheckedField(Sku, label="SKU")
    unit_price = MoneyField()
    currency = CheckedField(
        Currency, upper=True, initial=lambda: settings.DEFAULT_CURRENCY, help_text="Three letters, like USD."
    )

    class Meta:
        model = Product
        fields = ("sku", "title", "kind", "unit_price", "currency", "interval")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.instance.pk:
            self.initial["unit_price"] = money_text(self.instance.unit_price, self.instance.currency)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        price, currency = values.get("unit_price"), values.get("currency")
        if price is not None and currency and (refusal := too_precise(price, currency)):
            self.add_error("unit_price", refusal)
        return values
