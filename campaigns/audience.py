"""Who gets a campaign, who is left out, and why. Preflight and freeze ask the same function, so they cannot differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from sms_backends import Reason
from sms_backends.message import refusal
from sms_backends.phone_numbers import canonical
from sms_backends.segments import segment

from .composing import Template, values_of
from .models import CampaignKind, Consent, Contact, OptOut, SuppressionReason

_COLUMNS = (
    "id",
    "phone_number",
    "first_name",
    "last_name",
    "email",
    "language",
    "region",
    "time_zone",
    "consent",
    "attributes",
)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a campaign means for one contact. `reason` is empty for those who get it."""

    contact_id: int
    phone_number: str
    canonical_number: str
    name: str
    body: str
    encoding: str
    segment_count: int
    region: str
    time_zone: str
    reason: str = ""
    reason_text: str = ""


def audience(include_groups: Iterable[int], exclude_groups: Iterable[int] = ()) -> QuerySet[Contact]:
    """The contacts in any of the included groups and in none of the excluded ones, each once, by id."""
    membership = Contact.groups.through.objects
    chosen = Contact.objects.filter(pk__in=membership.filter(contactgroup__in=list(include_groups)).values("contact"))
    left_out = list(exclude_groups)
    if left_out:
        chosen = chosen.exclude(pk__in=membership.filter(contactgroup__in=left_out).values("contact"))
    return chosen.order_by("pk")


def plan(contacts: QuerySet[Contact], template: Template, *, kind: str, limit: int | None = None) -> list[Planned]:
    """Decide for each of these contacts (a chunk that fits in memory), in the order given."""
    rows = list(contacts.values_list(*_COLUMNS)[:limit] if limit else contacts.values_list(*_COLUMNS))
    numbers = {str(row[1]) for row in rows}
    opted_out = opted_out_numbers(canonical(number) for number in numbers)
    return [_plan_one(row, template, kind, opted_out) for row in rows]


def opted_out_numbers(canonical_numbers: Iterable[str]) -> set[str]:
    """Those of the canonical numbers that must not be written to."""
    wanted: Sequence[str] = list(canonical_numbers)
    found: set[str] = set()
    for start in range(0, len(wanted), 500):
        chunk = wanted[start : start + 500]
        found.update(OptOut.objects.filter(canonical_number__in=chunk).values_list("canonical_number", flat=True))
    return found


def _plan_one(row: tuple[Any, ...], template: Template, kind: str, opted_out: set[str]) -> Planned:
    pk, phone, first_name, last_name, email, language, region, time_zone, consent, attributes = row
    number = str(phone)
    name = f"{first_name} {last_name}".strip()
    rendered = template.render(
        values_of(
            {
                "first_name": first_name,
                "last_name": last_name,
                "full_name": name,
                "phone_number": number,
                "email": email,
                "language": language,
            },
            attributes,
        )
    )
    body = "" if rendered.missing else rendered.text
    segmentation = segment(body)
    reason, reason_text = _why_not(number, canonical(number), rendered.missing, body, kind, consent, opted_out)
    return Planned(
        contact_id=pk,
        phone_number=number,
        canonical_number=canonical(number),
        name=name,
        body=body,
        encoding=str(segmentation.encoding),
        segment_count=segmentation.segments if body else 0,
        region=region,
        time_zone=time_zone,
        reason=reason,
        reason_text=reason_text,
    )


def _why_not(
    number: str,
    canonical_number: str,
    missing: Sequence[str],
    body: str,
    kind: str,
    consent: str,
    opted_out: set[str],
) -> tuple[str, str]:
    """The first reason to leave this contact out, and details in words; empty when there is none."""
    if canonical_number in opted_out:
        return SuppressionReason.OPTED_OUT, ""
    if consent == Consent.WITHDRAWN and kind == CampaignKind.MARKETING:
        return SuppressionReason.NO_CONSENT, ""
    if missing:
        return SuppressionReason.MISSING_VALUE, ", ".join(missing)
    if not body.strip():
        return SuppressionReason.EMPTY_TEXT, ""
    refused = refusal(number)
    if refused is None:
        return "", ""
    by_reason = {
        Reason.INVALID_NUMBER: SuppressionReason.INVALID_NUMBER,
        Reason.COUNTRY_NOT_ENABLED: SuppressionReason.COUNTRY_NOT_ENABLED,
    }
    return by_reason.get(refused.reason, SuppressionReason.NOT_ALLOWED), str(refused)
