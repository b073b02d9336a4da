"""What pressing Send would do: who gets it, who is left out and why, how many segments, and what stands in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from sms_backends import get_sms_backend

from .audience import Planned, audience, plan
from .composing import CONTACT_FIELDS, Placeholder, Template, TemplateError, normalise_name
from .models import Campaign, Contact

CHUNK = 2000
SAMPLES = 3


@dataclass(slots=True)
class Preflight:
    """
    What launching a campaign now would do. `audience` = `recipients` + everybody in `suppressed` (reason -> people).

    `problems` keep it from being launched, `warnings` do not; both are sentences for the operator.
    """

    audience: int = 0
    recipients: int = 0
    segments: int = 0
    suppressed: Counter[str] = field(default_factory=Counter)
    samples: list[Planned] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def preflight(campaign: Campaign) -> Preflight:
    """Render the campaign for everybody in its groups, without writing anything."""
    include, exclude = group_ids(campaign)
    found = Preflight(problems=launch_problems(campaign, include, exclude))
    try:
        template = Template(campaign.body)
    except TemplateError:
        return found
    numbers: set[str] = set()
    last = 0
    while planned := plan(audience(include, exclude).filter(pk__gt=last), template, kind=campaign.kind, limit=CHUNK):
        last = planned[-1].contact_id
        for one in planned:
            _count(found, one, numbers)
    if found.audience and not found.recipients:
        found.warnings.append(_("Nobody would get this message: everybody is left out for the reasons below."))
    return found


def _count(found: Preflight, one: Planned, numbers: set[str]) -> None:
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
    if len(found.samples) < SAMPLES:
        found.samples.append(one)


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
