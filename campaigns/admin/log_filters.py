"""The filters of the delivery log as operators see them: a form, and a chip for each that is set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.forms.utils import flatatt
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import log
from campaigns.models import Campaign, Contact, FailureReason, MessageStatus, Purpose, SentMessage, SuppressionReason
from campaigns.reports import reason_label
from sms_backends import gateways

GROUP_WORDS = {
    "waiting": _("waiting"),
    "on_its_way": _("on its way"),
    "reached": _("reached"),
    "not_reached": _("not reached"),
    "left_out": _("left out"),
    "unknown": _("unknown"),
}
SUM_WORDS = {log.DONE: _("done"), log.TO_GO: _("to go"), log.TAKEN_SUM: _("taken by a provider")}
#: Where the page is, which is no filter.
PLACE = ("before", "after", "at")
_DAY_FORMAT = "j M Y"


def status_words(status: str) -> str:
    """A state or a group of them."""
    words = {**dict(MessageStatus.choices), **GROUP_WORDS, **SUM_WORDS}
    return str(words.get(status, status))


def _status_choices() -> list[tuple[str, Any]]:
    grouped: list[tuple[str, Any]] = [("", _("any"))]
    for group, states in log.STATUS_GROUPS.items():
        words = str(GROUP_WORDS[group]).capitalize()
        if len(states) == 1:  # the group would find what its only state finds
            grouped.append((words, [(str(state), status_words(state)) for state in states]))
            continue
        alone = [(str(state), status_words(state)) for state in MessageStatus if state in states]
        grouped.append((words, [(group, _t("%(group)s (all)") % {"group": GROUP_WORDS[group]}), *alone]))
    sums: list[tuple[str, Any]] = list(SUM_WORDS.items())
    return [*grouped, (_t("Sums of a campaign"), sums)]


def _reason_choices(chosen: str) -> list[tuple[str, str]]:
    known = {*SuppressionReason.values, *FailureReason.values} | ({chosen} if chosen else set())
    labelled = sorted(((reason, reason_label(reason)) for reason in known - {log.NO_REASON}), key=lambda pair: pair[1])
    return [("", str(_("any"))), (log.NO_REASON, str(_("none known"))), *labelled]


def _gateway_choices(chosen: str) -> list[tuple[str, str]]:
    known = dict.fromkeys([*gateways, *([chosen] if chosen else [])])
    return [("", str(_("any"))), *((alias, alias) for alias in known)]


def campaign_widget() -> AutocompleteSelect:
    return AutocompleteSelect(SentMessage._meta.get_field("campaign"), admin.site, attrs={"data-width": "100%"})


class PlainSelect(forms.Select):
    """Written in one go: with a template for each option, the reasons alone take as long as all the messages."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        parts = [
            self._group(label, format_html_join("", "{}", ((self._option(option),) for option in options)))
            for label, options, _index in self.optgroups(name, self.format_value(value), attrs)
        ]
        built = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        return format_html("<select{}>{}</select>", flatatt(built), format_html_join("", "{}", ((p,) for p in parts)))

    @staticmethod
    def _option(option: Any) -> SafeString:
        chosen = SafeString(" selected") if option["selected"] else ""
        return format_html('<option value="{}"{}>{}</option>', option["value"], chosen, option["label"])

    @staticmethod
    def _group(label: Any, options: SafeString) -> SafeString:
        return format_html('<optgroup label="{}">{}</optgroup>', label, options) if label else options


