"""How a file would be read, shown before it is checked; and how files with the same columns were read before."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from campaigns.contact_fields import normalised_header
from campaigns.models import ContactImport, ImportSource

from .columns import HEADER_SEARCH_ROWS, Layout, columns_as_guessed, find_layout, find_phone_columns, is_phone_number
from .encodings import is_encoded
from .errors import FileRefused
from .reading import open_table
from .tables import Reading, Row, Table

#: Rows that are looked at, and those of them that are shown.
_SEEN_ROWS = 200
SAMPLE_ROWS = 3
#: Remembered files that a refusal names.
_NAMED = 10


@dataclass(frozen=True)
class SampleColumn:
    """A column of the file: what it is taken for, and some of what is in it."""

    header: str
    use: str
    name: str
    values: list[str]


@dataclass(frozen=True)
class Look:
    """What a file looks like, read so. `problem` says why it cannot be read, `source` is where the guess is from."""

    reading: Reading
    columns: list[SampleColumn] = field(default_factory=list)
    sheets: tuple[str, ...] = ()
    is_text: bool = False
    first_rows: list[Row] = field(default_factory=list)
    problem: str = ""
    source: ImportSource | None = None
    has_numbers: bool = False
    #: Nothing in the file says in which encoding it is: it was chosen by the letters that it has.
    is_guess: bool = False
    #: It cannot be read as it was asked for.
    is_refused: bool = False

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing in it can be a phone number, so that there is nothing to ask about."""
        return bool(self.problem) and not self.has_numbers


def look(contact_import: ContactImport, reading: Reading | None = None) -> Look:
    """Read the beginning of the file; what is empty in `reading` is found out, or known from a file like it."""
    reading = reading or Reading()
    try:
        with contact_import.open_file() as file:
            return _Looker(contact_import, file, reading).look()
    except FileRefused as refusal:
        if reading == Reading():
            return Look(reading, problem=str(refusal), is_refused=True)
        return replace(look(contact_import), problem=str(refusal), is_refused=True)  # what can be chosen instead
    except FileNotFoundError:
        return Look(reading, problem=_("The uploaded file is no longer there. Upload it again."))


def asked_reading(values: Mapping[str, str]) -> Reading:
    """What was asked for in a form, before it is known whether it can be."""
    row = values.get("header_row", "")
    return Reading(
        values.get("encoding", ""),
        values.get("delimiter", ""),
        values.get("sheet", ""),
        int(row) if row.isascii() and row.isdecimal() else None,
    )


class _Looker:
    def __init__(self, contact_import: ContactImport, file: Any, reading: Reading) -> None:
        self.region = contact_import.region or None
        self.file = file
        self.asked = reading

    def look(self) -> Look:
        table = open_table(self.file, self.asked)
        head = list(itertools.islice(table.rows(), _SEEN_ROWS))
        source = None
        if not self.asked.columns:
            source = known_source(_headers(head, self._layout(head)[0]))
            if source and (encoding := source.reading.get("encoding")) and self._may_be(table, encoding):
                table = open_table(self.file, replace(self.asked, encoding=encoding))
                head = list(itertools.islice(table.rows(), _SEEN_ROWS))
        layout, problem = self._layout(head, source)
        return self._shown(table, head, layout, problem, source)

    def _may_be(self, table: Table, encoding: str) -> bool:
        """Another encoding than was found out, where that was a guess."""
        return self._is_guess(table) and encoding != table.encoding and is_encoded(self.file, encoding)

    def _is_guess(self, table: Table) -> bool:
        return bool(table.encoding) and not table.encoding.startswith("utf") and not self.asked.encoding

    def _layout(self, head: list[Row], source: ImportSource | None = None) -> tuple[Layout, str]:
        reading = self.asked
        if source and not reading.columns:
            reading = replace(reading, columns=source.reading.get("columns", []))
        top = head[:HEADER_SEARCH_ROWS]
        if reading.header_row is None and _looks_like_names(top):
            reading = replace(reading, header_row=top[0].number)
        try:
            return find_layout(top, self.region, reading), ""
        except FileRefused as refusal:
            number = reading.header_row
            number = (head[0].number if head else 0) if number is None else number
            return Layout(columns_as_guessed(_cells_of(head, number)), number), str(refusal)

    def _shown(self, table: Table, head: list[Row], layout: Layout, problem: str, source: ImportSource | None) -> Look:
        data = [row for row in head if layout.is_data(row)]
        width = max((len(row.cells) for row in [*data, *head[:HEADER_SEARCH_ROWS]]), default=0)
        uses = layout.columns.uses(width)
        columns = [
            SampleColumn(layout.columns.header(at), use["use"], use.get("name", ""), _values(data, at))
            for at, use in enumerate(uses)
        ]
        reading = Reading(table.encoding, table.delimiter, table.sheet, layout.header_row, uses)
        has_numbers = not problem or any(is_phone_number(cell, self.region) for row in head for cell in row.cells)
        return Look(
            reading,
            columns,
            table.sheets,
            is_text=bool(table.encoding),
            first_rows=head[:HEADER_SEARCH_ROWS],
            problem=problem,
            source=source,
            has_numbers=has_numbers,
            is_guess=self._is_guess(table) and not (source and source.reading.get("encoding") == table.encoding),
        )


