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

from . import limits
from .errors import FileRefused
from .tables import Reading, Row

PHONE = "phone_number"
SECOND_PHONE = "second_phone"
ATTRIBUTE = "attribute"
IGNORED = "ignored"
#: So many rows may stand above the one with the columns' names: titles, dates, remarks.
HEADER_SEARCH_ROWS = 10
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
        return [{"header": self.header(position), **use} for position, use in sorted(self._uses().items())]

    def uses(self, width: int) -> list[dict[str, str]]:
        """For each of `width` columns what it is, as `Reading.columns` says it."""
        uses = self._uses()
        return [uses.get(position, {"use": ATTRIBUTE, "name": self.attribute(position)}) for position in range(width)]

    def _uses(self) -> dict[int, dict[str, str]]:
        uses = {position: {"use": name} for name, position in self.fields.items()}
        uses |= {position: {"use": ATTRIBUTE, "name": name} for position, name in self.attributes.items()}
        uses |= {position: {"use": IGNORED} for position in self.ignored}
        uses |= {position: {"use": PHONE if rank == 0 else SECOND_PHONE} for rank, position in enumerate(self.phones)}
        return uses


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns are, and the number of the row with their names, 0 if there is none."""

    columns: Columns
    header_row: int

    def is_data(self, row: Row) -> bool:
        """Whether the row may be a contact: nothing above the names is."""
        return row.number > self.header_row


def find_layout(head: Sequence[Row], region: str | None, reading: Reading) -> Layout:
    """
    Find the row with the columns' names among the first rows, and what the columns are, as far as it is not said.

    Without such a row only the numbers are known for what they are. Raises FileRefused, naming the headers, if no
    column has phone numbers.
    """
    header = _header(head, region, reading)
    number = header.number if header else 0
    if reading.columns:
        return Layout(columns_as_said(header.cells if header else [], reading.columns), number)
    if header and (phones := find_phone_columns(header.cells)):
        return Layout(_with_header(header.cells, phones), number)
    for row in head:
        for position, cell in enumerate(row.cells):
            if row.number > number and is_phone_number(cell, region):
                headers = header.cells if header else []
                return Layout(_with_header(headers, [position]) if headers else Columns((), (position,)), number)
    raise FileRefused(
        _(
            "No column with phone numbers was found. The columns are: %(headers)s. "
            "Say which one holds the numbers, or name it “phone” and try again."
        )
        % {"headers": _quoted((header or head[0]).cells if head else [])}
    )


def _header(head: Sequence[Row], region: str | None, reading: Reading) -> Row | None:
    """The row that was named, else the first that names phone numbers and has none itself."""
    if reading.header_row is not None:
        return next((row for row in head if row.number == reading.header_row), None)
    candidates = []
    for row in head:
        if any(is_phone_number(cell, region, certain=True) for cell in row.cells):
            break
        if find_phone_columns(row.cells):
            candidates.append(row)
    return next((row for row in candidates if _names_phone(row.cells)), candidates[0] if candidates else None)


def columns_as_said(headers: Sequence[str], uses: Sequence[Mapping[str, str]]) -> Columns:
    """Raises FileRefused if no column is said to hold phone numbers."""
    first = [position for position, use in enumerate(uses) if use["use"] == PHONE]
    if not first:
        raise FileRefused(_("Say which column holds the phone numbers."))
    phones = [*first, *(position for position, use in enumerate(uses) if use["use"] == SECOND_PHONE)]
    attributes: dict[int, str] = {}
    taken: set[str] = set()
    for position, use in enumerate(uses):
        if use["use"] in (ATTRIBUTE, SECOND_PHONE):
            name = use.get("name") or (headers[position] if position < len(headers) else "")
            attributes[position] = _attribute_name(name, position, taken)
    return Columns(
        tuple(headers),
        tuple(phones),
        {use["use"]: position for position, use in enumerate(uses) if use["use"] in ContactResource.VALUE_FIELDS},
        attributes,
        frozenset(position for position, use in enumerate(uses) if use["use"] == IGNORED),
    )


def _names_phone(headers: Sequence[str]) -> bool:
    """Whether one of them says exactly that it is a phone number."""
    synonyms = _described_columns()[PHONE].synonyms
    return any(normalised_header(header) in synonyms for header in headers)


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


def columns_as_guessed(headers: Sequence[str]) -> Columns:
    """What the columns seem to be, even if none holds phone numbers."""
    return _with_header(headers, find_phone_columns(headers))


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
        elif position not in phones[:1]:
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


def is_phone_number(cell: str, region: str | None, *, certain: bool = False) -> bool:
    """Whether the cell can be read as one phone number; if `certain`, as it stands."""
    try:
        number = parse(cell, region)
    except InvalidPhoneNumber:
        return False
    return not (certain and number.assumed)


def _quoted(headers: Sequence[str]) -> str:
    filled = [header for header in headers if header]
    shown = [_("“%(header)s”") % {"header": _shortened(header)} for header in filled[:_SHOWN_HEADERS]]
    return ", ".join(shown) + (" …" if len(filled) > _SHOWN_HEADERS else "")


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


class Picker:
    """Takes the cells of rows apart by columns, once for each row of a file."""

    def __init__(self, columns: Columns) -> None:
        self._phones = columns.phones
        self._fields = list(columns.fields.items())
        known = {columns.phones[0], *columns.fields.values()} | columns.ignored
        #: Nothing of a row gets lost: cells beyond the last header have names too.
        self._names = [None if at in known else columns.attribute(at) for at in range(limits.MAX_COLUMNS)]

    def __call__(self, cells: Sequence[str]) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Position of the phone cell that counts, the filled fields by name, the filled attributes by name."""
        count = len(cells)
        phone = self._phones[0]
        if phone >= count or not cells[phone]:
            phone = next((at for at in self._phones if at < count and cells[at]), phone)
        fields = {name: cells[at] for name, at in self._fields if at < count and cells[at]}
        attributes = {name: cell for name, cell in zip(self._names, cells, strict=False) if cell and name}
        return phone, fields, attributes
