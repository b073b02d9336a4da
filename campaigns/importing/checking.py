"""The first half of an import: read the file, judge each row, store what would become of it. No contact is touched."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campaigns.audience import opted_out_numbers
from campaigns.durability import commit_without_waiting
from campaigns.models import Consent, ContactImport, ContactImportRow, FormerNumber, ImportStatus, RowKind
from campaigns.resources import CleanRow, ContactResource
from sms_backends.phone_numbers import InvalidPhoneNumber, canonical

from .columns import HEADER_SEARCH_ROWS, Picker, find_layout, is_phone_number
from .errors import FileRefused
from .garbage import seldom_collected
from .lookups import current_contacts, known_numbers, numbers_of_today
from .reading import open_table
from .rules import Outcome, Rules
from .seen_numbers import SeenNumbers
from .staging import Judged, as_json, store
from .steps import refuse
from .tables import Reading, Row, Table

CHUNK_ROWS = 5000
#: The rows of an import that become contacts.
GOOD = (RowKind.NEW, RowKind.CHANGED, RowKind.UNCHANGED)
#: The rows whose number another row has before them, or which have none.
NOT_FIRST = (RowKind.DUPLICATE, RowKind.BAD)
#: Getting back to where a file was left may take long (workbooks); then at least as long is worked on from there.
_LONGEST_RUN_SECONDS = 50.0


def check(contact_import_id: int, *, seconds: float | None = None) -> bool:
    """
    Check the rows of an import and store them; True if there are more to check.

    Works for about `seconds` at most (None: to the end), not counting the way back to where it stopped; after True, or
    after a crash, call it again. Two calls at once do no harm: one of them stops. A file that cannot be read makes the
    import `refused`.
    """
    contact_import = ContactImport.objects.get(pk=contact_import_id)
    if contact_import.status != ImportStatus.CHECKING:
        return False
    with translation.override(contact_import.language or translation.get_language()):
        try:
            with contact_import.open_file() as file, seldom_collected():
                table = open_table(file, Reading.stored(contact_import.reading))
                return _Check(contact_import, table).run(seconds)
        except FileRefused as refusal:
            refuse(contact_import, str(refusal))
        except FileNotFoundError:
            refuse(contact_import, _("The uploaded file is no longer there. Upload it again."))
    return False


class _Person:
    """Whom a row is about: `number` is the number of today, `in_file` the one that the file has."""

    __slots__ = ("former_opted_out", "in_file", "is_former", "number", "opted_out")

    def __init__(self, number: str, in_file: str, opted_out: Collection[str]) -> None:
        self.number, self.in_file = number, in_file
        self.is_former = number != in_file
        self.opted_out = canonical(number) in opted_out
        self.former_opted_out = self.is_former and canonical(in_file) in opted_out


class _Known(NamedTuple):
    """By number: the contact, the number of today, the row of the file that was first; and who has opted out."""

    contacts: dict[str, dict[str, Any]]
    today: dict[str, str]
    first_rows: dict[str, int]
    opted_out: Collection[str]


class _Check:
    """One run over a file, from the row where the last one stopped."""

    def __init__(self, contact_import: ContactImport, table: Table) -> None:
        self.contact_import = contact_import
        self.table = table
        self.cursor = contact_import.cursor
        self.region = contact_import.region or None
        self.resource = ContactResource(self.region)
        self.rules = Rules.of(contact_import)
        self.seen = SeenNumbers(self._numbers_so_far())
        self.has_former_numbers = FormerNumber.objects.exists()

    def run(self, seconds: float | None) -> bool:
        began = time.monotonic()
        rows = self.table.rows()
        head = list(itertools.islice(rows, HEADER_SEARCH_ROWS))
        if not head:
            raise FileRefused(_("The file is empty."))
        layout = find_layout(head, self.region, Reading.stored(self.contact_import.reading))
        self.columns, self.header_row = layout.columns, layout.header_row
        self.picked = Picker(self.columns)
        last = max(self.cursor, layout.header_row)
        if self.cursor and self.table.rows_after:
            self.rows = self.table.rows_after(last)
        else:
            self.rows = itertools.dropwhile(lambda row: row.number <= last, itertools.chain(head, rows))
        deadline = None
        while chunk := list(itertools.islice(self.rows, CHUNK_ROWS)):
            if deadline is None and seconds is not None:
                back = time.monotonic() - began
                deadline = time.monotonic() + max(seconds, min(back, _LONGEST_RUN_SECONDS) if back > 1 else 0)
            if not self._store(chunk):
                return False  # cancelled, or somebody else is at it
            if deadline is not None and time.monotonic() > deadline:
                return True
        self._finish()
        return False

    def _store(self, chunk: list[Row]) -> bool:
        """Judge a chunk, store it and move the cursor past it; False if the import is no longer this run's to check."""
        cleaned = [(row, self._cleaned(row)) for row in chunk]
        known = self._known(clean.phone_number for _row, clean in cleaned if isinstance(clean, CleanRow))
        counts: Counter[str] = Counter()
        with transaction.atomic():
            commit_without_waiting()  # the cursor goes with it, and the file is still there
            if not self._move(chunk[-1].number):
                return False
            # The database stores the first rows while the next are judged.
            store(self.contact_import.pk, _counted(self._judged(cleaned, known), counts))
            added = {counter: F(counter) + count for counter, count in counts.items()}
            ContactImport.objects.filter(pk=self.contact_import.pk).update(**added)
        return True

    def _known(self, phone_numbers: Iterable[str]) -> _Known:
        """All that is asked of the database about these numbers."""
        numbers = set(phone_numbers)
        contacts = current_contacts(numbers)
        today = numbers_of_today(numbers - contacts.keys()) if self.has_former_numbers else {}
        if today:
            contacts |= current_contacts(today.values())
        first_rows = self._rows_before((numbers - today.keys()) | set(today.values()))
        opted_out = opted_out_numbers(map(canonical, numbers | set(today.values())))
        return _Known(contacts, today, first_rows, opted_out)

    def _judged(self, cleaned: list[tuple[Row, CleanRow | Judged]], known: _Known) -> Iterator[Judged]:
        """Each row of the chunk with its kind, in order."""
        contacts, today, first_rows, opted_out = known
        for row, clean in cleaned:
            if isinstance(clean, Judged):
                yield clean
                continue
            person = _Person(today.get(clean.phone_number, clean.phone_number), clean.phone_number, opted_out)
            if (before := first_rows.setdefault(person.number, row.number)) != row.number:
                yield self._duplicate(row, clean, person, before)
            else:
                yield self._good(row, clean, person, contacts.get(person.number))

    def _cleaned(self, row: Row) -> CleanRow | Judged:
        """The row's cells as values, or the row as a bad one."""
        phone, fields, attributes = self.picked(row.cells)
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

    def _bad(self, row: Row, reason: str, *, column: str) -> Judged:
        return Judged(row.number, RowKind.BAD, column=column[:255], reason=reason, cells=as_json(row.cells))

    def _duplicate(self, row: Row, clean: CleanRow, person: _Person, before: int) -> Judged:
        reason = _("The same number as in row %(row)d, which counts.")
        if person.is_former:
            reason = _("A former number of the person in row %(row)d, which counts.")
        values = as_json(clean.values)
        number = person.number
        return Judged(
            row.number, RowKind.DUPLICATE, phone_number=number, values=values, reason=reason % {"row": before}
        )

    def _good(self, row: Row, clean: CleanRow, person: _Person, current: Mapping[str, Any] | None) -> Judged:
        outcome = self.rules.outcome(current, clean.values, opted_out=person.opted_out, is_former=person.is_former)
        if person.former_opted_out:
            outcome = Outcome(RowKind.LEFT_OUT)
        number = clean.number
        return Judged(
            row.number,
            outcome.kind,
            person.number,
            number.region,
            number.time_zone,
            as_json(clean.values),
            "[]",
            "",
            "",
            " ".join(self._remarks(clean, person, outcome, current)),
            person.in_file if person.is_former else "",
            person.opted_out,
            as_json(outcome.before) if outcome.before else "{}",
            as_json(outcome.written) if outcome.written else None,
        )

    def _remarks(
        self, clean: CleanRow, person: _Person, outcome: Outcome, current: Mapping[str, Any] | None
    ) -> Iterator[str]:
        yield from clean.remarks
        if clean.number.assumed:
            yield _("Read as %(number)s, the only way it makes sense.") % {"number": clean.phone_number}
        if person.is_former:
            yield _(
                "%(former)s is a former number of the contact with %(number)s. The row is that contact's, who keeps "
                "the number of today; no consent is recorded."
            ) % {"former": person.in_file, "number": person.number}
        if person.former_opted_out:
            yield _("The former number has opted out: left out of the import.")
        elif outcome.kind == RowKind.LEFT_OUT:
            yield _("Has opted out: left out of the import.")
        elif person.opted_out:
            yield _("Has opted out: becomes a contact all the same, but is kept out of every sending.")
        elif self.rules.consent and current and current["consent"] == Consent.WITHDRAWN:
            yield _("Has withdrawn the consent, which stays so.")
        if current and current["archived_at"] is not None and outcome.kind != RowKind.LEFT_OUT:
            yield _("Is in the archive: the import brings the contact back.")

    def _numbers_so_far(self) -> Iterable[str]:
        """The numbers of the rows that earlier runs have stored."""
        if not self.cursor:
            return ()
        stored = self.contact_import.rows.filter(number__lte=self.cursor).exclude(kind__in=NOT_FIRST)
        return stored.order_by().values_list("phone_number", flat=True).iterator()

    def _rows_before(self, numbers: Iterable[str]) -> dict[str, int]:
        """In which row of the file each of the numbers stood first, as far as the earlier chunks go."""
        numbers = list(numbers)
        perhaps = self.seen.perhaps(numbers)
        self.seen.add(numbers)
        if not perhaps:
            return {}
        # Written so that only the index that begins with the number serves it, whatever the database expects to find.
        pk, cursor = int(self.contact_import.pk), int(self.cursor)
        kinds = ", ".join(f"'{kind}'" for kind in NOT_FIRST)
        condition = f"contact_import_id + 0 = {pk} AND number + 0 <= {cursor} AND kind NOT IN ({kinds})"
        return known_numbers(ContactImportRow, perhaps, condition=condition, values="number")

    def _move(self, cursor: int, **updates: Any) -> bool:
        moved = (
            ContactImport.objects.filter(
                pk=self.contact_import.pk, status=ImportStatus.CHECKING, cursor=self.cursor
            ).update(
                cursor=cursor,
                heartbeat_at=timezone.now(),
                encoding=self.table.encoding,
                delimiter=self.table.delimiter,
                columns=self._columnsas_json(),
                **updates,
            )
            == 1
        )
        self.cursor = cursor
        return moved

    def _columnsas_json(self) -> dict[str, Any]:
        return {
            "list": self.columns.described(),
            "headers": list(self.columns.headers),
            "header_row": self.header_row,
            "sheet": self.table.sheet,
            "percent": self.table.percent(),
            "last_row": self.cursor,
        }

    def _finish(self) -> None:
        if not self.cursor:
            self._move(0)  # what the columns are called is known all the same
            raise FileRefused(_("The file has a header but no rows below it."))
        self._move(self.cursor, status=ImportStatus.CHECKED)


def _counted(rows: Iterable[Judged], counts: Counter[str]) -> Iterator[Judged]:
    """The rows as they are, each added to the import's counters that it is one of."""
    for row in rows:
        counts[f"{row.kind}_count"] += 1
        if row.opted_out:
            counts["opted_out_count"] += 1
        if row.remark:
            counts["remark_count"] += 1
        yield row
