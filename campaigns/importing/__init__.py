"""
Contact files: read, check, show, import.

`start()` keeps a file, `check()` judges its rows, `confirm()` is the operator's word, `commit()` makes contacts of the
good rows; `bad_rows_csv()` gives the others back.
"""

from __future__ import annotations

from .bad_rows import bad_rows_csv
from .checking import GOOD, check
from .committing import commit
from .errors import FileRefused
from .steps import UNDER_WAY, cancel, confirm, stalled_imports, start

__all__ = [
    "GOOD",
    "UNDER_WAY",
    "FileRefused",
    "bad_rows_csv",
    "cancel",
    "check",
    "commit",
    "confirm",
    "stalled_imports",
    "start",
]
