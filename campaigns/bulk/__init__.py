"""
Doing something to many rows: to those that were ticked in a list, or to all that its filters match.

`lists` says which rows a list shows, `operations` what can be done with them, `exporting`, `log_exporting` and `files`
write them into files, and `running` works an action off in sets, from wherever it stopped.
"""

from __future__ import annotations

from . import contact_operations, exporting, log_exporting, sending_to  # noqa: F401  (they register what can be done)
from .operations import OPERATIONS, Operation, register
from .running import cancel, prune_exports, run, stalled, start

__all__ = ["OPERATIONS", "Operation", "cancel", "prune_exports", "register", "run", "stalled", "start"]
