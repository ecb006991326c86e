"""Puts what was typed into the fields of a form in a page that is made already, whatever made it."""

from collections.abc import Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist

_BUTTONS = {"submit", "button", "image", "reset", "file", "password", "hidden"}
_TICKED = {"checkbox", "radio"}


def fill(html: str, *, page: str, action: str, typed: Mapping[str, Sequence[str]]) -> str:
    """`html`, the page at the path `page`, with `typed` (name -> values) in its form that is sent to `action`.

    Hidden fields are the page's own business, and stay.
    """
    filler = _Filler(html, page, action, typed)
    filler.feed(html)
    filler.close()
    return filler.filled()


class _Filler(HTMLParser):
    """Notes which pieces of the page are to be replaced by what."""

    def __init__(self, html: str, page: str, action: str, typed: Mapping[str, Sequence[str]]) -> None:
        super().__init__(convert_charrefs=False)
        self._html, self._page, self._action, self._typed = html, page, action, typed
        self._left = {name: list(values) for name, values in typed.items()}
        self._lines = [0]
        for line in html.split("\n"):  # as the parser counts them
            self._lines.append(self._lines[-1] + len(line) + 1)
        self._edits: list[tuple[int, int, str]] = []
        self._inside = False
        self._select: dict[str, str | None] | None = None
        self._chosen: set[str] = set()
        self._area: tuple[str, int] | None = None

    def filled(self) -> str:
        html = self._html
        for start, end, text in sorted(self._edits, reverse=True):
            html = html[:start] + text + html[end:]
        return html

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        name = given.get("name") or ""
        if tag == "form":
            goes_to = urljoin(self._page, given.get("action") or "").partition("?")[0]
            self._inside = (given.get("method") or "").lower() == "post" and _same(goes_to, self._action)
        elif not self._inside:
            return
        elif tag == "input" and name:
            self._input(given, name)
        elif tag == "textarea" and name in self._typed:
            self._area = (name, self._end_of_tag())
        elif tag == "select" and name in self._typed:
            self._select, self._chosen = given, set()
        elif tag == "option" and self._select is not None:
            self._option(self._select, given)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "textarea" and self._area:
            name, start = self._area
            # A browser drops a line break that comes first.
            self._edits.append((start, self._offset(), "\n" + escape(self._next(name), quote=False)))
            self._area = None
        elif tag == "select" and self._select is not None:
            self._add_missing_options(self._select)
            self._select = None

    def _input(self, given: dict[str, str | None], name: str) -> None:
        kind = (given.get("type") or "text").lower()
        if kind in _BUTTONS:
            return
        if kind in _TICKED:
            # What is not ticked is not sent, so the absence of a name says so.
            ticked = (given.get("value") or "on") in self._typed.get(name, [])
            self._replace_tag(given, "input", checked=ticked)
        elif name in self._typed:
            self._replace_tag({**given, "value": self._next(name)}, "input")

    def _option(self, select: dict[str, str | None], given: dict[str, str | None]) -> None:
        value = given.get("value")
        wanted = self._typed[select["name"] or ""]
        chosen = value is not None and value in wanted
        if chosen and value is not None:
            self._chosen.add(value)
        self._replace_tag(given, "option", selected=chosen)

    def _add_missing_options(self, select: dict[str, str | None]) -> None:
        """A select that searches has no options but the one that is chosen."""
        wanted = [value for value in self._typed[select["name"] or ""] if value and value not in self._chosen]
        for value in wanted:
            label = _label_of(select, value)
            if label is not None:
                option = f'<option value="{escape(value)}" selected>{escape(label)}</option>'
                self._edits.append((self._offset(), self._offset(), option))

    def _replace_tag(self, attributes: dict[str, str | None], tag: str, **flags: bool) -> None:
        kept = {name: value for name, value in attributes.items() if name not in flags}
        written = "".join(f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in kept.items())
        written += "".join(f" {name}" for name, is_set in flags.items() if is_set)
        self._edits.append((self._offset(), self._end_of_tag(), f"<{tag}{written}>"))

    def _next(self, name: str) -> str:
        """Take the next value of this name: several fields may share one."""
        return self._left[name].pop(0) if self._left[name] else ""

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def _end_of_tag(self) -> int:
        return self._offset() + len(self.get_starttag_text() or "")


def _same(one: str, other: str) -> bool:
    """Ids stand in links as `chn_5F01...`, and in addresses as either."""
    return one.replace("_5F", "_") == other.replace("_5F", "_")


def _label_of(select: Mapping[str, str | None], value: str) -> str | None:
    """The label of a record in a searching select of Django's admin; None where there is no such select or record."""
    try:
        model = apps.get_model(select["data-app-label"] or "", select["data-model-name"] or "")
        related: Any = model._meta.get_field(select["data-field-name"] or "").related_model
        return str(related._default_manager.get(pk=value))
    except (LookupError, ValueError, ObjectDoesNotExist, FieldDoesNotExist):
        return None
