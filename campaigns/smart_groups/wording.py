"""Conditions in words, as the list of smart groups and the page of a campaign show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Attribute, Campaign, Consent, ContactGroup, ContactImport

from .conditions import Became, Block, Combine, Condition, ConditionsError, Is, On, read

_GONE = "?"


def in_words(stored: Any) -> str:
    """One sentence; what is wrong with the conditions, if they cannot be read."""
    try:
        block = read(stored)
    except ConditionsError as error:
        return str(error)
    return _Words(block).block(block)


class _Words:
    """Knows the names of everything that the conditions point at."""

    def __init__(self, block: Block) -> None:
        conditions = list(block.conditions())
        self.groups = _names(ContactGroup, [c.value for c in conditions if c.on == On.GROUP], "name")
        self.imports = _names(ContactImport, [c.value for c in conditions if c.on == On.IMPORT], "file_name")
        self.campaigns = _names(Campaign, [c.campaign for c in conditions if c.on == On.MESSAGE], "name")
        names = {c.name.casefold() for c in conditions if c.on == On.ATTRIBUTE}
        self.labels = {it.key: str(it) for it in Attribute.objects.filter(key__in=names)} if names else {}

    def block(self, block: Block) -> str:
        parts = [f"({self.block(part)})" if isinstance(part, Block) else self.condition(part) for part in block.parts]
        if block.combine == Combine.NONE:
            return _("none of these: %(list)s") % {"list": "; ".join(parts)}
        return (_(" and ") if block.combine == Combine.ALL else _(" or ")).join(parts)

    def condition(self, condition: Condition) -> str:
        special = {
            On.GROUP: self._group,
            On.IMPORT: self._import,
            On.MESSAGE: self._message,
            On.REPLY: self._reply,
            On.OPTED_OUT: self._opted_out,
        }
        if condition.on in special:
            return special[condition.on](condition)
        if condition.on == On.ATTRIBUTE:
            subject = self.labels.get(condition.name.casefold(), condition.name)
        else:
            subject = str(condition.on.label)
        return f"{subject} {_compared(condition)}"

    def _group(self, condition: Condition) -> str:
        words = _("in “%(name)s”") if condition.comparison == Is.IN else _("not in “%(name)s”")
        return words % {"name": self.groups.get(condition.value, _GONE)}

    def _import(self, condition: Condition) -> str:
        words = _("imported with “%(name)s”") if condition.comparison == Is.IN else _("not imported with “%(name)s”")
        return words % {"name": self.imports.get(condition.value, _GONE)}

    def _message(self, condition: Condition) -> str:
        if condition.campaign is None:
            what = _("anything")
        else:
            what = _("“%(name)s”") % {"name": self.campaigns.get(condition.campaign, _GONE)}
        words = _("was sent %(what)s") if condition.comparison == Is.WAS else _("was not sent %(what)s")
        became = "" if condition.became == Became.SENT else str(condition.became.label)
        return " ".join(part for part in (words % {"what": what}, became, _ago(condition.days)) if part)

    def _reply(self, condition: Condition) -> str:
        words = _("wrote to us") if condition.comparison == Is.YES else _("did not write to us")
        return f"{words} {_ago(condition.days)}".strip()

    def _opted_out(self, condition: Condition) -> str:
        return _("has opted out") if condition.comparison == Is.YES else _("has not opted out")


def _names(model: Any, ids: list[Any], column: str) -> Mapping[int, str]:
    wanted = [pk for pk in ids if pk is not None]
    return dict(model.objects.filter(pk__in=wanted).values_list("pk", column)) if wanted else {}


def _ago(days: int | None) -> str:
    if days is None:
        return ""
    return ngettext("in the last %(days)d day", "in the last %(days)d days", days) % {"days": days}


def _compared(condition: Condition) -> str:
    comparison, value = condition.comparison, condition.value
    if comparison == Is.IN_LAST_DAYS:
        return _("is %(when)s") % {"when": _ago(value)}
    if comparison == Is.IN_NEXT_DAYS:
        days = ngettext("in the next %(days)d day", "in the next %(days)d days", value) % {"days": value}
        return _("is %(when)s") % {"when": days}
    if comparison in (Is.YES, Is.NO):
        return _("is %(answer)s") % {"answer": comparison.label}
    if value is None:
        return str(comparison.label)
    return f"{comparison.label} {_shown(condition.on, value)}"


def _shown(on: On, value: Any) -> str:
    if on == On.CONSENT:
        return str(Consent(value).label)
    if isinstance(value, date):
        return date_format(value, "DATE_FORMAT")
    return number_format(value) if isinstance(value, (int, float)) else _("“%(name)s”") % {"name": value}
