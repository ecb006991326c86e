import idna
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from orders import services, signals
from orders.email_keys import ascii_form
from orders.inputs import ContactInput, StaffContactInput
from orders.models import Contact, Funnel, Order, Product, Survey
from tests.orders.shop import Announcements, contact_input, item, place

pytestmark = pytest.mark.django_db

HOME = {"line1": "1 Main St", "city": "Springfield", "country": "US"}


def test_an_unknown_email_makes_a_lead(announced: Announcements) -> None:
    contact, created = services.create_contact(
        source="shop",
        data=contact_input(phone={"country": "US", "number": "555 0100"}, billing_address=HOME, tags=["vip"]),
    )

    assert created
    stored = Contact.objects.get()
    assert stored == contact
    assert stored.id.startswith("con_") and len(stored.id) <= 40
    assert (stored.email, stored.status, stored.source, stored.funnel) == ("ada@example.com", "lead", "shop", None)
    assert (stored.first_name, stored.last_name, stored.tags) == ("Ada", "Byron", ["vip"])
    assert stored.phone == {"country": "US", "number": "555 0100"}
    assert stored.billing_address == {
        **dict.fromkeys(["first_name", "last_name", "line2", "state", "zip_code"], ""),
        **HOME,
    }
    assert stored.shipping_address is None
    announcement = announced.only("contact.created")
    assert announced.names == ["contact.created"]
    assert announcement.arguments == {"contact": contact, "source": "shop", "reactivated": False}
    assert announcement.in_transaction


def test_a_contact_of_a_funnel_remembers_it(funnel: Funnel, announced: Announcements) -> None:
    contact, _ = services.create_contact(source="funnel", data=contact_input(), funnel="spring")
    assert (contact.source, contact.funnel) == ("funnel", funnel)
    assert announced.only("contact.created").arguments["source"] == "funnel"


@pytest.mark.parametrize(("source", "slug"), [("funnel", None), ("funnel", "autumn"), ("shop", "spring")])
def test_a_funnel_that_does_not_fit_the_source_is_refused(
    source: str, slug: str | None, funnel: Funnel, announced: Announcements
) -> None:
    with pytest.raises(ValidationError) as refusal:
        services.create_contact(source=source, data=contact_input(), funnel=slug)
    assert list(refusal.value.message_dict) == ["funnel"]
    assert Contact.objects.count() == 0
    assert announced.names == []


def test_a_known_email_is_a_reactivation_whatever_its_case(funnel: Funnel, announced: Announcements) -> None:
    first, _ = services.create_contact(
        source="shop",
        data=contact_input(
            "Ada@Example.com", phone={"country": "US", "number": "1"}, billing_address=HOME, tags=["vip", "new"]
        ),
    )
    announced.take()

    again, created = services.create_contact(
        source="funnel",
        data=contact_input("aDA@eXAMPLE.COM", shipping_address=HOME, tags=["spring", "vip"]),
        funnel="spring",
    )

    assert not created
    assert Contact.objects.count() == 1
    again.refresh_from_db()
    assert (again.id, again.email, again.source, again.funnel) == (first.id, "Ada@Example.com", "shop", None)
    assert (again.status, again.created_at) == ("lead", first.created_at)
    assert again.phone == {"country": "US", "number": "1"}
    assert again.billing_address == first.billing_address
    assert again.shipping_address is not None and again.shipping_address["line1"] == "1 Main St"
    assert again.tags == ["vip", "new", "spring"]
    announcement = announced.only("contact.created")
    assert announced.names == ["contact.created"]
    assert announcement.arguments == {"contact": again, "source": "funnel", "reactivated": True}
    assert announcement.contact is not None and announcement.contact["tags"] == ["vip", "new", "spring"]


def test_a_member_given_as_null_is_replaced_by_a_reactivation_and_an_absent_one_stays() -> None:
    phone = {"country": "US", "number": "1"}
    services.create_contact(source="shop", data=contact_input(phone=phone, billing_address=HOME, shipping_address=HOME))
    contact, _ = services.create_contact(source="shop", data=contact_input(phone=None, billing_address=None, tags=[]))
    contact.refresh_from_db()
    assert contact.phone is None
    assert contact.billing_address is None
    assert contact.shipping_address is not None


