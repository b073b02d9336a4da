"""Who meets conditions now: a count that is quick at a million contacts, and a few of them to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction

from campaigns.models import Contact

from .compiling import matching

#: Beyond this many it says "more than".
LIMIT = 100_000
SAMPLE = 5
#: Milliseconds after which PostgreSQL gives up counting.
PATIENCE_MS = 5000


@dataclass(frozen=True, slots=True)
class Counted:
    """`number` is None when counting took too long; `is_more`: there are more than `number`."""

    number: int | None
    is_more: bool
    sample: list[Contact]


def count(stored: Any, *, limit: int = LIMIT) -> Counted:
    """Count the contacts that meet these conditions, up to `limit`. Raises ConditionsError."""
    contacts = Contact.objects.in_use().filter(matching(stored)).order_by()
    try:
        with transaction.atomic():
            _be_patient()
            sample = list(contacts.defer("consent_evidence")[:SAMPLE])
            if len(sample) < SAMPLE:
                return Counted(len(sample), False, sample)
            number = contacts.values("pk")[: limit + 1].count()
    except OperationalError:
        if connection.vendor != "postgresql":
            raise
        return Counted(None, False, [])
    return Counted(min(number, limit), number > limit, sample)


def _be_patient() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
