"""
The delivery log, as people look through it: newest first, by any filter, a page at a time at any depth.

`filters` says what can be asked for, `searching` what somebody means who types a number or an id, `plans` by which
index the rows are found, `pages` reads them, and `counting` says how many there are.
"""

from __future__ import annotations

from .counting import known_count
from .filters import DONE, FIELDS, NO_REASON, PARAMETERS, STATUS_GROUPS, TAKEN_SUM, TO_GO, FilterError, LogFilters, read
from .pages import Key, Page, ids_behind, page
from .plans import advice, is_covered

__all__ = [
    "DONE",
    "FIELDS",
    "NO_REASON",
    "PARAMETERS",
    "STATUS_GROUPS",
    "TAKEN_SUM",
    "TO_GO",
    "FilterError",
    "Key",
    "LogFilters",
    "Page",
    "advice",
    "ids_behind",
    "is_covered",
    "known_count",
    "page",
    "read",
]