def test_a_customer_who_is_sent_again_stays_a_customer(announced: Announcements) -> None:
    Contact.objects.create(source="admin", status="customer", **contact_input().model_dump())
    contact, created = services.create_contact(source="shop", data=contact_input())
    assert (created, contact.status, contact.source) == (False, "customer", "admin")
    assert announced.only("contact.created").arguments["reactivated"] is True


def test_addresses_that_differ_beyond_ascii_case_are_one_contact() -> None:
    services.create_contact(source="shop", data=contact_input("ada@bücher.example"))
    _, created = services.create_contact(source="shop", data=contact_input("ADA@BÜCHER.EXAMPLE"))
    assert not created
    assert Contact.objects.count() == 1


def test_the_longest_email_may_grow_when_it_is_lowered() -> None:
    label = "İ" * 61
    email = f"{'a' * 2}@{'.'.join([label] * 4)}.com"
    assert len(email) == 254
    assert services.create_contact(source="shop", data=contact_input(email))[1]
    assert not services.create_contact(source="shop", data=contact_input(email))[1]


def test_a_receiver_that_fails_undoes_the_contact() -> None:
    def fail(sender: object, **arguments: object) -> None:
        raise RuntimeError("no")

    signals.contact_created.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            services.create_contact(source="shop", data=contact_input())
    finally:
        signals.contact_created.disconnect(fail)
    assert Contact.objects.count() == 0


def test_staff_enter_a_contact(announced: Announcements) -> None:
    contact = services.create_contact_by_staff(data=contact_input())
    assert (contact.source, contact.status) == ("admin", "lead")
    assert announced.names == ["contact.created"]
    assert announced.only("contact.created").arguments == {"contact": contact, "source": "admin", "reactivated": False}


def test_staff_cannot_enter_a_known_email(lead: Contact, announced: Announcements) -> None:
    with pytest.raises(ValidationError) as refusal:
        services.create_contact_by_staff(data=contact_input(" ADA@example.com", first_name="Eve", tags=["x"]))
    assert refusal.value.message_dict == {"email": ["This e-mail is known."]}
    assert Contact.objects.count() == 1
    lead.refresh_from_db()
    assert (lead.first_name, lead.tags) == ("Ada", [])
    assert announced.names == []


def test_staff_edit_a_contact_and_nothing_is_announced(lead: Contact, announced: Announcements) -> None:
    edited = services.edit_contact_by_staff(
        contact=lead, data=contact_input("countess@example.com", first_name="Augusta", tags=["a"], billing_address=HOME)
    )
    lead.refresh_from_db()
    assert edited == lead
    assert (lead.email, lead.first_name, lead.tags, lead.source) == ("countess@example.com", "Augusta", ["a"], "shop")
    assert Contact.objects.get(email_key="countess@example.com") == lead
    services.edit_contact_by_staff(contact=lead, data=contact_input("Countess@example.com", tags=["b"]))
    lead.refresh_from_db()
    assert (lead.email, lead.tags) == ("Countess@example.com", ["b"])
    assert lead.billing_address is not None
    assert announced.names == []


def test_staff_cannot_give_a_contact_the_email_of_another(lead: Contact, announced: Announcements) -> None:
    other = services.create_contact_by_staff(data=contact_input("bob@example.com"))
    announced.take()
    with pytest.raises(ValidationError) as refusal:
        services.edit_contact_by_staff(contact=other, data=contact_input("ADA@example.com", first_name="Eve"))
    assert refusal.value.message_dict == {"email": ["This e-mail is known."]}
    other.refresh_from_db()
    assert (other.email, other.first_name) == ("bob@example.com", "Ada")
    assert announced.names == []


@pytest.mark.parametrize("names", [{"first_name": "", "last_name": ""}, {"first_name": "\u200b", "last_name": " "}, {}])
def test_names_left_empty_leave_known_ones(names: dict[str, str], lead: Contact) -> None:
    again, created = services.create_contact(
        source="shop", data=ContactInput.model_validate({"email": lead.email, **names})
    )
    assert (created, again.first_name, again.last_name) == (False, "Ada", "Byron")
    one, _ = services.create_contact(source="shop", data=contact_input(first_name="Augusta", last_name=""))
    assert (one.first_name, one.last_name) == ("Augusta", "Byron")


