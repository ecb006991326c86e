"""Forms that write only what was changed in them, and refuse what another user or process has changed meanwhile.

A page is made from what is stored then, and sent minutes later. Between the two, a shop reactivates the contact, or a
colleague edits the same channel. So each form that edits something carries what it showed. When it is sent, each field
is compared three ways, with the row locked:

- not changed here: what is stored now stays;
- changed here alone: it is written;
- changed here and elsewhere, to different values: nothing is written, and both values are shown. What was typed
  stays in its field; sending the form again, which shows what is so now, decides.

Fields that make sense only together (an address, a URL and the credentials for it) are one group: a group that both
have changed is refused as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.forms.boundfield import BoundField
from django.utils.safestring import SafeString

from backoffice.stale_pages import digest, hidden_input, read

if TYPE_CHECKING:
    # What `CarefulForm` is put before.
    from django.forms import BaseForm
else:
    BaseForm = object

EMPTY = "(empty)"
_HIDDEN = "(not shown)"


@dataclass(frozen=True)
class Conflict:
    """A field that was changed elsewhere since the page was opened."""

    name: str
    label: str
    id: str
    yours: str
    now: str
    together_with: str = ""  # what was changed here that it belongs to, where it was not itself changed here

    @property
    def sentence(self) -> str:
        if self.together_with:
            return (
                f"Somebody else changed this meanwhile: it was {self.yours} and is now {self.now}. "
                f"It belongs together with what you changed: {self.together_with}."
            )
        return f"Somebody else changed this meanwhile: it is now {self.now}. You gave {self.yours}."


class CarefulForm(BaseForm):
    """Put before a form's class by `careful`. `about` says which record is edited; "" for a new one.

    A form may say `belong_together`, groups of names of fields; and `hidden_values()`, what is behind fields that do
    not show it (secrets), by name of the field.
    """

    belong_together: Sequence[Sequence[str]]

    def __init__(self, *args: Any, about: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._record = about
        self.conflicts: list[Conflict] = []

    @property
    def shown_input(self) -> SafeString:
        """Stands inside the `<form>`. What is so now, so that sending it again is a decision about that."""
        if not self._about:
            return SafeString("")
        return hidden_input(self._about, {name: self._now(name) for name in self._compared()})

    def full_clean(self) -> None:
        self.conflicts = []
        shown = read(self.data, self._about) if self.is_bound and self._about else None
        if shown is not None:
            self._compare(shown)
        super().full_clean()
        for conflict in self.conflicts:
            self.add_error(conflict.name, conflict.sentence)

    def in_words(self) -> dict[str, str]:
        """The stored values in words, by the labels of the fields."""
        return {str(self[name].label): self._now_in_words(self[name]) for name in self._compared()}

    @property
    def _about(self) -> str:
        instance = getattr(self, "instance", None)
        record = self._record or (instance is not None and instance.pk and str(instance.pk)) or ""
        return f"{type(self).__name__} {record}" if record else ""

    def _compared(self) -> list[str]:
        return [name for name, field in self.fields.items() if not field.disabled and not self[name].is_hidden]

    def _now(self, name: str) -> list[Any]:
        """The stored value as it is kept in a page and compared: as shown, and a digest of the value behind it."""
        bound = self[name]
        return [_plain(bound.field.prepare_value(bound.initial)), digest(self._behind().get(name))]

    def _behind(self) -> dict[str, str]:
        hidden = getattr(self, "hidden_values", None)
        return hidden() if hidden else {}

    def _compare(self, shown: dict[str, Any]) -> None:
        self.data: Any = self.data.copy()
        compared = [name for name in self._compared() if name in shown]
        theirs = {name for name in compared if self._now(name) != shown[name]}
        mine = {name for name in compared if self._is_given(name) and self._differs(name, shown[name][0])}
        if not theirs:
            return
        agreed = {name for name in mine & theirs if self._is_as_stored(name)}
        for group in self._groups(compared):
            changed_here = [name for name in group if name in mine - agreed]
            changed_there = [name for name in group if name in theirs - agreed]
            for name in changed_there:
                if changed_here:
                    self.conflicts.append(self._conflict(name, shown[name][0], changed_here))
                if name not in mine:
                    self._put(self[name])

    def _groups(self, names: list[str]) -> list[list[str]]:
        together = [[name for name in group if name in names] for group in getattr(self, "belong_together", ())]
        grouped = {name for group in together for name in group}
        return [*together, *([name] for name in names if name not in grouped)]

    def _is_given(self, name: str) -> bool:
        bound = self[name]
        return not bound.field.widget.value_omitted_from_data(self.data, self.files, bound.html_name)

    def _differs(self, name: str, value: Any) -> bool:
        """Whether what was typed is another value. Line ends are the browser's."""
        bound = self[name]
        return bool(bound.field.has_changed(_line_ends(value), _line_ends(bound.data)))

    def _is_as_stored(self, name: str) -> bool:
        """Whether both have changed it to the same value, which is unknown of values that are not shown."""
        value, behind = self._now(name)
        return not behind and not self._differs(name, value)

    def _conflict(self, name: str, before: Any, changed_here: list[str]) -> Conflict:
        bound = self[name]
        own = name in changed_here
        secret = bool(self._behind().get(name))
        yours = bound.data if own else before
        return Conflict(
            name=name,
            label=str(bound.label),
            id=bound.id_for_label or bound.auto_id,
            yours=_HIDDEN if own and secret else _words(bound, yours),
            now=self._now_in_words(bound),
            together_with="" if own else ", ".join(str(self[each].label) for each in changed_here),
        )

    def _now_in_words(self, bound: BoundField) -> str:
        words = _words(bound, bound.field.prepare_value(bound.initial))
        if not self._behind().get(bound.name):
            return words
        return _HIDDEN if words == EMPTY else f"{words} {_HIDDEN}"

    def _put(self, bound: BoundField) -> None:
        """Have the form say what is stored, as a browser would send it."""
        data = cast(Any, self.data)
        value = bound.field.prepare_value(bound.initial)
        if isinstance(bound.field.widget, forms.CheckboxInput):
            data.pop(bound.html_name, None)
            if value:
                data[bound.html_name] = "on"
        elif _is_several(value):
            data.setlist(bound.html_name, [str(each) for each in value])
        else:
            data[bound.html_name] = "" if value is None else str(value)


def careful(form_class: type[forms.BaseForm]) -> type[Any]:
    """The same form, which compares before it writes: a `CarefulForm`."""
    metaclass: Any = type(form_class)
    return metaclass(form_class.__name__, (CarefulForm, form_class), {})  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """The value as JSON gives it back, several ones sorted."""
    if _is_several(value):
        return sorted(str(each) for each in value)
    if isinstance(value, datetime | date | Decimal):
        return str(value)
    return _line_ends(value) if value is None or isinstance(value, str | bool | int | float) else str(value)


def _is_several(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes | dict)


def _line_ends(value: Any) -> Any:
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _words(bound: BoundField, value: Any) -> str:
    """A value as people know it."""
    if isinstance(bound.field.widget, forms.CheckboxInput):
        return "yes" if bound.field.to_python(value) else "no"
    labels = {str(each): str(label) for each, label in getattr(bound.field, "choices", ()) if not _is_several(label)}
    if _is_several(value):
        return ", ".join(labels.get(str(each), str(each)) for each in value) or EMPTY
    if value in (None, ""):
        return EMPTY
    return ", ".join(part for part in labels.get(str(value), str(value)).splitlines() if part)
