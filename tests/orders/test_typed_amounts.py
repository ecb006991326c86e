"""Amounts as people of any country type them."""

import re
from decimal import Decimal

import pytest
from babel import Locale
from babel.numbers import format_decimal
from django.core.exceptions import ValidationError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic import ValidationError as Refused

from backoffice.orders.form_fields import EXAMPLE, MoneyField
from orders.currencies import CURRENCIES, decimals_of
from orders.inputs import Money

bounded = settings(max_examples=300, deadline=None, derandomize=True, database=None)
# Those that write Arabic digits and group by threes, with every separator that such ones have.
LOCALES = [
    Locale.parse(name)
    for name in (
        *("en_US", "en_ZA", "de_DE", "de_CH", "de_AT", "fr_FR", "fr_CH", "it_IT", "es_ES", "es_MX", "pt_BR", "pt_PT"),
        *("nl_NL", "sv_SE", "nb_NO", "da_DK", "fi_FI", "pl_PL", "cs_CZ", "ru_RU", "uk_UA", "tr_TR", "id_ID", "hu_HU"),
        *("ro_RO", "el_GR", "ja_JP", "ko_KR", "vi_VN", "et_EE", "lv_LV", "sl_SI"),
    )
]


def typed(text: str) -> Decimal | None:
    return MoneyField().clean(text)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        *[
            ("12,50", "12.50"),
            ("12,5", "12.5"),
            ("0,5", "0.5"),
            (",5", "0.5"),
            (".50", "0.50"),
            (" 12,50\u00a0", "12.50"),
        ],
        *[("1234,567", "1234.567"), ("0,123", "0.123"), ("1,2345", "1.2345"), ("12,00", "12"), ("1000,00", "1000")],
        *[("1.234,56", "1234.56"), ("1,234.56", "1234.56"), ("1.234,567", "1234.567"), ("1,234.567", "1234.567")],
        *[
            ("1.234.567", "1234567"),
            ("1,234,567", "1234567"),
            ("1.234.567,8", "1234567.8"),
            ("1,234,567.8", "1234567.8"),
        ],
        *[
            ("1 234", "1234"),
            ("1\u00a0234,50", "1234.50"),
            ("1\u202f234\u202f567.50", "1234567.50"),
            ("1\u2009234", "1234"),
        ],
        *[("1'234.50", "1234.50"), ("1\u2019234\u2019567,50", "1234567.50"), ("1 234,567", "1234.567")],
        *[
            ("\u200b12,50\ufeff", "12.50"),
            ("1234.5", "1234.5"),
            ("1.234", "1.234"),
            ("0", "0"),
            ("9999999999,99", "9999999999.99"),
        ],
    ],
)
def test_what_can_mean_one_amount_only_is_taken(text: str, amount: str) -> None:
    assert typed(text) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,234", "1,234 can be read in two ways: write 1234 or 1.234."),
        (" 999,000 ", "999,000 can be read in two ways: write 999000 or 999.000."),
        *[
            (text, EXAMPLE)
            for text in (
                *("12,50 €", "€12.50", "$ 12", "USD 12.50", "12.50 USD", "CHF 1'234.50", "-12,50", "+1", "1e3", "much"),
                *(
                    "12,",
                    "12.",
                    ",",
                    ".",
                    "1,23,456",
                    "1.2.3",
                    "1,234.567,8",
                    "1.234,567.8",
                    "12,34,567",
                    "1,,5",
                    "1..5",
                ),
                *(
                    "1 23",
                    "12 3456",
                    "1 234'567",
                    "01,50",
                    "0,1234,5",
                    "1,234,56",
                    "0 500",
                    "0.500,5",
                    "1\t234",
                    "1\n234",
                ),
                *("١٢", "１２,50", "12，50", "12٫50", "9999999999,991", "10000000000,00", "12,12345", "NaN", "1_000"),
            )
        ],
    ],
)
def test_anything_else_is_refused_with_an_example(text: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        typed(text)
    assert refusal.value.messages == [sentence]
    assert typed(re.findall(r"\d+\.\d+", sentence)[-1]) is not None


@bounded
@given(st.sampled_from(LOCALES), st.sampled_from(sorted(CURRENCIES)), st.integers(0, 10**10 - 1), st.booleans())
def test_what_a_country_writes_is_that_amount_or_is_asked_about(
    locale: Locale, currency: str, units: int, grouped: bool
) -> None:
    places = decimals_of(currency)
    amount = Decimal(units).scaleb(-places)
    pattern = "#,##0" + ("." + "0" * places if places else "")
    text = format_decimal(amount, pattern, locale=locale, group_separator=grouped, decimal_quantization=False)
    if re.fullmatch(r"[1-9]\d{0,2},\d{3}", text):
        with pytest.raises(ValidationError):
            typed(text)
    elif re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", text):
        # As a caller of the API means it; where the currency has fewer decimals, it is refused for these.
        assert typed(text) == Decimal(text)
    else:
        assert typed(text) == amount


@bounded
@given(st.text(st.sampled_from("0123456789.,' \u00a0\u202f-+e€$"), max_size=14))
def test_no_text_is_another_amount_than_its_digits_say(text: str) -> None:
    try:
        amount = typed(text)
    except ValidationError:
        return
    if amount is None:
        assert not text.strip()
        return
    # The last mark is the only one that can part the decimals; all others set thousands apart.
    readings = {Decimal(re.sub(r"[^\d]", "", text))}
    if last := re.search(r"[.,](\d+)\s*$", text):
        readings.add(Decimal(re.sub(r"[^\d]", "", text)).scaleb(-len(last[1])))
    assert amount in readings


@bounded
@given(st.text(st.sampled_from("0123456789.,' \u00a0"), max_size=14))
def test_the_api_takes_none_of_it(text: str) -> None:
    assume(re.search("[,'\u00a0 ]", text.strip()))
    with pytest.raises(Refused):
        TypeAdapter(Money).validate_python(text)
