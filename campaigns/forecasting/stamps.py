"""
What a forecast was computed from, in few words; and what has changed since.

A stamp is cheap: no row of a person is read for it (`changes`). Who is in a smart group follows from more than anybody
counts changes of (messages, answers, the calendar), so that campaigns with such groups are also compared person by
person from time to time; a launch always is.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import BigIntegerField, Count, F, Func, Max, Min, Sum
from django.utils.translation import gettext as _

from campaigns.models import AudienceFact, Campaign, GatewayPrice

from .changes import changes_of
from .counting import Question
from .words import people

#: What is added up for a million people is taken modulo this prime: the sum stays small.
_PRIME = 2_147_483_647


def stamp_of(campaign: Campaign, question: Question) -> dict[str, Any]:
    """
    Equal for equal forecasts: differs whenever the text, the people, what is known of them or the prices do. Of the
    people, `fewer` counts what can only have taken a message away from somebody.

    Of smart groups it knows the conditions, and not who meets them.
    """
    smart = question.smart.stored()["by_group"]
    changes = changes_of([*question.include, *question.exclude])
    return {
        "texts": digest([campaign.body, campaign.texts]),
        "kind": campaign.kind,
        "gateway": campaign.gateway,
        "has_hours": question.zones is not None,
        "groups": digest([sorted(question.include), sorted(question.exclude), smart]),
        "members": changes[AudienceFact.MEMBERS],
        "contacts": changes[AudienceFact.CONTACTS] + changes[AudienceFact.EVERYTHING],
        "opt_outs": changes[AudienceFact.OPT_OUTS] + changes[AudienceFact.HOLDS],
        "fewer": changes[AudienceFact.FEWER],
        "prices": digest(_prices(campaign.gateway)),
        "rules": digest([getattr(settings, name) for name in _RULES]),
    }


#: Settings that decide who gets it, or what it says.
_RULES = (
    "SMS_ONLY_TO",
    "SMS_ALLOWED_COUNTRIES",
    "SMS_DEFAULT_REGION",
    "SMS_MARKETING_NEEDS_CONSENT",
    "SMS_RECENT_HOURS",
    "SITE_URL",
    "LANGUAGE_CODE",
)


def persons_of(question: Question) -> dict[str, Any]:
    """
    How many are in the audience, and who: one aggregate of all of them.

    `persons` differs for other people, and when anybody among them was changed.
    """
    found = question.contacts().order_by().aggregate(
        people=Count("pk"),
        first=Min("pk"),
        last=Max("pk"),
        ids=Sum("pk"),
        squares=Sum((F("pk") % _PRIME) * (F("pk") % _PRIME) % _PRIME),
        changed=Sum(_moment() % _PRIME),
    )  # fmt: skip
    return {
        "people": found["people"],
        "first": found["first"] or 0,
        "last": found["last"] or 0,
        "persons": digest([int(found[name] or 0) for name in ("ids", "squares", "changed")]),
    }


def _moment() -> Func:
    """When a contact was last changed, in microseconds, as a whole number: the sum is exact in any order."""
    template = (
        "(EXTRACT(EPOCH FROM %(expressions)s) * 1000000)::bigint"
        if connection.vendor == "postgresql"
        # Text there. What is left of the microseconds is the end of the text: none where they are all zero.
        else "(CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) * 1000000"
        " + CAST(substr(%(expressions)s || '000000', 21, 6) AS INTEGER))"
    )
    return Func(F("updated_at"), template=template, output_field=BigIntegerField())


def _prices(alias: str) -> list[Any]:
    rows = GatewayPrice.objects.filter(gateway__alias=alias).order_by("prefix")
    return list(rows.values_list("prefix", "per_segment", "gateway__price_currency"))


def digest(value: Any) -> str:
    """A short hash of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def what_changed(before: dict[str, Any], now: dict[str, Any], question: Question) -> list[str]:
    """In words, what makes a forecast with the first stamp outdated; empty when nothing does."""
    words = _words()
    changed = [words[name] for name in now if name in words and before.get(name) != now[name]]
    if before.get("members") != now["members"] or before.get("contacts") != now["contacts"]:
        # Somebody may have come and gone again: then the stamp differs, and nothing can be said of it.
        changed += who_changed(before, persons_of(question)) or [_words_of_persons()]
    return changed


def who_changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The same of the audience, by what `persons_of()` says."""
    if before.get("people") != now["people"]:
        words = _("The groups have changed: there are %(people)s in them now.")
        return [words % {"people": people(now["people"])}]
    return [] if before.get("persons") == now["persons"] else [_words_of_persons()]


def _words_of_persons() -> str:
    return _("Somebody in the chosen groups was changed, or is another person than before.")


def _words() -> dict[str, str]:
    return {
        "texts": _("The text was changed."),
        "kind": _("The kind of the campaign was changed."),
        "gateway": _("Another gateway was chosen."),
        "has_hours": _("Sending hours were set, or taken away."),
        "groups": _("Other groups were chosen, or the conditions of one were changed."),
        "opt_outs": _("An opt-out was lifted, or somebody gets marketing again whose answer was reviewed."),
        "prices": _("The prices of the gateway were changed."),
        "rules": _("The settings of the installation were changed."),
    }
