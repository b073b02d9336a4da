"""
What erasing does to each kind of record, for many people at once.

`names` says what stands in the place of each number, in every spelling of it. What was done is counted by these names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import CharField, Model
from django.db.models.functions import Cast
from django.utils import timezone

from .models import (
    Attempt,
    AuditEvent,
    ConsentChange,
    Contact,
    ContactImportRow,
    Conversation,
    FormerNumber,
    Forward,
    InboundMessage,
    MessageEvent,
    MessageStatus,
    OptOut,
    SentMessage,
    UnmatchedReceipt,
)
from .receipt_payload import without_person
from .sending.bulk_update import update_rows
from .suppression import waiting_among

Names = Mapping[str, str]
#: Messages whose events are rewritten at a time.
CHUNK = 1000


def cancel_waiting(names: Names) -> Counter[str]:
    """What waits for these people is not sent any more."""
    waiting = waiting_among(SentMessage.objects.filter(phone_number__in=names))
    rows = list(waiting.select_for_update().order_by("pk").values_list("pk", "status", "phone_number"))
    update_rows(
        SentMessage,
        (),
        [(pk, status) for pk, status, _number in rows],
        keys=("id", "status"),
        status=MessageStatus.CANCELLED,
        reason="",
        reason_text="",
        claim_token="",
        lease_expires_at=None,
        status_at=timezone.now(),
    )
    return Counter(names[number] for _pk, _status, number in rows)


def delete_contacts(names: Names) -> Counter[str]:
    """The contacts, with the groups they are in, and what the admin notes of their changes."""
    found = Contact.objects.filter(phone_number__in=names)
    # Locked in the order in which imports do it. As text: the field would parse each number.
    locked = found.select_for_update().order_by("pk").annotate(e164=Cast("phone_number", CharField()))
    numbers = dict(locked.values_list("pk", "e164"))
    if numbers:
        changes = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Contact))
        changes.filter(object_id__in=map(str, numbers)).update(object_repr="#", change_message="")
        found.delete()
    return Counter(names[number] for number in numbers.values())


def forget_messages(names: Names) -> Counter[str]:
    """They lose text, number and whatever the provider said, and still count."""
    messages = SentMessage.objects.filter(phone_number__in=names).select_for_update().order_by("pk")
    rows = list(messages.values_list("pk", "phone_number"))
    for start in range(0, len(rows), CHUNK):
        _forget_words([pk for pk, _number in rows[start : start + CHUNK]])
    update_rows(
        SentMessage,
        ("phone_number", "canonical_number"),
        [(names[number], names[number], pk) for pk, number in rows],
        body="",
        reason_text="",
        provider_response=None,
        contact=None,
        next_poll_at=None,  # there is no number to ask with; what the provider pushes still arrives
        next_lookup_at=None,
    )
    UnmatchedReceipt.objects.filter(phone_number__in=_as_providers_write(names)).delete()
    return Counter(names[number] for _pk, number in rows)


def _forget_words(message_ids: list[int]) -> None:
    Attempt.objects.filter(message__in=message_ids).update(raw=None, error_text="")
    events = MessageEvent.objects.filter(message__in=message_ids).order_by("pk").values_list("pk", "payload")
    kept = [(without_person(said) if isinstance(said, dict) else {}, pk) for pk, said in events]
    update_rows(MessageEvent, ("payload",), [(json.dumps(said), pk) for said, pk in kept])


def _as_providers_write(numbers: Iterable[str]) -> list[str]:
    return [spelt for number in numbers for spelt in (number, number.lstrip("+"))]


def forget_incoming(names: Names) -> Counter[str]:
    """Each row stays, so that the provider's repetition of an old message brings nothing back."""
    Conversation.objects.filter(canonical_number__in=names).delete()
    Forward.objects.filter(message__phone_number__in=names).delete()
    rows = list(InboundMessage.objects.filter(phone_number__in=names).values_list("pk", "phone_number"))
    written = [(names[number], pk) for pk, number in rows]
    update_rows(InboundMessage, ("phone_number",), written, text="", raw={}, contact=None, process_at=None)
    return Counter(names[number] for _pk, number in rows)


def forget_history(names: Names) -> Counter[str]:
    """That somebody agreed or refused stays, and when; who, and the proof, does not."""
    _forget_former_numbers(names)
    rows = list(ConsentChange.objects.filter(canonical_number__in=names).values_list("pk", "canonical_number"))
    written = [(names[number], names[number], pk) for pk, number in rows]
    update_rows(ConsentChange, ("phone_number", "canonical_number"), written, evidence="", contact=None)
    return Counter(names[number] for _pk, number in rows)


def _forget_former_numbers(names: Names) -> None:
    """It was somebody else's before, who keeps that there was one; what tells of the change loses it as well."""
    former = FormerNumber.objects.filter(phone_number__in=names)
    owners = Contact.objects.filter(pk__in=former.values("contact")).annotate(e164=Cast("phone_number", CharField()))
    told = AuditEvent.objects.filter(
        action__in=["change_number", "merge_contacts"], subject__in=list(owners.values_list("e164", flat=True))
    )
    rewritten = [
        (json.dumps({**details, "former_number": names[details["former_number"]]}), pk)
        for pk, details in told.values_list("pk", "details")
        if details.get("former_number") in names
    ]
    update_rows(AuditEvent, ("details",), rewritten)
    rows = [(names[number], pk) for pk, number in former.values_list("pk", "phone_number")]
    update_rows(FormerNumber, ("phone_number",), rows, was={})


def forget_opt_outs(names: Names) -> None:
    """They go on holding, by the pseudonym."""
    rows = list(OptOut.objects.filter(canonical_number__in=names).values_list("pk", "canonical_number"))
    held = OptOut.objects.filter(canonical_number__in={names[number] for _pk, number in rows})
    already = set(held.values_list("canonical_number", flat=True))
    # Opted out and erased before, and again.
    OptOut.objects.filter(pk__in=[pk for pk, number in rows if names[number] in already]).delete()
    written = [(names[number], names[number], pk) for pk, number in rows if names[number] not in already]
    update_rows(OptOut, ("phone_number", "canonical_number"), written, note="")


def forget_imports(names: Names) -> dict[str, list[str]]:
    """Rows of imports lose the person. By name, the files that the rows came from and that are still kept."""
    rows = ContactImportRow.objects.filter(phone_number__in=names)
    kept = rows.exclude(contact_import__file="").order_by("contact_import")
    files: dict[str, list[str]] = {}
    for number, file in kept.values_list("phone_number", "contact_import__file").distinct():
        files.setdefault(names[number], []).append(file)
    rows.update(phone_number="", file_number="", values={}, cells=[], before={}, written=None, remark="", reason="")
    return files


def forget_trail(names: Names) -> None:
    """Who did what stays; about whom, and what the person wrote, does not."""
    events = AuditEvent.objects.filter(subject__in=names).values_list("pk", "subject")
    update_rows(AuditEvent, ("subject",), [(names[subject], pk) for pk, subject in events], details={})
    models: tuple[type[Model], ...] = (OptOut, SentMessage, InboundMessage, Conversation)
    types = [ContentType.objects.get_for_model(model) for model in models]
    LogEntry.objects.filter(content_type__in=types, object_repr__in=names).update(object_repr="#", change_message="")
