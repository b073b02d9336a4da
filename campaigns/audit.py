"""Writing down who did what."""

from __future__ import annotations

from typing import Any

from .models import AuditEvent, Campaign, User


def record(
    action: str,
    *,
    actor: User | None = None,
    campaign: Campaign | None = None,
    subject: str = "",
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append to the audit trail. Call it in the transaction that does what it tells of; no actor means the engine."""
    return AuditEvent.objects.create(
        action=action, actor=actor, campaign=campaign, subject=subject[:200], details=details or {}
    )
