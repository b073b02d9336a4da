"""
What the conditions of a smart group are, and reading them from JSON.

    {"version": 1, "match": {"combine": "all", "parts": [
        {"on": "attribute", "name": "city", "kind": "text", "is": "equals", "value": "Kazan"},
        {"combine": "any", "parts": [{"on": "group", "is": "in", "value": 7}, {"on": "consent", "is": "equals", ...}]}
    ]}}

`combine` is all (and), any (or) or none (not any). Everything is checked here, once, so that whatever was read can be
compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import AttributeKind, Consent

#: Of the stored form. Goes up when what an older version stored would be read differently.
VERSION = 1
MAX_DEPTH = 4
MAX_CONDITIONS = 50
MAX_TEXT = 200
MAX_DAYS = 3650
MAX_ID = 2**63 - 1


class ConditionsError(ValueError):
    """The conditions cannot be used. `problems` are sentences for the operator, each about one place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Combine(models.TextChoices):
    """How the parts of a block count together."""

    ALL = "all", gettext_lazy("all of these are true")
    ANY = "any", gettext_lazy("at least one of these is true")
    NONE = "none", gettext_lazy("none of these is true")


class On(models.TextChoices):
    """What a condition looks at."""

    GROUP = "group", gettext_lazy("Group")
    ATTRIBUTE = "attribute", gettext_lazy("Other field")
    FIRST_NAME = "first_name", gettext_lazy("First name")
    LAST_NAME = "last_name", gettext_lazy("Last name")
    EMAIL = "email", gettext_lazy("E-mail")
    PHONE_NUMBER = "phone_number", gettext_lazy("Phone number")
    LANGUAGE = "language", gettext_lazy("Language")
    REGION = "region", gettext_lazy("Country")
    TIME_ZONE = "time_zone", gettext_lazy("Time zone")
    CONSENT = "consent", gettext_lazy("Consent")
    OPTED_OUT = "opted_out", gettext_lazy("Opt-out")
    IMPORT = "import", gettext_lazy("Import")
    CREATED_AT = "created_at", gettext_lazy("Contact since")
    MESSAGE = "message", gettext_lazy("Message")
    REPLY = "reply", gettext_lazy("Wrote to us")


class Is(models.TextChoices):
    """How it is compared."""

    EQUALS = "equals", gettext_lazy("is")
    NOT_EQUALS = "not_equals", gettext_lazy("is not")
    CONTAINS = "contains", gettext_lazy("contains")
    STARTS_WITH = "starts_with", gettext_lazy("begins with")
    AT_LEAST = "at_least", gettext_lazy("is at least")
    AT_MOST = "at_most", gettext_lazy("is at most")
    BEFORE = "before", gettext_lazy("is before")
    AFTER = "after", gettext_lazy("is after")
    IN_LAST_DAYS = "in_last_days", gettext_lazy("is in the last … days")
    IN_NEXT_DAYS = "in_next_days", gettext_lazy("is in the next … days")
    ANNIVERSARY = "anniversary", gettext_lazy("has its day today (a birthday)")
    YES = "yes", gettext_lazy("yes")
    NO = "no", gettext_lazy("no")
    FILLED = "filled", gettext_lazy("is filled in")
    EMPTY = "empty", gettext_lazy("is empty")
    IN = "in", gettext_lazy("is in")
    NOT_IN = "not_in", gettext_lazy("is not in")
    WAS = "was", gettext_lazy("was sent")
    WAS_NOT = "was_not", gettext_lazy("was not sent")


class Became(models.TextChoices):
    """What became of a message, as far as a condition asks."""

    SENT = "sent", gettext_lazy("whatever became of it")
    DELIVERED = "delivered", gettext_lazy("and it was delivered")
    NOT_DELIVERED = "not_delivered", gettext_lazy("and it was not delivered or refused")
    NO_RECEIPT = "no_receipt", gettext_lazy("and no receipt has come")
    UNKNOWN = "unknown", gettext_lazy("and nobody knows whether it was taken")
    LEFT_OUT = "left_out", gettext_lazy("but was left out on purpose")


_ANY_TEXT = (Is.FILLED, Is.EMPTY)
TEXT = (Is.EQUALS, Is.NOT_EQUALS, Is.CONTAINS, Is.STARTS_WITH, *_ANY_TEXT)
NUMBER = (Is.EQUALS, Is.NOT_EQUALS, Is.AT_LEAST, Is.AT_MOST, *_ANY_TEXT)
DATE = (Is.EQUALS, Is.BEFORE, Is.AFTER, Is.IN_LAST_DAYS, Is.IN_NEXT_DAYS, Is.ANNIVERSARY, *_ANY_TEXT)
YES_NO = (Is.YES, Is.NO, *_ANY_TEXT)
#: Comparisons that need nothing to compare with, and those that need a number of days.
WITHOUT_VALUE = frozenset({Is.FILLED, Is.EMPTY, Is.YES, Is.NO, Is.ANNIVERSARY, Is.WAS, Is.WAS_NOT})
WITH_DAYS = frozenset({Is.IN_LAST_DAYS, Is.IN_NEXT_DAYS})

