"""
Which attempt a receipt speaks of: the one that has its (gateway, provider's id or our reference, number).

All receipts of a request are looked up together. Several recipients may share one id, so the number decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection

from sms_backends import DeliveryReceipt
from sms_backends.phone_numbers import canonical

from .models import Attempt, SentMessage
from .pseudonyms import pseudonym, salt
from .storable import storable_text


class Match(NamedTuple):
    """The attempt that a receipt speaks of; of several the latest."""

    attempt_id: int
    number: int
    reference: str
    message_id: int


class _Key(NamedTuple):
    """What a receipt is found by: an id of the provider's or of ours, and a number."""

    known: str
    number: str


#: By what the message itself remembers: one row is found for each receipt, however many recipients share the id.
_BY_MESSAGE = """
WITH k (known, number) AS (VALUES {keys})
SELECT k.known, k.number, a.id, a.number, a.reference, a.message_id
FROM k
JOIN {message} AS m ON m.gateway = %s AND m.provider_message_id = k.known AND m.phone_number = k.number
JOIN {attempt} AS a ON a.message_id = m.id
    AND a.gateway = %s AND (a.provider_message_id = k.known OR a.reference = k.known)
"""
#: By every attempt there ever was. Two halves, each with an index of its own: an OR over both columns would use none.
_BY_ATTEMPT = """
WITH k (known, number) AS (VALUES {keys})
SELECT k.known, k.number, a.id, a.number, a.reference, a.message_id
FROM k
JOIN {attempt} AS a ON a.gateway = %s AND a.provider_message_id = k.known
JOIN {message} AS m ON m.id = a.message_id AND m.canonical_number = k.number
UNION ALL
SELECT k.known, k.number, a.id, a.number, a.reference, a.message_id
FROM k
JOIN {attempt} AS a ON a.reference = k.known AND a.gateway = %s
JOIN {message} AS m ON m.id = a.message_id AND m.canonical_number = k.number
"""


def find_attempts(gateway: str, receipts: Sequence[DeliveryReceipt]) -> list[Match | None]:
    """The attempt of each receipt, in the same order; None where there is none yet."""
    by_message = [_keys(receipt, e164_of(receipt.phone_number)) for receipt in receipts]
    found = _look_up(_BY_MESSAGE, gateway, by_message)
    if all(found):
        return found
    by_attempt = [
        [] if match else _keys(receipt, canonical_of(receipt.phone_number))
        for match, receipt in zip(found, receipts, strict=True)
    ]
    others = _look_up(_BY_ATTEMPT, gateway, by_attempt)
    both = [match or other for match, other in zip(found, others, strict=True)]
    return both if all(both) else _among_erased(gateway, receipts, both)


def _among_erased(
    gateway: str, receipts: Sequence[DeliveryReceipt], found: Sequence[Match | None]
) -> list[Match | None]:
    """Those that fit nothing may speak of somebody who was erased, whose messages have a pseudonym for a number."""
    if not (mixed_with := salt()):
        return list(found)
    keys = [
        [] if match else _keys(receipt, pseudonym(canonical_of(receipt.phone_number), mixed_with))
        for match, receipt in zip(found, receipts, strict=True)
    ]
    others = _look_up(_BY_ATTEMPT, gateway, keys)
    return [match or other for match, other in zip(found, others, strict=True)]


def e164_of(phone_number: str) -> str:
    """Providers write numbers with or without the plus."""
    return "+" + "".join(character for character in phone_number if character.isdigit())


def canonical_of(phone_number: str) -> str:
    """A provider's spelling of a number in the form in which numbers are compared."""
    return canonical(e164_of(phone_number))


def _keys(receipt: DeliveryReceipt, number: str) -> list[_Key]:
    ids = {storable_text(known, 100) for known in (receipt.provider_message_id, receipt.reference) if known}
    return [_Key(known, number) for known in ids]


def _look_up(statement: str, gateway: str, keys: Sequence[Sequence[_Key]]) -> list[Match | None]:
    """The latest attempt that fits any of the keys of each receipt."""
    distinct = sorted({key for keys_of_one in keys for key in keys_of_one})
    if not distinct:
        return [None] * len(keys)
    tables = {
        name: connection.ops.quote_name(model._meta.db_table)
        for name, model in (("message", SentMessage), ("attempt", Attempt))
    }
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(keys=", ".join(["(%s, %s)"] * len(distinct)), **tables),
            [*(value for key in distinct for value in key), gateway, gateway],
        )
        rows = cursor.fetchall()
    latest: dict[_Key, Match] = {}
    for known, number, *attempt in rows:
        key, match = _Key(known, number), Match(*attempt)
        latest[key] = max(match, latest.get(key, match))
    return [max((latest[key] for key in keys_of_one if key in latest), default=None) for keys_of_one in keys]
