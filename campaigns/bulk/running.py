"""Working a bulk action off: in sets, each one transaction, from wherever it stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone, translation

from campaigns import audit, masking, permissions
from campaigns.models import BulkAction, BulkStatus, User
from campaigns.wakeups import wake

from .files import delete_file
from .lists import next_ids
from .operations import OPERATIONS

logger = logging.getLogger(__name__)

#: An action under way that showed no sign of life for so long has lost its worker.
STALLED_AFTER = timedelta(minutes=2)


def start(
    operation: str,
    list_name: str,
    selection: Mapping[str, Any],
    *,
    total: int,
    parameters: Mapping[str, Any] | None = None,
    actor: User | None = None,
) -> BulkAction:
    """
    Let this be done; a worker begins when the transaction has committed.

    `selection` is `{"ids": [...]}` or `{"filters": {...}}`, with `up_to`, the highest id that it is about; `total` is
    how many rows that are, as it was confirmed.
    """
    with transaction.atomic():
        action = BulkAction(
            operation=operation,
            list_name=list_name,
            selection=dict(selection),
            parameters=dict(parameters or {}),
            total=total,
            created_by=actor,
            language=translation.get_language() or "",
            time_zone=timezone.get_current_timezone_name(),
        )
        OPERATIONS[operation].begin(action)
        action.save()
        details = {"bulk_action": action.pk, **action.parameters}
        if "filters" in action.selection:
            details["filters"] = _without_person(action.selection["filters"])
        audit.record(operation, actor=actor, subject=list_name, count=total, details=details)
        wake("run_bulk_action", action.pk)
    return action


def _without_person(filters: Mapping[str, Any]) -> dict[str, Any]:
    """What was searched for may be somebody's number or name, which the audit trail could not forget."""
    return {name: "…" if name == "q" or "number" in name else value for name, value in filters.items()}


def run(action_id: int, *, seconds: float | None = None) -> bool:
    """
    Work an action off; True if there is more to do.

    Works for about `seconds` at most (None: to the end); after True, or after a crash, call it again: it goes on where
    it stopped. Two calls at once do no harm: one of them stops. What cannot be done ends it with the reason.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    action = BulkAction.objects.select_related("created_by").get(pk=action_id)
    if action.status != BulkStatus.RUNNING:
        return False
    zone = action.time_zone or timezone.get_default_timezone_name()
    with translation.override(action.language or translation.get_language()), timezone.override(zone):
        try:
            with masking.as_seen_by(action.created_by):
                _require_permission(action)
                return _run(action, deadline)
        except (OperationalError, InterfaceError):
            raise  # the database is away or busy: the sweeper has it tried again
        except Exception as error:
            logger.exception("Bulk action %s could not be done.", action_id)
            _end(action, BulkStatus.FAILED, problem=str(error) or type(error).__name__)
    return False


def _require_permission(action: BulkAction) -> None:
    """Whoever asked for it may still do it: it may have waited for hours. Raises NotAllowed."""
    permission = OPERATIONS[action.operation].permissions.get(action.list_name)
    if permission is not None:
        permissions.require(action.created_by, permission)


def _run(action: BulkAction, deadline: float | None) -> bool:
    operation = OPERATIONS[action.operation]
    while ids := next_ids(action, operation.chunk):
        locked = _apply(action, ids)
        if locked is None:
            return False  # cancelled, or somebody else is at it
        action = locked
        # After a set that was not full there is nothing left: to end it now is quicker than to ask a worker for it.
        if len(ids) == operation.chunk and deadline is not None and time.monotonic() > deadline:
            return True
    # Not in a transaction: packing a large file would lock SQLite as long.
    updates = operation.finish(action)
    if not _end(action, BulkStatus.DONE, **updates):
        action.refresh_from_db()
        if action.status != BulkStatus.DONE:
            operation.discard(action)  # cancelled in this moment
    return False


def _apply(action: BulkAction, ids: list[int]) -> BulkAction | None:
    """One set of rows, with the cursor in the same transaction. None: it is not ours to do any more."""
    with transaction.atomic():
        locked = _locked(action)
        if locked is None:
            return None
        locked.changed_count += OPERATIONS[locked.operation].apply(locked, ids)
        locked.done_count += len(ids)
        locked.cursor = ids[-1]
        locked.heartbeat_at = timezone.now()
        locked.save(update_fields=["changed_count", "done_count", "cursor", "heartbeat_at", "progress"])
    return locked


def _locked(action: BulkAction) -> BulkAction | None:
    """The locked row, if it still stands where this run left it."""
    running = BulkAction.objects.select_for_update().filter(status=BulkStatus.RUNNING, cursor=action.cursor)
    return running.filter(pk=action.pk).first()


def cancel(action: BulkAction, *, actor: User | None) -> bool:
    """Stop it; what was done stays done. False if it had ended before."""
    with transaction.atomic():
        if not _end(action, BulkStatus.CANCELLED):
            return False
        audit.record("cancel_bulk_action", actor=actor, subject=action.operation, details={"bulk_action": action.pk})
    return True


def _end(action: BulkAction, status: BulkStatus, **updates: Any) -> bool:
    with transaction.atomic():
        locked = BulkAction.objects.select_for_update().filter(pk=action.pk, status=BulkStatus.RUNNING).first()
        if locked is None:
            return False
        BulkAction.objects.filter(pk=action.pk).update(status=status, finished_at=timezone.now(), **updates)
        if status != BulkStatus.DONE:
            OPERATIONS[locked.operation].discard(locked)
    action.refresh_from_db()
    return True


def stalled() -> list[int]:
    """Ids of actions under way that nobody works at any more; `run()` takes them up."""
    silent_since = timezone.now() - STALLED_AFTER
    running = BulkAction.objects.filter(status=BulkStatus.RUNNING, created_at__lt=silent_since)
    return list(running.exclude(heartbeat_at__gte=silent_since).values_list("pk", flat=True))


def prune_exports() -> None:
    """Delete the files whose time is over."""
    for action in BulkAction.objects.filter(expires_at__lt=timezone.now()).exclude(file_path=""):
        delete_file(action.file_path)
        BulkAction.objects.filter(pk=action.pk).update(file_path="", expires_at=None)
