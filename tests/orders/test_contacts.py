import pytest
from django.core.exceptions import ValidationError

from orders import services, signals
from orders.models import Contact, Funnel
from tests.orders.shop import Announcements, contact_input

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
