"""
A campaign's text and a contact's values -> the text of one message.

`{{ city }}` is replaced by the contact's value, `{{ city|default:"home" }}` by "home" where there is none. Names
are compared without case and with spaces as `_`. Values are put in as they are: nothing is escaped or expanded again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .contact_fields import field_called
from .unsubscribing import UNSUBSCRIBE_LINK, unsubscribe_link

if TYPE_CHECKING:
    from .models import Contact

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_DEFAULT = re.compile(r"""default\s*:\s*(?:"(?P<a>[^"]*)"|'(?P<b>[^']*)'|“(?P<c>[^”]*)”|«(?P<d>[^»]*)»)""")

#: The contact's own fields that can be used as placeholders, with what an operator would call them.
CONTACT_FIELDS = {
    "first_name": gettext_lazy("first name"),
    "last_name": gettext_lazy("last name"),
    "full_name": gettext_lazy("full name"),
    "phone_number": gettext_lazy("phone number"),
    "email": gettext_lazy("e-mail"),
    "language": gettext_lazy("language"),
}


class TemplateError(ValueError):
    """The text cannot be understood; the message says what to mend."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """
    A `{{ name }}` in a text; `default` is None when there is none.

    `own_field` is the contact's own field that people mean by the name (`{{ имя }}` is the first name), else empty.
    """

    name: str
    default: str | None = None
    own_field: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text for one contact, and the names for which the contact has no value."""

    text: str
    missing: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def normalise_name(name: str) -> str:
    """How placeholder and attribute names are compared: trimmed, spaces as `_`, without case."""
    return "_".join(name.split()).casefold()


class Template:
    """A parsed text. Raises `TemplateError` in words when the braces or filters are wrong."""

    def __init__(self, body: str) -> None:
        self.parts: list[str | Placeholder] = []
        position = 0
        for tag in _TAG.finditer(body):
            self._add_text(body[position : tag.start()])
            self.parts.append(_parse_tag(tag.group(1)))
            position = tag.end()
        self._add_text(body[position:])

    def _add_text(self, text: str) -> None:
        if "{{" in text:
            raise TemplateError(_("A placeholder is opened with {{ but not closed with }}."))
        if "}}" in text:
            raise TemplateError(_("There is a }} without the {{ that opens it."))
        if text:
            self.parts.append(text)

    @property
    def placeholders(self) -> list[Placeholder]:
        """Each placeholder once, in the order of the text. One use without a default counts as having none."""
        found: dict[str, Placeholder] = {}
        for part in self.parts:
            if isinstance(part, Placeholder) and (part.name not in found or part.default is None):
                found[part.name] = part
        return list(found.values())

    @cached_property
    def names(self) -> frozenset[str]:
        """What the text asks for."""
        return frozenset(part.name for part in self.parts if isinstance(part, Placeholder))

    def in_language(self, language: str) -> Template:
        """A text that is there in one language only is for everybody."""
        return self

    def render(self, values: Mapping[str, str]) -> Rendered:
        """Put in the values, keyed by `normalise_name()`. Blank values count as missing."""
        texts: list[str] = []
        missing: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            value = values.get(part.name) or values.get(part.own_field, "")
            if value and not value.isspace():
                texts.append(value)
            elif part.default is not None:
                texts.append(part.default)
            elif part.name not in missing:
                missing.append(part.name)
        return Rendered("".join(texts), tuple(missing))


def literal_spans(body: str) -> list[tuple[int, int, str]]:
    """
    Which parts of a text travel as they are written: all but placeholders, of those only their defaults.

    Each as start, end and the mark that ends a default (empty for the rest). The rules are those of `texts.js`.
    """
    spans: list[tuple[int, int, str]] = []
    position = 0
    for tag in _TAG.finditer(body):
        spans.append((position, tag.start(), ""))
        if default := _DEFAULT.search(body, tag.start(1), tag.end(1)):
            start, end = default.span(default.lastgroup or 0)
            spans.append((start, end, body[end]))
        position = tag.end()
    spans.append((position, len(body), ""))
    return [span for span in spans if span[0] < span[1]]


def _parse_tag(content: str) -> Placeholder:
    name, bar, filters = content.partition("|")
    if not name.strip() or "{" in name:
        raise TemplateError(_("There is an empty placeholder. Write the name of a field between {{ and }}."))
    known = normalise_name(name)
    own_field = known if known in CONTACT_FIELDS else field_called(name) or ""
    if not bar:
        return Placeholder(known, None, own_field)
    match = _DEFAULT.fullmatch(filters.strip())
    if match is None:
        raise TemplateError(
            _('“%(filter)s” is not understood in a placeholder. The only addition is |default:"text".')
            % {"filter": filters.strip()}
        )
    return Placeholder(known, next(group for group in match.groups() if group is not None), own_field)


def as_text(value: Any) -> str:
    """How an attribute's value reads in a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value).strip()


def values_of(fields: Mapping[str, str], attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes by comparable name, and over them the contact's own fields where they are filled."""
    values = {normalise_name(name): as_text(value) for name, value in attributes.items()}
    values.update({name: value for name, value in fields.items() if value})
    return values


def contact_values(contact: Contact) -> dict[str, str]:
    """What can be put into a text for this contact, by placeholder name."""
    return values_of(
        {
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "full_name": contact.full_name,
            "phone_number": str(getattr(contact.phone_number, "as_e164", contact.phone_number)),
            "email": contact.email,
            "language": contact.language,
            UNSUBSCRIBE_LINK: unsubscribe_link(str(getattr(contact.phone_number, "as_e164", contact.phone_number))),
        },
        contact.attributes,
    )
