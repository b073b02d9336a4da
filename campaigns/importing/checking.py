"""The first half of an import: read the file, judge each row, store what would become of it. No contact is touched."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db import transaction
from django.db.models import CharField, ExpressionWrapper, F
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campaigns.audience import opted_out_numbers
from campaigns.models import Contact, ContactImport, ContactImportRow, ImportStatus, RowKind
from campaigns.resources import CleanRow, ContactResource
from sms_backends.phone_numbers import InvalidPhoneNumber

from .columns import find_columns, is_phone_number, picked
from .errors import FileRefused
from .reading import open_table
from .tables import Row, Table

CHUNK_ROWS = 1000
#: The rows of an import that become contacts.
GOOD = (RowKind.NEW, RowKind.CHANGED, RowKind.UNCHANGED)


def check(contact_import_id: int, *, seconds: float | None = None) -> bool:
    """
    Check the rows of an import and store them; True if there are more to check.

    Works for about `seconds` at most (None: to the end); after True, or after a crash, call it again: it goes on where
    it stopped. Two calls at once do no harm: one of them stops. A file that cannot be read makes the import `refused`.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    contact_import = ContactImport.objects.get(pk=contact_import_id)
    if contact_import.status != ImportStatus.CHECKING:
        return False
    with translation.override(contact_import.language or translation.get_language()):
        try:
            with contact_import.file.open("rb") as file:
                return _Check(contact_import, open_table(file)).run(deadline)
        except FileRefused as refusal:
            _refuse(contact_import, str(refusal))
        except FileNotFoundError:
            _refuse(contact_import, _("The uploaded file is no longer there. Upload it again."))
    return False


def _refuse(contact_import: ContactImport, problem: str) -> None:
    with transaction.atomic():
        open_imports = ContactImport.objects.filter(pk=contact_import.pk, status=ImportStatus.CHECKING)
        if open_imports.update(status=ImportStatus.REFUSED, problem=problem, finished_at=timezone.now()):
            contact_import.rows.all().delete()


