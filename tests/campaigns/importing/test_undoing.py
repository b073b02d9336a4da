"""An import is taken back without touching what others did since."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from campaigns import importing
from campaigns.importing import committing, undoing
from campaigns.models import (
    AuditEvent,
    Campaign,
    Contact,
    ContactGroup,
    ContactImport,
    ImportStatus,
    InboundMessage,
    OptOut,
    SentMessage,
    User,
)

from .conftest import Start

FILE = "phone,name,email,city\n89121234501,Anna,anna@example.org,Ufa\n89121234502,Vera,,Omsk\n"


def undone(contact_import: ContactImport) -> ContactImport:
    assert importing.begin_undo(contact_import)
    assert not importing.undo(contact_import.pk)
    contact_import.refresh_from_db()
    return contact_import


def numbers() -> list[str]:
    return sorted(contact.phone_number.as_e164 for contact in Contact.objects.all())


def test_contacts_that_the_import_made_go(imported: Start) -> None:
    contact_import = imported(FILE, new_group="VIP")
    assert importing.undo_plan(contact_import) == importing.UndoPlan(2, 0, 0, 0, 0, "VIP", group_goes=True)
    undone(contact_import)
    assert not Contact.objects.exists()
    assert contact_import.status == ImportStatus.UNDONE
    assert contact_import.undo["removed"] == 2


def test_fields_that_the_import_changed_return(imported: Start) -> None:
    olga = Contact.objects.create(
        phone_number="+79121234501", first_name="Olga", attributes={"City": "Perm", "bonus": 5}
    )
    contact_import = imported(FILE, consent_source="order form")
    before = {"first_name": "Olga", "email": "", "attributes": {"City": "Perm", "bonus": 5}, "consent": "unknown"}
    plan = importing.undo_plan(contact_import)
    assert (plan.removed, plan.restored, plan.edited) == (1, 1, 0)
    undone(contact_import)
    olga.refresh_from_db()
    assert {name: getattr(olga, name) for name in before} == before
    assert (olga.consented_at, olga.consent_source) == (None, "")
    assert contact_import.undo["restored"] == 1


def test_what_was_changed_since_stays(imported: Start) -> None:
    olga = Contact.objects.create(phone_number="+79121234501", first_name="Olga", attributes={"city": "Perm"})
    contact_import = imported("phone,name,email,city,shop\n89121234501,Anna,anna@example.org,Ufa,A\n")
    olga.refresh_from_db()
    olga.first_name, olga.attributes = "Maria", {"city": "Kazan", "shop": "A", "new": "x"}
    olga.save()
    assert importing.undo_plan(contact_import).edited == 1
    undone(contact_import)
    olga.refresh_from_db()
    assert (olga.first_name, olga.email) == ("Maria", "")
    assert olga.attributes == {"city": "Kazan", "new": "x"}
    assert contact_import.undo["edited"] == 1


def _edited(contact: Contact) -> None:
    contact.first_name = "Maria"
    contact.save()


def _texted(contact: Contact) -> None:
    SentMessage.objects.create(contact=contact, phone_number=contact.phone_number.as_e164, body="Hello")


def _wrote(contact: Contact) -> None:
    number = contact.phone_number.as_e164
    InboundMessage.objects.create(contact=contact, phone_number=number, text="Hi", received_at=timezone.now())


def _joined(contact: Contact) -> None:
    contact.groups.add(ContactGroup.objects.create(name="Friends"))


@pytest.mark.parametrize("touch", [_edited, _texted, _wrote, _joined])
def test_a_contact_that_somebody_touched_or_wrote_to_stays_but_leaves_the_groups(imported: Start, touch: Any) -> None:
    contact_import = imported(FILE, new_group="VIP")
    anna = Contact.objects.get(phone_number="+79121234501")
    touch(anna)
    plan = importing.undo_plan(contact_import)
    assert (plan.removed, plan.kept) == (1, 1)
    undone(contact_import)
    assert numbers() == ["+79121234501"]
    assert not anna.groups.filter(name="VIP").exists()
    assert (contact_import.undo["removed"], contact_import.undo["kept"]) == (1, 1)


def test_a_contact_that_another_import_filled_in_stays(imported: Start) -> None:
    contact_import = imported("phone,name\n89121234501,Anna\n")
    imported("phone,city\n89121234501,Ufa\n")
    undone(contact_import)
    assert numbers() == ["+79121234501"]


def test_a_contact_that_was_deleted_and_made_anew_is_not_of_the_import(imported: Start) -> None:
    contact_import = imported("phone,name\n89121234501,Anna\n")
    Contact.objects.all().delete()
    imported("phone,name\n89121234501,Anna\n")
    undone(contact_import)
    assert numbers() == ["+79121234501"]


def test_older_contacts_leave_the_groups_they_joined_and_no_other(imported: Start) -> None:
    old = ContactGroup.objects.create(name="Old")
    anna = Contact.objects.create(phone_number="+79121234501", first_name="Anna")
    anna.groups.add(old)
    contact_import = imported("phone\n89121234501\n", groups=[old], new_group="VIP")
    assert importing.undo_plan(contact_import).leaving == 1
    undone(contact_import)
    assert set(anna.groups.values_list("name", flat=True)) == {"Old"}


def test_no_opt_out_is_touched(imported: Start) -> None:
    OptOut.objects.create(phone_number="+79121234501")
    undone(imported(FILE))
    assert OptOut.objects.exists()


def test_undoing_twice_is_done_once_and_says_who_did_it(imported: Start) -> None:
    user = User.objects.create_superuser("olga")
    contact_import = imported(FILE)
    same = ContactImport.objects.get(pk=contact_import.pk)
    assert importing.begin_undo(contact_import, actor=user)
    assert not importing.begin_undo(same, actor=user)
    assert AuditEvent.objects.get(action="undo_import").actor == user


def test_only_what_is_done_can_be_undone(checked: Start, imported: Start) -> None:
    assert not importing.begin_undo(checked(FILE))
    contact_import = imported(FILE)
    ContactImport.objects.filter(pk=contact_import.pk).update(undo={})  # made before there was undoing
    contact_import.refresh_from_db()
    assert not importing.can_be_undone(contact_import)
    assert not importing.undo(contact_import.pk)
    assert Contact.objects.count() == 2


@pytest.fixture
def many(imported: Start, monkeypatch: pytest.MonkeyPatch) -> ContactImport:
    monkeypatch.setattr(committing, "CHUNK_ROWS", 10)
    for n in range(5):
        Contact.objects.create(phone_number=f"+7912000000{n}", first_name="Old")
    return imported("phone,name\n" + "".join(f"8912{n:07},N{n}\n" for n in range(25)), new_group="VIP")


def test_undoing_can_stop_anywhere_and_go_on(many: ContactImport) -> None:
    importing.begin_undo(many)
    sizes = []
    while importing.undo(many.pk, seconds=0):
        sizes.append(Contact.objects.count())
    many.refresh_from_db()
    assert sizes == [20, 10, 5]
    assert many.status == ImportStatus.UNDONE
    assert set(Contact.objects.values_list("first_name", flat=True)) == {"Old"}
    assert (many.undo["removed"], many.undo["restored"], many.undo["left"]) == (20, 5, 5)
    assert not ContactGroup.objects.exists()


def test_a_chunk_that_fails_is_undone_whole_the_next_time(many: ContactImport, monkeypatch: pytest.MonkeyPatch) -> None:
    importing.begin_undo(many)
    original = undoing._leave_groups

    def breaks(*args: Any) -> int:
        raise DatabaseError("the connection is gone")

    monkeypatch.setattr(undoing, "_leave_groups", breaks)
    with pytest.raises(DatabaseError):
        importing.undo(many.pk)
    assert Contact.objects.count() == 25
    monkeypatch.setattr(undoing, "_leave_groups", original)
    assert not importing.undo(many.pk)
    many.refresh_from_db()
    assert (Contact.objects.count(), many.undo["removed"]) == (5, 20)


def test_a_stalled_undo_is_found(many: ContactImport) -> None:
    importing.begin_undo(many)
    ContactImport.objects.update(created_at="2026-01-01T00:00Z", heartbeat_at="2026-01-01T00:00Z")
    assert importing.stalled_imports() == [(many.pk, ImportStatus.UNDOING)]


# --- the group that it made -------------------------------------------------------------------------------------------


def test_the_group_that_the_import_made_goes_once_it_is_empty(imported: Start) -> None:
    Contact.objects.create(phone_number="+79121234502", first_name="Vera")
    contact_import = imported(FILE, new_group="VIP")
    plan = importing.undo_plan(contact_import)
    assert (plan.group, plan.group_goes) == ("VIP", True)
    assert undone(contact_import).undo["group_removed"] == "VIP"
    assert not ContactGroup.objects.exists()


def test_a_group_that_was_there_before_stays(imported: Start) -> None:
    ContactGroup.objects.create(name="VIP")
    contact_import = imported(FILE, new_group="VIP")
    assert importing.undo_plan(contact_import).group == ""
    undone(contact_import)
    assert ContactGroup.objects.exists()


def _somebody_else(group: ContactGroup) -> None:
    Contact.objects.create(phone_number="+79121234509").groups.add(group)


def _a_campaign(group: ContactGroup) -> None:
    Campaign.objects.create(name="Sale").include_groups.add(group)


def _a_smart_group(group: ContactGroup) -> None:
    parts = [{"on": "group", "is": "in", "value": group.pk}]
    conditions = {"version": 1, "match": {"combine": "all", "parts": parts}}
    ContactGroup.objects.create(name="Smart", conditions=conditions)


def _another_import(group: ContactGroup) -> None:
    ContactImport.objects.create(file_name="b.csv").groups.add(group)


@pytest.mark.parametrize("use", [_somebody_else, _a_campaign, _a_smart_group, _another_import])
def test_a_group_that_is_of_use_to_anybody_else_stays(imported: Start, use: Any) -> None:
    contact_import = imported(FILE, new_group="VIP")
    use(ContactGroup.objects.get())
    plan = importing.undo_plan(contact_import)
    assert (plan.group, plan.group_goes) == ("VIP", False)
    assert "group_removed" not in undone(contact_import).undo
    assert ContactGroup.objects.filter(name="VIP").exists()
