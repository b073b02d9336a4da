"""The group that an import made for its people: undoing takes it along, unless it is of use to anybody else."""

from __future__ import annotations

from django.db.models import CharField, Exists, ExpressionWrapper, F, OuterRef, Q

from campaigns.models import ContactGroup, ContactImport, ContactImportRow, RowKind, SmartGroup
from campaigns.smart_groups import groups_named_in

#: Under this name `ContactImport.undo` holds its id.
MADE_GROUP = "made_group"


def fate_of_group(contact_import: ContactImport) -> tuple[str, bool]:
    """The name of the group (empty: none was made, or it is gone), and whether undoing takes it along."""
    group = ContactGroup.objects.filter(pk=contact_import.undo.get(MADE_GROUP)).first()
    if group is None:
        return "", False
    return group.name, not (_is_used(group, contact_import) or _has_others(group, contact_import))


def _is_used(group: ContactGroup, contact_import: ContactImport) -> bool:
    for relation in ContactGroup._meta.related_objects:
        if relation.name == "contacts":
            continue
        users = relation.related_model._default_manager.filter(**{relation.field.name: group.pk})  # type: ignore[union-attr]
        if relation.related_model is ContactImport:
            users = users.exclude(pk=contact_import.pk)
        if users.exists():
            return True
    return any(group.pk in groups_named_in(smart.conditions) for smart in SmartGroup.objects.all())


def _has_others(group: ContactGroup, contact_import: ContactImport) -> bool:
    """Whether somebody is in the group whom the import did not put there."""
    brought = Q(kind=RowKind.NEW) | Q(joined__isnull=False)
    theirs = ContactImportRow.objects.filter(brought, contact_import=contact_import, phone_number=OuterRef("e164"))
    # As text: the field would parse each number.
    members = group.contacts.annotate(e164=ExpressionWrapper(F("phone_number"), output_field=CharField()))
    return members.filter(~Exists(theirs)).exists()


def remove_if_empty(contact_import: ContactImport) -> str:
    """
    Delete the group once everybody has left it; its name, empty when it stays.

    Call it in the transaction that ends the undoing.
    """
    group = ContactGroup.objects.select_for_update().filter(pk=contact_import.undo.get(MADE_GROUP)).first()
    if group is None or _is_used(group, contact_import) or group.contacts.exists():
        return ""
    group.delete()
    return group.name
