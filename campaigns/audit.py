"""Writing down who did what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone, translation
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from . import permissions
from .models import AuditEvent, Campaign, User
from .sending.bulk_insert import bulk_insert

#: Before and after, by what the field is called; a lazy translation, so that every reader gets it in their language.
Changes = Mapping[Any, tuple[Any, Any]]


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
        written["changes"] = {untranslated(name): list(pair) for name, pair in changes.items()}
    return AuditEvent.objects.create(
        action=action,
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        campaign=campaign,
        subject=subject[:200],
        count=count,
        details=written,
    )


def untranslated(label: Any) -> str:
    """A lazy translation as the code has it: an entry is read in many languages, for years."""
    with translation.override(None):
        return str(label)


def field_words(name: str) -> str:
    """
    What an entry calls a field, in the reader's language.

    What is not known (a field of the installation's own, or an entry in the language of whoever did it, as all were
    once) stays as it is.
    """
    found = _(name) if name else ""
    if found == name and name[:1].isupper():  # forms write the names of models' fields with a capital
        found = capfirst(_(name[0].lower() + name[1:]))
    return found


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
