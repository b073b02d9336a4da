"""
Smart groups: saved conditions, and the contacts that meet them.

`conditions` reads and checks what is stored, `compiling` makes a restriction of it that the database evaluates for any
set of contacts at once, `wording` says it in words, `counting` looks who meets it now, `vocabulary` is what the
operator's form offers.
"""

from __future__ import annotations

from .compiling import SmartConditions, matching, membership, smart_conditions
from .conditions import VERSION, ConditionsError, groups_named_in, read
from .counting import Counted, count
from .wording import in_words

__all__ = [
    "VERSION",
    "ConditionsError",
    "Counted",
    "SmartConditions",
    "count",
    "groups_named_in",
    "in_words",
    "matching",
    "membership",
    "read",
    "smart_conditions",
]
