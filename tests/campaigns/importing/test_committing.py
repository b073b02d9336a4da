"""The good rows become contacts, once, whatever happens in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import importing
from campaigns.importing import checking, committing, new_contacts
from campaigns.importing.lookups import current_contacts
from campaigns.models import (
    AuditEvent,
    Contact,
    ContactGroup,
    ContactImport,
    ImportStatus,
    OptOut,
    User,
)

from .conftest import Start

FILE = "Телефон;Имя;Фамилия;Почта;Язык;Город\n89121234567;Пётр;Ким;kim@example.ru;русский;Уфа\n"


def numbers() -> list[str]:
    return sorted(str(contact.phone_number.as_e164) for contact in Contact.objects.all())


def test_a_new_contact_has_everything_the_file_says_and_the_number_tells(imported: Start) -> None:
    assert imported(FILE).status == ImportStatus.DONE
    contact = Contact.objects.get()
    assert str(contact.phone_number.as_e164) == "+79121234567"
    assert (contact.first_name, contact.last_name) == ("Пётр", "Ким")
    assert (contact.email, contact.language) == ("kim@example.ru", "ru")
    assert contact.attributes == {"Город": "Уфа"}
    assert (contact.region, contact.time_zone) == ("RU", "Europe/Moscow")


def test_a_time_zone_of_the_file_stands_above_that_of_the_number(imported: Start) -> None:
    imported("phone,tz\n89121234567,Asia/Yekaterinburg\n")
    assert Contact.objects.get().time_zone == "Asia/Yekaterinburg"


def test_only_values_that_are_filled_replace_others(imported: Start) -> None:
    contact = Contact.objects.create(
        phone_number="+79121234567",
        first_name="Пётр",
        last_name="Старый",
        email="old@example.ru",
        attributes={"город": "Омск", "бонус": 5},
        consent="given",
    )
    imported("Телефон;Имя;Фамилия;Почта;Город\n89121234567;;Новый;;Уфа\n")
    contact.refresh_from_db()
    assert (contact.first_name, contact.last_name, contact.email) == ("Пётр", "Новый", "old@example.ru")
    assert contact.attributes == {"город": "Уфа", "бонус": 5}
    assert contact.consent == "given"


def test_the_same_file_again_writes_nothing(imported: Start) -> None:
    imported(FILE, new_group="VIP")
    before = list(Contact.objects.values())
    contact_import = imported(FILE, new_group="VIP")
    assert (contact_import.unchanged_count, contact_import.new_count, contact_import.changed_count) == (1, 0, 0)
    assert list(Contact.objects.values()) == before
    assert ContactGroup.objects.get().contacts.count() == 1


def test_importing_unchanged_rows_sends_no_write_to_the_contacts(checked: Start, imported: Start) -> None:
    imported(FILE, new_group="VIP")
    contact_import = checked(FILE, new_group="VIP")
    importing.confirm(contact_import)
    with CaptureQueriesContext(connection) as queries:
        importing.commit(contact_import.pk)
    writes = [q["sql"] for q in queries if not q["sql"].startswith(("SELECT", "SAVEPOINT", "RELEASE"))]
    assert writes
    assert all('UPDATE "campaigns_contactimport"' in sql for sql in writes)


def a_day_later() -> None:
    """What was there before the next import began was touched long before it."""
    Contact.objects.update(updated_at=timezone.now() - timedelta(days=1))


def test_contacts_that_nothing_changes_are_not_read(
    checked: Start, imported: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(FILE, new_group="VIP")
    a_day_later()
    contact_import = checked(FILE, new_group="VIP")
    importing.confirm(contact_import)
    read: list[str] = []

    def reading(numbers: list[str], **_options: Any) -> dict[str, Any]:
        read.extend(numbers)
        return current_contacts(numbers)

    monkeypatch.setattr(committing, "current_contacts", reading)
    importing.commit(contact_import.pk)
    contact_import.refresh_from_db()
    assert (contact_import.status, contact_import.unchanged_count, read) == (ImportStatus.DONE, 1, [])


@pytest.mark.parametrize("meanwhile", ["edited", "deleted", "left the group", "archived"])
def test_contacts_that_were_unchanged_are_looked_at_again_after(
    meanwhile: str, checked: Start, imported: Start
) -> None:
    imported(FILE, new_group="VIP")
    a_day_later()
    contact_import = checked(FILE, new_group="VIP")
    assert contact_import.unchanged_count == 1
    contact = Contact.objects.get()
    if meanwhile == "edited":
        contact.first_name = "Edited"
        contact.save()
    elif meanwhile == "deleted":
        contact.delete()
    elif meanwhile == "archived":
        Contact.objects.update(archived_at=timezone.now())
    else:
        contact.groups.clear()
    importing.confirm(contact_import)
    importing.commit(contact_import.pk)
    contact_import.refresh_from_db()
    kinds = (contact_import.new_count, contact_import.changed_count, contact_import.unchanged_count)
    became = {"edited": (0, 1, 0), "deleted": (1, 0, 0), "left the group": (0, 0, 1), "archived": (0, 1, 0)}
    assert kinds == became[meanwhile]
    contact = Contact.objects.in_use().get()
    assert (contact.first_name, [group.name for group in contact.groups.all()]) == ("Пётр", ["VIP"])


def test_bad_rows_do_not_stop_the_good_ones(imported: Start) -> None:
    imported("phone\nnonsense\n89121234567\n12\n89121234568\n")
    assert numbers() == ["+79121234567", "+79121234568"]


def test_an_opt_out_outlives_every_import(imported: Start) -> None:
    OptOut.objects.create(phone_number="+79121234567")
    imported(FILE)
    assert Contact.objects.exists()
    assert OptOut.objects.filter(phone_number="+79121234567").exists()


def test_unchanged_contacts_join_the_group_as_well(imported: Start) -> None:
    imported(FILE)
    old, added = ContactGroup.objects.create(name="Old"), Contact.objects.get()
    contact_import = imported(FILE, groups=[old], new_group="New")
    assert contact_import.unchanged_count == 1
    assert set(added.groups.values_list("name", flat=True)) == {"Old", "New"}


def test_a_new_group_of_an_existing_name_is_that_group(imported: Start) -> None:
    group = ContactGroup.objects.create(name="VIP")
    imported(FILE, new_group="VIP")
    assert group.contacts.count() == 1


def test_a_group_is_made_only_when_the_import_is_confirmed(checked: Start) -> None:
    contact_import = checked(FILE, new_group="VIP")
    assert not ContactGroup.objects.exists()
    importing.cancel(contact_import)
    assert not ContactGroup.objects.exists()


def test_confirming_twice_imports_once_and_says_who_did_it(checked: Start) -> None:
    user = User.objects.create_superuser("olga")
    contact_import = checked(FILE)
    same = ContactImport.objects.get(pk=contact_import.pk)
    assert importing.confirm(contact_import, actor=user)
    assert not importing.confirm(same, actor=user)
    event = AuditEvent.objects.get(action="import")
    assert (event.actor, event.subject) == (user, "contacts.csv")


def test_nothing_is_imported_unconfirmed(checked: Start) -> None:
    contact_import = checked(FILE)
    assert not importing.commit(contact_import.pk)
    assert not Contact.objects.exists()


def many_rows(count: int) -> str:
    return "phone;name\n" + "".join(f"8912{n:07};N{n}\n" for n in range(count))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "CHUNK_ROWS", 10)
    monkeypatch.setattr(committing, "CHUNK_ROWS", 10)


@pytest.mark.usefixtures("small_chunks")
def test_a_commit_can_stop_anywhere_and_go_on(checked: Start) -> None:
    contact_import = checked(many_rows(25), new_group="VIP")
    importing.confirm(contact_import)
    sizes = []
    while importing.commit(contact_import.pk, seconds=0):
        sizes.append(Contact.objects.count())
    contact_import.refresh_from_db()
    assert sizes == [10, 20, 25]
    assert contact_import.status == ImportStatus.DONE
    assert ContactGroup.objects.get().contacts.count() == 25


@pytest.mark.usefixtures("small_chunks")
def test_a_chunk_that_fails_leaves_no_half_and_is_done_again(checked: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    contact_import = checked(many_rows(25), new_group="VIP")
    importing.confirm(contact_import)
    original, calls = new_contacts.join_new_contacts, []

    def breaks_once(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise DatabaseError("the connection is gone")
        original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(committing, "join_new_contacts", breaks_once)
    with pytest.raises(DatabaseError):
        importing.commit(contact_import.pk)
    assert Contact.objects.count() == 10
    assert not importing.commit(contact_import.pk)
    contact_import.refresh_from_db()
    assert (contact_import.new_count, Contact.objects.count()) == (25, 25)
    assert ContactGroup.objects.get().contacts.count() == 25


def test_figures_are_what_was_done_should_contacts_have_changed_since_the_check(checked: Start) -> None:
    Contact.objects.create(phone_number="+79121234503", first_name="Olga")
    contact_import = checked("phone,name\n89121234501,Anna\n89121234502,Vera\n89121234503,Maria\n")
    Contact.objects.create(phone_number="+79121234501", first_name="Anna")
    Contact.objects.create(phone_number="+79121234502", first_name="Zoe")
    Contact.objects.filter(phone_number="+79121234503").delete()
    importing.confirm(contact_import)
    importing.commit(contact_import.pk)
    contact_import.refresh_from_db()
    assert (contact_import.new_count, contact_import.changed_count, contact_import.unchanged_count) == (1, 1, 1)
    kinds = dict(contact_import.rows.values_list("number", "kind"))
    assert kinds == {2: "unchanged", 3: "changed", 4: "new"}
    assert Contact.objects.get(phone_number="+79121234502").first_name == "Vera"


@pytest.mark.usefixtures("small_chunks")
def test_of_two_commits_at_once_one_stops(checked: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    contact_import = checked(many_rows(15))
    importing.confirm(contact_import)
    original = committing._commit_chunk

    def meanwhile(*args: Any) -> bool:
        monkeypatch.setattr(committing, "_commit_chunk", original)
        assert importing.commit(contact_import.pk, seconds=0)  # the other worker is faster, and not done yet
        return original(*args)

    monkeypatch.setattr(committing, "_commit_chunk", meanwhile)
    assert not importing.commit(contact_import.pk)
    contact_import.refresh_from_db()
    assert contact_import.status == ImportStatus.IMPORTING
    assert (contact_import.new_count, contact_import.unchanged_count, Contact.objects.count()) == (15, 0, 10)
    assert not importing.commit(contact_import.pk)
    assert Contact.objects.count() == 15


def test_an_import_under_way_without_a_sign_of_life_is_found(checked: Start) -> None:
    contact_import = checked(many_rows(5))
    assert importing.stalled_imports() == []
    importing.confirm(contact_import)
    assert importing.stalled_imports() == []
    long_ago = timezone.now() - timedelta(minutes=10)
    ContactImport.objects.update(created_at=long_ago, heartbeat_at=long_ago)
    assert importing.stalled_imports() == [(contact_import.pk, ImportStatus.IMPORTING)]
    importing.commit(contact_import.pk)
    assert importing.stalled_imports() == []


def test_an_upload_that_nobody_began_to_check_is_found(checked: Start) -> None:
    contact_import = checked(many_rows(5))
    long_ago = timezone.now() - timedelta(minutes=10)
    ContactImport.objects.update(created_at=long_ago, heartbeat_at=None, status=ImportStatus.CHECKING)
    assert importing.stalled_imports() == [(contact_import.pk, ImportStatus.CHECKING)]


@pytest.mark.usefixtures("small_chunks")
def test_two_imports_of_the_same_people_at_once_make_each_of_them_once(checked: Start) -> None:
    forward = checked(many_rows(25), new_group="One")
    lines = many_rows(35).splitlines()
    backward = checked("\n".join([lines[0], *reversed(lines[1:])]), new_group="Two")
    for contact_import in (forward, backward):
        importing.confirm(contact_import)
    under_way = {forward.pk, backward.pk}
    while under_way:
        under_way = {pk for pk in sorted(under_way) if importing.commit(pk, seconds=0)}
    forward.refresh_from_db()
    backward.refresh_from_db()
    assert Contact.objects.count() == 35
    assert forward.new_count + backward.new_count == 35
    assert forward.row_count == 25
    assert backward.row_count == 35
    sizes = dict(ContactGroup.objects.annotate(size=Count("contacts")).values_list("name", "size"))
    assert sizes == {"One": 25, "Two": 35}
