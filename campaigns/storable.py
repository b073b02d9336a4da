"""
What providers say, made fit for the database.

An answer that cannot be stored would be an answer lost, and its message `unknown` for ever: so whatever an adapter
hands on is bent into shape rather than refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Any

#: What `SentMessage.cost` holds: seven digits before the point, five after it.
_COST_LIMIT = Decimal(10) ** 7
_COST_STEP = Decimal("0.00001")


def storable_text(value: object, limit: int | None = None) -> str:
    """As text, cut to `limit`; NUL characters and lone surrogates, which PostgreSQL cannot hold, are replaced."""
    text = str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode("utf-8")[:limit]


def storable_json(value: object) -> Any:
    """The same in JSON's types; what JSON does not know is written as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {storable_text(key): storable_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [storable_json(entry) for entry in value]
    if isinstance(value, bytes):
        return storable_text(value.decode("utf-8", "replace"))
    if isinstance(value, date | time):
        return value.isoformat()
    return storable_text(value)


def storable_cost(value: object) -> Decimal | None:
    """As it fits the column; None, which means "not known", for what is no amount of money."""
    try:
        cost = Decimal(str(value))
    except InvalidOperation:
        return None
    return cost.quantize(_COST_STEP) if cost.is_finite() and abs(cost) < _COST_LIMIT else None
