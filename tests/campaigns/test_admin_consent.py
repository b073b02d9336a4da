"""Proof of consent on the contact's page, erasing from there, and everything about a person as a file."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest

from campaigns import consent, optouts, replies
from campaigns.models import AuditEvent, Consent, ConsentChange, Contact, Erasure, OptOut, OptOutSource
from sms_backends import IncomingSms
from tests.campaigns.building import (
    handed_over,
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_user,
    number,
    send,
)
from tests.campaigns.screens import campaign_url, said, sign_in, sign_in_superuser, text_of
from tests.campaigns.test_admin_contacts import contact_form

pytestmark = pytest.mark.django_db

RIGHTS = ("view_contact", "change_contact", "view_conversation", "view_optout", "change_consent")


def contact_url(contact: Contact) -> str:
    return f"/admin/campaigns/contact/{contact.pk}/change/"


def test_the_contacts_page_shows_the_proof_and_how_it_came_to_that(client, django_assert_max_num_queries):
    sign_in(client, *RIGHTS)
    contact = make_contact(number(1))
    consent.record_consent(
        contact, Consent.GIVEN, source="web form", evidence="ticked at 12:00", actor=make_user("vera")
    )
    replies.receive("default", [IncomingSms(number(1), "STOP it, please", "1", "a")])
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR, note="called us")
    with django_assert_max_num_queries(40):
        page = text_of(client.get(contact_url(contact)))
    for words in (
        "web form",
        "ticked at 12:00",
        "vera",
        "consent given",
        "opted out",
        "Opted out",
        "Open the conversation",
    ):
        assert words in page


def test_a_held_contact_says_so(client):
    sign_in(client, *RIGHTS)
    contact = make_contact(number(1))
    replies.receive("default", [IncomingSms(number(1), "please don't text me", "1", "a")])
    assert "may be an opt-out" in text_of(client.get(contact_url(contact)))


def test_consent_needs_a_source_and_is_written_into_the_history(client):
    sign_in(client, *RIGHTS)
    contact = make_contact(number(1))
    response = client.post(contact_url(contact), contact_form(consent="given"))
    assert "Say where the consent comes from" in text_of(response)
    client.post(contact_url(contact), contact_form(consent="given", consent_source="fair", consent_kind="service"))
    contact.refresh_from_db()
    assert (contact.consent, contact.consent_kind) == ("given", "service")
    assert contact.consented_at
    change = ConsentChange.objects.get()
    assert (change.act, change.kind, change.source, str(change.actor)) == ("given", "service", "fair", "olga")
    at = contact.consented_at
    same = {"consented_at_0": f"{at:%Y-%m-%d}", "consented_at_1": f"{at:%H:%M:%S}", "first_name": "Anna"}
    client.post(
        contact_url(contact), contact_form(consent="given", consent_source="fair", consent_kind="service", **same)
    )
    contact.refresh_from_db()
    assert contact.first_name == "Anna"
    assert ConsentChange.objects.count() == 1, "nothing of the consent has changed"


def test_withdrawn_on_the_contacts_page_it_stops_what_waits(client):
    sign_in(client, *RIGHTS)
    contact = make_contact(number(1), make_group(), consent="given")
    campaign = make_campaign(contact.groups.get(), kind="marketing")
    from campaigns import lifecycle
    from tests.campaigns.building import frozen

    lifecycle.launch(campaign, actor=None)
    campaign = frozen(campaign)
    client.post(contact_url(contact), contact_form(consent="withdrawn"))
    assert list(campaign.messages.values_list("status", "reason")) == [("suppressed", "no_consent")]


def test_the_page_of_a_marketing_campaign_says_who_is_left_out_before_it_is_sent(client):
    sign_in(client, "view_campaign", "change_campaign")
    group = make_group(contacts=2)
    make_contact(number(3), group, consent="given")
    page = text_of(client.get(campaign_url(make_campaign(group, kind="marketing"))))
    assert "2 people have not agreed to advertising" in page
    assert "agreed to advertising" not in text_of(client.get(campaign_url(make_campaign(group))))


# --- erasing ----------------------------------------------------------------------------------------------------------

ERASE = "/admin/campaigns/erasure/add/"


def test_erasing_asks_for_a_reason_and_a_yes(client):
    sign_in(client, "add_erasure", "view_erasure", "view_contact")
    contact = make_contact(number(1), first_name="Anna")
    assert "Erase this person" in text_of(client.get(contact_url(contact)))
    page = client.get(ERASE, {"contact": contact.pk})
    assert number(1) in page.content.decode()
    client.post(ERASE, {"phone_number": number(1), "reason": "letter"})
    client.post(ERASE, {"phone_number": number(1), "is_sure": "on"})
    assert Contact.objects.exists()
    response = client.post(ERASE, {"phone_number": "8 999 000 00 01", "reason": "letter", "is_sure": "on"})
    assert "The person is erased." in said(response)
    assert not Contact.objects.exists()
    listed = text_of(client.get("/admin/campaigns/erasure/"))
    assert "letter" in listed
    assert number(1) not in listed
    assert "messages" in text_of(client.get(f"/admin/campaigns/erasure/{Erasure.objects.get().pk}/change/"))


def test_what_has_to_wait_says_so(client, provider):
    sign_in(client, "add_erasure", "view_erasure")
    handed_over(launched(contacts=1))
    response = client.post(ERASE, {"phone_number": number(1), "reason": "letter", "is_sure": "on"})
    assert "1 message to this number is on its way" in said(response)
    assert "waits until nothing is on its way" in text_of(client.get("/admin/campaigns/erasure/"))


@pytest.mark.parametrize("contact", ["", "x", "999999", "1; drop"])
def test_a_contact_that_is_not_there_is_no_error(client, contact):
    sign_in(client, "add_erasure", "view_erasure")
    assert client.get(ERASE, {"contact": contact}).status_code == 200


def test_erasing_and_exporting_need_their_permissions(client):
    sign_in(client, "view_erasure", *RIGHTS)
    contact = make_contact(number(1))
    page = text_of(client.get(contact_url(contact)))
    assert "Erase this person" not in page
    assert "Everything about this person" not in page
    assert client.get(ERASE).status_code == 403
    assert client.post("/admin/campaigns/erasure/export/", {"phone_number": number(1)}).status_code == 403
    assert Contact.objects.exists()


def test_nobody_lifts_the_opt_out_of_somebody_whom_nobody_knows(client):
    sign_in_superuser(client)
    make_contact(number(1))
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    client.post(ERASE, {"phone_number": number(1), "reason": "letter", "is_sure": "on"})
    url = f"/admin/campaigns/optout/{OptOut.objects.get().pk}"
    assert client.get(f"{url}/change/").status_code == 200
    assert client.post(f"{url}/delete/", {"note": "because"}).status_code == 403
    assert OptOut.objects.exists()


# --- everything about a person ----------------------------------------------------------------------------------------


def test_everything_about_a_person_is_in_the_file(client, provider):
    user = sign_in(client, "export_person", "view_erasure")
    contact = make_contact(number(1), make_group("VIP"), first_name="=Anna", attributes={"city": "Kazan"})
    consent.record_consent(contact, Consent.GIVEN, source="web form")
    campaign = make_campaign(contact.groups.get(), name="Autumn", body="Hello {{ city }}")
    from campaigns import lifecycle
    from tests.campaigns.building import frozen

    lifecycle.launch(campaign, actor=None)
    send(frozen(campaign))
    replies.receive("default", [IncomingSms(number(1), "Спасибо", "1", "a")])
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR, note="called us")
    make_contact(number(2), first_name="Boris")
    response = client.post("/admin/campaigns/erasure/export/", {"phone_number": number(1)})
    assert response.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    person = json.loads(archive.read("person.json"))
    assert person["phone_number"] == number(1)
    assert person["contact"][0]["attributes"] == {"city": "Kazan"}
    assert person["contact"][0]["groups"] == ["VIP"]
    assert person["messages"][0] | {"body": "Hello Kazan", "campaign": "Autumn"} == person["messages"][0]
    assert person["incoming"][0]["text"] == "Спасибо"
    assert [one["act"] for one in person["consent"]] == ["given", "opted_out"]
    assert person["opt_out"][0]["note"] == "called us"
    assert "Boris" not in response.content.decode("latin-1") + json.dumps(person)
    assert "claim_token" not in person["messages"][0]
    (row,) = csv.DictReader(io.StringIO(archive.read("contact.csv").decode("utf-8-sig")))
    assert row["first_name"] == "'=Anna"
    assert row["phone_number"] == number(1)
    event = AuditEvent.objects.get(action="export_person")
    assert (event.actor, event.subject) == (user, number(1))


def test_of_somebody_unknown_there_is_a_file_that_says_so(client):
    sign_in(client, "export_person", "view_erasure")
    response = client.post("/admin/campaigns/erasure/export/", {"phone_number": number(9)})
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.namelist() == ["person.json"]
    assert json.loads(archive.read("person.json"))["messages"] == []
