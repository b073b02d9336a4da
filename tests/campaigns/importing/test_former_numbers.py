"""A file that still has numbers which people had before makes no second contact of them, and loses no opt-out."""

from __future__ import annotations

import pytest

from campaigns import erasing, importing
from campaigns.importing import checking
from campaigns.models import Consent, Contact, ContactGroup, ContactImport, FormerNumber, OptOutSource, RowKind
from campaigns.optouts import record_opt_out
from tests.campaigns.screens import sign_in_superuser, text_of

from .conftest import Start

pytestmark = pytest.mark.django_db
OLD, NEW, OTHER = "+79121234501", "+79121234502", "+79121234503"


@pytest.fixture
def olga() -> Contact:
    contact = Contact.objects.create(phone_number=NEW, first_name="Olga", attributes={"city": "Tver"})
    FormerNumber.objects.create(contact=contact, phone_number=OLD)
    return contact


def row(contact_import: ContactImport, number: int = 2):
    return contact_import.rows.get(number=number)


def test_the_contact_gets_the_values_and_keeps_its_number(olga: Contact, imported: Start) -> None:
    contact_import = imported(f"phone,name,city\n{OLD},Olga,Kazan\n", new_group="VIP")
    found = row(contact_import)
    assert (found.kind, found.phone_number, found.file_number) == (RowKind.CHANGED, NEW, OLD)
    assert f"{OLD} is a former number of the contact with {NEW}" in found.remark
    contact = Contact.objects.get()
    assert (contact.pk, contact.phone_number.as_e164, contact.attributes) == (olga.pk, NEW, {"city": "Kazan"})
    assert contact.groups.get().name == "VIP"
    assert (contact_import.new_count, contact_import.changed_count, contact_import.remark_count) == (0, 1, 1)


def test_the_preview_says_so(olga: Contact, checked: Start, client) -> None:
    sign_in_superuser(client)
    page = text_of(client.get(checked(f"phone,name\n{OLD},Olya\n").get_absolute_url()))
    assert f"{OLD} is a former number of the contact with {NEW}" in page


def test_a_row_with_each_of_the_two_numbers_is_one_person(olga: Contact, checked: Start) -> None:
    contact_import = checked(f"phone,name\n{NEW},Olya\n{OLD},Olechka\n")
    second = row(contact_import, 3)
    assert second.kind == RowKind.DUPLICATE
    assert second.reason == "A former number of the person in row 2, which counts."


def test_a_row_in_a_later_chunk_is_one_person_too(olga: Contact, checked: Start, monkeypatch) -> None:
    monkeypatch.setattr(checking, "CHUNK_ROWS", 1)
    contact_import = checked(f"phone,name\n{OLD},Olya\n{OTHER},Ivan\n{NEW},Olechka\n")
    assert [row(contact_import, n).kind for n in (2, 3, 4)] == ["changed", "new", "duplicate"]


def test_the_opt_out_of_today_holds(olga: Contact, checked: Start) -> None:
    record_opt_out(NEW, source=OptOutSource.KEYWORD)
    contact_import = checked(f"phone,name\n{OLD},Olya\n", opted_out_rows="leave_out")
    assert (row(contact_import).kind, contact_import.opted_out_count) == (RowKind.LEFT_OUT, 1)


def test_who_opted_out_with_the_former_number_is_left_out_whatever_was_chosen(olga: Contact, imported: Start) -> None:
    record_opt_out(OLD, source=OptOutSource.KEYWORD)
    contact_import = imported(f"phone,name\n{OLD},Olya\n{OTHER},Ivan\n", new_group="VIP")
    found = row(contact_import)
    assert (found.kind, found.remark.endswith("The former number has opted out: left out of the import.")) == (
        RowKind.LEFT_OUT,
        True,
    )
    assert Contact.objects.get(pk=olga.pk).first_name == "Olga"
    assert [it.phone_number.as_e164 for it in ContactGroup.objects.get().contacts.all()] == [OTHER]


def test_the_consent_of_the_file_is_not_that_of_another_number(olga: Contact, imported: Start) -> None:
    imported(f"phone,name\n{OLD},Olya\n{OTHER},Ivan\n", consent_source="form")
    states = {it.phone_number.as_e164: it.consent for it in Contact.objects.all()}
    assert states == {NEW: Consent.UNKNOWN, OTHER: Consent.GIVEN}


def test_a_number_that_somebody_else_has_today_is_that_persons(olga: Contact, imported: Start) -> None:
    other = Contact.objects.create(phone_number=OLD, first_name="Ivan")
    assert row(imported(f"phone,name\n{OLD},Peter\n")).file_number == ""
    assert Contact.objects.get(pk=other.pk).first_name == "Peter"


def test_of_several_who_had_it_the_last_one_is_meant(olga: Contact, checked: Start) -> None:
    later = Contact.objects.create(phone_number=OTHER, first_name="Ivan")
    FormerNumber.objects.create(contact=later, phone_number=OLD)
    assert row(checked(f"phone,name\n{OLD},Peter\n")).phone_number == OTHER


def test_undoing_gives_the_values_back(olga: Contact, imported: Start) -> None:
    contact_import = imported(f"phone,name\n{OLD},Olya\n", new_group="VIP")
    assert importing.begin_undo(contact_import)
    importing.undo(contact_import.pk)
    contact = Contact.objects.get()
    assert (contact.first_name, contact.groups.exists()) == ("Olga", False)


def test_whose_contact_is_deleted_before_the_import_comes_with_the_number_of_the_file(
    olga: Contact, checked: Start
) -> None:
    contact_import = checked(f"phone,name\n{OLD},Olya\n")
    olga.delete()
    importing.confirm(contact_import)
    importing.commit(contact_import.pk)
    assert [(it.phone_number.as_e164, it.first_name) for it in Contact.objects.all()] == [(OLD, "Olya")]
    contact_import.refresh_from_db()
    assert (contact_import.new_count, contact_import.changed_count) == (1, 0)


def test_erasing_the_person_leaves_neither_number_in_the_import(olga: Contact, checked: Start) -> None:
    contact_import = checked(f"phone,name\n{OLD},Olya\n")
    erasing.request_erasure(NEW, reason="x", actor=None)
    found = row(contact_import)
    assert (found.phone_number, found.file_number, found.remark) == ("", "", "")


def test_without_former_numbers_nothing_more_is_asked(checked: Start, monkeypatch) -> None:
    asked: list[object] = []

    def ask(numbers: object) -> dict[str, str]:
        asked.append(numbers)
        return {}

    monkeypatch.setattr(checking, "numbers_of_today", ask)
    checked(f"phone,name\n{OLD},Olya\n")
    assert asked == []
