"""
What receipts do to their messages, in sets: a handful of statements however many there are.

The rows are locked, each receipt becomes an event, and only what was no event yet moves a state, and only up its rank.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from sms_backends import DeliveryReceipt, Reason

from .gateway_control import pause_gateway
from .models import Attempt, EventKind, MessageEvent, MessageStatus, SentMessage, may_become
from .optouts import Refusal, record_refusals
from .pseudonyms import is_pseudonym
from .receipt_matching import Match, e164_of, find_attempts
from .receipt_payload import as_payload, fingerprint_of, is_bad_news, meaning_of, reason_of, without_person
from .sending.bulk_update import plain, update_rows
from .sending.record import note_sent_twice
from .storable import storable_text


def apply_with_care(gateway: str, receipts: Sequence[DeliveryReceipt]) -> list[bool]:
    """Apply these to their messages, in the order in which they came, in one transaction. False: no message yet."""
    with transaction.atomic():
        matches = find_attempts(gateway, receipts)
        matched = [(match, receipt) for match, receipt in zip(matches, receipts, strict=True) if match is not None]
        if matched:
            rows = _locked({match.message_id for match, _receipt in matched})
            news = _keep_events(matched, rows)
            for match, receipt in news:
                _move(rows[match.message_id], match, receipt)
            _write(rows.values())
            record_refusals(
                Refusal.of_receipt(e164_of(receipt.phone_number), receipt)
                for _match, receipt in news
                if receipt.suppress
            )
            for _match, receipt in news:
                if receipt.account_level:
                    reason = str(receipt.reason or Reason.UNKNOWN)
                    pause_gateway(gateway, reason=reason, text=receipt.provider_text or receipt.provider_status)
    return [match is not None for match in matches]


class _Row:
    """A locked message, and which of its fields are not what they were."""

    #: All that a receipt looks at or changes: a message's text and the provider's answer are long.
    FIELDS = (
        "phone_number",
        "status",
        "reason",
        "reason_text",
        "reference",
        "provider_message_id",
        "attempt_count",
        "sent_twice",
        "claim_token",
        "lease_expires_at",
        "not_before",
        "next_poll_at",
        "receipt_overdue",
        "sent_at",
        "status_at",
    )

    def __init__(self, message: SentMessage) -> None:
        self.message = message
        self.status_before = message.status
        self.changed: set[str] = set()

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            if getattr(self.message, name) != value:
                setattr(self.message, name, value)
                self.changed.add(name)

    def plain(self, name: str) -> Any:
        """The value of a field as `update_rows()` takes it."""
        field = SentMessage._meta.get_field(name)
        assert isinstance(field, models.Field)
        return plain(field, getattr(self.message, name))


def _locked(ids: Collection[int]) -> dict[int, _Row]:
    """In the order of their keys, as everybody locks them: nobody waits for somebody who waits for him."""
    messages = SentMessage.objects.select_for_update().filter(pk__in=ids).order_by("pk").only(*_Row.FIELDS)
    return {message.pk: _Row(message) for message in messages}


_Matched = tuple[Match, DeliveryReceipt]


def _keep_events(matched: Sequence[_Matched], rows: Mapping[int, _Row]) -> list[_Matched]:
    """
    Store receipts with their (locked) messages; returns those that were not there already.

    Of a receipt about somebody who was erased, what names the person is not kept.
    """
    by_key: dict[tuple[int, str], _Matched] = {}
    for match, receipt in matched:
        by_key.setdefault((match.message_id, fingerprint_of(receipt)), (match, receipt))
    at_field, payload_field = MessageEvent._meta.get_field("at"), MessageEvent._meta.get_field("payload")
    values: list[Any] = []
    for (message_id, fingerprint), (_match, receipt) in by_key.items():
        values += [message_id, EventKind.RECEIPT.value, fingerprint]
        values.append(at_field.get_db_prep_save(receipt.at or timezone.now(), connection))
        payload = as_payload(receipt)
        if is_pseudonym(rows[message_id].message.phone_number):
            payload = without_person(payload)
        values.append(payload_field.get_db_prep_save(payload, connection))
    table = connection.ops.quote_name(MessageEvent._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (message_id, kind, fingerprint, at, payload) "  # noqa: S608
            f"VALUES {', '.join(['(%s, %s, %s, %s, %s)'] * len(by_key))} "
            "ON CONFLICT DO NOTHING RETURNING message_id, fingerprint",
            values,
        )
        new = set(cursor.fetchall())
    return [by_key[key] for key in by_key if key in new]


def _move(row: _Row, match: Match, receipt: DeliveryReceipt) -> None:
    message, target = row.message, meaning_of(receipt)
    if target is None:
        return
    if target != MessageStatus.REJECTED and message.attempt_count > match.number and _was_sent_twice(match):
        row.set(sent_twice=True)
    offered_again = message.reference != match.reference
    if message.status not in may_become(target) or (is_bad_news(receipt) and offered_again):
        # A later attempt decides whether the text arrives. What happened to an earlier one is kept as an event.
        return
    reason, words = reason_of(receipt)
    row.set(
        status=target,
        status_at=timezone.now(),
        sent_at=message.sent_at or receipt.at or timezone.now(),
        provider_message_id=message.provider_message_id or storable_text(receipt.provider_message_id, 100),
        claim_token="",
        lease_expires_at=None,
        not_before=None,
        reason=reason,
        reason_text=words,
    )
    if target != MessageStatus.SENT:
        row.set(next_poll_at=None, receipt_overdue=False)


def _was_sent_twice(match: Match) -> bool:
    """Rare enough to be asked message by message."""
    attempt = Attempt.objects.select_related("message").get(pk=match.attempt_id)
    note_sent_twice(attempt.message, attempt)
    return attempt.message.sent_twice


def _write(rows: Iterable[_Row]) -> None:
    """Those columns that have changed, and no others; rows that changed alike in one statement."""
    alike: dict[tuple[str, ...], list[_Row]] = {}
    for row in rows:
        if row.changed:
            alike.setdefault(tuple(sorted(row.changed)), []).append(row)
    for names, some in alike.items():
        values = [(*map(row.plain, names), row.message.pk, row.status_before) for row in some]
        update_rows(SentMessage, names, values, keys=("id", "status"))
