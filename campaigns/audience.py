"""Who gets a campaign, who is left out, and why. Preflight and freeze ask the same function, so they cannot differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import CharField, QuerySet, TextField
from django.db.models.functions import Cast

from sms_backends import Reason, RecipientRejectedError
from sms_backends.guard import refusals
from sms_backends.phone_numbers import canonical
from sms_backends.segments import segment

from .composing import Template, values_of
from .models import CampaignKind, Consent, Contact, OptOut, SuppressionReason

_COLUMNS = (
    "id",
    "e164",
    "first_name",
    "last_name",
    "email",
    "language",
    "region",
    "time_zone",
    "consent",
    "attributes_json",
)
#: Parameters in one query where the database sets no limit.
_MANY = 5000


def suppression_reason(refusal: RecipientRejectedError) -> SuppressionReason:
    """Why we leave somebody out whose number the installation's own guard refuses."""
    reasons = {
        Reason.INVALID_NUMBER: SuppressionReason.INVALID_NUMBER,
        Reason.COUNTRY_NOT_ENABLED: SuppressionReason.COUNTRY_NOT_ENABLED,
    }
    return reasons.get(refusal.reason, SuppressionReason.NOT_ALLOWED)


class Planned(NamedTuple):
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


def audience(
    include_groups: Iterable[int], exclude_groups: Iterable[int] = (), *, after: int = 0, up_to: int | None = None
) -> QuerySet[Contact]:
    """
    The contacts in any of the included groups and in none of the excluded ones, each once, by id.

    `after` and `up_to` are bounds of the id. They bound the memberships too: otherwise each chunk of a large audience
    would read those of all chunks before it.
    """
    bounds = {"gt": after} if up_to is None else {"gt": after, "lte": up_to}
    membership = Contact.groups.through.objects.filter(**{f"contact__{name}": pk for name, pk in bounds.items()})
    chosen = Contact.objects.filter(**{f"pk__{name}": pk for name, pk in bounds.items()})
    chosen = chosen.filter(pk__in=membership.filter(contactgroup__in=list(include_groups)).values("contact"))
    left_out = list(exclude_groups)
    if left_out:
        chosen = chosen.exclude(pk__in=membership.filter(contactgroup__in=left_out).values("contact"))
    return chosen.order_by("pk")


def plan(contacts: QuerySet[Contact], template: Template, *, kind: str, limit: int | None = None) -> list[Planned]:
    """Decide for each of these contacts (a chunk that fits in memory), in the order given."""
    # As text: the field would parse each number again, and print it with spaces; attributes are read where needed.
    found = contacts.annotate(
        e164=Cast("phone_number", CharField()), attributes_json=Cast("attributes", TextField())
    ).values_list(*_COLUMNS)
    rows = list(found[:limit] if limit else found)
    numbers = {row[1] for row in rows}
    opted_out = opted_out_numbers(canonical(number) for number in numbers)
    left_out = _LeftOut(kind, opted_out, refusals(numbers))
    return [_plan_one(row, template, left_out) for row in rows]


def opted_out_numbers(canonical_numbers: Iterable[str]) -> set[str]:
    """Those of the canonical numbers that must not be written to."""
    wanted: Sequence[str] = list(canonical_numbers)
    found: set[str] = set()
    size = connection.features.max_query_params or _MANY
    for start in range(0, len(wanted), size):
        chunk = wanted[start : start + size]
        found.update(OptOut.objects.filter(canonical_number__in=chunk).values_list("canonical_number", flat=True))
    return found


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """What decides, for a chunk of contacts, who is left out."""

    kind: str
    opted_out: set[str]
    refused: dict[str, RecipientRejectedError]


def _plan_one(row: tuple[Any, ...], template: Template, left_out: _LeftOut) -> Planned:
    pk, number, first_name, last_name, email, language, region, time_zone, consent, attributes = row
    name = f"{first_name} {last_name}".strip()
    fields = {
        "first_name": first_name,
        "last_name": last_name,
        "full_name": name,
        "phone_number": number,
        "email": email,
        "language": language,
    }
    # A contact's own field comes before an attribute of the same name, so most texts need none.
    enough = all(fields.get(wanted) for wanted in template.names)
    rendered = template.render(fields if enough else values_of(fields, json.loads(attributes)))
    body = "" if rendered.missing else rendered.text
    segmentation = segment(body)
    canonical_number = canonical(number)
    reason, reason_text = "", ""
    if canonical_number in left_out.opted_out:
        reason = SuppressionReason.OPTED_OUT
    elif consent == Consent.WITHDRAWN and left_out.kind == CampaignKind.MARKETING:
        reason = SuppressionReason.NO_CONSENT
    elif rendered.missing:
        reason, reason_text = SuppressionReason.MISSING_VALUE, ", ".join(rendered.missing)
    elif not body.strip():
        reason = SuppressionReason.EMPTY_TEXT
    elif number in left_out.refused:
        refusal = left_out.refused[number]
        reason, reason_text = suppression_reason(refusal), str(refusal)
    return Planned(
        contact_id=pk,
        phone_number=number,
        canonical_number=canonical_number,
        name=name,
        body=body,
        encoding=str(segmentation.encoding),
        segment_count=segmentation.segments if body else 0,
        region=region,
        time_zone=time_zone,
        reason=reason,
        reason_text=reason_text,
    )
