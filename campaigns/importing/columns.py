"""What each column of a file is: the phone number, a field of the contact, or an attribute."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from campaigns.contact_fields import normalised_header
from campaigns.resources import ContactColumn, ContactResource
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

from .errors import FileRefused

PHONE = "phone_number"
_SHOWN_HEADERS = 12
_SHOWN_CHARACTERS = 40
#: They would end or split a placeholder.
_NOT_IN_A_NAME = str.maketrans("", "", "{}|")


@dataclass(frozen=True, slots=True)
class Columns:
    """
    Positions of the columns. `phones` are tried in their order until one is filled; `attributes` gives names.

    `headers` is empty for a file whose first row is a contact already.
    """

    headers: tuple[str, ...]
    phones: tuple[int, ...]
    fields: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[int, str] = field(default_factory=dict)
    ignored: frozenset[int] = frozenset()

    def header(self, position: int) -> str:
        """What the operator calls the column."""
        header = self.headers[position] if position < len(self.headers) else ""
        return header or _("column %(number)d") % {"number": position + 1}

    def attribute(self, position: int) -> str:
        """The attribute's name; cells beyond the last header have one too, since nothing of a row gets lost."""
        return self.attributes.get(position) or f"column_{position + 1}"

    def described(self) -> list[dict[str, str]]:
        """What the preview says about each column: its header, what it is used for and, for an attribute, its name."""
        uses = {position: {"use": name} for name, position in self.fields.items()}
        uses |= {position: {"use": "attribute", "name": name} for position, name in self.attributes.items()}
        uses |= {position: {"use": "ignored"} for position in self.ignored}
        uses |= {position: {"use": PHONE if rank == 0 else "second_phone"} for rank, position in enumerate(self.phones)}
        return [{"header": self.header(position), **use} for position, use in sorted(uses.items())]


def find_columns(first_row: Sequence[str], region: str | None) -> Columns:
    """
    Read the header. A first row that holds a phone number is no header: then only the numbers are known for what they
    are.

    Raises FileRefused, naming the headers, if no column has phone numbers.
    """
    phones = find_phone_columns(first_row)
    if phones:
        return _with_header(first_row, phones)
    for position, cell in enumerate(first_row):
        if is_phone_number(cell, region):
            return Columns(headers=(), phones=(position,))
    raise FileRefused(
        _(
            "No column with phone numbers was found. The columns are: %(headers)s. "
            "Name the one that holds the numbers “phone” and try again."
        )
        % {"headers": _quoted(first_row)}
    )


def find_phone_columns(headers: Sequence[str]) -> list[int]:
    """
    Positions of the columns that are named like phone numbers, the best first; empty if none is.

    Names that say exactly that come before those that mention it, and these before names that may mean another number.
    """
    column = _described_columns()[PHONE]
    names = [normalised_header(header) for header in headers]
    exact = [(column.synonyms.index(name), position) for position, name in enumerate(names) if name in column.synonyms]
    if exact:
        return [position for _rank, position in sorted(exact)]
    for pattern in column.looser:
        for position, name in enumerate(names):
            if re.search(pattern, name):
                return [position]
    return []


def error_headers() -> tuple[str, str, str]:
    """Headers of what is added to bad rows for download; they are passed over when the rows come back."""
    return _("Import error: row"), _("Import error: column"), _("Import error: reason")


@cache
def _error_headers() -> set[str]:
    """In every language: who mends the rows may use another than who downloaded them."""
    found: set[str] = set()
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            found.update(normalised_header(header) for header in error_headers())
    return found


@cache
def _described_columns() -> Mapping[str, ContactColumn]:
    return ContactResource().columns


def _with_header(headers: Sequence[str], phones: list[int]) -> Columns:
    fields: dict[str, int] = {}
    ignored: set[int] = set()
    attributes: dict[int, str] = {}
    taken: set[str] = set()
    for position, header in enumerate(headers):
        name = _field_named(header)
        if (name and _described_columns()[name].readonly) or normalised_header(header) in _error_headers():
            ignored.add(position)
        elif name and name != PHONE and name not in fields:
            fields[name] = position
        elif position != phones[0]:
            attributes[position] = _attribute_name(header, position, taken)
    return Columns(tuple(headers), tuple(phones), fields, attributes, frozenset(ignored))


def _field_named(header: str) -> str | None:
    name = normalised_header(header)
    return next((column for column, it in _described_columns().items() if name in it.synonyms), None)


def _attribute_name(header: str, position: int, taken: set[str]) -> str:
    """The header, trimmed, spaces as `_`; numbered where several are the same without case."""
    base = "_".join(header.translate(_NOT_IN_A_NAME).split()) or f"column_{position + 1}"
    name, count = base, 1
    while name.casefold() in taken:
        count += 1
        name = f"{base}_{count}"
    taken.add(name.casefold())
    return name


def is_phone_number(cell: str, region: str | None) -> bool:
    """Whether the cell can be read as one phone number."""
    try:
        parse(cell, region)
    except InvalidPhoneNumber:
        return False
    return True


def _quoted(headers: Sequence[str]) -> str:
    filled = [header for header in headers if header]
    shown = [_("“%(header)s”") % {"header": _shortened(header)} for header in filled[:_SHOWN_HEADERS]]
    return ", ".join(shown) + (" …" if len(filled) > _SHOWN_HEADERS else "")


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def picked(cells: Sequence[str], columns: Columns) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Position of the phone cell that counts, the filled fields by name, the filled attributes by name."""
    phone = next((position for position in columns.phones if _cell(cells, position)), columns.phones[0])
    fields = {name: value for name, position in columns.fields.items() if (value := _cell(cells, position))}
    known = {columns.phones[0], *columns.fields.values()} | columns.ignored
    attributes = {columns.attribute(i): value for i, value in enumerate(cells) if value and i not in known}
    return phone, fields, attributes


def _cell(cells: Sequence[str], position: int) -> str:
    return cells[position] if position < len(cells) else ""
