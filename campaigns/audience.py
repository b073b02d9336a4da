"""Who gets a campaign, who is left out, and why. Preflight and freeze ask the same function, so they cannot differ."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import CharField, QuerySet, TextField
from django.db.models.functions import Cast

from sms_backends import Reason, RecipientRejectedError
from sms_backends.guard import refusals
from sms_backends.phone_numbers import canonical
from sms_backends.segments import segment

from .composing import Rendered, values_of
from .consent import Rule, held_numbers, permits, rule_for
from .languages import Wording
from .models import Contact, OptOut, SuppressionReason
from .pseudonyms import pseudonyms_of
from .sending.compiled import Among, Statement, compiled, listed
from .smart_groups import SmartConditions, membership, smart_conditions
from .unsubscribing import UNSUBSCRIBE_LINK, unsubscribe_link

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
    "consent_kind",
    "attributes_json",
)


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
    language: str
    reason: str = ""
    reason_text: str = ""


def audience(
    include_groups: Iterable[int],
    exclude_groups: Iterable[int] = (),
    *,
    after: int = 0,
    up_to: int | None = None,
    smart: SmartConditions | None = None,
) -> QuerySet[Contact]:
    """
    The contacts in any of the included groups and in none of the excluded ones, each once, by id; none of the archive.

    `after` and `up_to` are bounds of the id. `smart` is what the smart groups among the groups mean; without it, what
    they mean now. Raises ConditionsError for one that cannot be read.
    """
    include, exclude = list(include_groups), list(exclude_groups)
    if smart is None:
        smart = smart_conditions([*include, *exclude])
    bounds = {"gt": after} if up_to is None else {"gt": after, "lte": up_to}
    chosen = Contact.objects.in_use().filter(**{f"pk__{name}": pk for name, pk in bounds.items()})
    in_chunks = bounds if after or up_to is not None else None
    chosen = chosen.filter(membership(include, smart, bounds=in_chunks))
    if exclude:
        chosen = chosen.exclude(membership(exclude, smart, bounds=in_chunks))
    return chosen.order_by("pk")


def plan(contacts: QuerySet[Contact], wording: Wording, *, kind: str, limit: int | None = None) -> list[Planned]:
    """Decide for each of these contacts (a chunk that fits in memory), in the order given."""
    # As text: the field would parse each number again, and print it with spaces; attributes are read where needed.
    found = contacts.annotate(
        e164=Cast("phone_number", CharField()), attributes_json=Cast("attributes", TextField())
    ).values_list(*_COLUMNS)
    rows = list(found[:limit] if limit else found)
    left_out = LeftOut.among({row[1] for row in rows}, kind)
    return [_plan_one(row, wording, left_out) for row in rows]


def opted_out_numbers(canonical_numbers: Iterable[str]) -> set[str]:
    """Those of the canonical numbers that must not be written to, also if they opted out and were erased."""
    wanted = list(canonical_numbers)
    hidden = pseudonyms_of(wanted)
    found = compiled(_opted_out).run(numbers=listed([*wanted, *hidden]))
    return {hidden.get(number, number) for (number,) in found}


def _opted_out() -> Statement:
    found = OptOut.objects.filter(Among("numbers", "canonical_number"))
    return Statement.select(found.values_list("canonical_number"))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What decides, for a chunk of contacts, who is left out. Preflight and freeze ask the same."""

    rule: Rule
    opted_out: set[str]
    held: set[str]
    refused: dict[str, RecipientRejectedError]

    @classmethod
    def among(cls, numbers: set[str], kind: str) -> LeftOut:
        """Made for these numbers (E.164), for a campaign of this kind."""
        canonical_numbers = {canonical(number) for number in numbers}
        rule = rule_for(kind)
        held = set() if rule == Rule.NOTHING else held_numbers(canonical_numbers)
        return cls(rule, opted_out_numbers(canonical_numbers), held, refusals(numbers))

    def whatever_the_text(self, canonical_number: str, consent: str, consent_kind: str) -> str:
        """Why this person gets nothing, whatever it says; empty when they may."""
        if canonical_number in self.opted_out:
            return SuppressionReason.OPTED_OUT
        if not permits(self.rule, consent, consent_kind):
            return SuppressionReason.NO_CONSENT
        return SuppressionReason.UNDER_REVIEW if canonical_number in self.held else ""

    def with_this_text(self, number: str, rendered: Rendered) -> tuple[str, str]:
        """Why somebody who may be written to does not get this text, and that in words; empty when they do."""
        if rendered.missing:
            return SuppressionReason.MISSING_VALUE, ", ".join(rendered.missing)
        if not rendered.text.strip():
            return SuppressionReason.EMPTY_TEXT, ""
        if self.refused and number in self.refused:
            refusal = self.refused[number]
            return suppression_reason(refusal), str(refusal)
        return "", ""


def _plan_one(row: tuple[Any, ...], wording: Wording, left_out: LeftOut) -> Planned:
    pk, number, first_name, last_name, email, language, region, time_zone, consent, consent_kind, attributes = row
    name = f"{first_name} {last_name}".strip()
    fields = {
        "first_name": first_name,
        "last_name": last_name,
        "full_name": name,
        "phone_number": number,
        "email": email,
        "language": language,
    }
    template = wording.in_language(language)
    if UNSUBSCRIBE_LINK in template.names:
        fields[UNSUBSCRIBE_LINK] = unsubscribe_link(number)
    # A contact's own field comes before an attribute of the same name, so most texts need none.
    enough = all(fields.get(wanted) for wanted in template.names)
    rendered = template.render(fields if enough else values_of(fields, json.loads(attributes)))
    body = "" if rendered.missing else rendered.text
    segmentation = segment(body)
    canonical_number = canonical(number)
    reason, reason_text = left_out.whatever_the_text(canonical_number, consent, consent_kind), ""
    if not reason:
        reason, reason_text = left_out.with_this_text(number, rendered)
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
        language=language,
        reason=reason,
        reason_text=reason_text,
    )
