"""How pages and messages show times, amounts, numbers and JSON. Templates load them as filters of `ui`."""

import json
from datetime import datetime
from decimal import Decimal

from django.contrib.humanize.templatetags.humanize import intcomma, naturaltime
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import get_default_timezone, localtime

from orders.currencies import money_text

ISO_TIME = "Y-m-d H:i:s"


def exact_time(at: datetime) -> str:
    """A time to the second with the name of the zone, in the time zone of the user: `2026-11-23 18:36:05 CET`."""
    return date_format(localtime(at), f"{ISO_TIME} T")


def time_in_words(at: datetime) -> str:
    """A time to the minute in the time zone of the installation, for messages: `2026-11-23 18:36 CET`."""
    return f"{localtime(at, get_default_timezone()):%Y-%m-%d %H:%M %Z}"


def ago(at: datetime | None) -> SafeString:
    """How long ago (or ahead) it is, with the exact time on hover; "–" for None."""
    if at is None:
        return SafeString("–")
    # Of two units, such as "2 hours, 5 minutes ago", the first says enough.
    words = naturaltime(at)
    if "," in words:
        words = f"{words.partition(',')[0]} {'ago' if words.endswith('ago') else 'from now'}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact_time(at), words)


def moment(at: datetime | None) -> SafeString:
    """The exact time, with how long ago on hover; "–" for None."""
    if at is None:
        return SafeString("–")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), naturaltime(at), exact_time(at))


def number(value: int) -> str:
    """Thousands set apart: `12,345`."""
    return str(intcomma(value))


def counted(count: int, noun: str, *, grouped: bool = False) -> str:
    """`1 channel`, `3 channels`, `12345 deliveries`; `grouped` sets thousands apart: `12,345 deliveries`."""
    if count == 1:
        return f"1 {noun}"
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number(count) if grouped else count} {several}"


def money(amount: Decimal, currency: str) -> str:
    """`1,234.50 USD`, with as many decimals as the currency has."""
    return f"{money_text(amount, currency, grouped=True)} {currency}"


def pretty_json(body: str | None) -> str:
    """A frozen body indented for reading; "" where it was not built."""
    return "" if body is None else json.dumps(json.loads(body), indent=2, ensure_ascii=False)
