"""
Real people of an audience, few enough to be read each time somebody pauses in typing.

Up to `WHOLE` people everybody is read, and what is said of them is exact. Of larger audiences some are read from all
over it, by id, each reading bounded; they are kept for a minute, and whatever is said of all is scaled from them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from django.core.cache import cache
from django.db.models import CharField, QuerySet
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from .audience import audience
from .composing import CONTACT_FIELDS, normalise_name, values_of
from .models import Contact
from .smart_groups import ConditionsError, SmartConditions, smart_conditions
from .unsubscribing import UNSUBSCRIBE_LINK, unsubscribe_link

WHOLE = 2000
READINGS = 8
KEPT_SECONDS = 60
#: More fields than this are not offered.
MOST_FIELDS = 40


@dataclass(frozen=True, slots=True)
class Person:
    """One of the audience, with what can be put into a text for them."""

    pk: int
    phone_number: str
    name: str
    language: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class FieldOffered:
    """A placeholder that somebody has a value for. `missing` is how many people have none, scaled to all."""

    name: str
    label: str
    missing: int
    longest: str


@dataclass(frozen=True)
class AudienceSample:
    """`persons` of `people` altogether; `names` are the attributes' own spellings by comparable name."""

    people: int = 0
    persons: Sequence[Person] = ()
    names: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether everybody was read, so that figures are exact."""
        return self.people == len(self.persons)

    def scaled(self, count: int) -> int:
        """What so many of those read mean for all."""
        return count if self.is_whole else round(count * self.people / len(self.persons))

    @cached_property
    def fields(self) -> list[FieldOffered]:
        """What these people have: the contacts' own fields first, then attributes, the most common first."""
        filled: Counter[str] = Counter()
        longest: dict[str, str] = {}
        for person in self.persons:
            for name, value in person.values.items():
                if value and not value.isspace():
                    filled[name] += 1
                    longest[name] = max(longest.get(name, ""), value, key=len)
        own = [name for name in CONTACT_FIELDS if filled[name]]
        link = unsubscribe_link(self.persons[0].phone_number) if self.persons else ""
        attributes = [name for name, _n in filled.most_common() if name not in CONTACT_FIELDS and name in self.names]
        offered = [
            FieldOffered(
                name=self.names.get(name, name),
                label=str(CONTACT_FIELDS.get(name, self.names.get(name, name))),
                missing=self.scaled(len(self.persons) - filled[name]),
                longest=longest[name],
            )
            for name in [*own, *attributes][:MOST_FIELDS]
        ]
        return [*offered, FieldOffered(UNSUBSCRIBE_LINK, _("link to opt out"), 0, link)] if link else offered


def sample_of(include: Iterable[int], exclude: Iterable[int] = ()) -> AudienceSample:
    """Those in these groups: all of them, or some of a large audience."""
    include, exclude = sorted(include), sorted(exclude)
    if not include:
        return AudienceSample()
    key = f"audience-sample:{hashlib.sha256(repr((include, exclude)).encode()).hexdigest()}"
    if (kept := cache.get(key)) is not None:
        return cast(AudienceSample, kept)
    try:
        smart = smart_conditions([*include, *exclude])
        rows = _read(audience(include, exclude, smart=smart), WHOLE + 1)
    except ConditionsError:
        return AudienceSample()  # what is wrong with the group is said where groups are checked
    if len(rows) <= WHOLE:
        return _made(len(rows), rows)
    sample = _spread(include, exclude, smart)
    cache.set(key, sample, KEPT_SECONDS)
    return sample


def person_of(contact: Contact) -> Person:
    """A contact that was looked up by itself."""
    (row,) = _read(Contact.objects.filter(pk=contact.pk), 1)
    return _person(row)


def _spread(include: list[int], exclude: list[int], smart: SmartConditions) -> AudienceSample:
    """Read from places all over the audience: those who were imported first are seldom like the rest."""
    chosen = audience(include, exclude, smart=smart)
    first = chosen.values_list("pk", flat=True)[0]
    last = chosen.order_by("-pk").values_list("pk", flat=True)[0]
    found: dict[int, tuple[Any, ...]] = {}
    for reading in range(READINGS):
        after = first - 1 + (last - first) * reading // READINGS
        found |= {row[0]: row for row in _read(audience(include, exclude, after=after, smart=smart), WHOLE // READINGS)}
    return _made(chosen.count(), list(found.values()))


def _read(contacts: QuerySet[Contact], limit: int) -> list[tuple[Any, ...]]:
    e164 = Cast("phone_number", CharField())
    columns = ("pk", "e164", "first_name", "last_name", "email", "language", "attributes")
    return list(contacts.annotate(e164=e164).values_list(*columns)[:limit])


def _made(people: int, rows: list[tuple[Any, ...]]) -> AudienceSample:
    names: dict[str, str] = {}
    for row in rows:
        for name in row[-1]:
            if not set(name) & set("{}|"):  # what would end the placeholder cannot be its name
                names.setdefault(normalise_name(name), name)
    return AudienceSample(people, [_person(row) for row in rows], names)


def _person(row: tuple[Any, ...]) -> Person:
    pk, number, first_name, last_name, email, language, attributes = row
    name = f"{first_name} {last_name}".strip()
    fields = {
        "first_name": first_name,
        "last_name": last_name,
        "full_name": name,
        "phone_number": number,
        "email": email,
        "language": language,
    }
    return Person(pk, number, name, language, values_of(fields, attributes))
