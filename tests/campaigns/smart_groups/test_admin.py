"""Smart groups in the admin: the form, the live count, and where they can be chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db.models import BooleanField, Func, Q

from campaigns.models import AuditEvent, Campaign, ContactGroup, SmartGroup
from campaigns.smart_groups import counting, in_words
from campaigns.smart_groups.vocabulary import vocabulary
from tests.campaigns.building import make_campaign, make_contact, make_group, number
from tests.campaigns.screens import sign_in, sign_in_superuser, text_of
from tests.campaigns.smart_groups.conditions import attribute, block, make_smart_group, on, stored

pytestmark = pytest.mark.django_db
LIST = "/admin/campaigns/smartgroup/"
ADD = f"{LIST}add/"
COUNT = f"{LIST}count/"
KAZAN = attribute("city", "equals", "Kazan")


class Slow(Func):
    """A condition that a database needs a second for, for each row."""

    template = "(pg_sleep(1) IS NOT NULL)"
    output_field = BooleanField()


def save(client, conditions, name="Kazan", url=ADD):
    return client.post(url, {"name": name, "description": "", "conditions": json.dumps(conditions)})


def ask(client, conditions) -> dict[str, Any]:
    return client.post(COUNT, json.dumps(conditions), content_type="application/json").json()


def test_a_smart_group_is_saved_as_it_was_checked(client):
    user = sign_in_superuser(client)
    save(client, stored({**KAZAN, "unknown": 1}))
    assert SmartGroup.objects.get().conditions == stored(KAZAN)
    event = AuditEvent.objects.get(action="create_smart_group")
    assert (event.actor, event.subject) == (user, "Kazan")
    assert event.details["changes"]["Conditions"] == ["", in_words(stored(KAZAN))]


def test_every_problem_is_said_and_what_was_chosen_is_still_there(client):
    sign_in_superuser(client)
    page = save(client, stored(on("group", "in"), on("created_at", "in_last_days", 0)))
    assert "Condition 1: choose a group." in text_of(page)
    assert "Condition 2: write a number of days" in text_of(page)
    assert "in_last_days" in page.content.decode()
    assert not SmartGroup.objects.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', "null"])
def test_what_is_no_json_is_refused(client, text):
    sign_in_superuser(client)
    page = client.post(ADD, {"name": "x", "description": "", "conditions": text})
    assert page.status_code == 200
    assert page.context["adminform"].form.errors["conditions"]


def test_a_name_that_a_static_group_has_is_refused(client):
    sign_in_superuser(client)
    make_group("Kazan")
    assert "already exists" in text_of(save(client, stored(KAZAN)))


def test_the_list_says_in_words_who_is_in_it(client):
    sign_in_superuser(client)
    group, campaign = make_group("Staff"), make_campaign(name="Sale")
    make_smart_group(
        KAZAN,
        on("group", "not_in", group.pk),
        block(
            on("message", "was", campaign=campaign.pk, became="not_delivered"),
            on("message", "was_not", days=30),
            combine="any",
        ),
        block(on("consent", "equals", "withdrawn"), combine="none"),
        on("group", "in", 999),
    )
    assert (
        "city is “Kazan” and not in “Staff” and (was sent “Sale” and it was not delivered or refused or was not sent "
        "anything in the last 30 days) and (none of these: Consent is withdrawn) and in “?”"
    ) in text_of(client.get(f"{LIST}{SmartGroup.objects.get().pk}/change/")).replace("City is", "city is")


def test_conditions_that_cannot_be_read_do_not_break_the_list(client):
    sign_in_superuser(client)
    make_smart_group(KAZAN)
    ContactGroup.objects.update(conditions={"version": 9, "match": {}})
    assert "another version" in text_of(client.get(LIST))
    assert client.get(f"{LIST}{SmartGroup.objects.get().pk}/change/").status_code == 200


def test_the_live_count_shows_how_many_and_some_of_them(client):
    sign_in_superuser(client)
    for n in range(1, 8):
        make_contact(number(n), first_name=f"Name {n}", attributes={"city": "Kazan"})
    make_contact(number(9), first_name="Other")
    answer = ask(client, stored(KAZAN))
    assert answer["problems"] == []
    assert "7 people meet these conditions now." in answer["html"]
    assert answer["html"].count("Name ") == counting.SAMPLE
    assert "Other" not in answer["html"]


def test_the_live_count_stops_at_a_limit(client, monkeypatch):
    sign_in_superuser(client)
    make_group(contacts=9)
    assert counting.count(stored(on("region", "equals", "RU")), limit=8).is_more
    assert not counting.count(stored(on("region", "equals", "RU")), limit=9).is_more
    monkeypatch.setattr("campaigns.admin.smart_groups.count_matching", lambda it: counting.count(it, limit=8))
    assert "More than 8 people meet" in ask(client, stored(on("region", "equals", "RU")))["html"]


@pytest.mark.postgresql
def test_a_count_that_takes_too_long_is_given_up_and_does_no_harm(client, monkeypatch):
    sign_in_superuser(client)
    make_group(contacts=9)
    with monkeypatch.context() as patched:
        patched.setattr(counting, "PATIENCE_MS", 1)
        patched.setattr(counting, "matching", lambda stored: Q(Slow()))
        assert "Counting took too long" in ask(client, stored(KAZAN))["html"]
    assert "9 people meet" in ask(client, stored(on("region", "equals", "RU")))["html"]


def test_the_live_count_says_what_is_wrong(client):
    sign_in_superuser(client)
    assert "choose a group" in ask(client, stored(on("group", "in")))["problems"][0]
    assert client.post(COUNT, "{", content_type="application/json").json()["problems"]


def test_who_may_not_see_contacts_counts_none(client):
    sign_in(client, "view_smartgroup", "add_smartgroup")
    assert client.post(COUNT, json.dumps(stored(KAZAN)), content_type="application/json").status_code == 403
    assert "counted" not in client.get(ADD).content.decode().replace("smart_groups.css", "")


def test_a_count_is_asked_by_post(client):
    sign_in_superuser(client)
    assert client.get(COUNT).status_code == 405


def test_the_form_offers_what_there_is_and_what_is_used_already(monkeypatch):
    monkeypatch.setattr("campaigns.smart_groups.vocabulary.OFFERED", 2)
    groups = [make_group(name) for name in ("A", "B", "C")]
    make_smart_group(KAZAN, name="Smart")
    offered = vocabulary(stored(on("group", "in", groups[0].pk)))["groups"]
    assert offered == [[groups[n].pk, "ABC"[n]] for n in range(3)]
    assert vocabulary({})["groups"] == offered[1:]


def test_the_contacts_of_a_smart_group_are_a_filter_of_their_list(client):
    sign_in_superuser(client)
    make_contact(number(1), attributes={"city": "Kazan"})
    make_contact(number(2))
    group = make_smart_group(KAZAN)
    page = client.get("/admin/campaigns/contact/", {"smart_group": group.pk})
    assert [contact.phone_number.as_e164 for contact in page.context["cl"].result_list] == [number(1)]
    for value in ("999", "x"):
        nobody = client.get("/admin/campaigns/contact/", {"smart_group": value})
        assert list(nobody.context["cl"].result_list) == []


def test_only_campaigns_offer_smart_groups(client):
    sign_in_superuser(client)
    make_group("Static")
    make_smart_group(KAZAN, name="Smart")

    def offered(model: str, field: str) -> set[str]:
        query = {"app_label": "campaigns", "model_name": model, "field_name": field}
        return {row["text"] for row in client.get("/admin/autocomplete/", query).json()["results"]}

    assert offered("campaign", "include_groups") == {"Static", "Smart"}
    assert offered("campaign", "exclude_groups") == {"Static", "Smart"}
    assert offered("contact", "groups") == {"Static"}
    assert offered("contactimport", "groups") == {"Static"}
    assert "Smart" not in text_of(client.get("/admin/campaigns/contactgroup/")).replace("Smart groups", "")


def test_nobody_is_put_into_a_smart_group_by_hand(client):
    sign_in_superuser(client)
    group = make_smart_group(KAZAN)
    contact = make_contact(number(1))
    fields = {"phone_number": number(1), "consent": "unknown", "attributes-name": "", "attributes-value": ""}
    page = client.post(f"/admin/campaigns/contact/{contact.pk}/change/", {**fields, "groups": [group.pk]})
    assert "not one of the available choices" in text_of(page)
    post = {"action": "add_to_group", "_selected_action": [contact.pk], "confirm": "yes", "group": group.pk}
    client.post("/admin/campaigns/contact/", post)
    assert not group.contacts.exists()


def test_a_campaign_is_written_to_a_smart_group(client):
    sign_in_superuser(client)
    make_contact(number(1), attributes={"city": "Kazan"})
    group = make_smart_group(KAZAN)
    campaign = make_campaign(group, body="Hi")
    assert "1 person is in the chosen groups now" in text_of(
        client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/")
    )
    page = text_of(client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/"))
    assert "Smart : city is “Kazan”." in page
    assert Campaign.objects.get().include_groups.get().pk == group.pk


def test_a_group_that_a_smart_group_asks_about_is_not_deleted(client):
    sign_in_superuser(client)
    group = make_group("Staff")
    make_smart_group(block(on("group", "not_in", group.pk)), name="Others")
    page = client.post(f"/admin/campaigns/contactgroup/{group.pk}/delete/", {"post": "yes"})
    assert "Others" in text_of(page)
    assert ContactGroup.objects.filter(pk=group.pk).exists()


def test_a_smart_group_is_deleted_and_that_is_recorded(client):
    sign_in_superuser(client)
    group = make_smart_group(KAZAN)
    client.post(f"{LIST}{group.pk}/delete/", {"post": "yes"})
    assert not ContactGroup.objects.exists()
    assert AuditEvent.objects.get(action="delete_smart_group").subject == "Smart"


def test_smart_groups_are_made_by_those_who_may(client):
    sign_in(client, "view_smartgroup")
    group = make_smart_group(KAZAN)
    assert client.get(ADD).status_code == 403
    assert save(client, stored(KAZAN), url=f"{LIST}{group.pk}/change/").status_code == 403
    assert client.get(f"{LIST}{group.pk}/change/").status_code == 200


def test_a_campaign_whose_conditions_cannot_be_read_is_shown_and_not_sent(client):
    sign_in_superuser(client)
    make_contact(number(1), attributes={"city": "Kazan"})
    campaign = make_campaign(make_smart_group(KAZAN, name="Old"))
    ContactGroup.objects.update(conditions={"version": 9, "match": {}})
    url = f"/admin/campaigns/campaign/{campaign.pk}"
    assert client.get(f"{url}/change/").status_code == 200
    assert "“Old” cannot be used" in text_of(client.get(f"{url}/launch/"))
    confirmed = {"confirm": "yes", "version": campaign.updated_at.isoformat(), "audience": "1"}
    page = client.post(f"{url}/launch/", confirmed, follow=True)
    assert "cannot be used" in text_of(page)
    campaign.refresh_from_db()
    assert campaign.status == "draft"
