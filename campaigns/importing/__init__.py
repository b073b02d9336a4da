"""
Contact files: read, check, show, import.

`start()` keeps a file, `look()` shows how it would be read and `read_as()` says how it is, `check()` judges its rows,
`confirm()` is the operator's word, `commit()` makes contacts of the good rows; `bad_rows_csv()` gives the others back,
`undo()` takes all of it back.
"""

from __future__ import annotations

from .bad_rows import bad_rows_csv
from .checking import GOOD, check
from .committing import commit
from .errors import FileRefused
from .looking import Look, SampleColumn, asked_reading, look, read_like_before
from .steps import (
    UNDER_WAY,
    cancel,
    confirm,
    percent_done,
    read_anew,
    read_as,
    refusal_of_group,
    refuse,
    stalled_imports,
    start,
)
from .tables import Reading
from .undoing import UndoPlan, begin_undo, can_be_undone, undo, undo_plan

__all__ = [
    "GOOD",
    "UNDER_WAY",
    "FileRefused",
    "Look",
    "Reading",
    "SampleColumn",
    "asked_reading",
    "UndoPlan",
    "bad_rows_csv",
    "begin_undo",
    "can_be_undone",
    "cancel",
    "check",
    "commit",
    "confirm",
    "look",
    "percent_done",
    "read_anew",
    "read_as",
    "read_like_before",
    "refusal_of_group",
    "refuse",
    "stalled_imports",
    "start",
    "undo",
    "undo_plan",
]
