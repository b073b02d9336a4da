"""Everything that is stored about a person, as a file to be given to them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet
from django.utils import timezone

from sms_backends.phone_numbers import canonical, parse, spellings

from . import audit, masking, permissions
from .models import (
    AuditEvent,
    ConsentChange,
    Contact,
    ContactImport,
    ContactImportRow,
    FormerNumber,
    InboundMessage,
    MessageEvent,
    OptOut,
    SentMessage,
    User,
)
from .persons import former_numbers_of
from .resources import without_formula

#: What somebody must have who hands over all about a person: it holds their numbers and texts.
NEEDED = ("campaigns.export_person", masking.FULL_NUMBERS, masking.MESSAGE_TEXTS)
#: Ours, and of no meaning to anybody else.
_LEFT_OUT = frozenset({"claim_token", "nonce", "fingerprint", "canonical_number", "process_at", "tries"})


def everything_about(phone_number: str, *, actor: User | None) -> bytes:
    """
    A ZIP file: `person.json` with everything, and a table for each kind of record.

    That it was made is recorded, with the number. Raises InvalidPhoneNumber, and NotAllowed.
    """
    for permission in NEEDED:
        permissions.require(actor, permission)
    number = canonical(parse(phone_number, None).e164)
    records = records_about(number, *former_numbers_of(number))
    audit.record("export_person", actor=actor, subject=number, details={k: len(rows) for k, rows in records.items()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        facts = {"phone_number": number, "made_at": timezone.now(), **records}
        archive.writestr("person.json", json.dumps(facts, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
        for kind, rows in records.items():
            if rows:
                archive.writestr(f"{kind}.csv", _table(rows))
    return buffer.getvalue()


def records_about(*canonical_numbers: str) -> dict[str, list[dict[str, Any]]]:
    """All records of these numbers by kind, each a dictionary of plain values."""
    numbers = [spelt for number in canonical_numbers for spelt in spellings(number)]
    contacts = Contact.objects.filter(phone_number__in=numbers).prefetch_related("groups")
    messages = SentMessage.objects.filter(phone_number__in=numbers).select_related("campaign").order_by("pk")
    events = MessageEvent.objects.filter(message__phone_number__in=numbers).order_by("pk")
    imports = list(ContactImport.objects.values_list("pk", flat=True))
    rows = ContactImportRow.objects.filter(contact_import__in=imports, phone_number__in=numbers)
    return {
        "contact": [_plain(one) | {"groups": [str(group) for group in one.groups.all()]} for one in contacts],
        "former_numbers": _all_plain(FormerNumber.objects.filter(contact__in=contacts)),
        "consent": _all_plain(ConsentChange.objects.filter(canonical_number__in=canonical_numbers)),
        "opt_out": _all_plain(OptOut.objects.filter(canonical_number__in=canonical_numbers)),
        "messages": [_plain(one) | {"campaign": str(one.campaign or "")} for one in messages],
        "receipts": _all_plain(events),
        "incoming": _all_plain(InboundMessage.objects.filter(phone_number__in=numbers).order_by("pk")),
        "imports": _all_plain(rows),
        "trail": _all_plain(AuditEvent.objects.filter(subject__in=numbers).order_by("pk")),
    }


def _all_plain(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    return [_plain(row) for row in rows]


def _plain(row: Model) -> dict[str, Any]:
    values = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}
    return {name: _value(value) for name, value in values.items() if name not in _LEFT_OUT}


def _value(value: Any) -> Any:
    return getattr(value, "as_e164", value)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A sheet that spreadsheets open without running anything in it."""
    buffer = io.StringIO()
    buffer.write("\N{ZERO WIDTH NO-BREAK SPACE}")  # by which Excel knows UTF-8
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return without_formula(json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False))
    return without_formula(str(value))
