"""What the operator decided about a file: what it may change, who is left out, and what consent it is evidence of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from campaigns.models import Consent, ConsentKind, ContactImport, OptedOutRows, RowKind, UpdateExisting
from campaigns.resources import ContactResource

CONSENT_FIELDS = ("consent", "consent_kind", "consented_at", "consent_source", "consent_evidence")
#: All of a contact that an import may write.
WRITTEN_FIELDS = (*ContactResource.VALUE_FIELDS, *CONSENT_FIELDS, "archived_at")


class Outcome(NamedTuple):
    """What becomes of a row: for a changed contact what it has (`before`) and gets (`written`), by field."""

    kind: RowKind
    before: Mapping[str, Any] = MappingProxyType({})
    written: dict[str, Any] | None = None


@dataclass(frozen=True)
class Rules:
    """`consent` holds the values of a contact who agreed, as JSON can hold them; empty if none is recorded."""

    update: str = UpdateExisting.ALL
    leaves_out_opted_out: bool = False
    consent: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, contact_import: ContactImport) -> Rules:
        return cls(
            contact_import.update_existing,
            contact_import.opted_out_rows == OptedOutRows.LEAVE_OUT,
            consent_values(contact_import),
        )

    def outcome(
        self, current: Mapping[str, Any] | None, values: Mapping[str, Any], *, opted_out: bool, is_former: bool = False
    ) -> Outcome:
        """
        What `values` mean for a contact that has `current` (None: there is none).

        With `is_former` they stand beside a number that the contact had before: consent was given for that one.
        Somebody in the archive is brought back, whatever else may be changed: else the file would name people whom the
        campaign that it was uploaded for silently leaves out.
        """
        if opted_out and self.leaves_out_opted_out:
            return Outcome(RowKind.LEFT_OUT)
        if current is None:
            return Outcome(RowKind.NEW)
        changes = ContactResource.changes(current, values, self.update)
        if not is_former:
            changes.update(self._consent_changes(current, opted_out=opted_out))
        if current["archived_at"] is not None:
            changes["archived_at"] = None
        if not changes:
            return Outcome(RowKind.UNCHANGED)
        return Outcome(RowKind.CHANGED, {name: as_json(current[name]) for name in changes}, changes)

    def _consent_changes(self, current: Mapping[str, Any], *, opted_out: bool) -> dict[str, Any]:
        """
        Consent is only recorded where none was: an earlier proof is not lost, and who withdrew it, or opted out, has
        not given it again because somebody uploads a file.
        """
        if opted_out or self.update == UpdateExisting.NEVER or current["consent"] != Consent.UNKNOWN:
            return {}
        return {name: value for name, value in self.consent.items() if as_json(current[name]) != value}


def given_at(contact_import: ContactImport) -> datetime:
    """When the people of this file agreed."""
    return contact_import.consented_at or contact_import.created_at


def consent_values(contact_import: ContactImport) -> dict[str, Any]:
    """The consent that people of this file have given, by field, as JSON can hold it."""
    if not contact_import.consent_source:
        return {}
    return {
        "consent": str(Consent.GIVEN),
        "consent_kind": str(ConsentKind.MARKETING),
        "consented_at": given_at(contact_import).isoformat(),
        "consent_source": contact_import.consent_source,
        "consent_evidence": contact_import.consent_evidence,
    }


def as_json(value: Any) -> Any:
    """A value of a contact as a row keeps it."""
    return value.isoformat() if hasattr(value, "isoformat") else value
