"""Opt-outs: recorded by number, above everything, and in force with the next request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import CharField, Q
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext as _

from sms_backends import DeliveryReceipt, Reason, SmsError
from sms_backends.phone_numbers import InvalidPhoneNumber, canonical, parse, spellings

from . import audit
from .models import (
    ConsentAct,
    ConsentChange,
    Contact,
    OptOut,
    OptOutSource,
    Purpose,
    SentMessage,
    SuppressionReason,
    User,
)
from .pseudonyms import pseudonyms_of
from .sending.bulk_insert import bulk_insert
from .storable import storable_text
from .suppression import leave_all_unsent, leave_unsent, waiting_among, waiting_for


def record_opt_out(phone_number: str, *, source: OptOutSource, note: str = "", actor: User | None = None) -> OptOut:
    """
    Never write to this number again, in whatever international spelling it is given. What is waiting for it is
    suppressed in the same transaction.

    Recording it twice keeps the first entry. Raises InvalidPhoneNumber: an opt-out that matches nobody protects nobody.
    """
    opt_out, _is_new = opt_out_once(phone_number, source=source, note=note, actor=actor)
    return opt_out


def opt_out_once(
    phone_number: str, *, source: OptOutSource, note: str = "", actor: User | None = None
) -> tuple[OptOut, bool]:
    """The same, and whether the number had not opted out before."""
    phone_number = parse(phone_number, None).e164
    number = canonical(phone_number)
    with transaction.atomic():
        erased = OptOut.objects.filter(canonical_number__in=pseudonyms_of([number])).first()
        if source != OptOutSource.DEAD_NUMBER:
            # Somebody is there after all, and says no: that counts from now on.
            OptOut.objects.filter(canonical_number=number, source=OptOutSource.DEAD_NUMBER).delete()
        opt_out, is_new = (erased, False) if erased else _get_or_create(phone_number, number, source, note, actor)
        if is_new:
            _note(opt_out, ConsentAct.OPTED_OUT, source=str(source), reason=note, at=opt_out.opted_out_at, actor=actor)
            audit.record("opt_out", actor=actor, subject=phone_number, details={"source": str(source), "note": note})
        leave_unsent(waiting_for(number).exclude(purpose=Purpose.CONFIRMATION), SuppressionReason.OPTED_OUT)
    return opt_out, is_new


@transaction.atomic
def record_opt_outs(
    people: Iterable[tuple[int | None, str]], *, source: OptOutSource, note: str = "", actor: User | None = None
) -> int:
    """
    The same for many people at once, each with the id of the contact (or None) and the number in E.164: all of them,
    with what waits for them, in one transaction. Returns how many had not opted out before.

    What is no phone number is passed over: nothing is ever sent to it.
    """
    by_number: dict[str, tuple[int | None, str]] = {}
    for contact, phone_number in people:
        try:
            phone_number = parse(phone_number, None).e164
        except InvalidPhoneNumber:
            continue
        by_number.setdefault(canonical(phone_number), (contact, phone_number))
    numbers = sorted(by_number)  # always in one order, or two at once wait for each other
    pseudonyms = pseudonyms_of(numbers)
    erased = OptOut.objects.filter(canonical_number__in=pseudonyms).values_list("canonical_number", flat=True)
    known = {pseudonyms[pseudonym] for pseudonym in erased}
    if source != OptOutSource.DEAD_NUMBER:
        OptOut.objects.filter(canonical_number__in=numbers, source=OptOutSource.DEAD_NUMBER).delete()
    missing = {number: by_number[number][1] for number in numbers if number not in known}
    new = {number: by_number[number] for number in _insert(missing, source, note, actor)}
    _note_all(new, source=source, note=note, actor=actor)
    theirs = [spelling for number in numbers for spelling in spellings(number)]
    waiting = waiting_among(SentMessage.objects.filter(phone_number__in=theirs)).exclude(purpose=Purpose.CONFIRMATION)
    leave_all_unsent(waiting, SuppressionReason.OPTED_OUT)
    return len(new)


def _insert(numbers: Mapping[str, str], source: OptOutSource, note: str, actor: User | None) -> list[str]:
    """Opt-outs of these numbers (canonical -> as it is written) that are not there yet; those that were made."""
    table = OptOut._meta.db_table
    pairs = "SELECT * FROM unnest(%s::varchar[], %s::varchar[])"
    values: list[Any] = [list(numbers.values()), list(numbers)]
    moment = "%s::timestamptz"
    if connection.vendor != "postgresql":
        pairs, moment = "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(%s)", "%s"
        values = [json.dumps([[written, number] for number, written in numbers.items()])]
    opted_out_at = OptOut._meta.get_field("opted_out_at").get_db_prep_save(timezone.now(), connection)
    actor_cast = "%s::integer" if connection.vendor == "postgresql" else "%s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH people(phone, number) AS ({pairs}) "  # noqa: S608
            f"INSERT INTO {table} (phone_number, canonical_number, opted_out_at, source, note, created_by_id) "
            f"SELECT phone, number, {moment}, %s, %s, {actor_cast} FROM people WHERE true ORDER BY number "
            "ON CONFLICT (canonical_number) DO NOTHING RETURNING canonical_number",
            [*values, opted_out_at, str(source), note, actor.pk if actor else None],
        )
        return [number for (number,) in cursor.fetchall()]


def _note_all(
    people: Mapping[str, tuple[int | None, str]], *, source: OptOutSource, note: str, actor: User | None
) -> None:
    """History and audit trail of opt-outs that were made: canonical number -> contact and number."""
    now = timezone.now()
    bulk_insert(
        ConsentChange,
        ("contact", "phone_number", "canonical_number"),
        ((contact, written, number) for number, (contact, written) in people.items()),
        act=ConsentAct.OPTED_OUT,
        source=str(source),
        evidence=note,
        happened_at=now,
        actor_id=actor.pk if actor else None,
    )
    details = {"source": str(source), "note": note}
    audit.record_many("opt_out", ((written, details) for _contact, written in people.values()), actor=actor, at=now)


def _get_or_create(
    phone_number: str, number: str, source: OptOutSource, note: str, actor: User | None
) -> tuple[OptOut, bool]:
    return OptOut.objects.get_or_create(
        canonical_number=number,
        defaults={"phone_number": phone_number, "source": source, "note": note, "created_by": actor},
    )


def _note(
    opt_out: OptOut, act: ConsentAct, *, source: str, reason: str, at: datetime, actor: User | None
) -> ConsentChange:
    contact = Contact.objects.filter(phone_number__in=spellings(opt_out.canonical_number)).only("pk").first()
    return ConsentChange.objects.create(
        canonical_number=opt_out.canonical_number,
        phone_number=opt_out.phone_number,
        contact=contact,
        act=act,
        source=source,
        evidence=reason,
        happened_at=at,
        actor=actor,
    )


def find_opt_out(canonical_number: str) -> OptOut | None:
    """The opt-out of this number, that of somebody who was erased among them."""
    return OptOut.objects.filter(_of_number(canonical_number)).select_related("created_by").first()


def _of_number(canonical_number: str) -> Q:
    return Q(canonical_number__in=[canonical_number, *pseudonyms_of([canonical_number])])


def lift_opt_out(phone_number: str, *, note: str, actor: User | None) -> bool:
    """
    Allow writing to this number again: for the reason that an operator states, or because the person wrote START.

    False when it had not opted out. Raises ValueError for an operator without a reason.
    """
    phone_number = parse(phone_number, None).e164
    if actor is not None and not note.strip():
        raise ValueError("An operator who lifts an opt-out says why.")
    with transaction.atomic():
        found = OptOut.objects.select_for_update().filter(_of_number(canonical(phone_number))).first()
        if found is None:
            return False
        _keep_in_history(found)
        _note(
            OptOut(phone_number=phone_number, canonical_number=canonical(phone_number)),
            ConsentAct.OPTED_IN,
            source=str(OptOutSource.KEYWORD if actor is None else OptOutSource.OPERATOR),
            reason=note,
            at=timezone.now(),
            actor=actor,
        )
        found.delete()
        audit.record("opt_in", actor=actor, subject=phone_number, details={"note": note})
    return True


def note_sign_of_life(phone_number: str) -> None:
    """Who writes is there: a number that the provider called dead may be written to again. Opt-outs are left alone."""
    dead = OptOut.objects.filter(canonical_number=canonical(phone_number), source=OptOutSource.DEAD_NUMBER)
    if dead.exists():
        lift_opt_out(phone_number, note=_("wrote to us"), actor=None)


def _keep_in_history(opt_out: OptOut) -> None:
    """What was recorded before there was a history, or by other means, is not lost with its row."""
    history = ConsentChange.objects.filter(canonical_number=opt_out.canonical_number, act=ConsentAct.OPTED_OUT)
    if not history.filter(happened_at__gte=opt_out.opted_out_at).exists():
        _note(
            opt_out,
            ConsentAct.OPTED_OUT,
            source=opt_out.source,
            reason=opt_out.note,
            at=opt_out.opted_out_at,
            actor=opt_out.created_by,
        )


# --- what providers say ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's word that a number must not be written to again: it has opted out there, or nobody has it."""

    phone_number: str
    reason: str
    words: str

    @classmethod
    def of_error(cls, phone_number: str, error: SmsError) -> Refusal:
        return cls(phone_number, str(error.reason), storable_text(f"{error.provider_code} {error}".strip()))

    @classmethod
    def of_receipt(cls, phone_number: str, receipt: DeliveryReceipt) -> Refusal:
        words = receipt.provider_text or receipt.provider_status
        return cls(phone_number, str(receipt.reason or ""), storable_text(f"{receipt.provider_code} {words}".strip()))

    @property
    def source(self) -> OptOutSource:
        """Who is not there has not opted out; neither is written to."""
        return OptOutSource.PROVIDER if self.reason == Reason.OPTED_OUT else OptOutSource.DEAD_NUMBER