class _Check:
    """One run over a file, from the row where the last one stopped."""

    def __init__(self, contact_import: ContactImport, table: Table) -> None:
        self.contact_import = contact_import
        self.table = table
        self.cursor = contact_import.cursor
        self.region = contact_import.region or None
        self.resource = ContactResource(self.region)

    def run(self, deadline: float | None) -> bool:
        rows = self.table.rows()
        first = next(rows, None)
        if first is None:
            raise FileRefused(_("The file is empty."))
        self.columns = find_columns(first.cells, self.region)
        if not self.columns.headers:
            rows = itertools.chain([first], rows)
        rows = itertools.dropwhile(lambda row: row.number <= self.cursor, rows)
        while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
            if not self._store(self._judged(chunk)):
                return False  # cancelled, or somebody else is at it
            if deadline is not None and time.monotonic() > deadline:
                return True
        self._finish()
        return False

    def _judged(self, chunk: list[Row]) -> list[ContactImportRow]:
        """Each row of the chunk with its kind, in order."""
        cleaned = [(row, self._cleaned(row)) for row in chunk]
        numbers = {clean.phone_number for _row, clean in cleaned if isinstance(clean, CleanRow)}
        first_rows = self._rows_before(numbers)
        contacts = current_contacts(numbers)
        opted_out = opted_out_numbers(numbers)
        judged = []
        for row, clean in cleaned:
            if isinstance(clean, ContactImportRow):
                judged.append(clean)
                continue
            if (before := first_rows.setdefault(clean.phone_number, row.number)) != row.number:
                judged.append(self._duplicate(row, clean, before))
                continue
            current = contacts.get(clean.phone_number)
            judged.append(self._good(row, clean, current, opted_out=clean.phone_number in opted_out))
        return judged

    def _cleaned(self, row: Row) -> CleanRow | ContactImportRow:
        """The row's cells as values, or the row as a bad one."""
        phone, fields, attributes = picked(row.cells, self.columns)
        if row.line_count > 1 and self._swallows_others(row):
            reason = _(
                "The row runs over several lines (%(count)d) and has other rows inside: "
                'a quotation mark (") is missing or surplus.'
            )
            return self._bad(row, reason % {"count": row.line_count}, column="")
        try:
            return self.resource.clean_row(row.cells[phone] if phone < len(row.cells) else "", fields, attributes)
        except InvalidPhoneNumber as error:
            return self._bad(row, error.reason, column=self.columns.header(phone))

    def _swallows_others(self, row: Row) -> bool:
        """A quotation mark out of place joins rows into one cell: a line inside it has a phone number of its own."""
        separators = re.compile(f"[{re.escape(self.table.delimiter)}\n]")
        pieces = (
            piece
            for cell in row.cells
            for line in cell.splitlines()[1:]
            if self.table.delimiter in line
            for piece in separators.split(line)
        )
        return any(is_phone_number(piece, self.region) for piece in pieces)

    def _bad(self, row: Row, reason: str, *, column: str) -> ContactImportRow:
        return self._row(row, RowKind.BAD, column=column[:255], reason=reason, cells=row.cells)

    def _duplicate(self, row: Row, clean: CleanRow, before: int) -> ContactImportRow:
        reason = _("The same number as in row %(row)d, which counts.") % {"row": before}
        return self._row(row, RowKind.DUPLICATE, phone_number=clean.phone_number, values=clean.values, reason=reason)

    def _good(
        self, row: Row, clean: CleanRow, current: Mapping[str, Any] | None, *, opted_out: bool
    ) -> ContactImportRow:
        kind, before = kind_of(current, clean.values)
        remarks = list(clean.remarks)
        if clean.number.assumed:
            remarks.append(_("Read as %(number)s, the only way it makes sense.") % {"number": clean.phone_number})
        if opted_out:
            remarks.append(_("Has opted out: becomes a contact all the same, but gets no messages."))
        return self._row(
            row,
            kind,
            phone_number=clean.phone_number,
            values=clean.values,
            before=before,
            opted_out=opted_out,
            remark=" ".join(remarks),
        )

    def _row(self, row: Row, kind: RowKind, **fields: Any) -> ContactImportRow:
        return ContactImportRow(contact_import=self.contact_import, number=row.number, kind=kind, **fields)

    def _rows_before(self, numbers: Iterable[str]) -> dict[str, int]:
        """In which row of the file each of the numbers stood first, as far as the earlier chunks go."""
        rows = self.contact_import.rows.filter(phone_number__in=numbers, kind__in=GOOD, number__lte=self.cursor)
        return dict(rows.values_list("phone_number", "number"))

    def _store(self, judged: list[ContactImportRow]) -> bool:
        """Store a chunk and move the cursor past it; False if the import is no longer this run's to check."""
        with transaction.atomic():
            moved = self._move(judged[-1].number, **tally(judged))
            if moved:
                ContactImportRow.objects.bulk_create(judged, batch_size=CHUNK_ROWS)
        return moved

    def _move(self, cursor: int, **updates: Any) -> bool:
        moved = (
            ContactImport.objects.filter(
                pk=self.contact_import.pk, status=ImportStatus.CHECKING, cursor=self.cursor
            ).update(
                cursor=cursor,
                heartbeat_at=timezone.now(),
                encoding=self.table.encoding,
                delimiter=self.table.delimiter,
                columns=self._columns_json(),
                **updates,
            )
            == 1
        )
        self.cursor = cursor
        return moved

    def _columns_json(self) -> dict[str, Any]:
        return {
            "list": self.columns.described(),
            "headers": list(self.columns.headers),
            "sheet": self.table.sheet,
        }

    def _finish(self) -> None:
        if not self.cursor:
            raise FileRefused(_("The file has a header but no rows below it."))
        self._move(self.cursor, status=ImportStatus.CHECKED)


def current_contacts(phone_numbers: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the contacts with these numbers have now, by number, with their ids as `pk`."""
    # As plain text: PhoneNumberField would parse each number on its way in and out.
    contacts = Contact.objects.annotate(number=ExpressionWrapper(F("phone_number"), output_field=CharField()))
    found = contacts.filter(number__in=phone_numbers).values("pk", "number", *ContactResource.VALUE_FIELDS)
    return {contact["number"]: contact for contact in found}


def kind_of(current: Mapping[str, Any] | None, values: Mapping[str, Any]) -> tuple[RowKind, dict[str, Any]]:
    """What `values` mean for a contact (None: there is none), and what it has now where they differ."""
    if current is None:
        return RowKind.NEW, {}
    changes = ContactResource.changes(current, values)
    if not changes:
        return RowKind.UNCHANGED, {}
    before = {name: current[name] for name in changes}
    return RowKind.CHANGED, before


def tally(judged: Iterable[ContactImportRow]) -> dict[str, Any]:
    """The rows as additions to the import's counters."""
    counts: dict[str, int] = {}
    for row in judged:
        for counter in _counters(row):
            counts[counter] = counts.get(counter, 0) + 1
    return {counter: F(counter) + count for counter, count in counts.items()}


def _counters(row: ContactImportRow) -> Iterator[str]:
    yield f"{row.kind}_count"
    if row.opted_out:
        yield "opted_out_count"
    if row.remark:
        yield "remark_count"
