"""Attributes with a kind: what files and people write becomes a value, or is refused with the reason."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from django.utils import formats

from campaigns import bulk
from campaigns.attributes import Definitions, clean_attribute, respelt
from campaigns.models import Attribute, AuditEvent, BulkAction, Contact
from campaigns.resources import ContactResource
from tests.campaigns.building import make_contact, number
from tests.campaigns.screens import sign_in, sign_in_superuser, text_of

ADD = "/admin/campaigns/attribute/add/"


@pytest.mark.parametrize("kind", ["text", "number", "date", "yes_no"])
@pytest.mark.parametrize("raw", [None, "", "  "])
def test_nothing_is_nothing(kind, raw):
    assert clean_attribute(kind, raw, "en") == ""


@pytest.mark.parametrize(
    ("raw", "locale", "value"),
    [
        ("7", "en", 7),
        (" -7 ", "en", -7),
        ("+7.50", "en", 7.5),
        ("7,5", "en", 7.5),
        ("7,5", "ru", 7.5),
        ("1.234", "ru", 1.234),
        ("1,234", "en", 1234),
        ("1,234", "ru", 1.234),
        ("1,234.5", "ru", 1234.5),
        ("1.234,5", "en", 1234.5),
        ("1.234.567", "en", 1234567),
        ("1,234,567", "ru", 1234567),
        ("1 234 567,8", "ru", 1234567.8),
        ("1\u00a0234", "ru", 1234),
        ("1'234", "en", 1234),
        ("\u22125", "en", -5),
        (7, "en", 7),
        (7.0, "en", 7),
        (7.25, "en", 7.25),
        ("0010", "en", 10),
    ],
)
def test_a_number_is_read_as_its_language_writes_it(raw, locale, value):
    found = clean_attribute("number", raw, locale)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "raw", ["seven", "7 kg", "1,23,4", "1.2.3", "--7", "1,234.5,6", "12,34.5", "nan", "inf", float("nan"), True, "٣x"]
)
def test_what_is_no_number_is_refused(raw):
    with pytest.raises(ValueError, match="not a number"):
        clean_attribute("number", raw, "en")


def test_a_number_that_can_be_read_in_two_ways_is_refused(settings):
    """In a language that writes neither its thousands nor its decimals with a comma."""
    settings.THOUSAND_SEPARATOR = "'"
    formats.reset_format_cache()
    try:
        assert clean_attribute("number", "1,5", "zz") == 1.5
        with pytest.raises(ValueError, match="read in two ways"):
            clean_attribute("number", "1,234", "zz")
    finally:
        formats.reset_format_cache()


def test_a_number_that_would_not_come_out_as_it_went_in_is_refused():
    assert clean_attribute("number", "123456789012345", "en") == 123456789012345
    with pytest.raises(ValueError, match="more than 15 digits"):
        clean_attribute("number", "1234567890123456", "en")


@pytest.mark.parametrize(
    ("raw", "locale", "value"),
    [
        ("2026-12-31", "en", "2026-12-31"),
        ("2026-12-31 00:00:00", "en", "2026-12-31"),
        ("2026-12-31T00:00", "en", "2026-12-31"),
        ("31.12.2026", "en", "2026-12-31"),
        ("2026/12/31", "ru", "2026-12-31"),
        ("12/31/2026", "en", "2026-12-31"),
        (date(2026, 12, 31), "en", "2026-12-31"),
        (datetime(2026, 12, 31, 10), "en", "2026-12-31"),
    ],
)
def test_a_date_is_stored_as_iso(raw, locale, value):
    assert clean_attribute("date", raw, locale) == value


@pytest.mark.parametrize("raw", ["31.02.2026", "12/31/26", "soon", "2026-12-31 10:30", "45000"])
def test_what_is_no_certain_date_is_refused(raw):
    with pytest.raises(ValueError, match="not a date"):
        clean_attribute("date", raw, "en")


@pytest.mark.parametrize("raw", ["Yes", "y", "TRUE", "1", "да", "Oui", "ja", "sí", True])
def test_yes_in_many_languages(raw):
    assert clean_attribute("yes_no", raw, "en") is True


@pytest.mark.parametrize("raw", ["no", "N", "false", "0", "нет", "nein", "hayır", False])
def test_no_in_many_languages(raw):
    assert clean_attribute("yes_no", raw, "en") is False


@pytest.mark.parametrize("raw", ["-", "+", "perhaps", "2"])
def test_what_is_neither_is_refused(raw):
    with pytest.raises(ValueError, match="neither yes nor no"):
        clean_attribute("yes_no", raw, "en")


def test_a_text_is_kept_up_to_a_limit():
    assert clean_attribute("text", " 007 ", "en") == "007"
    with pytest.raises(ValueError, match="longer than 2000"):
        clean_attribute("text", "x" * 2001, "en")


# --- in files --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_import_cleans_what_is_defined_and_leaves_the_rest_as_text():
    Attribute.objects.create(name="Age", kind="number")
    Attribute.objects.create(name="vip", kind="yes_no")
    row = ContactResource("RU").clean_row(number(1), {}, {"age": "1 200", "VIP": "no", "shoe": "44"})
    assert row.values["attributes"] == {"Age": 1200, "vip": False, "shoe": "44"}
    assert row.remarks == []


@pytest.mark.django_db
def test_a_value_that_does_not_fit_is_left_out_with_a_remark_and_the_person_stays():
    Attribute.objects.create(name="age", label="Age in years", kind="number")
    row = ContactResource("RU").clean_row(number(1), {}, {"age": "old"})
    assert row.values == {}
    assert row.remarks == ["Age in years “old” was left out: not a number."]


@pytest.mark.django_db
def test_what_is_defined_is_read_once_for_a_file(django_assert_num_queries):
    Attribute.objects.create(name="age", kind="number")
    resource = ContactResource("RU")
    with django_assert_num_queries(1):
        for n in range(5):
            resource.clean_row(number(n), {}, {"age": str(n)})


def test_without_definitions_nothing_is_touched():
    assert Definitions().clean({"a": "1", "b": 2}) == ({"a": "1", "b": 2}, [])


def test_what_does_not_fit_a_definition_stays_as_it_is():
    age = Attribute(name="age", kind="number")
    assert respelt({"AGE": "7", "x": 1}, age) == ({"age": 7, "x": 1}, True)
    assert respelt({"Age": "old"}, age) == ({"age": "old"}, False)
    assert respelt({"Age": " "}, age) == ({}, True)


# --- defining --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_defining_a_field_brings_what_contacts_have_into_its_kind(client):
    user = sign_in_superuser(client)
    for n, value in ((1, "7"), (2, "many"), (3, 8)):
        make_contact(number(n), attributes={"Age": value})
    make_contact(number(4))
    page = client.post(ADD, {"name": "age", "label": "", "kind": "number"}, follow=True)
    assert "being brought into its kind" in text_of(page)
    action = BulkAction.objects.get()
    bulk.run(action.pk)
    found = [contact.attributes for contact in Contact.objects.order_by("pk")]
    assert found == [{"age": 7}, {"age": "many"}, {"age": 8}, {}]
    action.refresh_from_db()
    assert action.progress["misfits"] == 1
    assert "stay as they are: 1" in text_of(client.get(action.get_absolute_url()))
    assert AuditEvent.objects.get(action="create_attribute").actor == user


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("first name", "Every contact has this field already"),
        ("имя", "Every contact has this field already"),
        ("a{b", "cannot have any of these"),
        ("CITY", "There is a field with this name already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(client, name, words):
    sign_in_superuser(client)
    Attribute.objects.create(name="city")
    assert words in text_of(client.post(ADD, {"name": name, "label": "", "kind": "text"}))


@pytest.mark.django_db
def test_fields_are_defined_by_those_who_may(client):
    sign_in(client, "view_attribute")
    assert client.post(ADD, {"name": "x", "label": "", "kind": "text"}).status_code == 403


# --- the form of a contact -------------------------------------------------------------------------------------


def contact_form(**fields) -> dict[str, object]:
    blank = {"first_name": "", "last_name": "", "email": "", "consent": "unknown", "attributes-name": ""}
    return {**blank, "phone_number": number(1), "attributes-value": "", **fields}


@pytest.fixture
def defined(db) -> dict[str, str]:
    """The names of the inputs by kind."""
    made = {kind: Attribute.objects.create(name=kind, kind=kind) for kind in ("text", "number", "date", "yes_no")}
    return {kind: f"attribute_{attribute.pk}" for kind, attribute in made.items()}


def test_a_defined_field_has_an_input_of_its_own_and_the_others_still_show(client, defined):
    sign_in_superuser(client)
    had = {"Number": 7, "date": "2026-01-02", "yes_no": True, "shoe": "44"}
    contact = make_contact(number(1), attributes=had)
    url = f"/admin/campaigns/contact/{contact.pk}/change/"
    page = client.get(url).content.decode()
    assert f'name="{defined["number"]}" value="7"' in page
    assert 'type="date" name="' + defined["date"] + '" value="2026-01-02"' in page
    assert '<option value="yes" selected>' in page
    assert 'name="attributes-value" value="44"' in page
    assert 'name="attributes-value" value="7"' not in page
    inputs = {defined["number"]: "8,5", defined["date"]: "2026-01-03", defined["yes_no"]: "no", defined["text"]: "x"}
    client.post(url, contact_form(**inputs, **{"attributes-name": ["shoe"], "attributes-value": ["45"]}))
    contact.refresh_from_db()
    assert contact.attributes == {"shoe": "45", "text": "x", "number": 8.5, "date": "2026-01-03", "yes_no": False}


def test_saving_without_a_change_changes_nothing(client, defined):
    sign_in_superuser(client)
    contact = make_contact(number(1), attributes={"number": 7, "yes_no": False, "shoe": 44})
    url = f"/admin/campaigns/contact/{contact.pk}/change/"
    inputs = {defined["number"]: "7", defined["date"]: "", defined["yes_no"]: "no", defined["text"]: ""}
    fields = contact_form(phone_number=number(1), **inputs, **{"attributes-name": ["shoe"], "attributes-value": ["44"]})
    client.post(url, {**fields, "region": "RU", "time_zone": "Europe/Moscow", "consent_kind": "marketing"})
    contact.refresh_from_db()
    assert contact.attributes == {"number": 7, "yes_no": False, "shoe": 44}
    assert not AuditEvent.objects.exists()


def test_a_value_that_does_not_fit_is_refused_by_the_form(client, defined):
    sign_in_superuser(client)
    page = client.post("/admin/campaigns/contact/add/", contact_form(**{defined["number"]: "many"}))
    assert "This is not a number." in text_of(page)
    assert not Contact.objects.exists()


def test_a_value_from_before_the_definition_is_shown_to_be_mended(client, defined):
    sign_in_superuser(client)
    contact = make_contact(number(1), attributes={"date": "soon"})
    page = client.get(f"/admin/campaigns/contact/{contact.pk}/change/").content.decode()
    assert f'name="{defined["date"]}" value="soon"' in page
    assert f'type="date" name="{defined["date"]}"' not in page  # it would show nothing


def test_a_required_field_is_asked_for(client, defined):
    sign_in_superuser(client)
    Attribute.objects.update(required=True)
    assert "This field is required" in text_of(client.post("/admin/campaigns/contact/add/", contact_form()))


def test_a_defined_field_is_not_entered_a_second_time_below(client, defined):
    sign_in_superuser(client)
    fields = contact_form(**{"attributes-name": ["NUMBER"], "attributes-value": ["7"]})
    assert "“number” has an input of its own above" in text_of(client.post("/admin/campaigns/contact/add/", fields))


def test_those_who_only_look_see_all_fields(client, defined):
    contact = make_contact(number(1), attributes={"number": 7, "shoe": "44"})
    sign_in(client, "view_contact")
    page = client.get(f"/admin/campaigns/contact/{contact.pk}/change/")
    assert page.status_code == 200
    assert "44" in text_of(page)
