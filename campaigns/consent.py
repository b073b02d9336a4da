"""
Who may get what: consent, its history, and the holds of answers that wait for review.

The rule of a campaign is asked three times: when it is looked at before sending, when its rows are written, and in the
statement that hands a message over, so that a consent withdrawn in between is honoured with the next request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Q
from django.db.models.functions import Cast
from django.utils import timezone

from sms_backends.phone_numbers import canonical

from .models import (
    CampaignKind,
    Consent,
    ConsentAct,
    ConsentChange,
    ConsentKind,
    Contact,
    Conversation,
    SentMessage,
    SuppressionReason,
    User,
)
from .sending.bulk_insert import bulk_insert
from .sending.compiled import Among, Statement, compiled, listed
from .suppression import leave_all_unsent, leave_unsent, waiting_among, waiting_for

#: Contacts whose consent is written in one transaction.
CHUNK = 2000


class Rule(StrEnum):
    """What a campaign asks of a contact."""

    #: Service messages: nothing.
    NOTHING = "nothing"
    #: Marketing where the installation asks for no proof: everybody who has not said no.
    NOT_WITHDRAWN = "not_withdrawn"
    #: Marketing: consent that covers advertising.
    GIVEN = "given"


def rule_for(kind: str) -> Rule:
    """The rule for campaigns of this kind (`CampaignKind`)."""
    if kind != CampaignKind.MARKETING:
        return Rule.NOTHING
    return Rule.GIVEN if settings.SMS_MARKETING_NEEDS_CONSENT else Rule.NOT_WITHDRAWN


def permits(rule: Rule, consent: str, kind: str) -> bool:
    """Whether a contact with this consent to this kind may get it."""
    if rule == Rule.GIVEN:
        return consent == Consent.GIVEN and kind == ConsentKind.MARKETING
    return rule == Rule.NOTHING or consent != Consent.WITHDRAWN


def lacking(rule: Rule) -> Q:
    """The contacts who may not get it, as `permits()` has it."""
    if rule == Rule.GIVEN:
        return ~Q(consent=Consent.GIVEN) | ~Q(consent_kind=ConsentKind.MARKETING)
    return Q(consent=Consent.WITHDRAWN) if rule == Rule.NOT_WITHDRAWN else Q(pk__in=[])


def without_consent(rule: Rule) -> Exists:
    """For rows of the log: their contact may not get it (any more). Those without a contact are not concerned."""
    return Exists(Contact.objects.filter(lacking(rule), pk=OuterRef("contact")))


def under_review() -> Exists:
    """For rows of the log: an answer from their number may be an opt-out, and nobody has looked at it yet."""
    return Exists(Conversation.objects.filter(canonical_number=OuterRef("canonical_number"), held_since__isnull=False))


def held_numbers(canonical_numbers: Iterable[str]) -> set[str]:
    """Those of the canonical numbers that get no marketing until an answer of theirs was reviewed."""
    return {number for (number,) in compiled(_held).run(numbers=listed(canonical_numbers))}


def _held() -> Statement:
    held = Conversation.objects.filter(Among("numbers", "canonical_number"), held_since__isnull=False)
    return Statement.select(held.values_list("canonical_number"))


# --- recording -------------------------------------------------------------------------------------------------------

_ACTS = {
    Consent.GIVEN: ConsentAct.GIVEN,
    Consent.WITHDRAWN: ConsentAct.WITHDRAWN,
    Consent.UNKNOWN: ConsentAct.FORGOTTEN,
}


def record_consent(
    contact: Contact,
    consent: Consent,
    *,
    source: str,
    evidence: str = "",
    kind: ConsentKind = ConsentKind.MARKETING,
    at: datetime | None = None,
    actor: User | None = None,
) -> None:
    """Write down what a person agreed to or refused; what waits for somebody who withdrew it is not sent."""
    record_consents([contact.pk], consent, source=source, evidence=evidence, kind=kind, at=at, actor=actor)
    contact.refresh_from_db()


def record_consents(
    contact_ids: Sequence[int],
    consent: Consent,
    *,
    source: str,
    evidence: str = "",
    kind: ConsentKind = ConsentKind.MARKETING,
    at: datetime | None = None,
    actor: User | None = None,
) -> int:
    """
    The same for many contacts with the same proof, an imported file's for example, in sets of one transaction each.

    Returns for how many of them something changed. Repeating it changes nothing.
    """
    happened_at = at or timezone.now()
    proof = {
        "consent": consent,
        "consent_kind": kind,
        "consent_source": source[:150],
        "consent_evidence": evidence,
    }
    changed = 0
    for start in range(0, len(contact_ids), CHUNK):
        with transaction.atomic():
            locked = Contact.objects.select_for_update().filter(pk__in=contact_ids[start : start + CHUNK])
            # As text: the field would parse each number again.
            numbered = locked.exclude(**proof).order_by("pk").annotate(e164=Cast("phone_number", CharField()))
            found = dict(numbered.values_list("pk", "e164"))
            note_changes(
                found.items(), consent, kind=kind, source=source, evidence=evidence, at=happened_at, actor=actor
            )
            consented_at = happened_at if consent == Consent.GIVEN else None
            Contact.objects.filter(pk__in=found).update(**proof, consented_at=consented_at, updated_at=timezone.now())
            if not permits(Rule.GIVEN, consent, kind):
                suppress_marketing(list(found), rule_for(CampaignKind.MARKETING))
        changed += len(found)
    return changed


def note_changes(
    people: Iterable[tuple[int | None, str]],
    consent: Consent,
    *,
    kind: str,
    source: str,
    evidence: str,
    at: datetime,
    actor: User | None,
) -> None:
    """
    Only the history, for callers who have written the contacts themselves: of each its id (None: it goes) and number
    (E.164).

    In one go, however many there are. Call it in the transaction that writes the contacts.
    """
    bulk_insert(
        ConsentChange,
        ("contact", "phone_number", "canonical_number"),
        ((pk, number, canonical(number)) for pk, number in people),
        act=_ACTS[consent],
        kind=kind,
        source=source[:150],
        evidence=evidence,
        happened_at=at,
        actor_id=actor.pk if actor else None,
    )


def suppress_marketing(contact_ids: Sequence[int], rule: Rule) -> int:
    """
    What waits for these contacts in marketing campaigns is not sent, where `rule` says so. Returns how many.

    Call it in the transaction that writes the contacts.
    """
    theirs = SentMessage.objects.filter(
        without_consent(rule), contact__in=contact_ids, campaign__kind=CampaignKind.MARKETING
    )
    return leave_all_unsent(waiting_among(theirs), SuppressionReason.NO_CONSENT)


def suppress_held(canonical_number: str) -> int:
    """What waits for this number in marketing campaigns is not sent. Returns how many."""
    waiting = waiting_for(canonical_number).filter(campaign__kind=CampaignKind.MARKETING)
    return leave_unsent(waiting, SuppressionReason.UNDER_REVIEW)
