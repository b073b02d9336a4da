"""Figures that are counted in parts and added up; stored as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

#: Between the parts of a key. No zone, country, language or encoding has it.
_BAR = "|"


@dataclass(slots=True)
class Tally:
    """
    What was counted of an audience. Keys of several parts are tuples.

    `people` is everybody, `recipients` those who get it. Of the recipients: `sizes` by (encoding, segments), `zones` by
    (time zone, country) people and `zone_segments` their segments, `languages` by the text they get, `countries`
    people, `country_segments`, `unpriced` segments without a price and `costs` of the others, by country. `left_out`
    counts the rest by reason; `first_of` is the first contact of each reason. `recent` of the recipients got something
    lately, for `usual_zone` their number does not tell where they live. `fates` is what a rehearsal made of them, by
    (outcome, reason), `fate_examples` some contacts of each.
    """

    people: int = 0
    recipients: int = 0
    segments: int = 0
    recent: int = 0
    usual_zone: int = 0
    sizes: Counter[tuple[str, ...]] = field(default_factory=Counter)
    zones: Counter[tuple[str, ...]] = field(default_factory=Counter)
    zone_segments: Counter[tuple[str, ...]] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    country_segments: Counter[str] = field(default_factory=Counter)
    unpriced: Counter[str] = field(default_factory=Counter)
    unpriced_people: int = 0
    costs: dict[str, Decimal] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    first_of: dict[str, int] = field(default_factory=dict)
    fates: Counter[tuple[str, ...]] = field(default_factory=Counter)
    fate_examples: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    #: The first who get it, and the first who gets the text in each language, by contact id.
    samples: list[int] = field(default_factory=list)
    speakers: dict[str, int] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **{name: getattr(self, name) for name in _NUMBERS},
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
            **{name: {_BAR.join(key): n for key, n in getattr(self, name).items()} for name in _COMPOUND},
            "costs": {country: str(cost) for country, cost in self.costs.items()},
            "first_of": self.first_of,
            "fate_examples": {_BAR.join(key): ids for key, ids in self.fate_examples.items()},
            "samples": self.samples,
            "speakers": self.speakers,
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Tally:
        """What `stored()` gave."""
        values: dict[str, Any] = {name: stored[name] for name in _NUMBERS}
        values |= {name: Counter(stored[name]) for name in _COUNTERS}
        for name in _COMPOUND:
            values[name] = Counter({tuple(key.split(_BAR)): n for key, n in stored[name].items()})
        values["costs"] = {country: Decimal(cost) for country, cost in stored["costs"].items()}
        values["first_of"] = dict(stored["first_of"])
        values["fate_examples"] = {tuple(key.split(_BAR)): ids for key, ids in stored["fate_examples"].items()}
        return cls(**values, samples=list(stored["samples"]), speakers=dict(stored["speakers"]))

    def add(self, other: Tally, *, samples: int, examples: int) -> None:
        """Adds what was counted of people after these; so many samples, and examples of each fate, are kept."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in (*_COUNTERS, *_COMPOUND):
            getattr(self, name).update(getattr(other, name))
        for country, cost in other.costs.items():
            self.costs[country] = self.costs.get(country, Decimal(0)) + cost
        for reason, pk in other.first_of.items():
            self.first_of.setdefault(reason, pk)
        for key, ids in other.fate_examples.items():
            self.fate_examples[key] = [*self.fate_examples.get(key, []), *ids][:examples]
        self.samples = [*self.samples, *other.samples][:samples]
        for language, pk in other.speakers.items():
            self.speakers.setdefault(language, pk)

    @property
    def cost(self) -> Decimal:
        """What those are expected to cost whose price is known."""
        return sum(self.costs.values(), Decimal(0))

    @property
    def unpriced_segments(self) -> int:
        return sum(self.unpriced.values())


_NUMBERS = ("people", "recipients", "segments", "recent", "usual_zone", "unpriced_people")
_COUNTERS = ("languages", "countries", "country_segments", "unpriced", "left_out")
_COMPOUND = ("sizes", "zones", "zone_segments", "fates")


def added(tallies: Iterable[Tally], *, samples: int, examples: int) -> Tally:
    """All of them as one."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally, samples=samples, examples=examples)
    return whole
