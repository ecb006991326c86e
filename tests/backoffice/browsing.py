"""The forms of a page as a browser has them: what it would send if nothing were changed."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from django.test import Client


@dataclass
class Form:
    """One `<form>`: where it goes, and what is in its fields, as name -> values."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)

    def value(self, name: str) -> str:
        (value,) = self.fields[name]
        return value

    def send(self, client: Client, **changed: Any) -> Any:
        """Press its button after typing over some fields."""
        typed = {name: values if isinstance(values, list) else [values] for name, values in changed.items()}
        return client.post(self.action, {**self.fields, **typed})


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._options: list[tuple[str, bool]] = []
        self._textarea: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "form":
            self._form = Form(urljoin(self.page, given.get("action") or ""), (given.get("method") or "get").lower())
            self.forms.append(self._form)
        if self._form is None:
            return
        name = given.get("name")
        if tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((given.get("value") or "", "selected" in given))
        elif tag == "textarea" and name:
            self._textarea, self._text = name, ""
        elif tag == "input" and name and "disabled" not in given:
            kind = (given.get("type") or "text").lower()
            if kind in ("submit", "button") or (kind in ("checkbox", "radio") and "checked" not in given):
                return
            default = "on" if kind in ("checkbox", "radio") else ""
            self._form.fields.setdefault(name, []).append(given.get("value") or default)

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select" and self._select and self._form:
            # Without a choice, a browser chooses the first.
            chosen = [value for value, is_chosen in self._options if is_chosen]
            self._form.fields[self._select] = chosen or [value for value, _ in self._options[:1]]
            self._select = None
        elif tag == "textarea" and self._textarea and self._form:
            # A browser drops the first line break, and sends all others as \r\n.
            text = self._text.removeprefix("\r\n").removeprefix("\n")
            self._form.fields.setdefault(self._textarea, []).append(text.replace("\r\n", "\n").replace("\n", "\r\n"))
            self._textarea = None


def forms_in(page: str, html: str) -> list[Form]:
    """The forms of a page at this path that are sent by POST, without the one that logs out."""
    reader = _Reader(page)
    reader.feed(html)
    return [form for form in reader.forms if form.method == "post" and not form.action.endswith("/logout/")]


def open_form(client: Client, page: str, action: str | None = None) -> Form:
    """The form on `page` that goes to `action`, which is the page itself if nothing else is said."""
    answer = client.get(page)
    assert answer.status_code == 200, page
    wanted = _unquoted(action or page)
    (form,) = [form for form in forms_in(page, answer.content.decode()) if _unquoted(form.action) == wanted]
    return form


def _unquoted(path: str) -> str:
    """Ids stand in links as `chn_5F01...`."""
    return path.replace("_5F", "_")