class DayInput(forms.DateInput):
    """The browser's own calendar."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class LogFilterForm(forms.Form):
    """What can be asked for; it becomes the address of the list. `may_choose`: whether campaigns may be looked up."""

    def __init__(self, parameters: QueryDict, filters: log.LogFilters, *, may_choose: bool) -> None:
        super().__init__(parameters)
        self.fields["q"] = forms.CharField(
            label=_("Number, reference or provider's id"),
            required=False,
            widget=forms.TextInput(
                attrs={
                    "id": "searchbar",
                    "type": "search",
                    "autocomplete": "off",
                    "aria-describedby": "log-search-help",
                }
            ),
        )
        if may_choose or filters.campaign:
            chosen = Campaign.objects.filter(pk=filters.campaign or 0)
            self.fields["campaign__id__exact"] = forms.ModelChoiceField(
                Campaign.objects.all() if may_choose else chosen,
                label=_("Campaign"),
                required=False,
                widget=campaign_widget() if may_choose else forms.Select(),
            )
        self._choice("status__exact", _("Status"), _status_choices())
        self._choice("reason__exact", _("Reason"), _reason_choices(filters.reason))
        if len(list(gateways)) > 1 or filters.gateway:
            self._choice("gateway__exact", _("Gateway"), _gateway_choices(filters.gateway))
        self._choice("purpose__exact", _("Purpose"), [("", _("any")), *Purpose.choices])
        for name, label in (("from", _("From day")), ("to", _("To day"))):
            self.fields[name] = forms.DateField(label=label, required=False, widget=DayInput())

    def _choice(self, name: str, label: Any, choices: list[tuple[str, Any]]) -> None:
        self.fields[name] = forms.ChoiceField(label=label, required=False, choices=choices, widget=PlainSelect)

    def kept(self) -> Iterator[tuple[str, str]]:
        """Filters that the form has no field for, to be sent along."""
        for name in log.PARAMETERS:
            if name not in self.fields and (value := self.data.get(name)):
                yield name, value


@dataclass(frozen=True)
class Chip:
    """A filter that is set: its name, in words, and the address without it."""

    name: str
    title: str
    words: str
    remove_url: str


def chips(filters: log.LogFilters, parameters: QueryDict) -> list[Chip]:
    """One for each filter that is set."""
    return [Chip(name, *_words(name, filters), _without(name, parameters)) for name in filters.active]


def in_words(filters: log.LogFilters) -> list[tuple[str, str]]:
    """What is asked for, as titles and words."""
    return [_words(name, filters) for name in filters.active]


def _without(name: str, parameters: QueryDict) -> str:
    left = parameters.copy()
    for parameter in (*PLACE, *(known for known, filtered in log.PARAMETERS.items() if filtered == name)):
        left.pop(parameter, None)
    return f"?{left.urlencode()}"


def _words(name: str, filters: log.LogFilters) -> tuple[str, str]:
    if name == "dates":
        last = filters.until - timedelta(microseconds=1) if filters.until else None
        return _t("written"), _span(filters.since, last)
    if name == "days":
        return _t("day of sending"), _span(filters.day_from, filters.day_to)
    titles = {
        "campaign": _t("campaign"),
        "status": _t("status"),
        "reason": _t("reason"),
        "gateway": _t("gateway"),
        "purpose": _t("purpose"),
        "region": _t("country"),
        "contact": _t("contact"),
        "term": _t("search"),
    }
    value = getattr(filters, name)
    return titles[name], _value_words(name, value)


def _value_words(name: str, value: Any) -> str:
    if name == "campaign":
        found = Campaign.objects.filter(pk=value).values_list("name", flat=True).first()
        return found if found is not None else _t("number %(id)s, which there is not") % {"id": value}
    if name == "contact":
        contact = Contact.objects.filter(pk=value).first()
        return (contact.full_name or str(contact)) if contact else str(value)
    if name == "status":
        return status_words(value)
    if name == "reason":
        return _t("none known") if value == log.NO_REASON else reason_label(value)
    if name == "purpose":
        return str(dict(Purpose.choices).get(value, value))
    return str(value)


def _span(first: Any, last: Any) -> str:
    """Days in the reader's zone, in words."""
    begins, ends = _day(first), _day(last)
    if begins and ends:
        return begins if begins == ends else f"{begins} – {ends}"
    return _t("since %(day)s") % {"day": begins} if begins else _t("until %(day)s") % {"day": ends}


def _day(value: Any) -> str:
    if value is None:
        return ""
    day = value if not hasattr(value, "tzinfo") else timezone.localtime(value).date()
    assert isinstance(day, date)
    return date_format(day, _DAY_FORMAT)
