"""Keys by which e-mail addresses are compared: lower case, and the domain in the ASCII form of IDNA."""

import idna

from orders.text import clean


def ascii_form(email: str) -> str:
    """`Ada@Bücher.example` is `ada@xn--bcher-kva.example`.

    Mapped by UTS 46 without its transitional rules, as browsers do. What is no domain by IDNA, such as one with an
    emoji or with a label that becomes too long, is encoded all the same: it needs a key, too.
    """
    name, _, domain = email.rpartition("@")
    try:
        domain = idna.uts46_remap(domain, std3_rules=False, transitional=False)
    except idna.IDNAError:
        domain = domain.lower()
    return f"{name.lower()}@{'.'.join(map(_ascii_label, domain.split('.')))}"


def idna_key(email: str) -> str | None:
    """The key of an address; None where the database's `lower()` is enough.

    Addresses from before format characters were dropped are compared without them, too.
    """
    seen = clean(email)
    return None if seen == email and email.rpartition("@")[2].isascii() else ascii_form(seen)


def spellings(email: str) -> set[str]:
    """The address as it is, and in both forms of its domain."""
    name = email.rpartition("@")[0]
    shown = ".".join(map(_shown_label, ascii_form(email).rpartition("@")[2].split(".")))
    return {email, ascii_form(email), f"{name}@{shown}"}


def _shown_label(label: str) -> str:
    try:
        return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
    except UnicodeError:
        return label


def _ascii_label(label: str) -> str:
    return label.lower() if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"
