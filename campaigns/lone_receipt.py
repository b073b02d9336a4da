"""
The common receipt, applied the short way: alone in its request, final, about a message that was handed over once and
is `sent`.

There is no question which attempt it speaks of, nothing to be weighed, and no row to be read before it is written.
Whatever is not as simple as that is left to `receipt_effects`, which comes to the same.
"""

from __future__ import annotations

from contextlib import nullcontext

from django.db import connection, transaction
from django.utils import timezone

from sms_backends import DeliveryReceipt

from .models import EventKind, MessageEvent, MessageStatus, SentMessage
from .receipt_matching import e164_of
from .receipt_payload import as_payload, fingerprint_of, meaning_of, reason_of
from .storable import storable_text

#: Of several messages with the id and number of a receipt (some providers' ids come round again) the last is meant.
_MOVE = """
UPDATE {message} SET status = %s, status_at = %s, reason = %s, reason_text = %s, sent_at = coalesce(sent_at, %s),
    next_poll_at = NULL, receipt_overdue = FALSE
WHERE status = 'sent' AND attempt_count = 1 AND id = (
    SELECT id FROM {message} WHERE gateway = %s AND provider_message_id = %s AND phone_number = %s
    ORDER BY id DESC LIMIT 1)
RETURNING id
"""
_KEEP = "INSERT INTO {event} (message_id, kind, fingerprint, at, payload) "
#: On PostgreSQL both are one statement, which is a transaction by itself.
_MOVE_AND_KEEP = "WITH moved AS ({move}) {keep} SELECT id, %s, %s, %s, %s FROM moved ON CONFLICT DO NOTHING RETURNING 1"


def apply_lone(gateway: str, receipt: DeliveryReceipt) -> bool:
    """Apply the receipt if it is a common one. False: nothing was done, or not all of it; it needs a closer look."""
    target = meaning_of(receipt)
    concerns_others = receipt.account_level or receipt.suppress
    if target in {None, MessageStatus.SENT} or concerns_others or not receipt.provider_message_id:
        return False
    now = timezone.now()
    at = connection.ops.adapt_datetimefield_value(receipt.at or now)
    of_message = [
        str(target),
        connection.ops.adapt_datetimefield_value(now),
        *reason_of(receipt),
        at,
        gateway,
        storable_text(receipt.provider_message_id, 100),
        e164_of(receipt.phone_number),
    ]
    payload = MessageEvent._meta.get_field("payload").get_db_prep_save(as_payload(receipt), connection)
    of_event = [str(EventKind.RECEIPT), fingerprint_of(receipt), at, payload]
    tables = {"message": _quoted(SentMessage), "event": _quoted(MessageEvent)}
    move, keep = _MOVE.format(**tables), _KEEP.format(**tables)
    if connection.vendor == "postgresql":
        # In somebody else's transaction an error must cost no more than this statement.
        with transaction.atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            cursor.execute(_MOVE_AND_KEEP.format(move=move, keep=keep), [*of_message, *of_event])
            return cursor.fetchone() is not None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(move, of_message)
        moved = cursor.fetchall()
        if moved:
            cursor.execute(f"{keep} VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING", [*moved[0], *of_event])
    return bool(moved)


def _quoted(model: type[SentMessage | MessageEvent]) -> str:
    return connection.ops.quote_name(model._meta.db_table)
