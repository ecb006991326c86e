"""What callers may hand in: types that trim, check and refuse, so that the services can trust what they get.

Text is trimmed. Members that are not listed are refused. A member given as null counts as given
(`model_fields_set`), one left out does not.
"""

import math
import re
from decimal import Decimal
from typing import Annotated, Any

import pycountry
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from orders.currencies import CURRENCIES, MOST_DECIMALS
from orders.links import MAX_LENGTH, as_uri
from orders.text import Text, clean, is_clean, is_clean_line

HIGHEST_AMOUNT = Decimal("9999999999.99")
_AMOUNT = rf"(0|[1-9][0-9]{{0,9}})(\.[0-9]{{1,{MOST_DECIMALS}}})?"
_IS_AMOUNT = re.compile(_AMOUNT)
# Kosovo has no code of its own in ISO 3166-1; XK is the one that everybody uses, out of those left free.
_COUNTRIES = frozenset(country.alpha_2 for country in pycountry.countries) | {"XK"}
_LINK = URLValidator(schemes=["http", "https"])


def _parse_money(value: Any) -> Decimal:
    """An amount as its exact decimal text; how many decimals it may have, its currency says (`orders.currencies`).

    A float is no amount: it stands for a literal with an exponent. The number 100.0 is a whole one.
    """
    if isinstance(value, str):
        text = clean(value).strip()
    elif isinstance(value, Decimal):
        text = str(value).removesuffix(".0")
    elif isinstance(value, int) and not isinstance(value, bool):
        # Thousands of digits must not be turned into text: Python refuses that with an error of its own.
        text = str(value) if 0 <= value <= HIGHEST_AMOUNT else ""
    else:
        raise ValueError("Give an amount as a string or as a number without an exponent.")
    if not _IS_AMOUNT.fullmatch(text) or Decimal(text) > HIGHEST_AMOUNT:
        raise ValueError(
            "Give an amount from 0 to 9999999999.99, with a decimal point and no more decimals than the currency has."
        )
    return Decimal(text)


def _whole_number(value: Any) -> Any:
    """1.0 is 1, as JSON has one kind of numbers only; what is not whole stays, to be refused."""
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return int(value)
    return value


Money = Annotated[
    Decimal,
    PlainValidator(_parse_money),
    # JSON numbers are taken, too. A client that is made from a schema with numbers would calculate with binary
    # fractions, of 32 bits where no format is given, and `multipleOf: 0.01` refuses 0.07.
    WithJsonSchema({"type": "string", "pattern": f"^{_AMOUNT}$"}),
]


def _refuse_control_characters(text: str) -> str:
    if not is_clean(text):
        raise ValueError("Control characters are not allowed.")
    return text


def _refuse_line_breaks(text: str) -> str:
    if not is_clean_line(text):
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
    if text not in CURRENCIES:
        raise ValueError("Give a currency as its three letters of ISO 4217, like USD.")
    return text


def _check_link(text: str) -> str:
    """As a URI: people copy addresses with other letters from their browser, and not every program takes those."""
    try:
        _LINK(text)
        uri = as_uri(text)
        _LINK(uri)
    except ValidationError:
        raise ValueError("Give an address that begins with http:// or https://.") from None
    return uri


def _plain_json(value: Any) -> Any:
    """Clean text as it may be, and fractions as IEEE 754 doubles: RFC 8259, section 6, promises no more to a reader."""
    if isinstance(value, dict):
        return {_refuse_control_characters(name): _plain_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain_json(member) for member in value]
    if isinstance(value, Decimal):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("A number in the answers is too large.")
        return number
    return _refuse_control_characters(clean(value)) if isinstance(value, str) else value