def test_a_contact_without_a_name_is_made_and_told_of(announced: Announcements) -> None:
    contact, created = services.create_contact(source="shop", data=ContactInput(email="ada@example.com"))
    assert (created, str(contact), contact.first_name) == (True, "ada@example.com", "")
    assert announced.names == ["contact.created"]


def test_staff_take_a_name_away(lead: Contact) -> None:
    assert services.edit_contact_by_staff(contact=lead, data=contact_input(last_name="")).last_name == ""


def test_a_contact_has_at_most_500_tags_and_keeps_what_it_has(lead: Contact, announced: Announcements) -> None:
    def send(first: int, last: int) -> None:
        tags = [f"t{number}" for number in range(first, last)]
        services.create_contact(source="shop", data=contact_input(tags=tags))

    for first in range(0, 500, 50):
        send(first, first + 50)
    send(450, 500)
    announced.take()
    with pytest.raises(ValidationError) as refusal:
        send(451, 501)
    assert refusal.value.message_dict == {"tags": ["A contact has at most 500 tags; this would make 501."]}
    lead.refresh_from_db()
    assert (len(lead.tags), announced.names) == (500, [])

    # What is stored can be saved again, and be made less, even where it is more than is allowed now.
    lead.tags = [f"t{number}" for number in range(600)]
    lead.save()
    send(0, 1)
    for count in (600, 599):
        kept = StaffContactInput.model_validate({"email": lead.email, "first_name": "A", "tags": lead.tags[:count]})
        assert len(services.edit_contact_by_staff(contact=lead, data=kept).tags) == count
    with pytest.raises(ValidationError):
        more = StaffContactInput.model_validate({"email": lead.email, "tags": [*lead.tags[:500], "new"]})
        services.edit_contact_by_staff(contact=lead, data=more)


def test_too_many_tags_of_the_contact_of_an_order_are_refused_there(lead: Contact, mug: Product) -> None:
    lead.tags = [f"t{number}" for number in range(500)]
    lead.save()
    with pytest.raises(ValidationError) as refusal:
        place(contact_input(tags=["new"]), item("mug"))
    assert list(refusal.value.message_dict) == ["contact.tags"]
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ada@bücher.example", "ADA@xn--bcher-kva.example"),
        ("ada@XN--BCHER-KVA.example", "Ada@BÜCHER.Example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@bu\u0308cher.example", "ada@bücher.example"),
        ("ada@日本語.jp", "ada@xn--wgv71a119e.jp"),
    ],
)
def test_two_spellings_of_one_domain_are_one_contact(first: str, second: str, survey: Survey) -> None:
    made, _ = services.create_contact(source="shop", data=contact_input(first))
    again, created = services.create_contact(source="shop", data=contact_input(second))
    assert (created, again.pk, again.email) == (False, made.pk, first)
    with pytest.raises(ValidationError):
        services.create_contact_by_staff(data=contact_input(second))
    other = services.create_contact_by_staff(data=contact_input("eve@example.com"))
    with pytest.raises(ValidationError):
        services.edit_contact_by_staff(contact=other, data=contact_input(second))
    response = services.complete_survey(slug="finding", source="shop", answers={}, email=second)
    assert response.contact == made
    with pytest.raises(IntegrityError), transaction.atomic():
        Contact.objects.create(email=second, source="shop")


def test_a_contact_is_found_by_the_address_that_staff_gave_it(lead: Contact) -> None:
    services.edit_contact_by_staff(contact=lead, data=contact_input("ada@bücher.example"))
    assert Contact.objects.with_email("ada@xn--bcher-kva.example").get() == lead
    services.edit_contact_by_staff(contact=lead, data=contact_input("ada@example.com"))
    assert not Contact.objects.with_email("ada@bücher.example").exists()
    assert Contact.objects.with_email("ADA@example.com").get() == lead


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="@"), min_size=1, max_size=30))
def test_the_key_of_a_domain_is_ascii_and_that_of_its_own_ascii_form(domain: str) -> None:
    key = ascii_form(f"ada@{domain}")
    assert key.isascii()
    assert ascii_form(key) == key
    try:
        encoded = idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return
    assert key == f"ada@{encoded}".lower()
