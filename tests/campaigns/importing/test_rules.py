"""What the operator decides about a file: what it may change, who is left out, what consent it is evidence of."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns import importing
from campaigns.consent import record_consent
from campaigns.erasing import request_erasure
from campaigns.models import (
    Consent,
    ConsentChange,
    Contact,
    ContactGroup,
    ImportStatus,
    OptedOutRows,
    OptOut,
    RowKind,
    UpdateExisting,
)

from .conftest import Start

FILE = "phone,name,email,city,bonus\n89121234501,Anna,anna@example.org,Ufa,5\n89121234502,Vera,,Omsk,\n"


@pytest.fixture
def olga(db: None) -> Contact:
    return Contact.objects.create(
        phone_number="+79121234501", first_name="Olga", attributes={"City": "Perm", "bonus": ""}
    )


def test_all_values_of_the_file_are_taken_unless_said_otherwise(imported: Start, olga: Contact) -> None:
    imported(FILE)
    olga.refresh_from_db()
    assert (olga.first_name, olga.email) == ("Anna", "anna@example.org")
    assert olga.attributes == {"City": "Ufa", "bonus": "5"}


def test_only_what_is_empty_can_be_filled_in(imported: Start, olga: Contact) -> None:
    contact_import = imported(FILE, update_existing=UpdateExisting.EMPTY)
    olga.refresh_from_db()
    assert (olga.first_name, olga.email) == ("Olga", "anna@example.org")
    assert olga.attributes == {"City": "Perm", "bonus": "5"}
    assert (contact_import.changed_count, contact_import.new_count) == (1, 1)
    assert contact_import.rows.get(number=2).before == {"email": "", "attributes": {"City": "Perm", "bonus": ""}}


def test_people_who_are_contacts_can_be_left_as_they_are_but_join_the_groups(imported: Start, olga: Contact) -> None:
    before = Contact.objects.filter(pk=olga.pk).values().get()
    contact_import = imported(FILE, update_existing=UpdateExisting.NEVER, new_group="VIP", consent_source="form")
    assert Contact.objects.filter(pk=olga.pk).values().get() == before
    assert (contact_import.changed_count, contact_import.unchanged_count, contact_import.new_count) == (0, 1, 1)
    assert ContactGroup.objects.get().contacts.count() == 2


def test_rows_of_people_who_opted_out_can_be_left_out(imported: Start) -> None:
    OptOut.objects.create(phone_number="+79121234501")
    contact_import = imported(FILE, opted_out_rows=OptedOutRows.LEAVE_OUT, new_group="VIP")
    assert (contact_import.left_out_count, contact_import.opted_out_count, contact_import.new_count) == (1, 1, 1)
    assert contact_import.row_count == contact_import.rows.count() == 2
    assert contact_import.rows.get(kind=RowKind.LEFT_OUT).number == 2
    assert not Contact.objects.filter(phone_number="+79121234501").exists()
    assert OptOut.objects.exists()


def test_a_second_row_of_somebody_who_is_left_out_is_a_duplicate(checked: Start) -> None:
    OptOut.objects.create(phone_number="+79121234501")
    contact_import = checked("phone\n89121234501\n+79121234501\n", opted_out_rows=OptedOutRows.LEAVE_OUT)
    assert (contact_import.left_out_count, contact_import.duplicate_count, contact_import.new_count) == (1, 1, 0)


def test_consent_is_written_down_with_its_source_its_proof_and_its_time(imported: Start, olga: Contact) -> None:
    agreed = datetime(2026, 1, 31, tzinfo=UTC)
    contact_import = imported(
        FILE, consent_source="order form", consent_evidence="“I agree to get offers”, page 2", consented_at=agreed
    )
    for contact in Contact.objects.all():
        assert contact.consent == Consent.GIVEN
        assert (contact.consent_source, contact.consented_at) == ("order form", agreed)
        assert contact.consent_evidence == "“I agree to get offers”, page 2"
    assert contact_import.rows.get(number=2).before["consent"] == Consent.UNKNOWN


def test_without_a_day_the_consent_is_of_the_moment_of_the_upload(imported: Start) -> None:
    contact_import = imported(FILE, consent_source="order form")
    assert {contact.consented_at for contact in Contact.objects.all()} == {contact_import.created_at}


def test_without_a_source_no_consent_is_recorded(imported: Start) -> None:
    imported(FILE)
    assert set(Contact.objects.values_list("consent", "consented_at")) == {(Consent.UNKNOWN, None)}


@pytest.mark.parametrize("consent", [Consent.GIVEN, Consent.WITHDRAWN])
def test_an_earlier_proof_and_a_withdrawal_are_not_overwritten(
    imported: Start, olga: Contact, consent: Consent
) -> None:
    Contact.objects.filter(pk=olga.pk).update(consent=consent, consent_source="by phone")
    contact_import = imported(FILE, consent_source="order form")
    olga.refresh_from_db()
    assert (olga.consent, olga.consent_source) == (consent, "by phone")
    remark = contact_import.rows.get(number=2).remark
    assert ("withdrawn" in remark) == (consent == Consent.WITHDRAWN)


def test_nobody_who_opted_out_is_said_to_have_agreed(imported: Start, olga: Contact) -> None:
    OptOut.objects.create(phone_number="+79121234501")
    OptOut.objects.create(phone_number="+79121234502")
    imported(FILE, consent_source="order form")
    assert set(Contact.objects.values_list("consent", flat=True)) == {Consent.UNKNOWN}
    assert OptOut.objects.count() == 2


def test_a_row_that_brings_only_consent_counts_as_changed(checked: Start) -> None:
    Contact.objects.create(phone_number="+79121234501")
    contact_import = checked("phone\n89121234501\n", consent_source="order form")
    assert contact_import.changed_count == 1


def test_an_opt_out_between_check_and_import_keeps_the_consent_unknown_only_for_those_known_at_the_check(
    checked: Start,
) -> None:
    """The opt-out itself stands above any consent, whenever it comes."""
    contact_import = checked("phone\n89121234501\n", consent_source="order form")
    OptOut.objects.create(phone_number="+79121234501")
    importing.confirm(contact_import)
    importing.commit(contact_import.pk)
    assert OptOut.objects.exists()


def acts() -> list[tuple[str, str, str, bool]]:
    changes = ConsentChange.objects.order_by("id")
    return [(c.phone_number, c.act, c.source, c.contact_id is not None) for c in changes]


def test_the_history_of_consent_says_from_where_it_came_and_that_it_was_taken_back(
    imported: Start, olga: Contact
) -> None:
    OptOut.objects.create(phone_number="+79121234503")
    contact_import = imported(f"{FILE}89121234503,Zoe,,,\n", consent_source="order form")
    given = [("+79121234502", "given", "order form", True), ("+79121234501", "given", "order form", True)]
    assert sorted(acts()) == sorted(given)
    assert importing.undo_plan(contact_import).removed == 2
    importing.begin_undo(contact_import)
    importing.undo(contact_import.pk)
    olga.refresh_from_db()
    assert (olga.consent, Contact.objects.count()) == (Consent.UNKNOWN, 1)
    undone = "import of contacts.csv undone"
    assert sorted(acts()) == sorted(
        [
            ("+79121234502", "given", "order form", False),
            ("+79121234501", "given", "order form", True),
            ("+79121234502", "unknown", undone, False),
            ("+79121234501", "unknown", undone, True),
        ]
    )


def test_a_consent_that_was_given_otherwise_since_keeps_the_contact(imported: Start) -> None:
    contact_import = imported("phone\n89121234501\n", consent_source="order form")
    record_consent(Contact.objects.get(), Consent.GIVEN, source="by phone")
    importing.begin_undo(contact_import)
    importing.undo(contact_import.pk)
    assert Contact.objects.get().consent_source == "by phone"


def test_a_row_of_somebody_who_was_erased_before_the_import_makes_no_contact(checked: Start) -> None:
    contact_import = checked(FILE)
    request_erasure("+79121234501", reason="by letter", actor=None)
    importing.confirm(contact_import)
    assert not importing.commit(contact_import.pk)
    contact_import.refresh_from_db()
    assert contact_import.status == ImportStatus.DONE
    assert [contact.phone_number.as_e164 for contact in Contact.objects.all()] == ["+79121234502"]