def _once_each(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


ONE_LINE = AfterValidator(_refuse_line_breaks)
SOME_LINES = AfterValidator(_refuse_control_characters)

Email = Annotated[
    str,
    Text(254),
    ONE_LINE,
    AfterValidator(_check_email),
    Field(
        description="An e-mail address; it is compared without case, and its domain in its ASCII form (IDNA).",
        examples=["ada@example.com"],
        json_schema_extra={"format": "email"},
    ),
]
Country = Annotated[
    str,
    Text(2),
    AfterValidator(_check_country),
    Field(description='ISO 3166-1 alpha-2, or XK (Kosovo), or "" if unknown.', examples=["GB"]),
]
Currency = Annotated[str, Text(3), AfterValidator(_check_currency), Field(description="ISO 4217.", examples=["USD"])]
Name = Annotated[str, Text(150), ONE_LINE]
FirstName = Annotated[Name, Field(description='First name, or "".', examples=["Ada"])]
LastName = Annotated[Name, Field(description='Last name, or "".', examples=["Byron"])]
Sku = Annotated[str, Text(64, 1), ONE_LINE, Field(description="The product's sku.", examples=["course"])]
Slug = Annotated[str, Text(100, 1), ONE_LINE]
PublicId = Annotated[str, Text(40, 1), ONE_LINE]
Tag = Annotated[str, Text(50, 1), ONE_LINE]
GatewayName = Annotated[str, Text(50, 1), ONE_LINE, Field(description="The payment gateway.", examples=["stripe"])]
GatewayReference = Annotated[
    str,
    Text(200, 1),
    ONE_LINE,
    Field(
        description="The gateway's own id of this attempt, unique with the gateway over all orders. Each attempt needs "
        "its own: a second try after a decline is another attempt. The same order, status and amount again under a "
        "known reference is taken for a repetition and answered with what is stored (200); anything else is a 409.",
        examples=["ch_3PqR7s2eZvKYlo2C"],
    ),
]
DeclineCode = Annotated[str, Text(50), ONE_LINE]
Explanation = Annotated[str, Text(500), SOME_LINES]
Tags = Annotated[
    list[Tag],
    Field(
        max_length=50,
        description="Labels, at most 50 in a call; those that the contact has stay, up to 500 in all.",
        examples=[["newsletter"]],
    ),
    AfterValidator(_once_each),
]
ZERO = Decimal(0)
Quantity = Annotated[
    int, Field(strict=True, ge=1, le=9999, description="How many.", examples=[1]), BeforeValidator(_whole_number)
]
ParcelName = Annotated[str, Text(100, 1), ONE_LINE]
Link = Annotated[
    str, Text(MAX_LENGTH), ONE_LINE, AfterValidator(_check_link), Field(json_schema_extra={"format": "uri"})
]
Answers = Annotated[
    dict[str, Any],
    Field(
        max_length=200,
        description="Whatever the survey asked: members of any kind.",
        examples=[{"channel": "A friend", "stars": 5}],
    ),
    AfterValidator(_plain_json),
]


class Input(BaseModel):
    """A JSON object without any member that we do not know."""

    model_config = ConfigDict(extra="forbid")


class PhoneInput(Input):
    """A telephone number and the country that it belongs to."""

    country: Country = ""
    number: Annotated[
        str, Text(40, 1), ONE_LINE, Field(description="The number, as people write it.", examples=["+44 20 7946 0000"])
    ]


class AddressInput(Input):
    """A postal address; what is unknown is `""`."""

    first_name: FirstName = ""
    last_name: LastName = ""
    line1: Annotated[
        str, Text(200), ONE_LINE, Field(description="Street and number.", examples=["12 St James's Square"])
    ] = ""
    line2: Annotated[
        str, Text(200), ONE_LINE, Field(description="What else the street needs.", examples=["Second floor"])
    ] = ""
    city: Annotated[str, Text(100), ONE_LINE, Field(description="City.", examples=["London"])] = ""
    state: Annotated[str, Text(100), ONE_LINE, Field(description="State or province.", examples=[""])] = ""
    zip_code: Annotated[str, Text(20), ONE_LINE, Field(description="ZIP or postal code.", examples=["SW1Y 4JH"])] = ""
    country: Country = ""


class ContactInput(Input):
    """A person. The e-mail address tells whether the contact is known; then an empty name leaves the known one."""

    email: Email
    first_name: FirstName = ""
    last_name: LastName = ""
    phone: Annotated[PhoneInput | None, Field(description="Telephone number.")] = None
    billing_address: Annotated[AddressInput | None, Field(description="Where invoices go.")] = None
    shipping_address: Annotated[AddressInput | None, Field(description="Where parcels go.")] = None
    tags: Tags = []


class StaffContactInput(ContactInput):
    """A contact as staff save it: with all the tags that it has, not those of one call."""

    tags: Annotated[list[Tag], AfterValidator(_once_each)] = []


class ItemInput(Input):
    """One line of an order."""

    sku: Sku
    quantity: Quantity
    unit_price: Annotated[Money | None, Field(description="The product's own unless given.", examples=["49.00"])] = None


class TrackingInput(Input):
    """Where the parcel of an order is."""

    carrier: Annotated[ParcelName, Field(description="Who carries it.", examples=["UPS"])]
    number: Annotated[
        ParcelName, Field(description="The carrier's number of the parcel.", examples=["1Z999AA10123456784"])
    ]
    url: Annotated[
        Link | None,
        Field(description="Where to follow it.", examples=["https://www.ups.com/track?tracknum=1Z999AA10123456784"]),
    ] = None