def _looks_like_names(top: list[Row]) -> bool:
    """
    Whether the first row names columns, though not in words that are known: different texts without any digit, above
    rows with digits. Only a guess to be looked at: a check by itself would rather count a row too many as bad.
    """
    if len(top) < 2 or any(find_phone_columns(row.cells) for row in top):
        return False
    names, *others = (row.cells for row in top)
    is_named = all(names) and len(set(names)) == len(names) >= max(len(cells) for cells in others)
    return is_named and not _has_digit(names) and all(_has_digit(cells) for cells in others)


def _has_digit(cells: list[str]) -> bool:
    return any(character.isdecimal() for cell in cells for character in cell)


def _values(data: list[Row], at: int) -> list[str]:
    """Different values of a column, those with letters beyond ASCII first: they show a wrong encoding."""
    filled = dict.fromkeys(row.cells[at] for row in data if at < len(row.cells) and row.cells[at])
    return sorted(filled, key=str.isascii)[:SAMPLE_ROWS]


def _cells_of(head: list[Row], number: int) -> list[str]:
    return next((row.cells for row in head if row.number == number), [])


def _headers(head: list[Row], layout: Layout) -> Sequence[str]:
    return _cells_of(head, layout.header_row)


def signature_of(headers: Sequence[str]) -> str:
    """The same for files whose columns are called the same, in the same order; empty if they have no names."""
    names = [normalised_header(header) for header in headers]
    return hashlib.sha256("\x1f".join(names).encode()).hexdigest() if any(names) else ""


def known_source(headers: Sequence[str]) -> ImportSource | None:
    """How a file with these columns was read the last time."""
    signature = signature_of(headers)
    return ImportSource.objects.filter(signature=signature).first() if signature else None


def remember_source(contact_import: ContactImport, headers: Sequence[str], reading: Reading) -> None:
    """Read the next file with these columns like this one."""
    if signature := signature_of(headers):
        values = {"encoding": reading.encoding, "columns": reading.columns}
        ImportSource.objects.update_or_create(
            signature=signature,
            defaults={
                "file_name": contact_import.file_name, "reading": values, "region": contact_import.region
            },
        )  # fmt: skip


def read_like_before(contact_import: ContactImport, name: str = "") -> str:
    """
    Let the file be checked as the last one with the same columns was read, where nothing else was said of it; its name.

    Empty if no such file is remembered. With `name` it must be that one: raises FileRefused if it is not.
    """
    asked = Reading.stored(contact_import.reading)
    found = look(contact_import, asked)
    source = found.source
    if name and (source is None or source.file_name != name):
        known = ImportSource.objects.order_by("-used_at").values_list("file_name", flat=True)[:_NAMED]
        raise FileRefused(
            _("The columns of this file are not those of “%(name)s”. Remembered are: %(known)s.")
            % {"name": name, "known": ", ".join(known) or "–"}
        )
    if source is None:
        return ""
    reading = replace(
        asked,
        encoding=asked.encoding or found.reading.encoding,
        header_row=found.reading.header_row,
        columns=found.reading.columns,
    )
    ContactImport.objects.filter(pk=contact_import.pk).update(reading=reading.as_json())
    contact_import.reading = reading.as_json()
    return source.file_name
