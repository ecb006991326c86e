from django import forms
from django.conf import settings

from orders.forms.fields import CheckedField, MoneyField
from orders.inputs import Currency, Sku
from orders.models import Product


class ProductForm(forms.ModelForm):
    sku = CheckedField(Sku, label="SKU")
    unit_price = MoneyField()
    currency = CheckedField(
        Currency, upper=True, initial=lambda: settings.DEFAULT_CURRENCY, help_text="Three letters, like USD."
    )

    class Meta:
        model = Product
        fields = ("sku", "title", "kind", "unit_price", "currency", "interval")
