"""What can be done with many contacts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.archiving import archive_or_delete, restore_contacts
from campaigns.attributes import respelt
from campaigns.audience import opted_out_numbers
from campaigns.composing import normalise_name
from campaigns.consent import record_consents
from campaigns.erasing import request_erasures
from campaigns.memberships import add_members
from campaigns.models import Attribute, BulkAction, Consent, ConsentKind, Contact, ContactGroup, OptOutSource
from campaigns.optouts import record_opt_outs
from campaigns.resources import merged_attributes
from campaigns.sending.bulk_update import update_rows
from sms_backends.phone_numbers import canonical

from .operations import Operation, register

_CHANGE = {"contact": "campaigns.bulk_contact"}


class AddToGroup(Operation):
    """Parameters: `group`, its id. Those who are in it already stay once."""

    key = "add_to_group"
    label = _("Add to a group")
    permissions = _CHANGE
    chunk = 5000

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        group = action.parameters["group"]
        if not ContactGroup.objects.filter(pk=group).exists():
            raise LookupError(_t("The group is not there any more."))
        return add_members(group, ids)

    def in_words(self, action: BulkAction) -> str:
        return _t("Add to the group “%(group)s”") % {"group": _name_of_group(action)}


class RemoveFromGroup(Operation):
    """Parameters: `group`, its id."""

    key = "remove_from_group"
    label = _("Take out of a group")
    permissions = _CHANGE
    chunk = 2000

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        members = Contact.groups.through.objects.filter(contactgroup_id=action.parameters["group"], contact_id__in=ids)
        deleted, _by_model = members.delete()
        return deleted

    def in_words(self, action: BulkAction) -> str:
        return _t("Take out of the group “%(group)s”") % {"group": _name_of_group(action)}


def read_names_of_groups(actions: Iterable[BulkAction]) -> None:
    """In one query for a whole page of them."""
    concerned = [action for action in actions if "group" in action.parameters]
    names = dict(
        ContactGroup.objects.filter(pk__in={action.parameters["group"] for action in concerned}).values_list(
            "pk", "name"
        )
    )
    for action in concerned:
        action.name_of_group = names.get(action.parameters["group"])  # type: ignore[attr-defined]


def _name_of_group(action: BulkAction) -> str:
    if hasattr(action, "name_of_group"):
        return action.name_of_group or "?"
    name = ContactGroup.objects.filter(pk=action.parameters.get("group")).values_list("name", flat=True).first()
    return name or "?"


class SetAttribute(Operation):
    """Parameters: `name` and `value` of an attribute; an empty value takes it away."""

    key = "set_attribute"
    label = _("Set a field")
    permissions = _CHANGE

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        name, value = action.parameters["name"], action.parameters["value"]
        return rewrite_attributes(ids, lambda had: _with(had, name, value))

    def in_words(self, action: BulkAction) -> str:
        name, value = action.parameters.get("name"), action.parameters.get("shown")
        if value in ("", None):
            return _t("Empty the field “%(name)s”") % {"name": name}
        return _t("Set the field “%(name)s” to “%(value)s”") % {"name": name, "value": value}


def _with(had: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    if value == "":
        return {known: it for known, it in had.items() if normalise_name(known) != normalise_name(name)}
    return merged_attributes(had, {name: value})


def rewrite_attributes(ids: list[int], change: Any) -> int:
    """Replace the attributes of these contacts by what `change(attributes)` makes of them; how many differ."""
    contacts = Contact.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    changed = []
    for pk, before in contacts.values_list("pk", "attributes"):
        after = json.dumps(change(before))
        if after != json.dumps(before):  # not the values themselves: 1 and true are the same to Python
            changed.append((after, pk))
    update_rows(Contact, ["attributes"], changed, updated_at=timezone.now())
    return len(changed)


class ApplyDefinition(Operation):
    """
    Bring what contacts have under an attribute's name into its spelling and kind. Parameters: `attribute`, its id.

    Values that do not fit stay as they are and are counted in `progress["misfits"]`.
    """

    key = "apply_definition"
    label = _("Bring a field into its kind")
    permissions = {"contact": "campaigns.change_attribute"}
    is_offered = False

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        definition = Attribute.objects.filter(pk=action.parameters["attribute"]).first()
        if definition is None:
            return 0
        misfits = 0

        def change(had: dict[str, Any]) -> dict[str, Any]:
            nonlocal misfits
            attributes, fits = respelt(had, definition)
            misfits += not fits
            return attributes

        changed = rewrite_attributes(ids, change)
        action.progress["misfits"] = action.progress.get("misfits", 0) + misfits
        return changed

    def in_words(self, action: BulkAction) -> str:
        name = action.parameters.get("name", "?")
        words = _t("Bring the field “%(name)s” of all contacts into its kind") % {"name": name}
        if misfits := action.progress.get("misfits"):
            words += " " + _t("(values that do not fit and stay as they are: %(count)d)") % {"count": misfits}
        return words


class OptOutContacts(Operation):
    """Nobody of them is written to any more. What waits for them is suppressed with each set."""

    key = "opt_out"
    label = _("Opt out")
    permissions = {"contact": "campaigns.add_optout"}

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        note = _t("Chosen from the list of contacts")
        return record_opt_outs(numbered(ids), source=OptOutSource.OPERATOR, note=note, actor=action.created_by)


def numbered(ids: list[int]) -> list[tuple[int, str]]:
    """Id and number of these contacts. As text: the field would parse each number."""
    contacts = Contact.objects.filter(pk__in=ids).annotate(e164=Cast("phone_number", CharField())).order_by("pk")
    return list(contacts.values_list("pk", "e164"))


class RecordConsent(Operation):
    """
    Parameters: `consent` (given or withdrawn), `kind`, `source`, `evidence`, and `at`, a moment, for what was given.

    Consent is given only where none is known, or none for advertising: an earlier proof is not lost, and who withdrew
    it or opted out has not given it again because an operator says so of many. Who withdrew it keeps when and why.
    """

    key = "consent"
    label = _("Record consent")
    permissions = {"contact": "campaigns.change_consent"}

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        given = action.parameters
        consent, kind = Consent(given["consent"]), ConsentKind(given.get("kind") or ConsentKind.MARKETING)
        contacts = Contact.objects.select_for_update().filter(pk__in=ids).order_by("pk")
        if consent == Consent.WITHDRAWN:
            concerned = list(contacts.exclude(consent=Consent.WITHDRAWN).values_list("pk", flat=True))
        else:
            concerned = self._who_may_agree(contacts, kind)
        return record_consents(
            concerned,
            consent,
            kind=kind,
            source=given["source"],
            evidence=given.get("evidence", ""),
            at=parse_datetime(given["at"]) if given.get("at") else None,
            actor=action.created_by,
        )

    @staticmethod
    def _who_may_agree(contacts: QuerySet[Contact], kind: ConsentKind) -> list[int]:
        open_to_it = Q(consent=Consent.UNKNOWN)
        if kind == ConsentKind.MARKETING:
            open_to_it |= Q(consent=Consent.GIVEN, consent_kind=ConsentKind.SERVICE)
        found = contacts.filter(open_to_it).annotate(e164=Cast("phone_number", CharField()))
        people = list(found.values_list("pk", "e164"))
        opted_out = opted_out_numbers(canonical(number) for _pk, number in people)
        return [pk for pk, number in people if canonical(number) not in opted_out]

    def in_words(self, action: BulkAction) -> str:
        given = action.parameters
        if given.get("consent") == Consent.WITHDRAWN:
            return _t("Record that consent was withdrawn (%(source)s)") % {"source": given.get("source", "?")}
        kind = dict(ConsentKind.choices).get(given.get("kind", ""), "?")
        return _t("Record consent to %(kind)s (%(source)s)") % {"kind": kind, "source": given.get("source", "?")}


class DeleteContacts(Operation):
    """Who was written to, or wrote to us, is archived; the others go. `progress["archived"]`: how many of them stay."""

    key = "delete_contacts"
    label = _("Delete or archive")
    permissions = {"contact": "campaigns.delete_contact"}

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        archived, deleted = archive_or_delete(ids, actor=action.created_by)
        action.progress["archived"] = action.progress.get("archived", 0) + archived
        return archived + deleted

    def in_words(self, action: BulkAction) -> str:
        if not (archived := action.progress.get("archived")):
            return str(self.label)
        return _t("Delete or archive (archived, since they were written to: %(count)d)") % {"count": archived}


class RestoreContacts(Operation):
    """They are in lists and audiences again, and in the groups that they were in."""

    key = "restore_contacts"
    label = _("Bring back from the archive")
    permissions = {"contact": "campaigns.delete_contact"}

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        return restore_contacts(ids, actor=action.created_by)


class EraseContacts(Operation):
    """Parameters: `reason`. Each person is erased now, or as soon as nothing is on its way to them."""

    key = "erase"
    label = _("Erase")
    permissions = {"contact": "campaigns.add_erasure"}
    chunk = 500

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        numbers = [number for _pk, number in numbered(ids)]
        return request_erasures(numbers, reason=action.parameters["reason"], actor=action.created_by)


register(AddToGroup())
register(RemoveFromGroup())
register(SetAttribute())
register(ApplyDefinition())
register(OptOutContacts())
register(RecordConsent())
register(DeleteContacts())
register(RestoreContacts())
register(EraseContacts())
