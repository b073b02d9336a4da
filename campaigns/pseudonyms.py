"""
What stands in a number's place once its person was erased: equal for equal numbers, and no number any more.

A salted hash, cut to what fits where numbers stand, so that constraints, opt-outs and late receipts go on working.
Phone numbers are few: whoever has the database, its salt among it, can try them all. It protects a printed list and a
look at a screen, not a stolen database.

The salt is made with the first erasure. Until then nothing is hashed at all.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

from django.db.models import CharField, Func, QuerySet, Subquery

from .models import ErasureSalt

#: No phone number begins so.
MARK = "#"
_DIGITS = 15


def is_pseudonym(number: str) -> bool:
    """Whether this stands in a number's place."""
    return number.startswith(MARK)


def salt() -> str:
    """What numbers are mixed with; empty when nobody was ever erased."""
    return _salts().values_list("salt", flat=True).first() or ""


def ensure_salt() -> str:
    """The salt, made if there is none."""
    ErasureSalt.objects.bulk_create([ErasureSalt(salt=secrets.token_hex(32))], ignore_conflicts=True)
    return salt()


def _salts() -> QuerySet[ErasureSalt]:
    return ErasureSalt.objects.filter(pk=1)


def pseudonym(canonical_number: str, salt: str) -> str:
    """What stands in this number's place."""
    digest = hashlib.sha256(f"{salt}{canonical_number}".encode()).hexdigest()
    return f"{MARK}{digest[:_DIGITS]}"


def pseudonyms_of(canonical_numbers: Iterable[str]) -> dict[str, str]:
    """Pseudonym -> number, for numbers that may belong to somebody who was erased; empty when nobody ever was."""
    mixed_with = salt()
    return {pseudonym(number, mixed_with): number for number in canonical_numbers} if mixed_with else {}


class Pseudonym(Func):
    """The same in the database; NULL, which equals nothing, while there is no salt."""

    output_field = CharField()

    def __init__(self, canonical_number: Any) -> None:
        super().__init__(Subquery(_salts().values("salt")), canonical_number)

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> Any:
        hashed = "encode(sha256(convert_to(%(expressions)s, 'UTF8')), 'hex')"
        if connection.vendor == "sqlite":
            hashed = "SHA256(%(expressions)s)"  # Django brings it along
        template = f"('{MARK}' || substr({hashed}, 1, {_DIGITS}))"
        return super().as_sql(compiler, connection, template=template, arg_joiner=" || ", **extra)
