"""A contact file as rows of texts, whatever it was saved as."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from . import limits
from .errors import FileRefused

#: White space, and what takes no room on the screen: such marks come along when cells are copied from web pages.
_NOTHING_TO_SEE = (
    " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\u3000\ufeff"
)


class Row(NamedTuple):
    """A row that is not blank. `number` is what a spreadsheet or a text editor shows beside its first line."""

    number: int
    cells: list[str]
    line_count: int = 1


@dataclass(frozen=True)
class Reading:
    """
    How a file is to be read; what is empty here is found out.

    `header_row` is the number of the row with the columns' names, 0 if there is none, None to look for it. `columns`
    says of each column what it is: {"use": "phone_number"}, a field of the contact, {"use": "attribute", "name": ...}
    or {"use": "ignored"}.
    """

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header_row: int | None = None
    columns: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def stored(cls, values: dict[str, Any]) -> Reading:
        """From `ContactImport.reading`."""
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """For `ContactImport.reading`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Table:
    """
    How a file is read, and its rows, one at a time: the file is never in memory as a whole.

    `rows()` may be called again to start anew. It raises FileRefused where the file turns out to be broken. `sheets`
    are the names of all sheets that can be read, `sheet` is the one that is. `percent()` is how much of the file has
    been read, None if that cannot be told. `rows_after(number)` gives the rows behind that one without reading those
    before; None where all must be read.
    """

    rows: Callable[[], Iterator[Row]]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    percent: Callable[[], int | None] = lambda: None
    rows_after: Callable[[int], Iterator[Row]] | None = None


#: Control characters that no text has: databases refuse the first, and the others stand for something else there.
_NOT_STORED = dict.fromkeys((*range(0x09), *range(0x0E, 0x20)))


def tidied(cell: str) -> str:
    """The cell without what cannot be seen at its ends."""
    cell = cell.strip()
    if not cell.isprintable():
        cell = cell.translate(_NOT_STORED)
    return cell if cell.isascii() else cell.strip(_NOTHING_TO_SEE)


def limited(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows that are not blank, as long as there are not too many rows or columns."""
    count = 0
    for row in rows:
        while row.cells and not row.cells[-1]:
            row.cells.pop()
        if not row.cells:
            continue
        if len(row.cells) > limits.MAX_COLUMNS:
            raise FileRefused(
                _("Row %(row)d has %(count)d columns. More than %(limit)d are not read; delete those not needed.")
                % {"row": row.number, "count": len(row.cells), "limit": limits.MAX_COLUMNS}
            )
        count += 1
        if count > limits.MAX_ROWS + 1:
            raise FileRefused(
                _("The file has more than %(limit)d rows. Split it into several files.") % {"limit": limits.MAX_ROWS}
            )
        yield row
