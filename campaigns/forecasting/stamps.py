"""What a forecast was computed from, in few words; and what has changed since."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min, Sum
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Conversation, GatewayPrice, OptOut

from .counting import Question
from .words import people

#: The parts of a stamp that one look at the contacts answers.
_CONTACTS = ("people", "contacts")


def stamp_of(campaign: Campaign, question: Question) -> dict[str, Any]:
    """
    Equal for equal forecasts: differs whenever the text, the people, what is known of them or the prices do.

    Reads no row of a person: one aggregate of the audience answers how many they are, who, and when the last of them
    was changed.
    """
    smart = question.smart.stored()["by_group"]
    opted_out = OptOut.objects.aggregate(n=Count("pk"), newest=Max("pk"))
    held = Conversation.objects.filter(held_since__isnull=False).aggregate(n=Count("pk"), latest=Max("held_since"))
    return {
        "texts": digest([campaign.body, campaign.texts]),
        "kind": campaign.kind,
        "gateway": campaign.gateway,
        "groups": digest([sorted(question.include), sorted(question.exclude), smart]),
        "opt_outs": digest([opted_out["n"], opted_out["newest"], held["n"], held["latest"]]),
        "prices": digest(_prices(campaign.gateway)),
        "rules": digest(
            [
                settings.SMS_ONLY_TO,
                settings.SMS_ALLOWED_COUNTRIES,
                settings.SMS_MARKETING_NEEDS_CONSENT,
                settings.SITE_URL,
            ]
        ),
        **_people(question),
    }


def _people(question: Question) -> dict[str, Any]:
    found = question.contacts().order_by().aggregate(
        n=Count("pk"), first=Min("pk"), last=Max("pk"), all=Sum("pk"), changed=Max("updated_at")
    )  # fmt: skip
    return {
        "people": found["n"],
        "first": found["first"] or 0,
        "last": found["last"] or 0,
        "contacts": digest([int(found["all"] or 0), found["changed"]]),
    }


def _prices(alias: str) -> list[Any]:
    rows = GatewayPrice.objects.filter(gateway__alias=alias).order_by("prefix")
    return list(rows.values_list("prefix", "per_segment", "gateway__price_currency"))


def digest(value: Any) -> str:
    """A short hash of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def what_changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In words, what makes a forecast with the first stamp outdated; empty when nothing does."""
    changed = [words for name, words in _words(now).items() if before.get(name) != now[name]]
    if before.get("people") == now["people"] and before.get("contacts") != now["contacts"]:
        changed.append(_("Somebody in the chosen groups was changed, or is another person than before."))
    return changed


def _words(now: dict[str, Any]) -> dict[str, str]:
    return {
        "texts": _("The text was changed."),
        "kind": _("The kind of the campaign was changed."),
        "gateway": _("Another gateway was chosen."),
        "groups": _("Other groups were chosen, or the conditions of one were changed."),
        "people": _("The groups have changed: there are %(people)s in them now.") % {"people": people(now["people"])},
        "opt_outs": _("Somebody opted out, or an opt-out was lifted."),
        "prices": _("The prices of the gateway were changed."),
        "rules": _("The settings of the installation were changed."),
    }
