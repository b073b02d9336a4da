"""
What a text means for the people chosen, while it is being written: segments, costly characters, missing values.

Everything is asked of an `AudienceSample`, so the work is bounded however large the audience is; `preflight` counts
exactly, before sending.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sms_backends.segments import (
    GSM_REPLACEMENTS,
    CostlyCharacter,
    Encoding,
    Segmentation,
    choose_encoding,
    costly_characters,
    segment,
)

from . import unsubscribing
from .audience_sample import AudienceSample, Person
from .composing import CONTACT_FIELDS, Template, TemplateError, literal_spans
from .languages import Wording, chosen_language
from .prices import PriceTable
from .unsubscribing import UNSUBSCRIBE_LINK, unsubscribe_link

#: Of so many people the cost of each costly character is taken.
COUNTED = 300
#: More different letters than this are a language of its own, and nobody wants to do without them.
FEW_LETTERS = 5
#: So many kinds of costly characters get a figure of their own.
MOST_KINDS = 15


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text as one person would get it."""

    person: Person
    text: str
    size: Segmentation
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Costly:
    """
    A character that makes the whole text travel as UCS-2, where it stands, and what keeping it costs over all people.

    `segments` is what the text costs more with this character than with none of its kind, if it were the only one.
    """

    character: CostlyCharacter
    segments: int
    cost: Decimal | None

    @property
    def places(self) -> list[int]:
        """Where it stands, counted from 1 as people do."""
        return [position + 1 for position in self.character.positions]


@dataclass(slots=True)
class TextCheck:
    """
    One text, in one language (empty: the main text), for those of the audience who get it.

    `people`, `segments`, `cost` and the figures of `missing` and `costly` are scaled to the whole audience. `gain` is
    how many segments replacing all that has a replacement saves, and `gain_cost` what they cost; with `is_foreign` the
    letters are those of another alphabet, and no sign in it costs anything by itself.
    """

    language: str
    body: str
    problem: str = ""
    people: int = 0
    unknown: list[str] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    longest: Rendered | None = None
    shortest: Rendered | None = None
    segments: int = 0
    cost: Decimal | None = None
    costly: list[Costly] = field(default_factory=list)
    is_foreign: bool = False
    gain: int = 0
    gain_cost: Decimal | None = None
    costly_values: int = 0


def check_text(
    body: str, language: str, texts: Collection[str], sample: AudienceSample, prices: PriceTable
) -> TextCheck:
    """Look at the text in this language of a campaign that has `texts` (language tags) besides its main one."""
    found = TextCheck(language, body)
    try:
        template = Template(body)
    except TemplateError as error:
        found.problem = str(error)
        return found
    persons = [one for one in sample.persons if chosen_language(one.language, dict.fromkeys(texts)) == language]
    found.people = sample.scaled(len(persons)) if persons else 0
    rendered = [render(template, person) for person in persons]
    sent = [one for one in rendered if not one.missing and one.text.strip()]
    found.unknown = unknown_names(template, sample)
    for name in (name for one in rendered for name in one.missing):
        found.missing[name] = found.missing.get(name, 0) + 1
    found.missing = {name: sample.scaled(count) for name, count in found.missing.items() if name not in found.unknown}
    if sent:
        found.longest, found.shortest = max(sent, key=by_size), min(sent, key=by_size)
        found.segments = sample.scaled(sum(one.size.segments for one in sent))
        found.cost = _cost(sent, prices, sample)
        if choose_encoding(_written(body)) is Encoding.GSM7:
            found.costly_values = sample.scaled(sum(one.size.encoding is Encoding.UCS2 for one in sent))
    _look_for_costly(found, [one.person for one in sent], sample, prices)
    return found


def render(template: Template, person: Person) -> Rendered:
    """The text for one person, and what it takes."""
    values = person.values
    if UNSUBSCRIBE_LINK in template.names:
        values = {**values, UNSUBSCRIBE_LINK: unsubscribe_link(person.phone_number)}
    done = template.render(values)
    return Rendered(person, done.text, segment(done.text), done.missing)


def render_for(wording: Wording, person: Person) -> Rendered:
    """The text in the language of this person."""
    return render(wording.in_language(person.language), person)


