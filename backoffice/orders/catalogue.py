"""Products and funnels. The sku and the slug, by which callers name them, never change."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest

from backoffice.orders.commerce_admin import CommerceAdmin
from backoffice.orders.filters import equals
from backoffice.orders.order_forms import ProductForm
from notifications.display import money
from orders.models import Funnel, Product


@admin.register(Product)
class ProductAdmin(CommerceAdmin):
    form = ProductForm
    fields = ("sku", "title", "kind", "interval", "unit_price", "currency")
    list_display = ("shown_sku", "title", "kind", "price")
    list_filter = (equals("kind", "Kind", Product.Kind.choices),)
    search_fields = ("sku", "title")
    search_help_text = "SKU or title"
    nothing_yet = "No product yet. Add what is sold, then orders and quotes can name it."

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> Sequence[str]:
        return ("sku",) if obj else ()

    @admin.display(description="SKU", ordering="sku")
    def shown_sku(self, product: Product) -> str:
        return product.sku

    @admin.display(description="Price", ordering="unit_price")
    def price(self, product: Product) -> str:
        per = f" a {product.get_interval_display().lower()}" if product.interval else ""
        return f"{money(product.unit_price, product.currency)}{per}"


@admin.register(Funnel)
class FunnelAdmin(CommerceAdmin):
    fields = ("name", "slug")
    list_display = ("name", "slug", "created")
    search_fields = ("name", "slug")
    search_help_text = "Name or slug"
    nothing_yet = "No funnel yet. Add one, then it can send contacts and orders under its slug."

    def get_readonly_fields(self, request: HttpRequest, obj: Funnel | None = None) -> Sequence[str]:
        return ("slug",) if obj else ()
