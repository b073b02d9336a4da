"""A contact file as rows of texts, whatever it was saved as."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from . import limits
from .errors import FileRefused


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not blank. `number` is what a spreadsheet or a text editor shows beside its first line."""

    number: int
    cells: list[str]
    line_count: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """
    How a file is read, and its rows, one at a time: the file is never in memory as a whole.

    `rows()` may be called again to start anew. It raises FileRefused where the file turns out to be broken.
    """

    rows: Callable[[], Iterator[Row]]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


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
