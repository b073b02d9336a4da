"""
One person, two numbers: two contacts become one, or a number is changed.

What belongs to a number stays with it: messages, receipts, opt-outs and consent. The former number is remembered, so
that the history of the person shows what was sent to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from . import audit
from .composing import normalise_name
from .models import (
    CANCELLABLE,
    TAKEN,
    Campaign,
    CampaignStatus,
    Contact,
    FormerNumber,
    MessageStatus,
    SentMessage,
    SuppressionReason,
    User,
)

#: Fields that are filled in from the other contact where the one that is kept has nothing. Country and time zone follow
#: from the number; consent was given for a number.
FILLED = ("first_name", "last_name", "email", "language")
_IN_HAND = frozenset({MessageStatus.SENDING, MessageStatus.UNKNOWN}) | TAKEN


class MergeRefused(Exception):
    """They cannot be merged now; the message says why."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What the contact that is kept will hold. `filled` names what it gets from the other one."""

    fields: dict[str, str]
    attributes: dict[str, Any]
    groups: list[str]
    filled: frozenset[str]


def plan(kept: Contact, other: Contact) -> Merged:
    """What would become of the two."""
    filled = {name for name in FILLED if not getattr(kept, name) and getattr(other, name)}
    fields = {name: getattr(other if name in filled else kept, name) for name in FILLED}
    had = {normalise_name(name) for name, value in kept.attributes.items() if value not in ("", None)}
    new = {name: value for name, value in other.attributes.items() if normalise_name(name) not in had}
    mine = {name: value for name, value in kept.attributes.items() if normalise_name(name) in had}
    groups = sorted({group.name for contact in (kept, other) for group in contact.groups.all()})
    return Merged(fields, {**mine, **new}, groups, frozenset(filled) | {f"attribute {name}" for name in new})


def merge(kept: Contact, other: Contact, *, actor: User | None) -> Contact:
    """
    Make one contact of two. `other` goes; its number becomes a former number of `kept`.

    Where both wait for the same campaign, only one of them gets it. Raises MergeRefused.
    """
    if kept.pk == other.pk:
        raise MergeRefused(_("A contact cannot be merged with itself."))
    with transaction.atomic():
        locked = Contact.objects.select_for_update().filter(pk__in=[kept.pk, other.pk]).order_by("pk").in_bulk()
        if len(locked) < 2:
            raise MergeRefused(_("One of the two is not there any more."))
        kept, other = locked[kept.pk], locked[other.pk]
        if kept.archived_at or other.archived_at:
            raise MergeRefused(_("One of the two is in the archive. Bring it back first."))
        _refuse_while_preparing()
        merged = plan(kept, other)
        for name, value in merged.fields.items():
            setattr(kept, name, value)
        kept.attributes = merged.attributes
        kept.save()
        kept.groups.add(*other.groups.all())
        _remember(kept, other, actor)
        _move_messages(kept, other)
        _move_the_rest(kept, other)
        details = {"former_number": _e164(other), "filled": sorted(merged.filled)}
        audit.record("merge_contacts", actor=actor, subject=_e164(kept), details=details)
        other.delete()
    return kept


def note_number_change(contact: Contact, before: str, *, actor: User | None) -> None:
    """A contact has got another number than `before`. Call it in the transaction that saves the new one."""
    FormerNumber.objects.create(contact=contact, phone_number=before, recorded_by=actor)
    audit.record("change_number", actor=actor, subject=_e164(contact), details={"former_number": before})


def likely_duplicates(contact: Contact, limit: int = 3) -> list[Contact]:
    """Others with the same e-mail address, or the same first and last name. Indexes find them."""
    same = []
    if contact.email:
        same.append(Q(email__iexact=contact.email))
    if contact.first_name and contact.last_name:
        same.append(Q(first_name__iexact=contact.first_name, last_name__iexact=contact.last_name))
    found: dict[int, Contact] = {}
    for condition in same:
        others = Contact.objects.in_use().filter(condition).exclude(pk=contact.pk).order_by()
        found.update({it.pk: it for it in others[:limit]})
    return list(found.values())[:limit]


def _refuse_while_preparing() -> None:
    """While a campaign's rows are written, whoever moves to a contact that was passed already would get nothing."""
    preparing = Campaign.objects.filter(
        Q(status=CampaignStatus.FREEZING)
        | Q(status=CampaignStatus.PAUSED, frozen_at__isnull=True, launched_at__isnull=False)
    ).first()
    if preparing is not None:
        raise MergeRefused(
            _("The campaign “%(name)s” is being prepared. Merge them when that is over.") % {"name": preparing.name}
        )


def _remember(kept: Contact, other: Contact, actor: User | None) -> None:
    FormerNumber.objects.filter(contact=other).update(contact=kept)
    was = {name: getattr(other, name) for name in FILLED} | {
        "attributes": other.attributes,
        "consent": other.consent,
        "consented_at": other.consented_at and other.consented_at.isoformat(),
        "consent_source": other.consent_source,
        "consent_evidence": other.consent_evidence,
        "groups": sorted(group.name for group in other.groups.all()),
        "created_at": other.created_at.isoformat(),
    }
    FormerNumber.objects.create(contact=kept, phone_number=_e164(other), was=was, recorded_by=actor)


def _move_messages(kept: Contact, other: Contact) -> None:
    """
    The other's messages become the person's. In a campaign that both are in, each row stays with its number: the
    other's then belongs to no contact, since a contact has one row in a campaign.
    """
    rows = SentMessage.objects.filter(contact=other)
    theirs = SentMessage.objects.filter(contact=kept, campaign=OuterRef("campaign"))
    mine = SentMessage.objects.filter(contact=kept, status__in=CANCELLABLE)
    taken = SentMessage.objects.filter(contact=other, campaign=OuterRef("campaign"), status__in=_IN_HAND)
    _suppress(mine.filter(Exists(taken)))
    _suppress(rows.filter(Exists(theirs.filter(status__in=_IN_HAND | CANCELLABLE)), status__in=CANCELLABLE))
    alone = rows.filter(Q(campaign__isnull=True) | ~Exists(theirs))
    rows.filter(pk__in=list(alone.values_list("pk", flat=True))).update(contact=kept)


def _suppress(rows: Any) -> None:
    ids = list(rows.values_list("pk", flat=True))
    SentMessage.objects.filter(pk__in=ids, status__in=CANCELLABLE).update(
        status=MessageStatus.SUPPRESSED,
        reason=SuppressionReason.DUPLICATE,
        reason_text=_("the same person is in this campaign with another number"),
        claim_token="",
        lease_expires_at=None,
        status_at=timezone.now(),
    )


def _move_the_rest(kept: Contact, other: Contact) -> None:
    """Whatever else belongs to a contact: replies, and what later versions hang on it."""
    handled = {SentMessage, FormerNumber}
    for relation in Contact._meta.related_objects:
        model = relation.related_model
        if relation.one_to_many and not isinstance(model, str) and model not in handled:
            name = relation.field.name
            model._base_manager.filter(**{name: other}).update(**{name: kept})


def _e164(contact: Contact) -> str:
    return str(getattr(contact.phone_number, "as_e164", contact.phone_number))
