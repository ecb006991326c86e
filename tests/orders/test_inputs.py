import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from orders.inputs import AddressInput, ContactInput, Currency, Input, ItemInput, Money
from orders.text import clean
from tests.orders.shop import contact_input


class Priced(Input):
    amount: Money


class Charged(Input):
    currency: Currency


def fields(error: ValidationError) -> list[str]:
    return [".".join(map(str, one["loc"])) for one in error.errors()]


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        ("0", "0"),
        (0, "0"),
        ("12.5", "12.5"),
        (" 12.50\n", "12.50"),
        ("\ufeff12.50\u200b", "12.50"),
        (12, "12"),
        (Decimal("12.5"), "12.5"),
        (Decimal("12.50"), "12.50"),
        (Decimal("1200.0"), "1200"),
        ("1200.0", "1200.0"),
        ("1.2345", "1.2345"),
        (Decimal("0.01"), "0.01"),
        ("9999999999.99", "9999999999.99"),
        (Decimal("9999999999.99"), "9999999999.99"),
        (9999999999, "9999999999"),
    ],
)
def test_money_is_exact(given: Any, amount: str) -> None:
    assert str(Priced.model_validate({"amount": given}).amount) == amount


@pytest.mark.parametrize(
    "given",
    [
        *("", " ", ".", "-", "-1", "-0", "+1", "1e2", "1E2", "1_000", "1,000", "1 000", "0x10", "007", ".5", "5."),
        *(
            "1.23456",
            "1.00000",
            "9999999999.991",
            "12.50 USD",
            "10000000000",
            "9999999999.999",
            "NaN",
            "nan",
            "Infinity",
            "-inf",
            "١٢",
        ),
        *("12\N{FULLWIDTH FULL STOP}50", "1\x00", "1" * 5000),
        *(-1, 10000000000, 10**5000, -(10**5000), True, False, 1.5, 1e2, float("nan"), float("inf")),
        *(Decimal("-0.01"), Decimal("-0.00"), Decimal("1.23456"), Decimal("1.10000"), Decimal("10000000000")),
        *(Decimal("1E+2"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")),
        *(None, [], {}, b"1", ["1"]),
    ],
    ids=lambda given: f"{type(given).__name__}-{given!r:.20}" if not isinstance(given, int) else type(given).__name__,
)
def test_what_is_no_amount_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        Priced.model_validate({"amount": given})
    assert [error["loc"] for error in refusal.value.errors(include_input=False)] == [("amount",)]


@pytest.mark.parametrize("given", ["usd", "US", "USDD", "ZZZ", "", "U$D", None, 840, "ÚSD"])
def test_what_is_no_currency_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        Charged.model_validate({"currency": given})


def test_a_currency_is_trimmed() -> None:
    assert Charged.model_validate({"currency": " EUR "}).currency == "EUR"


@pytest.mark.parametrize("given", ["us", "USA", "ZZ", "U", "840", None, "ÜS"])
def test_what_is_no_country_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        AddressInput.model_validate({"country": given})


def test_an_address_has_every_member() -> None:
    address = AddressInput.model_validate({"line1": " 1 Main St ", "country": "US"})
    assert address.model_dump() == {
        "first_name": "",
        "last_name": "",
        "line1": "1 Main St",
        "line2": "",
        "city": "",
        "state": "",
        "zip_code": "",
        "country": "US",
    }


@pytest.mark.parametrize(
    "email",
    [
        *("", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "ada@exa mple.com", "ada@example..com"),
        *(
            "ada@example.com\nBcc: eve@example.com",
            '"a\tb"@example.com',
            "ada@example.com\x00",
            "ada@example.com, b@c.de",
        ),
        *(f"{'a' * 243}@example.com", None, 1, ["ada@example.com"]),
    ],
)
def test_what_is_no_email_address_is_refused(email: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        contact_input(email)
    assert fields(refusal.value) == ["email"]


def test_an_email_address_is_trimmed_and_kept_as_given() -> None:
    assert contact_input("  Ada.Byron+shop@Example.COM ").email == "Ada.Byron+shop@Example.COM"
    longest = f"{'a' * 242}@example.com"
    assert len(longest) == 254
    assert contact_input(longest).email == longest


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\tb", "a\x00b", "a\x7fb", "a\x85b", "a\ud800b", 1, None])
def test_a_name_is_a_single_line_of_text(text: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        contact_input(first_name=text)
    assert fields(refusal.value) == ["first_name"]


def test_text_is_trimmed_before_it_is_measured() -> None:
    assert contact_input(first_name="  " + "é" * 150 + " \n").first_name == "é" * 150
    with pytest.raises(ValidationError):
        contact_input(first_name="é" * 151)


def test_tags_are_trimmed_and_kept_once() -> None:
    assert contact_input(tags=["vip ", "new", "vip", "VIP"]).tags == ["vip", "new", "VIP"]
    assert len(contact_input(tags=[str(number) for number in range(50)]).tags) == 50


@pytest.mark.parametrize(
    ("tags", "field"),
    [
        ([""], "tags.0"),
        (["a", "  "], "tags.1"),
        (["x" * 51], "tags.0"),
        (["t"] * 51, "tags"),
        (None, "tags"),
        ("a", "tags"),
    ],
)
def test_tags_that_cannot_be_kept_are_refused(tags: Any, field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        contact_input(tags=tags)
    assert fields(refusal.value) == [field]


def test_errors_name_the_member() -> None:
    with pytest.raises(ValidationError) as refusal:
        ContactInput.model_validate(
            {
                "email": "ada@example.com",
                "first_name": "Ada",
                "last_name": "",
                "phone": {"country": "us", "number": ""},
                "billing_address": {"zip": "12345"},
                "vip": True,
            }
        )
    assert sorted(fields(refusal.value)) == [
        "billing_address.zip",
        "phone.country",
        "phone.number",
        "vip",
    ]


def test_null_counts_as_given() -> None:
    assert contact_input(phone=None).model_fields_set == {"email", "first_name", "last_name", "phone"}
    assert contact_input().model_fields_set == {"email", "first_name", "last_name"}


@pytest.mark.parametrize(
    "quantity", [0, -1, 10000, True, "1", "1.0", 1.5, Decimal("1.5"), Decimal("0.0"), 1e9, float("inf"), None]
)
def test_a_quantity_is_a_whole_number_from_1_to_9999(quantity: Any) -> None:
    with pytest.raises(ValidationError):
        ItemInput.model_validate({"sku": "mug", "quantity": quantity})


def test_the_smallest_and_the_largest_quantity_are_accepted() -> None:
    for quantity in (1, 9999, Decimal("1.0"), Decimal("9999.000"), 7.0):
        assert ItemInput.model_validate({"sku": "mug", "quantity": quantity}).quantity == quantity


def test_what_nobody_sees_is_dropped_before_text_is_judged() -> None:
    assert contact_input("\ufeffada\u200b@exam\u00adple.com").email == "ada@example.com"
    assert contact_input(first_name="\u202eA\u200bda\u2069").first_name == "Ada"
    assert contact_input(first_name="x" * 150 + "\u200b" * 50).first_name == "x" * 150
    assert contact_input(tags=["vip", "v\u2060ip"]).tags == ["vip"]
    with pytest.raises(ValidationError):
        ItemInput.model_validate({"sku": "\u200b", "quantity": 1})
    # How a word or a flag is written.
    for kept in ("می\u200cخواهم", "👩\u200d💻", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"):
        assert contact_input(first_name=kept).first_name == kept


def test_no_format_character_but_joiners_and_emoji_tags_is_left() -> None:
    every = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"]
    kept = [each for each in every if clean(f"a{each}b") != "ab"]
    assert kept == ["\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029"])
def test_a_separator_of_lines_is_a_space(separator: str) -> None:
    assert contact_input(first_name=f"{separator}Ada{separator}Mary{separator}").first_name == "Ada Mary"
    with pytest.raises(ValidationError):
        contact_input(f"a{separator}da@example.com")


def test_kosovo_is_a_country() -> None:
    assert AddressInput.model_validate({"country": "XK"}).country == "XK"


def test_names_may_be_left_out() -> None:
    contact = ContactInput.model_validate({"email": "ada@example.com"})
    assert (contact.first_name, contact.last_name, contact.model_fields_set) == ("", "", {"email"})
