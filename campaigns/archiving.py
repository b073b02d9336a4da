"""Putting away what something was sent to or from: it is offered and listed no more, and can be brought back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Q
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext as _

from . import audit
from .models import (
    ENDED,
    Campaign,
    CampaignStatus,
    Contact,
    ContactGroup,
    InboundMessage,
    MessageStatus,
    SentMessage,
    User,
)

#: What can be put away.
Archivable = Campaign | Contact | ContactGroup

_WAITING = Q(
    status__in=[CampaignStatus.SCHEDULED, CampaignStatus.FREEZING, CampaignStatus.SENDING, CampaignStatus.PAUSED]
)
#: In these states, without an attempt, nothing was sent and nothing will be.
_NEVER_SENT = Q(status__in=[MessageStatus.SUPPRESSED, MessageStatus.CANCELLED, MessageStatus.FAILED], attempt_count=0)


class ArchiveRefused(Exception):
    """This cannot be put away now; the message says why."""


def archive(thing: Archivable, *, actor: User | None) -> bool:
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


def restore(thing: Archivable, *, actor: User | None) -> bool:
    """Bring it back. False if it is not put away."""
    with transaction.atomic():
        locked = _locked(thing)
        if locked.archived_at is None:
            return False
        _write(locked, None, "restore", actor)
    thing.refresh_from_db()
    return True


def why_not(thing: Archivable) -> str:
    """Why it cannot be put away; empty when it can."""
    if isinstance(thing, Contact):
        return ""  # what waits for them already is sent: they were in the audience when it was launched
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


# --- contacts --------------------------------------------------------------------------------------------------------


def written_to() -> Q:
    """
    The contacts to whom something was sent, or is to be, or who wrote to us: the log and the inbox lead to them.

    Also by number: messages from before somebody became a contact are in their history all the same.
    """
    sent, came = SentMessage.objects.exclude(_NEVER_SENT), InboundMessage.objects.all()
    by_contact = [Exists(rows.filter(contact=OuterRef("pk"))) for rows in (sent, came)]
    by_number = [Exists(rows.filter(phone_number=OuterRef("phone_number"))) for rows in (sent, came)]
    return Q(*by_contact, *by_number, _connector=Q.OR)


def was_written_to(contact: Contact) -> bool:
    """Whether this contact is archived and not deleted."""
    return Contact.objects.filter(written_to(), pk=contact.pk).exists()


def archive_or_delete(contact_ids: Sequence[int], *, actor: User | None) -> tuple[int, int]:
    """
    Take these contacts away: who was written to is archived, who never was is deleted. How many of either.

    Call it in a transaction. Nobody writes to them between the question and the answer: a new message needs its
    contact's row, which is locked.
    """
    locked = Contact.objects.select_for_update().filter(pk__in=contact_ids).order_by("pk")
    ids = list(locked.values_list("pk", flat=True))
    kept = _numbered(Contact.objects.filter(written_to(), pk__in=ids))
    archived = _write_many({pk: number for pk, number, at in kept if at is None}, timezone.now(), actor=actor)
    gone = set(ids) - {pk for pk, _number, _at in kept}
    _all, by_model = Contact.objects.filter(pk__in=gone).delete()
    return archived, by_model.get(Contact._meta.label, 0)


def restore_contacts(contact_ids: Sequence[int], *, actor: User | None, **details: Any) -> int:
    """Bring these back, as far as they are in the archive; how many were. Call it in a transaction."""
    locked = Contact.objects.select_for_update().filter(pk__in=contact_ids).order_by("pk")
    found = {pk: number for pk, number, at in _numbered(locked) if at is not None}
    return _write_many(found, None, actor=actor, **details)


def note_contacts(numbers: Sequence[str], *, archived: bool, actor: User | None, **details: Any) -> None:
    """An entry for each of these (E.164). Call it in the transaction that puts them away or brings them back."""
    if numbers:
        action = "archive_contact" if archived else "restore_contact"
        audit.record_many(action, ((number, details) for number in numbers), actor=actor)


def _numbered(contacts: Any) -> list[tuple[int, str, Any]]:
    """As text: the field would parse each number."""
    with_number = contacts.annotate(e164=Cast("phone_number", CharField())).order_by("pk")
    return list(with_number.values_list("pk", "e164", "archived_at"))


def _write_many(numbers: dict[int, str], at: Any, *, actor: User | None, **details: Any) -> int:
    Contact.objects.filter(pk__in=numbers).update(archived_at=at, updated_at=timezone.now())
    note_contacts(list(numbers.values()), archived=at is not None, actor=actor, **details)
    return len(numbers)


def _locked(thing: Archivable) -> Any:
    return type(thing)._base_manager.select_for_update().get(pk=thing.pk)


def _write(locked: Any, at: Any, action: str, actor: User | None) -> None:
    if isinstance(locked, Contact):
        _write_many({locked.pk: locked.phone_number.as_e164}, at, actor=actor)
        return
    type(locked)._base_manager.filter(pk=locked.pk).update(archived_at=at)
    is_campaign = isinstance(locked, Campaign)
    audit.record(
        action if is_campaign else f"{action}_group",
        actor=actor,
        campaign=locked if is_campaign else None,
        subject=locked.name,
    )
