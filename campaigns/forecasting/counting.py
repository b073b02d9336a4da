"""
Counting what a campaign means for the people between two contact ids, as the freeze will write it.

Who is left out, and why, is decided by the functions that the freeze asks (`audience.LeftOut`, `Template.render`). Only
what they need is read, and nothing is kept of a person but what is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Case, CharField, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast
from django.utils import timezone

from campaigns.audience import LeftOut, audience
from campaigns.composing import CONTACT_FIELDS, Rendered, Template, values_of
from campaigns.consent import Rule, rule_for
from campaigns.languages import Translations, chosen_language, wording
from campaigns.models import Campaign, Contact, Conversation, Figure, OptOut, SentMessage, SuppressionReason
from campaigns.preflight import group_ids
from campaigns.prices import PriceTable, price_table
from campaigns.pseudonyms import MARK
from campaigns.smart_groups import SmartConditions, smart_conditions
from campaigns.unsubscribing import UNSUBSCRIBE_LINK, unsubscribe_link
from campaigns.windows import window_of
from sms_backends.guard import refusals
from sms_backends.phone_numbers import InvalidPhoneNumber, canonical, parse, spellings
from sms_backends.segments import segment

from .tally import Tally

CHUNK = 5000
#: So many opted-out numbers are kept in memory while an audience is counted; more are asked for chunk by chunk.
AT_HAND = 200_000
SAMPLES = 3
EXAMPLES = 20
#: Numbers that share so many characters (the plus sign among them) lie in the same place.
ZONE_DIGITS = 7
_OWN = ("first_name", "last_name", "email", "language")
#: The countries in which one number can be written in two ways, by the beginning of the canonical spelling.
_REFORMED = ("+52", "+229")


@dataclass(frozen=True)
class Question:
    """What is counted: a campaign as it is now. `fate` says what becomes of a message to a number, in a rehearsal."""

    include: list[int]
    exclude: list[int]
    smart: SmartConditions
    said: Template | Translations
    kind: str
    prices: PriceTable
    recent_campaigns: list[int] = field(default_factory=list)
    #: None where it makes no difference at what time of the day somebody is written to.
    zones: UsualZones | None = None
    fate: Callable[[str], tuple[str, str]] | None = None

    @classmethod
    def about(cls, campaign: Campaign, fate: Callable[[str], tuple[str, str]] | None = None) -> Question:
        """Raises TemplateError and ConditionsError."""
        include, exclude = group_ids(campaign)
        return cls(
            include,
            exclude,
            smart_conditions([*include, *exclude]),
            wording(campaign.body, campaign.texts),
            campaign.kind,
            price_table(campaign.gateway),
            recent_campaigns(campaign),
            UsualZones() if window_of(campaign) else None,
            fate,
        )

    def contacts(self, after: int = 0, up_to: int | None = None) -> QuerySet[Contact]:
        """The audience, or the part of it between two ids."""
        return audience(self.include, self.exclude, after=after, up_to=up_to, smart=self.smart)


def recent_since() -> timedelta:
    """How far back somebody counts as having got something lately."""
    return timedelta(hours=settings.SMS_RECENT_HOURS)


def recent_campaigns(campaign: Campaign) -> list[int]:
    """Other campaigns of which something was sent lately. By the kept figures: the log is not looked through."""
    if not settings.SMS_RECENT_HOURS:
        return []
    since = timezone.localdate(timezone.now() - recent_since(), timezone.get_default_timezone())
    found = Figure.objects.filter(day__gte=since, campaign__isnull=False, messages__gt=0).exclude(campaign=campaign.pk)
    return list(found.order_by().values_list("campaign", flat=True).distinct())


class Texts:
    """The texts of a campaign, made for many contacts: what is the same for everybody is measured once."""

    def __init__(self, said: Template | Translations) -> None:
        self.said = said
        templates = [said.main, *said.others.values()] if isinstance(said, Translations) else [said]
        self.names = frozenset(name for template in templates for name in template.names)
        self._writers = {id(template): Writer(template) for template in templates}

    def writer(self, language: str) -> Writer:
        """What writes the text for whoever speaks this language."""
        return self._writers[id(self.said.in_language(language))]

    def columns(self) -> dict[str, Any]:
        """How contacts are read, in the order of a `Row`; attributes only where some text may need one."""
        full = "full_name" in self.names
        wanted = {
            name: name if name in self.names or name == "language" or (full and name.endswith("_name")) else None
            for name in _OWN
        }
        return {
            "read_pk": F("pk"),
            "read_number": Cast("phone_number", CharField()),
            **{f"read_{name}": F(column) if column else _NOTHING for name, column in wanted.items()},
            "read_attributes": self._attributes(),
        }

    def _attributes(self) -> Any:
        stored = Cast("attributes", TextField())
        names = self.names - {UNSUBSCRIBE_LINK, "phone_number"}
        if names - set(CONTACT_FIELDS):
            return stored
        if not names:
            return _NOTHING
        # A field of ours that is empty may be there as an attribute of the same name.
        empty = Q()
        for name in names:
            empty |= Q(first_name="", last_name="") if name == "full_name" else Q(**{name: ""})
        return Case(When(empty, then=stored), default=None, output_field=TextField())


class Writer:
    """Writes one text for many contacts. What it writes is what `Template.render()` gives, most of it faster."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._same = None if template.names else template.render({})
        #: A number for a column of a `Row`, text for itself; None where a value is not in a column of its own.
        self._columns = [part if isinstance(part, str) else _COLUMN_OF.get(part.name) for part in template.parts]
        self._is_plain = None not in self._columns

    def write(self, row: Row) -> Rendered:
        """The text for this contact."""
        if self._same is not None:
            return self._same
        if self._is_plain:
            found = [part if part.__class__ is str else row[part] for part in self._columns]  # type: ignore[index]
            if all(found) and not any(part.isspace() for part in found if part is not None):  # type: ignore[union-attr]
                return Rendered("".join(found))  # type: ignore[arg-type]
        return self._template.render(self._values(row))

    def _values(self, row: Row) -> dict[str, str]:
        _pk, number, first_name, last_name, email, language, attributes, *_more = row
        fields = {
            "first_name": first_name or "",
            "last_name": last_name or "",
            "full_name": f"{first_name or ''} {last_name or ''}".strip(),
            "phone_number": number,
            "email": email or "",
            "language": language,
        }
        if UNSUBSCRIBE_LINK in self._template.names:
            fields[UNSUBSCRIBE_LINK] = unsubscribe_link(number)
        if attributes is None or attributes == "{}":
            return fields
        return values_of(fields, json.loads(attributes))


