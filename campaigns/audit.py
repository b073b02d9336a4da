"""Writing down who did what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from . import permissions
from .models import AuditEvent, Campaign, User
from .sending.bulk_insert import bulk_insert

#: Before and after, by field.
Changes = Mapping[str, tuple[Any, Any]]


def record(
    action: str,
    *,
    actor: User | None = None,
    campaign: Campaign | None = None,
    subject: str = "",
    count: int | None = None,
    changes: Changes | None = None,
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """
    Append to the audit trail. Call it in the transaction that does what it tells of; no actor means the engine.

    `count` is how many were concerned, `changes` what was before and is after. Raises NotAllowed for an actor who may
    not do this. Only an entry whose subject is a person's number may say anything of a person in its details: erasing
    finds it by that.
    """
    permissions.require_act(actor, action)
    written = dict(details or {})
    if changes:
        written["changes"] = {name: list(pair) for name, pair in changes.items()}
    return AuditEvent.objects.create(
        action=action,
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        campaign=campaign,
        subject=subject[:200],
        count=count,
        details=written,
    )


def record_many(
    action: str, entries: Iterable[tuple[str, Mapping[str, Any]]], *, actor: User | None, at: datetime | None = None
) -> None:
    """The same for many at once, each with its subject and details; with as many rows as there are entries."""
    permissions.require_act(actor, action)
    bulk_insert(
        AuditEvent,
        ("subject", "details"),
        ((subject[:200], json.dumps(details)) for subject, details in entries),
        action=action,
        at=at or timezone.now(),
        actor_id=actor.pk if actor else None,
        actor_name=actor.get_username() if actor else "",
    )
