"""Putting away what something was sent to or from: it is offered and listed no more, and can be brought back."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from . import audit
from .models import ENDED, Campaign, CampaignStatus, ContactGroup, User

_WAITING = Q(
    status__in=[CampaignStatus.SCHEDULED, CampaignStatus.FREEZING, CampaignStatus.SENDING, CampaignStatus.PAUSED]
)


class ArchiveRefused(Exception):
    """This cannot be put away now; the message says why."""


def archive(thing: Campaign | ContactGroup, *, actor: User | None) -> bool:
    """Put it away. False if it is put away already. Raises ArchiveRefused while something waits for it."""
    with transaction.atomic():
        locked = _locked(thing)
        if locked.archived_at is not None:
            return False
        if reason := why_not(locked):
            raise ArchiveRefused(reason)
        _write(locked, timezone.now(), "archive", actor)
    thing.refresh_from_db()
    return True


def restore(thing: Campaign | ContactGroup, *, actor: User | None) -> bool:
    """Bring it back. False if it is not put away."""
    with transaction.atomic():
        locked = _locked(thing)
        if locked.archived_at is None:
            return False
        _write(locked, None, "restore", actor)
    thing.refresh_from_db()
    return True


def why_not(thing: Campaign | ContactGroup) -> str:
    """Why it cannot be put away; empty when it can."""
    if isinstance(thing, Campaign):
        if thing.status in ENDED or thing.status == CampaignStatus.DRAFT:
            return ""
        return _("“%(name)s” is %(status)s. Cancel it, or wait until it is over.") % {
            "name": thing.name,
            "status": thing.get_status_display(),
        }
    waiting = campaigns_of(thing).filter(_WAITING).first()
    return _("The campaign “%(name)s” needs this group.") % {"name": waiting.name} if waiting else ""


def campaigns_of(group: ContactGroup) -> Any:
    """The campaigns that include the group or leave it out."""
    return Campaign.objects.filter(Q(include_groups=group.pk) | Q(exclude_groups=group.pk)).distinct()


def was_sent_to(group: ContactGroup) -> bool:
    """Whether the log speaks of this group: it is archived and not deleted."""
    return bool(campaigns_of(group).filter(launched_at__isnull=False).exists())


def _locked(thing: Campaign | ContactGroup) -> Any:
    model = Campaign if isinstance(thing, Campaign) else ContactGroup
    return model.objects.select_for_update().get(pk=thing.pk)


def _write(locked: Any, at: Any, action: str, actor: User | None) -> None:
    type(locked).objects.filter(pk=locked.pk).update(archived_at=at)
    is_campaign = isinstance(locked, Campaign)
    audit.record(
        action if is_campaign else f"{action}_group",
        actor=actor,
        campaign=locked if is_campaign else None,
        subject=locked.name,
    )
