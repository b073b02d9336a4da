"""The page of a message as an answer for a complaint: who asked for it, what was allowed then, what happened."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns import lifecycle
from campaigns.consent import record_consent
from campaigns.models import (
    Consent,
    ConsentChange,
    Contact,
    InboundMessage,
    MessageStatus,
    OptOut,
    OptOutSource,
    SentMessage,
)
from campaigns.optouts import lift_opt_out, record_opt_out
from campaigns.standing import changes_of, standing_at
from sms_backends import DeliveryStatus
from tests.campaigns.building import (
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    make_user,
    message_to,
    number,
    report,
    send,
)
from tests.campaigns.screens import log_url, message_url, sign_in, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]


def sent(**fields) -> SentMessage:
    """A message of a campaign that olga wrote and boris launched, delivered."""
    group = make_group(contacts=1)
    contact = Contact.objects.get()
    week = timezone.now() - timedelta(days=7)
    record_consent(contact, Consent.GIVEN, source="shop form", evidence="signed on paper 17", at=week)
    campaign = make_campaign(group, created_by=make_user("olga"), **fields)
    lifecycle.launch(campaign, actor=make_user("boris"))
    send(frozen(campaign))
    report(DeliveryStatus.DELIVERED, 1)
    return message_to(number(1))


def test_who_wrote_it_who_sent_it_and_what_was_allowed_stand_on_the_page(client, provider):
    message = sent(kind="marketing")
    sign_in_superuser(client)
    page = text_of(client.get(message_url(message)))
    for words in (
        "Written by olga",
        "Asked for by boris",
        "Consent when it was sent consent given (advertising, shop form)",
        "Kind of campaign marketing",
        "Opted out when it was sent no",
        "Boris sent the campaign",
        "signed on paper 17",
    ):
        assert words in page


def test_the_proof_is_linked_for_those_who_may_see_contacts(client, provider):
    message = sent()
    contact = reverse("admin:campaigns_contact_change", args=[message.contact_id])
    sign_in(client, "view_sentmessage", username="viewer")
    assert f"{contact}#consent-proof" not in client.get(message_url(message)).content.decode()
    sign_in(client, "view_sentmessage", "view_contact", username="boss")
    assert f"{contact}#consent-proof" in client.get(message_url(message)).content.decode()
    assert 'id="consent-proof"' in client.get(contact).content.decode()


def test_consent_and_opt_out_are_told_as_they_were_and_as_they_are(client, provider):
    message = sent()
    record_consent(Contact.objects.get(), Consent.WITHDRAWN, source="letter")
    record_opt_out(number(1), source=OptOutSource.KEYWORD, note="STOP")
    sign_in_superuser(client)
    page = text_of(client.get(message_url(message)))
    then, now = page.index("Consent when it was sent consent given"), page.index("Consent now consent withdrawn")
    assert then < page.index("Opted out when it was sent no") < now < page.index("Opted out now opted out (a reply)")


def test_an_opt_out_before_the_message_is_told_although_it_was_lifted_since(provider):
    record_opt_out(number(1), source=OptOutSource.KEYWORD)
    between = timezone.now()
    lift_opt_out(number(1), note="asked on the phone", actor=make_user())
    changes = changes_of(number(1))
    assert standing_at(changes, between).opt_out is not None
    assert standing_at(changes, timezone.now()).opt_out is None
    assert standing_at(changes, between - timedelta(days=1)).opt_out is None


def test_what_was_recorded_before_there_was_a_history_counts():
    week = timezone.now() - timedelta(days=7)
    make_contact(number(1), consent=Consent.GIVEN, consented_at=week, consent_source="old list")
    OptOut.objects.create(phone_number=number(1), source=OptOutSource.IMPORT)
    assert not ConsentChange.objects.exists()
    now = standing_at(changes_of(number(1)), timezone.now())
    assert now.consent is not None
    assert now.consent.source == "old list"
    assert now.opt_out is not None


def test_an_answer_stands_in_the_timeline(client, provider):
    message = sent()
    reply = InboundMessage.objects.create(
        gateway="default",
        phone_number=number(1),
        text="Who are you?",
        answers=message,
        fingerprint="1",
        received_at=timezone.now() + timedelta(seconds=5),
    )
    sign_in_superuser(client)
    response = client.get(message_url(message))
    page = text_of(response)
    assert page.index("Delivery receipt") < page.index("The person answered") < page.index("Who are you?")
    assert reverse("admin:campaigns_inboundmessage_change", args=[reply.pk]) in response.content.decode()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (MessageStatus.CANCELLED, "Cancelled before its turn came"),
        (MessageStatus.FAILED, "Given up"),
        (MessageStatus.SUPPRESSED, "Not sent on purpose"),
    ],
)
def test_how_it_ended_without_being_sent_is_a_step(client, status, words):
    sign_in_superuser(client)
    message = make_message(status=status, status_at=timezone.now(), reason="" if status == "cancelled" else "barred")
    assert words in text_of(client.get(message_url(message)))


def test_a_message_without_a_campaign_has_a_page_too(client):
    sign_in_superuser(client)
    page = text_of(client.get(message_url(make_message())))
    assert "Consent when it was sent none on record" in page
    assert "What it means" not in page


def test_the_page_can_be_printed_and_says_by_whom(client):
    sign_in_superuser(client)
    response = client.get(message_url(make_message()))
    assert "Printed by root at" in text_of(response)
    assert "data-print" in response.content.decode()


def test_two_clicks_lead_from_a_number_to_its_message(client):
    campaign = launched(contacts=1)
    sign_in_superuser(client)
    found = client.get(log_url(q="8 999 000-00-01"))
    message = campaign.messages.get()
    assert message_url(message) in found.content.decode()
    assert number(1) in text_of(client.get(message_url(message)))


def test_the_page_takes_the_same_queries_whatever_happened(client, provider, django_assert_max_num_queries):
    message = sent()
    sign_in_superuser(client)
    client.get(message_url(message))
    # session, user, the message, contact, campaign, three users; attempts, events, acts, replies, consent, opt-out,
    # salt; prices, notices
    with django_assert_max_num_queries(20):
        client.get(message_url(message))