def unknown_names(template: Template, sample: AudienceSample) -> list[str]:
    """Placeholders for which nobody has a value; a field of ours with a default cannot be a misspelling."""
    if not sample.persons:
        return []
    return [
        one.name
        for one in template.placeholders
        if not (one.own_field in CONTACT_FIELDS and one.default is not None)
        and not (one.name == UNSUBSCRIBE_LINK and unsubscribing.is_available())
        and not any(person.values.get(one.name) or person.values.get(one.own_field) for person in sample.persons)
    ]


def with_replacements(body: str, replacements: Mapping[str, str]) -> str:
    """
    A text with characters replaced where it travels as written; placeholders stay as they are.

    Within a default, what stands for a quotation mark never is the mark that ends it.
    """
    parts: list[str] = []
    position = 0
    for start, end, closing in literal_spans(body):
        parts.append(body[position:start])
        written = "".join(replacements.get(character, character) for character in body[start:end])
        if closing in ('"', "'") and closing in written:
            written = written.replace(closing, "'" if closing == '"' else '"')
        parts.append(written)
        position = end
    return "".join([*parts, body[position:]])


def costly_in(body: str) -> list[CostlyCharacter]:
    """As `costly_characters()`, but only where the text travels as written."""
    found: dict[str, list[int]] = {}
    for start, end, _closing in literal_spans(body):
        for one in costly_characters(body[start:end]):
            found.setdefault(one.character, []).extend(start + position for position in one.positions)
    return [CostlyCharacter(name, tuple(at), _replacement(name)) for name, at in found.items()]


def _replacement(character: str) -> str | None:
    found = GSM_REPLACEMENTS.get(character)
    return None if found in ("{", "}") else found  # two of them would open a placeholder


def _written(body: str) -> str:
    """What of a text is the same for everybody."""
    return "".join(body[start:end] for start, end, _closing in literal_spans(body))


def _look_for_costly(found: TextCheck, persons: list[Person], sample: AudienceSample, prices: PriceTable) -> None:
    characters = costly_in(found.body)
    letters = [one for one in characters if one.replacement is None]
    found.is_foreign = len(letters) > FEW_LETTERS
    counted = persons[:: max(1, len(persons) // COUNTED)]
    replaceable = {one.character: one.replacement for one in characters if one.replacement is not None}
    shown = [one for one in characters if not (found.is_foreign and one.replacement is None)][:MOST_KINDS]
    if not counted:
        found.costly = [Costly(one, 0, None) for one in shown]
        return
    scale = _Scale(found.body, counted, sample.scaled(len(persons)) / len(counted), prices)
    found.gain, found.gain_cost = scale.difference({}, replaceable)
    if found.is_foreign:
        found.costly = [Costly(one, 0, None) for one in shown]
        return
    none = {one.character: one.replacement or "" for one in characters}
    for one in shown:
        alone = {character: other for character, other in none.items() if character != one.character}
        found.costly.append(Costly(one, *scale.difference(alone, none)))


@dataclass(frozen=True, slots=True)
class _Scale:
    """Weighs one way of writing a text against another, for some people who stand for `weight` people each."""

    body: str
    persons: Sequence[Person]
    weight: float
    prices: PriceTable

    def difference(self, one: Mapping[str, str], other: Mapping[str, str]) -> tuple[int, Decimal | None]:
        """How many more segments the text needs with the first replacements than with the second; their cost."""
        segments, cost = 0, Decimal(0)
        try:
            first = Template(with_replacements(self.body, one))
            second = Template(with_replacements(self.body, other))
        except TemplateError:  # something invisible kept two braces apart
            return 0, None
        for person in self.persons:
            more = render(first, person).size.segments - render(second, person).size.segments
            segments += more
            cost += (self.prices.price(person.phone_number, 1) or Decimal(0)) * more
        scaled = max(0, round(segments * self.weight))
        return scaled, (cost * Decimal(self.weight) if self.prices and scaled else None)


def _cost(sent: Sequence[Rendered], prices: PriceTable, sample: AudienceSample) -> Decimal | None:
    """What the text costs all of them, as far as prices are known; None where none is."""
    known = [prices.price(one.person.phone_number, one.size.segments) for one in sent]
    total = sum((price for price in known if price is not None), Decimal(0))
    if all(price is None for price in known):
        return None
    return total if sample.is_whole else total * sample.people / len(sample.persons)


def by_size(one: Rendered) -> tuple[int, int]:
    """What makes one text larger than another."""
    return one.size.segments, one.size.units