BY_KIND: dict[str, tuple[Is, ...]] = {
    AttributeKind.TEXT: TEXT,
    AttributeKind.NUMBER: NUMBER,
    AttributeKind.DATE: DATE,
    AttributeKind.YES_NO: YES_NO,
}
OWN_TEXTS = (On.FIRST_NAME, On.LAST_NAME, On.EMAIL, On.PHONE_NUMBER, On.LANGUAGE, On.REGION, On.TIME_ZONE)
COMPARISONS: dict[On, tuple[Is, ...]] = {
    **dict.fromkeys(OWN_TEXTS, TEXT),
    On.PHONE_NUMBER: (Is.EQUALS, Is.NOT_EQUALS, Is.STARTS_WITH),
    On.GROUP: (Is.IN, Is.NOT_IN),
    On.IMPORT: (Is.IN, Is.NOT_IN),
    On.CONSENT: (Is.EQUALS, Is.NOT_EQUALS),
    On.OPTED_OUT: (Is.YES, Is.NO),
    On.CREATED_AT: (Is.IN_LAST_DAYS, Is.BEFORE, Is.AFTER),
    On.MESSAGE: (Is.WAS, Is.WAS_NOT),
    On.REPLY: (Is.YES, Is.NO),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """
    One comparison. `value` is a text, a number, a date, days, an id or None, as `comparison` needs.

    `name` and `kind` are those of an attribute; `campaign` (None: any), `became` and `days` (None: ever) say of which
    messages it speaks.
    """

    on: On
    comparison: Is
    value: Any = None
    name: str = ""
    kind: str = AttributeKind.TEXT
    campaign: int | None = None
    became: Became = Became.SENT
    days: int | None = None

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {"on": str(self.on), "is": str(self.comparison)}
        if self.on == On.ATTRIBUTE:
            found |= {"name": self.name, "kind": str(self.kind)}
        if self.on == On.MESSAGE:
            found |= {"campaign": self.campaign, "became": str(self.became)}
        if self.on in (On.MESSAGE, On.REPLY):
            found |= {"days": self.days}
        if self.value is not None:
            found["value"] = self.value.isoformat() if isinstance(self.value, date) else self.value
        return found


@dataclass(frozen=True, slots=True)
class Block:
    """Conditions and blocks that count together."""

    combine: Combine
    parts: tuple[Condition | Block, ...]

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return {"combine": str(self.combine), "parts": [part.stored() for part in self.parts]}

    def conditions(self) -> Iterator[Condition]:
        """All conditions in it, however deep."""
        for part in self.parts:
            if isinstance(part, Block):
                yield from part.conditions()
            else:
                yield part


def read(stored: Any) -> Block:
    """The conditions in `stored`, checked. Raises ConditionsError with every problem, not only the first."""
    if not isinstance(stored, dict) or not isinstance(stored.get("match"), dict):
        raise ConditionsError([_("There are no conditions that could be read.")])
    if stored.get("version") != VERSION:
        raise ConditionsError([_("These conditions were stored by another version of this program.")])
    reader = _Reader()
    block = reader.block(stored["match"], depth=1)
    if reader.problems:
        raise ConditionsError(reader.problems)
    return block


def to_json(block: Block) -> dict[str, Any]:
    """How conditions are stored."""
    return {"version": VERSION, "match": block.stored()}


class _Problem(Exception):
    """What is wrong with one condition."""


class _Reader:
    """Reads the tree and collects what is wrong with it, each problem with the number of its condition."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.number = 0

    def block(self, stored: Mapping[str, Any], *, depth: int) -> Block:
        combine, parts = stored.get("combine"), stored.get("parts")
        if combine not in Combine.values or not isinstance(parts, list):
            self.problems.append(_("A block of conditions cannot be read."))
            return Block(Combine.ALL, ())
        if depth > MAX_DEPTH:
            self.problems.append(_("Blocks may stand in each other %(count)d deep at most.") % {"count": MAX_DEPTH})
            return Block(Combine.ALL, ())
        if not parts:
            self.problems.append(_("A block has no conditions. Add one, or remove the block."))
        found: list[Condition | Block] = []
        for part in parts:
            if isinstance(part, dict) and "combine" in part:
                found.append(self.block(part, depth=depth + 1))
            elif (condition := self.condition(part)) is not None:
                found.append(condition)
        return Block(Combine(combine), tuple(found))

    def condition(self, stored: Any) -> Condition | None:
        self.number += 1
        if self.number == MAX_CONDITIONS + 1:
            self.problems.append(_("There may be %(count)d conditions at most.") % {"count": MAX_CONDITIONS})
        try:
            return _condition(stored)
        except _Problem as problem:
            self.problems.append(
                _("Condition %(number)d: %(problem)s") % {"number": self.number, "problem": problem.args[0]}
            )
            return None


def _condition(stored: Any) -> Condition:
    if not isinstance(stored, dict) or stored.get("on") not in On.values:
        raise _Problem(_("choose what it looks at."))
    on = On(stored["on"])
    name, kind = _attribute(stored) if on == On.ATTRIBUTE else ("", str(AttributeKind.TEXT))
    allowed = BY_KIND[kind] if on == On.ATTRIBUTE else COMPARISONS[on]
    if stored.get("is") not in allowed:
        raise _Problem(_("choose how “%(field)s” is compared.") % {"field": name or on.label})
    comparison = Is(stored["is"])
    return Condition(
        on,
        comparison,
        value=_value(on, comparison, kind, stored.get("value")),
        name=name,
        kind=kind,
        campaign=_campaign(stored) if on == On.MESSAGE else None,
        became=_became(stored) if on == On.MESSAGE else Became.SENT,
        days=_days_or_none(stored.get("days")) if on in (On.MESSAGE, On.REPLY) else None,
    )


def _attribute(stored: Mapping[str, Any]) -> tuple[str, str]:
    name, kind = stored.get("name"), stored.get("kind", AttributeKind.TEXT)
    if not isinstance(name, str) or not name.strip():
        raise _Problem(_("say which other field it looks at."))
    if len(name) > MAX_TEXT or any(c in name for c in '"\\\0'):
        raise _Problem(_("“%(name)s” cannot be the name of a field.") % {"name": name[:MAX_TEXT]})
    if kind not in BY_KIND:
        raise _Problem(_("the kind of “%(name)s” is not known.") % {"name": name})
    return "_".join(name.split()), str(kind)


def _value(on: On, comparison: Is, kind: str, raw: Any) -> Any:
    if comparison in WITHOUT_VALUE:
        return None
    if comparison in WITH_DAYS:
        return _days(raw)
    if on in (On.GROUP, On.IMPORT):
        return _id(raw, _("choose a group.") if on == On.GROUP else _("choose an import."))
    if on == On.CONSENT:
        if raw not in Consent.values:
            raise _Problem(_("choose the state of the consent."))
        return str(raw)
    if on == On.CREATED_AT or kind == AttributeKind.DATE:
        return _date(raw)
    return _number(raw) if kind == AttributeKind.NUMBER else _text(raw)


def _text(raw: Any) -> str:
    text = raw.strip() if isinstance(raw, str) else ""
    if not text:
        raise _Problem(_("write what it is compared with."))
    if len(text) > MAX_TEXT or "\0" in text:
        raise _Problem(_("the text is longer than %(limit)d characters.") % {"limit": MAX_TEXT})
    return text


def _number(raw: Any) -> int | float:
    if isinstance(raw, str):
        try:
            raw = float(raw.replace(",", "."))
        except ValueError:
            raw = None
    if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not abs(raw) < 1e15:
        raise _Problem(_("write a number to compare with."))
    return int(raw) if raw == int(raw) else raw


def _date(raw: Any) -> date:
    try:
        return date.fromisoformat(raw)
    except (TypeError, ValueError):
        raise _Problem(_("choose a date.")) from None


def _whole(raw: Any) -> int:
    """A whole number, 0 for anything else."""
    if isinstance(raw, str) and raw.strip().isascii() and raw.strip().isdecimal():
        return int(raw)
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else 0


def _days(raw: Any) -> int:
    days = _whole(raw)
    if not 1 <= days <= MAX_DAYS:
        raise _Problem(_("write a number of days from 1 to %(limit)d.") % {"limit": MAX_DAYS})
    return days


def _days_or_none(raw: Any) -> int | None:
    return None if raw in (None, "") else _days(raw)


def _id(raw: Any, words: str) -> int:
    pk = _whole(raw)
    if not 0 < pk <= MAX_ID:
        raise _Problem(words)
    return pk


def _campaign(stored: Mapping[str, Any]) -> int | None:
    raw = stored.get("campaign")
    return None if raw in (None, "") else _id(raw, _("choose a campaign, or any."))


def _became(stored: Mapping[str, Any]) -> Became:
    raw = stored.get("became", Became.SENT)
    if raw not in Became.values:
        raise _Problem(_("choose what became of the message."))
    return Became(raw)


def groups_named_in(conditions: Any) -> set[int]:
    """The static groups that conditions ask about."""
    try:
        return {condition.value for condition in read(conditions).conditions() if condition.on == On.GROUP}
    except ConditionsError:
        return set()
