"""What callers may hand in: types that trim, check and refuse, so that the services can trust what they get.

Text is trimmed. Members that are not listed are refused. A member given as null counts as given
(`model_fields_set`), one left out does not.
"""

import re
import unicodedata
from decimal import Decimal
from typing import Annotated, Any

import pycountry
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

HIGHEST_AMOUNT = Decimal("9999999999.99")
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?")
_COUNTRIES = frozenset(country.alpha_2 for country in pycountry.countries)
_CURRENCIES = frozenset(currency.alpha_3 for currency in pycountry.currencies)


def _parse_money(value: Any) -> Decimal:
    """An amount as its exact decimal text. A float is no amount: it stands for a literal with an exponent."""
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, Decimal):
        text = str(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        # Thousands of digits must not be turned into text: Python refuses that with an error of its own.
        text = str(value) if 0 <= value <= HIGHEST_AMOUNT else ""
    else:
        raise ValueError("Give an amount as a string or as a number without an exponent.")
    if not _AMOUNT.fullmatch(text):
        raise ValueError("Give an amount from 0 to 9999999999.99 with at most two decimals.")
    return Decimal(text).quantize(Decimal("0.01"))


Money = Annotated[
    Decimal,
    PlainValidator(_parse_money),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?$"},
                {"type": "number", "minimum": 0, "maximum": 9999999999.99, "multipleOf": 0.01},
            ]
        }
    ),
]


def _text(longest: int, shortest: int = 0) -> StringConstraints:
    return StringConstraints(strict=True, strip_whitespace=True, min_length=shortest, max_length=longest)


def _refuse_control_characters(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} and character not in "\t\n\r" for character in text):
        raise ValueError("Control characters are not allowed.")
    return text


def _refuse_line_breaks(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise ValueError("Give a single line of text without control characters.")
    return text


def _check_email(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError:
        raise ValueError("Enter a valid e-mail address.") from None
    return text


def _check_country(text: str) -> str:
    if text and text not in _COUNTRIES:
        raise ValueError("Give a country as its two letters of ISO 3166-1, like US, or nothing.")
    return text


def _check_currency(text: str) -> str:
    if text not in _CURRENCIES:
        raise ValueError("Give a currency as its three letters of ISO 4217, like USD.")
    return text


def _once_each(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


ONE_LINE = AfterValidator(_refuse_line_breaks)
SOME_LINES = AfterValidator(_refuse_control_characters)

Email = Annotated[str, _text(254), ONE_LINE, AfterValidator(_check_email), Field(json_schema_extra={"format": "email"})]
Country = Annotated[str, _text(2), AfterValidator(_check_country)]
Currency = Annotated[str, _text(3), AfterValidator(_check_currency)]
Name = Annotated[str, _text(150), ONE_LINE]
Sku = Annotated[str, _text(64, 1), ONE_LINE]
Slug = Annotated[str, _text(100, 1), ONE_LINE]
PublicId = Annotated[str, _text(40, 1), ONE_LINE]
Tag = Annotated[str, _text(50, 1), ONE_LINE]
GatewayName = Annotated[str, _text(50, 1), ONE_LINE]
GatewayReference = Annotated[str, _text(200, 1), ONE_LINE]
DeclineCode = Annotated[str, _text(50), ONE_LINE]
Explanation = Annotated[str, _text(500), SOME_LINES]
Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(_once_each)]
ZERO = Decimal("0.00")
Quantity = Annotated[int, Field(strict=True, ge=1, le=9999)]


class Input(BaseModel):
    """A JSON object without any member that we do not know."""

    model_config = ConfigDict(extra="forbid")


class PhoneInput(Input):
    """A telephone number and the country that it belongs to (`""` if unknown)."""

    country: Country = ""
    number: Annotated[str, _text(40, 1), ONE_LINE]


class AddressInput(Input):
    """A postal address; what is unknown is `""`."""

    first_name: Name = ""
    last_name: Name = ""
    line1: Annotated[str, _text(200), ONE_LINE] = ""
    line2: Annotated[str, _text(200), ONE_LINE] = ""
    city: Annotated[str, _text(100), ONE_LINE] = ""
    state: Annotated[str, _text(100), ONE_LINE] = ""
    zip_code: Annotated[str, _text(20), ONE_LINE] = ""
    country: Country = ""


class ContactInput(Input):
    """A person. The e-mail address, compared without case, tells whether the contact is known."""

    email: Email
    first_name: Name
    last_name: Name
    phone: PhoneInput | None = None
    billing_address: AddressInput | None = None
    shipping_address: AddressInput | None = None
    tags: Tags = []


class ItemInput(Input):
    """One line of an order. `unit_price` is the product's own unless given."""

    sku: Sku
    quantity: Quantity
    unit_price: Money | None = None
