"""What pressing Send would do: who gets it, who is left out and why, how many segments, and what stands in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sms_backends import get_sms_backend
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

from .audience import Planned, audience, plan
from .composing import CONTACT_FIELDS, Placeholder, Template, TemplateError, normalise_name
from .models import Campaign, Contact
from .windows import window_of

CHUNK = 2000
SAMPLES = 3
#: Numbers that share so many characters (the plus sign among them) lie in the same place.
ZONE_DIGITS = 9


@dataclass(slots=True)
class Preflight:
    """
    What launching a campaign now would do. `audience` = `recipients` + everybody in `suppressed` (reason -> people).

    `usual_zone` counts recipients whose number does not tell where they live, so that the usual time zone of their
    country stands in. `problems` keep it from being launched, `warnings` do not; both are sentences for the operator.
    """

    audience: int = 0
    recipients: int = 0
    segments: int = 0
    usual_zone: int = 0
    suppressed: Counter[str] = field(default_factory=Counter)
    samples: list[Planned] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _UsualZones:
    """For which numbers the usual time zone of their country stands in. Reads one of many that begin alike."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def stand_in_for(self, one: Planned) -> bool:
        beginning = one.phone_number[:ZONE_DIGITS]
        if beginning not in self._known:
            self._known[beginning] = _usual_zone(one.phone_number)
        return self._known[beginning] == one.time_zone != ""


def _usual_zone(e164: str) -> str:
    """The zone that stands in for what the number does not tell; empty for one that does."""
    try:
        number = parse(e164, None)
    except InvalidPhoneNumber:
        return ""
    return "" if number.time_zone_certain else number.time_zone


def preflight(campaign: Campaign) -> Preflight:
    """Render the campaign for everybody in its groups, without writing anything."""
    include, exclude = group_ids(campaign)
    found = Preflight(problems=launch_problems(campaign, include, exclude))
    try:
        template = Template(campaign.body)
    except TemplateError:
        return found
    numbers: set[str] = set()
    zones = _UsualZones()
    last = 0
    while planned := plan(audience(include, exclude, after=last), template, kind=campaign.kind, limit=CHUNK):
        last = planned[-1].contact_id
        for one in planned:
            _count(found, one, numbers, zones)
    if found.audience and not found.recipients:
        found.warnings.append(_("Nobody would get this message: everybody is left out for the reasons below."))
    if found.usual_zone and window_of(campaign):
        found.warnings.append(_usual_zone_warning(found.usual_zone))
    return found


def _count(found: Preflight, one: Planned, numbers: set[str], zones: _UsualZones) -> None:
    found.audience += 1
    reason = one.reason
    if not reason and one.canonical_number in numbers:
        reason = "duplicate"
    if reason:
        found.suppressed[reason] += 1
        return
    numbers.add(one.canonical_number)
    found.recipients += 1
    found.segments += one.segment_count
    found.usual_zone += zones.stand_in_for(one)
    if len(found.samples) < SAMPLES:
        found.samples.append(one)


def _usual_zone_warning(people: int) -> str:
    return ngettext(
        "The number of %(people)d person does not tell where they live: the sending hours are those of the usual time "
        "zone of their country.",
        "The numbers of %(people)d people do not tell where they live: their sending hours are those of the usual time "
        "zone of their country.",
        people,
    ) % {"people": people}


def group_ids(campaign: Campaign) -> tuple[list[int], list[int]]:
    """Ids of the groups to include and to exclude."""
    return (
        list(campaign.include_groups.values_list("pk", flat=True)),
        list(campaign.exclude_groups.values_list("pk", flat=True)),
    )


def launch_problems(campaign: Campaign, include: Iterable[int], exclude: Iterable[int]) -> list[str]:
    """What keeps this campaign from being launched, in words; empty when nothing does."""
    problems = gateway_problems(campaign)
    include = list(include)
    if campaign.ends_at is not None and campaign.ends_at <= timezone.now():
        problems.append(_("The time after which nothing may be sent has passed. Choose a later one."))
    if not include:
        problems.append(_("No group is chosen. Choose at least one group of contacts to send to."))
    elif not audience(include, exclude).exists():
        problems.append(_("There is nobody in the chosen groups. Import or add contacts first."))
    return problems + check_body(campaign.body, include, exclude)


def gateway_problems(campaign: Campaign) -> list[str]:
    """Whether the chosen gateway is there and carries what the campaign asks for."""
    try:
        backend = get_sms_backend(campaign.gateway)
    except ImproperlyConfigured as error:
        return [_("The gateway cannot be used: %(error)s") % {"error": error}]
    if campaign.sender_id and not backend.capabilities.sender_id:
        return [_("The gateway “%(gateway)s” cannot show a sender of your choice.") % {"gateway": campaign.gateway}]
    return []


def check_body(body: str, include: Iterable[int], exclude: Iterable[int]) -> list[str]:
    """Problems of a text for these groups: braces and filters, no text, placeholders that nobody has."""
    if not body.strip():
        return [_("The text is empty.")]
    try:
        template = Template(body)
    except TemplateError as error:
        return [str(error)]
    include = list(include)
    if not include or not template.placeholders:
        return []
    contacts = audience(include, exclude)
    return [
        _("Nobody in the chosen groups has “%(name)s”. Check the spelling of {{ %(name)s }}.")
        % {"name": placeholder.name}
        for placeholder in unknown_placeholders(contacts, template.placeholders)
    ]


def unknown_placeholders(contacts: QuerySet[Contact], placeholders: Iterable[Placeholder]) -> list[Placeholder]:
    """
    Placeholders for which none of these contacts has a value.

    A field of ours with a default is fine even if it is empty everywhere: it cannot be a misspelling.
    """
    wanted = {p.name: p for p in placeholders if not (p.own_field in CONTACT_FIELDS and p.default is not None)}
    for name, placeholder in list(wanted.items()):
        if placeholder.own_field not in CONTACT_FIELDS:
            continue
        own = placeholder.own_field
        columns = ("first_name", "last_name") if own == "full_name" else (own,)
        if any(contacts.exclude(**{column: ""}).exists() for column in columns):
            del wanted[name]
    if wanted:
        for attributes in contacts.order_by().values_list("attributes", flat=True).iterator(chunk_size=CHUNK):
            for name, value in attributes.items():
                if value not in ("", None):
                    wanted.pop(normalise_name(name), None)
            if not wanted:
                break
    return list(wanted.values())