def record_refusals(refusals: Iterable[Refusal]) -> None:
    """
    Opt out these numbers, in the transaction that records the answers they were in.

    Their waiting messages are not touched here: other workers may hold them, and the intent suppresses them in time.
    """
    by_number: dict[str, Refusal] = {}
    for refusal in refusals:
        try:
            number = canonical(parse(refusal.phone_number, None).e164)
        except InvalidPhoneNumber:
            continue  # of somebody who was erased, or no number at all
        by_number.setdefault(number, refusal)
    known = set(OptOut.objects.filter(canonical_number__in=by_number).values_list("canonical_number", flat=True))
    # In one order, so that two workers never wait for each other.
    new = [(number, by_number[number]) for number in sorted(by_number) if number not in known]
    OptOut.objects.bulk_create(
        [
            OptOut(phone_number=number, canonical_number=number, source=one.source, note=one.words)
            for number, one in new
        ],
        ignore_conflicts=True,
    )
    now = timezone.now()
    # As text: the field would parse each number again.
    contacts = Contact.objects.annotate(e164=Cast("phone_number", CharField())).values_list("e164", "pk")
    ids = dict(contacts.filter(phone_number__in=[number for number, _one in new]))
    ConsentChange.objects.bulk_create(
        [
            ConsentChange(
                canonical_number=number,
                phone_number=number,
                contact_id=ids.get(number),
                act=ConsentAct.OPTED_OUT,
                source=str(one.source),
                evidence=one.words,
                happened_at=now,
            )
            for number, one in new
        ]
    )
