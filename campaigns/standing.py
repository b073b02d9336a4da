"""What somebody had agreed to and refused at a moment: the answer to "who allowed you to write to me?"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sms_backends.phone_numbers import spellings

from .models import ConsentAct, ConsentChange, Contact, OptOut
from .optouts import find_opt_out
from .pseudonyms import pseudonyms_of

_CONSENT = (ConsentAct.GIVEN, ConsentAct.WITHDRAWN, ConsentAct.FORGOTTEN)
_OPT_OUT = (ConsentAct.OPTED_OUT, ConsentAct.OPTED_IN)


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How it stood with a number at a moment.

    `consent` is the last word on consent before it, None: there was none on record. `opt_out` is the opt-out that was
    in force, None: there was none.
    """

    consent: ConsentChange | None
    opt_out: ConsentChange | None


def changes_of(canonical_number: str) -> list[ConsentChange]:
    """
    Everything on record about a number, oldest first, as it happened.

    What was recorded before there was a history stands in the contact and in the list of opt-outs: it is told from
    there, in rows that are not stored.
    """
    numbers = [canonical_number, *pseudonyms_of([canonical_number])]
    changes = list(ConsentChange.objects.filter(canonical_number__in=numbers).select_related("actor", "contact"))
    is_told = any(change.act == ConsentAct.OPTED_OUT for change in changes)
    if not is_told and (opt_out := find_opt_out(canonical_number)) is not None:
        changes.append(_from_opt_out(opt_out))
    if not any(change.act in _CONSENT for change in changes):
        given = Contact.objects.filter(phone_number__in=spellings(canonical_number), consented_at__isnull=False).first()
        if given is not None:
            changes.append(_from_contact(given))
    return sorted(changes, key=lambda change: (change.happened_at, change.pk or 0))


def standing_at(changes: list[ConsentChange], at: datetime) -> Standing:
    """How it stood at this moment, by `changes_of()`."""
    before = [change for change in changes if change.happened_at <= at]
    consent = [change for change in before if change.act in _CONSENT]
    opting = [change for change in before if change.act in _OPT_OUT]
    is_out = bool(opting) and opting[-1].act == ConsentAct.OPTED_OUT
    return Standing(consent[-1] if consent else None, opting[-1] if is_out else None)


def _from_opt_out(opt_out: OptOut) -> ConsentChange:
    return ConsentChange(
        canonical_number=opt_out.canonical_number,
        phone_number=opt_out.phone_number,
        act=ConsentAct.OPTED_OUT,
        source=opt_out.source,
        evidence=opt_out.note,
        happened_at=opt_out.opted_out_at,
        actor=opt_out.created_by,
    )


def _from_contact(contact: Contact) -> ConsentChange:
    assert contact.consented_at is not None
    return ConsentChange(
        phone_number=str(contact.phone_number),
        contact=contact,
        act=ConsentAct.GIVEN,
        kind=contact.consent_kind,
        source=contact.consent_source,
        evidence=contact.consent_evidence,
        happened_at=contact.consented_at,
    )
