"""What can be done with many rows. An operation is registered in one line and is then offered by the lists it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise

from campaigns.models import BulkAction


class Operation:
    """
    One thing that can be done.

    `permissions` are needed by list name; a list without an entry does not offer it. `chunk` is how many rows are one
    transaction.
    """

    key: ClassVar[str]
    #: What the audit trail and the page of the action call it.
    label: ClassVar[str | Promise]
    permissions: ClassVar[Mapping[str, str]]
    chunk: ClassVar[int] = 1000
    #: Whether lists offer it by themselves.
    is_offered: ClassVar[bool] = True

    def begin(self, action: BulkAction) -> None:
        """Prepare; called before the action is stored. May set its `progress`."""

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        """
        Do it to these rows, and say how many it changed.

        Called in a transaction that also moves the cursor. After a crash the same rows come again if, and only if, that
        transaction was lost; whatever lies outside of the database must bear that.
        """
        raise NotImplementedError

    def finish(self, action: BulkAction) -> dict[str, Any]:
        """Called once all rows are done, again after a crash; values of the action that are stored with its end."""
        return {}

    def discard(self, action: BulkAction) -> None:
        """The action was cancelled or failed: throw away what is of no use to anybody."""

    def in_words(self, action: BulkAction) -> str:
        """What it does, with its parameters, for the page of the action."""
        return str(self.label)


OPERATIONS: dict[str, Operation] = {}


def register(operation: Operation) -> Operation:
    """Let it be done."""
    OPERATIONS[operation.key] = operation
    return operation