#: pk, number, first name, last name, e-mail, language, attributes (JSON), country, time zone, consent and its kind.
Row = tuple[Any, ...]
_COLUMN_OF = {"phone_number": 1, "first_name": 2, "last_name": 3, "email": 4, "language": 5}
_NOTHING = Value(None, output_field=TextField())


def rows_of(contacts: QuerySet[Contact], texts: Texts, *, limit: int | None = None) -> list[Row]:
    """What is needed of these contacts (a chunk that fits in memory), in their order."""
    columns = texts.columns()
    read = contacts.annotate(**columns).values_list(*columns, "region", "time_zone", "consent", "consent_kind")
    return list(read[:limit])


class Judge:
    """Who of many contacts gets it, and what: asks about opt-outs once where they are few enough to be kept at hand."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.texts = Texts(question.said)
        self._at_hand = LeftOut(rule_for(question.kind), set(), set(), {}) if self._are_few() else None
        if self._at_hand is not None:
            self._at_hand.opted_out.update(OptOut.objects.values_list("canonical_number", flat=True))
            if self._at_hand.rule != Rule.NOTHING:
                held = Conversation.objects.filter(held_since__isnull=False)
                self._at_hand.held.update(held.values_list("canonical_number", flat=True))

    def _are_few(self) -> bool:
        """Numbers of erased people are hidden, so that those of contacts must be hashed to be found among them."""
        if OptOut.objects.filter(canonical_number__startswith=MARK).exists():
            return False
        held = Conversation.objects.filter(held_since__isnull=False)
        return all(rows.order_by()[: AT_HAND + 1].count() <= AT_HAND for rows in (OptOut.objects.all(), held))

    def decide(self, rows: list[Row]) -> Iterator[tuple[Row, str, str]]:
        """Of each: why it is left out (empty: it is not), and the text that it gets."""
        left_out = self._left_out(rows)
        doubles = self._doubles(rows)
        writers: dict[str, Writer] = {}
        for row in rows:
            writer = writers.get(row[5]) or writers.setdefault(row[5], self.texts.writer(row[5]))
            reason, text = _judged(row, left_out, writer)
            if doubles and not reason and row[0] in doubles:
                reason = SuppressionReason.DUPLICATE
            yield row, reason, text

    def _left_out(self, rows: list[Row]) -> LeftOut:
        numbers = {row[1] for row in rows}
        if self._at_hand is None:
            return LeftOut.among(numbers, self.question.kind)
        return replace(self._at_hand, refused=refusals(numbers))

    def _doubles(self, rows: list[Row]) -> set[int]:
        """Those of these whose number is in the audience already, in its other spelling, of somebody who gets it."""
        twins: dict[str, int] = {}
        for row in rows:
            if row[1].startswith(_REFORMED):
                twins.update({other: row[0] for other in spellings(canonical(row[1])) if other != row[1]})
        if not twins:
            return set()
        others = rows_of(self.question.contacts().filter(phone_number__in=list(twins)), self.texts)
        left_out = self._left_out(others)
        return {
            twins[other[1]]
            for other in others
            if other[0] < twins[other[1]] and not _judged(other, left_out, self.texts.writer(other[5]))[0]
        }


def _judged(row: Row, left_out: LeftOut, writer: Writer) -> tuple[str, str]:
    number = row[1]
    if reason := left_out.whatever_the_text(canonical(number), row[9], row[10]):
        return reason, ""
    rendered = writer.write(row)
    return left_out.with_this_text(number, rendered)[0], rendered.text


def count_part(judge: Judge, after: int, up_to: int, seen: Callable[[int], bool]) -> Tally | None:
    """Count the people between two ids. `seen(people)` is told how far it is; if it says False, the answer is None."""
    counted = _Counted(judge)
    while True:
        rows = rows_of(judge.question.contacts(after, up_to), judge.texts, limit=CHUNK)
        if not rows:
            return counted.tally()
        after = rows[-1][0]
        counted.add(rows)
        if not seen(counted.people):
            return None


class _Counted:
    """Counts by everything that matters to a figure at once; what follows from it is worked out at the end."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.question = judge.question
        self.people = 0
        self._alike: dict[tuple[str, str, str, str, str, int], int] = {}
        self._tally = Tally()
        self._languages: set[str] = set()

    def add(self, rows: list[Row]) -> None:
        tally, alike, cut = self._tally, self._alike, self.question.prices.cut
        fate, zones = self.question.fate, self.question.zones
        self.people += len(rows)
        got_it: list[int] = []
        for row, reason, text in self.judge.decide(rows):
            pk, number, *_asked, region, time_zone, _consent, _kind = row
            if reason:
                tally.left_out[reason] += 1
                tally.first_of.setdefault(reason, pk)
                continue
            got_it.append(pk)
            if row[5] not in self._languages:
                self._meet_speaker(row[5], pk)
            size = segment(text)
            key = (number[:cut], region, time_zone, row[5], size.encoding, size.segments)
            alike[key] = alike.get(key, 0) + 1
            if zones is not None:
                tally.usual_zone += zones.stand_in_for(number, time_zone)
            if fate is not None:
                self._meet(fate(number), pk)
        tally.people, tally.recipients = self.people, tally.recipients + len(got_it)
        if len(tally.samples) < SAMPLES:
            tally.samples += got_it[: SAMPLES - len(tally.samples)]
        tally.recent += self._recent(got_it)

    def _meet(self, fate: tuple[str, str], pk: int) -> None:
        self._tally.fates[fate] += 1
        examples = self._tally.fate_examples.setdefault(fate, [])
        if len(examples) < EXAMPLES:
            examples.append(pk)

    def _meet_speaker(self, language: str, pk: int) -> None:
        self._languages.add(language)
        if isinstance(self.question.said, Translations):
            self._tally.speakers.setdefault(chosen_language(language, self.question.said.others), pk)

    def _recent(self, ids: list[int]) -> int:
        if not ids or not self.question.recent_campaigns:
            return 0
        lately = SentMessage.objects.filter(
            campaign__in=self.question.recent_campaigns,
            contact__gte=ids[0],
            contact__lte=ids[-1],
            sent_at__gte=timezone.now() - recent_since(),
        )
        return len(set(lately.order_by().values_list("contact", flat=True)) & set(ids))

    def tally(self) -> Tally:
        """All that was counted."""
        tally, prices, said = self._tally, self.question.prices, self.question.said
        for (number, region, zone, language, encoding, segments), people in self._alike.items():
            tally.sizes[(str(encoding), str(segments))] += people
            tally.zones[(zone, region)] += people
            tally.zone_segments[(zone, region)] += people * segments
            tally.countries[region] += people
            tally.country_segments[region] += people * segments
            tally.segments += people * segments
            if isinstance(said, Translations):
                tally.languages[chosen_language(language, said.others)] += people
            price = prices.price(number, segments)
            if price is None:
                tally.unpriced[region] += people * segments
                tally.unpriced_people += people
            else:
                tally.costs[region] = tally.costs.get(region, Decimal(0)) + price * people
        return tally


class UsualZones:
    """For which numbers the usual time zone of their country stands in. Reads one of many that begin alike."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def stand_in_for(self, number: str, time_zone: str) -> bool:
        """Whether nothing better than the country is known about where this number is."""
        beginning = number[:ZONE_DIGITS]
        usual = self._known.get(beginning)
        if usual is None:
            usual = self._known[beginning] = _usual_zone(number)
        return usual == time_zone != ""


def _usual_zone(e164: str) -> str:
    """The zone that stands in for what the number does not tell; empty for one that does."""
    try:
        number = parse(e164, None)
    except InvalidPhoneNumber:
        return ""
    return "" if number.time_zone_certain else number.time_zone
