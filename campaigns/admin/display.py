"""How states, times and numbers look in the admin: small pieces of HTML, always escaped."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from campaigns.models import CampaignStatus, GatewayState, MessageStatus

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
#: Short, and the same in all languages but for the month: no doubt whether the day or the month comes first.
MOMENT_FORMAT = "j M Y, H:i"


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
    """A point in time in the reader's zone, with the zone named."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{} <span class="zone">{}</span></time>',
        local.isoformat(),
        timezone.get_current_timezone_name(),
        date_format(local, MOMENT_FORMAT),
        local.tzname() or "",
    )


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


def pretty_json(value: Any) -> str:
    """Stored JSON as people can read it."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=False, default=str)
