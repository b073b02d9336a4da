"""How states, times and numbers look in the admin: small pieces of HTML, always escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, get_format, number_format
from django.utils.functional import lazy
from django.utils.html import conditional_escape, format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from campaigns import masking
from campaigns.models import CampaignStatus, GatewayState, MessageStatus, OptOutSource

#: The tone of a pill: good, busy, waiting, bad, unsure, quiet.
TONES: dict[str, str] = {
    CampaignStatus.DRAFT: "quiet",
    CampaignStatus.SCHEDULED: "waiting",
    CampaignStatus.FREEZING: "busy",
    CampaignStatus.PAUSED: "unsure",
    CampaignStatus.COMPLETED: "good",
    CampaignStatus.CANCELLED: "quiet",
    MessageStatus.QUEUED: "waiting",
    MessageStatus.CLAIMED: "waiting",
    MessageStatus.SENDING: "busy",
    MessageStatus.SENT: "sent",
    MessageStatus.DELIVERED: "good",
    MessageStatus.UNDELIVERED: "bad",
    MessageStatus.EXPIRED: "bad",
    MessageStatus.REJECTED: "bad",
    MessageStatus.FAILED: "bad",
    MessageStatus.SUPPRESSED: "quiet",
    MessageStatus.UNKNOWN: "unsure",
}
NOTHING = "–"
#: What phones make a link of: an address with its scheme, or a name under a common top-level domain.
_LINK = re.compile(
    r"https?://[^\s<>]+"
    r"|(?<![\w@./-])(?:[\w-]+\.)+"
    r"(?:com|net|org|info|biz|io|me|ly|app|shop|online|store|site|link|ru|рф|su|by|kz|ua|uz|uk|de|fr|es|it|pl|eu|us|co)"
    r"(?![\w-])(?:/[^\s<>]*)?",
    re.IGNORECASE,
)
#: As each language writes it in short, without the zone. English has the month in words: no doubt which number it is.
MOMENT_FORMAT = lazy(lambda: str(get_format("SHORT_DATETIME_FORMAT")).removesuffix(" T"), str)()
#: How far from now a time is worth being told as a distance.
DISTANCE_SHOWN = timedelta(days=7)


def pill(status: str, label: str) -> SafeString:
    """A state as a coloured word."""
    return format_html('<span class="pill pill-{}">{}</span>', TONES.get(status, "quiet"), label)


def status_pill(thing: Any) -> SafeString:
    """The state of a campaign or message."""
    return pill(thing.status, thing.get_status_display())


def gateway_pill(state: GatewayState | None, working: str, paused: str) -> SafeString:
    """Whether a gateway takes messages."""
    is_paused = state is not None and state.is_paused
    return format_html(
        '<span class="pill pill-{}">{}</span>', "unsure" if is_paused else "good", paused if is_paused else working
    )


def moment(value: datetime | None) -> str | SafeString:
    """A point in time in the reader's zone, with the zone named, and how far from now it is while that matters."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value)
    shown = format_html(
        '<time datetime="{}" title="{}">{} <span class="zone">{}</span></time>',
        local.isoformat(),
        timezone.get_current_timezone_name(),
        date_format(local, MOMENT_FORMAT),
        local.tzname() or "",
    )
    distance = from_now(value)
    return format_html('{} <span class="distance">{}</span>', shown, distance) if distance else shown


def exact_moment(value: datetime | None) -> str | SafeString:
    """The same to the second, for a chain of events, without its distance."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{} <span class="zone">{}</span></time>',
        local.isoformat(),
        timezone.get_current_timezone_name(),
        date_format(local, f"{MOMENT_FORMAT}:s"),
        local.tzname() or "",
    )


def from_now(value: datetime) -> str:
    """For example "in 2 h 10 min" or "3 min ago"; empty for what is further away than a week."""
    seconds = round((value - timezone.now()).total_seconds())
    if abs(seconds) > DISTANCE_SHOWN.total_seconds():
        return ""
    minutes, is_ahead = abs(seconds) // 60, seconds > 0
    if not minutes:
        return _t("in less than a minute") if is_ahead else _t("just now")
    return (_t("in %(time)s") if is_ahead else _t("%(time)s ago")) % {"time": duration(timedelta(minutes=minutes))}


def time_column(name: str, title: Any) -> Callable[[Any], str | SafeString]:
    """A column of a list, or a line of a page, that shows a time of the row as `moment()` does."""

    @admin.display(description=title, ordering=name)
    def column(row: Any) -> str | SafeString:
        return moment(getattr(row, name))

    column.__name__ = name
    return column


def duration(value: timedelta) -> str:
    """How long something takes, in the two largest units that matter: "40 s", "12 min", "2 h 10 min", "3 d 4 h"."""
    seconds = max(round(value.total_seconds()), 0)
    if seconds < 60:
        return _t("%(number)s s") % {"number": seconds}
    hours, minutes = divmod(seconds // 60, 60)
    days, hours = divmod(hours, 24)
    units = ((days, _t("%(number)s d")), (hours, _t("%(number)s h")), (minutes, _t("%(number)s min")))
    first = next(index for index, (number_of, _unit) in enumerate(units) if number_of)
    return " ".join(unit % {"number": number_of} for number_of, unit in units[first : first + 2] if number_of)


def number(value: Any) -> str:
    """A phone number as it is shown to the reader."""
    return masking.number(value)


def message_text(value: str) -> str:
    """What was written to or by a person, as it is shown to the reader."""
    return masking.text(value)


def words(value: Any) -> str:
    """A sentence in which numbers may stand, the provider's for example, as it is shown to the reader."""
    return masking.in_text(value)


def raw(value: Any) -> str:
    """What a provider answered, word by word, as it is shown to the reader."""
    return masking.raw(pretty_json(value))


def with_links(text: str) -> SafeString:
    """A text with its addresses as phones show them: underlined, to be tapped."""
    parts: list[str | SafeString] = []
    position = 0
    for found in _LINK.finditer(text):
        address = found[0].rstrip(".,:;!?)»”’\"'")
        parts.append(conditional_escape(text[position : found.start()]))
        target = address if "://" in address else f"https://{address}"
        parts.append(format_html('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', target, address))
        position = found.start() + len(address)
    parts.append(conditional_escape(text[position:]))
    return SafeString("".join(parts))


def count(value: int) -> str:
    """A number with its digits grouped as the reader's language does."""
    return number_format(value, force_grouping=True)


def people(number: int) -> str:
    """For example "9,512 people"."""
    return ngettext("%(count)s person", "%(count)s people", number) % {"count": count(number)}


def object_link(thing: Model | None, text: str = "") -> str | SafeString:
    """A link to an object's page in the admin."""
    if thing is None:
        return NOTHING
    meta = thing._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(thing.pk)])
    return format_html('<a href="{}">{}</a>', url, text or str(thing))


def log_url(**filters: Any) -> str:
    """The delivery log with these filters, for example `log_url(campaign__id__exact=3, status__exact="sent")`."""
    return f"{reverse('admin:campaigns_sentmessage_changelist')}?{urlencode(filters)}"


def source_words(source: str) -> str:
    """Where a change of consent came from: our own word for it where it is one, else as it was written."""
    return str(dict(OptOutSource.choices).get(source, source))


def pretty_json(value: Any) -> str:
    """Stored JSON as people can read it."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=False, default=str)
