"""Contacts, groups and opt-outs in the admin, and what can be done with a selection."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle
from campaigns.models import AuditEvent, Campaign, Contact, ContactGroup, OptOut, OptOutSource
from campaigns.optouts import record_opt_out
from tests.campaigns.building import make_campaign, make_contact, make_group, number
from tests.campaigns.screens import hidden_fields, said, sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db

LIST = "/admin/campaigns/contact/"
ADD = "/admin/campaigns/contact/add/"
OPT_OUTS = "/admin/campaigns/optout/"


def rows(response) -> list[str]:
    return [str(contact.phone_number.as_e164) for contact in response.context["cl"].result_list]


def contact_form(**fields) -> dict[str, object]:
    blank = {"first_name": "", "last_name": "", "email": "", "consent": "unknown", "attributes-name": ""}
    return {**blank, "phone_number": number(1), "attributes-value": "", **fields}


@pytest.mark.parametrize("spelling", ["8 999 000 00 07", "+7(999)000-00-07", "79990000007"])
def test_a_contact_is_found_by_number_in_any_spelling(client, spelling):
    sign_in_superuser(client)
    make_group(contacts=8)
    assert rows(client.get(LIST, {"q": spelling})) == [number(7)]


def test_a_contact_is_found_by_the_first_digits_and_by_name(client):
    sign_in_superuser(client)
    make_contact(number(1), first_name="Anna", last_name="Orlova")
    make_contact("+4915123456789", first_name="Boris")
    assert rows(client.get(LIST, {"q": "+7999"})) == [number(1)]
    assert rows(client.get(LIST, {"q": "orlov"})) == [number(1)]


def test_other_fields_are_shown_so_that_people_can_read_them(client):
    sign_in_superuser(client)
    make_contact(number(1), attributes={"city": "Kazan", "bonus": 120})
    assert "bonus: 120 · city: Kazan" in text_of(client.get(LIST))


def test_a_number_in_any_spelling_is_stored_with_its_country_code(client):
    sign_in_superuser(client)
    client.post(ADD, contact_form(phone_number="8 (912) 345-67-89"))
    contact = Contact.objects.get()
    assert contact.phone_number.as_e164 == "+79123456789"
    assert (contact.region, contact.time_zone) == ("RU", "Europe/Moscow")


def test_a_number_that_is_none_is_explained(client):
    sign_in_superuser(client)
    assert "too short" in text_of(client.post(ADD, contact_form(phone_number="12")))


def test_a_number_that_is_there_already_is_refused(client):
    sign_in_superuser(client)
    make_contact(number(1))
    assert "already exists" in text_of(client.post(ADD, contact_form(phone_number="8 999 000 00 01")))


def test_other_fields_are_edited_as_rows_and_keep_their_kind(client):
    sign_in_superuser(client)
    contact = make_contact(number(1), attributes={"city": "Kazan", "bonus": 120, "old": "x"})
    url = f"{LIST}{contact.pk}/change/"
    assert 'name="attributes-value" value="Kazan"' in client.get(url).content.decode()
    names, values = ["city", "bonus", "", "shoe size"], ["Tver", "120", "", "44"]
    client.post(url, contact_form(**{"attributes-name": names, "attributes-value": values}))
    contact.refresh_from_db()
    assert contact.attributes == {"city": "Tver", "bonus": 120, "shoe_size": "44"}


def test_a_field_named_twice_is_refused(client):
    sign_in_superuser(client)
    fields = contact_form(**{"attributes-name": ["City", "city "], "attributes-value": ["a", "b"]})
    assert "“city” is there twice" in text_of(client.post(ADD, fields))


def select(client, action: str, contacts: list[Contact], **fields):
    return client.post(LIST, {"action": action, "_selected_action": [c.pk for c in contacts], **fields})


def test_sending_to_the_selected_makes_a_draft_for_exactly_them(client):
    user = sign_in_superuser(client)
    chosen = [make_contact(number(n)) for n in (1, 2)]
    make_contact(number(3))
    response = select(client, "send_to_selected", chosen)
    campaign = Campaign.objects.get()
    assert response.url == campaign.get_absolute_url()
    assert (campaign.status, campaign.created_by) == ("draft", user)
    assert set(campaign.include_groups.get().contacts.all()) == set(chosen)
    assert "2 people" in said(response)


def test_sending_to_the_selected_twice_in_a_minute_makes_two_groups(client):
    sign_in_superuser(client)
    chosen = [make_contact(number(1))]
    select(client, "send_to_selected", chosen)
    select(client, "send_to_selected", chosen)
    assert ContactGroup.objects.count() == Campaign.objects.count() == 2


def test_adding_to_a_group_asks_which_and_takes_a_new_one(client):
    sign_in_superuser(client)
    chosen = [make_contact(number(n)) for n in (1, 2)]
    page = select(client, "add_to_group", chosen)
    assert "Chosen: 2 people." in text_of(page)
    nowhere = client.post(LIST, {**hidden_fields(page), "_selected_action": [c.pk for c in chosen]})
    assert "Choose a group" in text_of(nowhere)
    response = select(client, "add_to_group", chosen, confirm="yes", new_group="Regulars")
    assert set(ContactGroup.objects.get(name="Regulars").contacts.all()) == set(chosen)
    assert "Add to the group “Regulars”: 2 people, 2 of them changed." in said(response)
    select(client, "add_to_group", chosen, confirm="yes", group=ContactGroup.objects.get().pk)
    assert ContactGroup.objects.get().contacts.count() == 2


def test_opting_out_asks_first_and_then_counts(client):
    user = sign_in_superuser(client)
    chosen = [make_contact(number(n)) for n in (1, 2)]
    assert "Opt out 2 numbers" in text_of(select(client, "opt_out", chosen))
    assert not OptOut.objects.exists()
    select(client, "opt_out", chosen, confirm="yes")
    assert set(OptOut.objects.values_list("phone_number", "created_by")) == {(number(1), user.pk), (number(2), user.pk)}


def test_all_that_match_a_filter_can_be_chosen_and_later_ones_are_not_taken_along(client):
    sign_in_superuser(client)
    make_group("A", contacts=3)
    group = ContactGroup.objects.get()
    url = f"{LIST}?groups__id__exact={group.pk}"
    everybody = {"action": "opt_out", "select_across": "1", "_selected_action": Contact.objects.all()[0].pk}
    page = client.post(url, everybody)
    assert "3 people will get no more messages" in text_of(page)
    make_contact(number(4), group)
    client.post(url, hidden_fields(page))
    assert set(OptOut.objects.values_list("phone_number", flat=True)) == {number(n) for n in (1, 2, 3)}


def test_deleting_counts_and_keeps_the_opt_outs(client):
    sign_in_superuser(client)
    chosen = [make_contact(number(n)) for n in (1, 2)]
    record_opt_out(number(1), source=OptOutSource.OPERATOR)
    assert "Delete or archive 2 contacts" in text_of(select(client, "delete_contacts", chosen))
    assert Contact.objects.count() == 2
    select(client, "delete_contacts", chosen, confirm="yes")
    assert not Contact.objects.exists()
    assert OptOut.objects.count() == 1


@pytest.mark.parametrize("action", ["send_to_selected", "add_to_group", "opt_out", "delete_contacts"])
def test_who_only_views_contacts_can_do_nothing_to_them(client, action):
    sign_in(client, "view_contact")
    contact = make_contact(number(1))
    assert f'value="{action}"' not in client.get(LIST).content.decode()
    select(client, action, [contact], confirm="yes", new_group="x")
    for made in (Campaign, ContactGroup, OptOut):
        assert not made.objects.exists()
    assert Contact.objects.exists()


def test_the_list_takes_the_same_queries_for_one_contact_and_for_many(client, django_assert_num_queries):
    sign_in_superuser(client)
    make_group("A", contacts=1)
    client.get(LIST)
    # session, user, the filter by group, count, rows, their groups, paused gateways, heartbeat
    with django_assert_num_queries(9):
        client.get(LIST)
    group = ContactGroup.objects.get()
    for n in range(2, 30):
        make_contact(number(n), group)
    with django_assert_num_queries(9):
        client.get(LIST)


def test_the_list_of_groups_counts_and_links_to_the_contacts(client, django_assert_num_queries):
    sign_in_superuser(client)
    for n in range(5):
        make_group(f"Group {n}")
    group = make_group("Customers", contacts=2)
    client.get("/admin/campaigns/contactgroup/")
    with django_assert_num_queries(7):  # session, user, count, rows, unread, paused gateways, heartbeat
        page = client.get("/admin/campaigns/contactgroup/").content.decode()
    url = f"{LIST}?groups__id__exact={group.pk}"
    assert f'<a href="{url}">2</a>' in page
    assert len(rows(client.get(url))) == 2


def test_deleting_a_group_keeps_its_contacts_and_lists_none_of_them(client):
    sign_in_superuser(client)
    group = make_group("Customers", contacts=3)
    url = f"/admin/campaigns/contactgroup/{group.pk}/delete/"
    page = text_of(client.get(url))
    assert "Customers (its contacts stay)" in page
    assert number(1) not in page
    client.post(url, {"post": "yes"})
    assert not ContactGroup.objects.exists()
    assert Contact.objects.count() == 3


def test_a_group_that_a_scheduled_campaign_needs_cannot_be_deleted(client):
    sign_in_superuser(client)
    group = make_group("Customers", contacts=1)
    campaign = make_campaign(group, name="Next week")
    lifecycle.schedule(campaign, timezone.now() + timedelta(days=1), actor=None)
    url = f"/admin/campaigns/contactgroup/{group.pk}/delete/"
    assert "Next week" in text_of(client.post(url, {"post": "yes"}))
    assert ContactGroup.objects.get() == group


def test_an_opt_out_is_recorded_by_number_in_any_spelling(client):
    user = sign_in(client, "view_optout", "add_optout")
    client.post(f"{OPT_OUTS}add/", {"phone_number": "8 912 345 67 89", "note": "called us"})
    opt_out = OptOut.objects.get()
    assert (opt_out.phone_number, opt_out.source, opt_out.created_by) == ("+79123456789", "operator", user)
    assert AuditEvent.objects.get(action="opt_out").actor == user


def test_lifting_an_opt_out_needs_a_reason(client):
    user = sign_in(client, "view_optout", "delete_optout")
    opt_out = record_opt_out(number(1), source=OptOutSource.KEYWORD)
    url = f"{OPT_OUTS}{opt_out.pk}/delete/"
    assert "Reason" in text_of(client.get(url))
    client.post(url, {"confirm": "yes", "note": " "})
    assert OptOut.objects.exists()
    client.post(url, {"confirm": "yes", "note": "She wrote START by e-mail"})
    assert not OptOut.objects.exists()
    lifted = AuditEvent.objects.get(action="opt_in")
    assert (lifted.actor, lifted.details["note"]) == (user, "She wrote START by e-mail")


def test_opt_outs_cannot_be_changed_nor_lifted_in_bulk(client):
    sign_in(client, "view_optout", "change_optout")
    opt_out = record_opt_out(number(1), source=OptOutSource.KEYWORD)
    assert client.post(f"{OPT_OUTS}{opt_out.pk}/change/", {"phone_number": number(2)}).status_code == 403
    assert client.post(f"{OPT_OUTS}{opt_out.pk}/delete/", {"note": "x"}).status_code == 403
    assert 'value="delete_selected"' not in client.get(OPT_OUTS).content.decode()
    assert OptOut.objects.get().phone_number == number(1)


def test_a_half_typed_number_is_answered_with_a_sentence(client):
    sign_in_superuser(client)
    page = text_of(client.get(OPT_OUTS, {"q": "+7 55"}))
    assert "Nothing was found for “+7 55”." in page
    assert "too short" in page
