"""Marketing goes to those who agreed, and to nobody who has taken that back a moment ago."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import consent, lifecycle
from campaigns.audience import plan
from campaigns.composing import Template
from campaigns.consent import Rule, record_consent, record_consents
from campaigns.demo import seed_demo
from campaigns.forecasting.foreseen import foresee
from campaigns.models import (
    Campaign,
    Consent,
    ConsentChange,
    ConsentKind,
    Contact,
    Conversation,
    MessageStatus,
)
from campaigns.resending import make_child
from campaigns.sending.claim import claim_again, claim_campaign, give_back
from campaigns.sending.handover import write_intent
from sms_backends import get_sms_backend
from tests.campaigns.building import (
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_user,
    number,
    send,
    statuses,
)

pytestmark = pytest.mark.django_db


def reasons(campaign: Campaign) -> list[tuple[str, str]]:
    return list(campaign.messages.order_by("phone_number").values_list("status", "reason"))


def marketing(contacts: int = 2, **fields) -> Campaign:
    """A marketing campaign to people who have agreed, whose rows are written and wait."""
    return launched(contacts=contacts, kind="marketing", **fields)


@pytest.fixture
def everybody_agreed(monkeypatch):
    """Contacts that tests make have agreed to advertising."""
    monkeypatch.setattr(Contact._meta.get_field("consent"), "default", Consent.GIVEN)


# --- who gets it ------------------------------------------------------------------------------------------------------

CASES = [
    # consent, to what, may get marketing, may get it where no proof is asked for
    (Consent.UNKNOWN, ConsentKind.MARKETING, False, True),
    (Consent.GIVEN, ConsentKind.MARKETING, True, True),
    (Consent.GIVEN, ConsentKind.SERVICE, False, True),
    (Consent.WITHDRAWN, ConsentKind.MARKETING, False, False),
    (Consent.WITHDRAWN, ConsentKind.SERVICE, False, False),
]


@pytest.mark.parametrize(("given", "kind", "with_proof", "without_proof"), CASES)
def test_whom_marketing_goes_to(settings, given, kind, with_proof, without_proof):
    make_contact(number(1), consent=given, consent_kind=kind)
    for needs_proof, expected in ((True, with_proof), (False, without_proof)):
        settings.SMS_MARKETING_NEEDS_CONSENT = needs_proof
        (planned,) = plan(Contact.objects.order_by("pk"), Template("Hi"), kind="marketing")
        assert planned.reason == ("" if expected else "no_consent")
        rule = consent.rule_for("marketing")
        assert Contact.objects.filter(consent.lacking(rule)).exists() is not expected


@pytest.mark.parametrize(("given", "kind", "with_proof", "without_proof"), CASES)
def test_service_messages_go_to_everybody(given, kind, with_proof, without_proof):
    make_contact(number(1), consent=given, consent_kind=kind)
    (planned,) = plan(Contact.objects.order_by("pk"), Template("Hi"), kind="service")
    assert planned.reason == ""
    assert not Contact.objects.filter(consent.lacking(Rule.NOTHING)).exists()


def test_the_page_before_sending_says_how_many_lack_consent_and_what_to_do():
    campaign = make_campaign(make_group(contacts=3), kind="marketing")
    found = foresee(campaign)
    assert (found.recipients, found.suppressed["no_consent"]) == (0, 3)
    assert any("3 people have not agreed to advertising" in warning for warning in found.warnings)


def test_the_freeze_asks_as_often_for_many_contacts_as_for_few(everybody_agreed):
    Conversation.objects.create(
        phone_number=number(9999), canonical_number=number(9999), gateway="default",
        last_at="2026-01-01T00:00:00Z", held_since="2026-01-01T00:00:00Z",
    )  # fmt: skip
    counted = []
    for people in (3, 60):
        campaign = make_campaign(make_group(f"G{people}"), kind="marketing")
        campaign.include_groups.get().contacts.add(
            *[Contact.objects.get_or_create(phone_number=number(n))[0] for n in range(people)]
        )
        lifecycle.launch(campaign, actor=None)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            frozen(campaign)
        counted.append(len(queries))
    assert counted[0] == counted[1]


# --- taken back after the freeze --------------------------------------------------------------------------------------


def test_withdrawn_after_the_freeze_it_is_not_sent(everybody_agreed, provider):
    campaign = marketing()
    record_consent(Contact.objects.get(phone_number=number(1)), Consent.WITHDRAWN, source="phone call")
    assert reasons(campaign) == [("suppressed", "no_consent"), ("queued", "")]
    send(campaign)
    assert provider.copies() == {number(2): 1}


@pytest.mark.parametrize("is_bound", [False, True], ids=["at once", "claimed"])
def test_withdrawn_behind_our_back_the_intent_finds_out(everybody_agreed, provider, is_bound):
    """An import wrote the contacts itself, between freeze and request."""
    campaign = marketing(max_per_second=1000 if is_bound else None)
    Contact.objects.filter(phone_number=number(1)).update(consent=Consent.WITHDRAWN)
    Contact.objects.filter(phone_number=number(2)).update(consent_kind=ConsentKind.SERVICE)
    send(campaign)
    assert not provider.taken
    assert statuses(campaign) == {"suppressed": 2}
    assert {reason for _status, reason in reasons(campaign)} == {"no_consent"}


def test_a_claim_whose_rule_nobody_has_named_is_asked_all_the_same(everybody_agreed, provider):
    campaign = marketing(contacts=1)
    claim = claim_campaign(campaign.pk)
    give_back(claim)
    Contact.objects.update(consent=Consent.WITHDRAWN)
    claim = claim_again(one.pk for one in claim.messages)
    assert claim.consent is None
    assert not write_intent(claim, claim.messages, get_sms_backend()).messages
    assert reasons(campaign) == [("suppressed", "no_consent")]


def test_a_hold_that_came_after_the_freeze_is_honoured_by_the_intent(everybody_agreed, provider):
    campaign = marketing(contacts=1)
    Conversation.objects.create(
        phone_number=number(1), canonical_number=number(1), gateway="default",
        last_at="2026-01-01T00:00:00Z", held_since="2026-01-01T00:00:00Z",
    )  # fmt: skip
    send(campaign)
    assert reasons(campaign) == [("suppressed", "under_review")]


def test_service_messages_are_sent_whatever_was_withdrawn(provider):
    campaign = launched(contacts=1)
    record_consent(Contact.objects.get(), Consent.WITHDRAWN, source="phone call")
    send(campaign)
    assert provider.copies() == {number(1): 1}


def test_without_the_need_of_proof_only_a_withdrawal_counts_at_the_intent(settings, provider):
    settings.SMS_MARKETING_NEEDS_CONSENT = False
    campaign = marketing(contacts=2)
    Contact.objects.filter(phone_number=number(1)).update(consent=Consent.WITHDRAWN)
    send(campaign)
    assert provider.copies() == {number(2): 1}


def test_sending_again_leaves_out_whoever_has_withdrawn_it(everybody_agreed, provider):
    campaign = marketing(contacts=2)
    campaign.messages.update(status=MessageStatus.FAILED)
    lifecycle.complete_if_done(campaign.pk)
    campaign.refresh_from_db()
    Contact.objects.filter(phone_number=number(1)).update(consent=Consent.WITHDRAWN)
    child = frozen(make_child(campaign, [MessageStatus.FAILED], actor=None))
    assert reasons(child) == [("suppressed", "no_consent"), ("queued", "")]


# --- recording it -----------------------------------------------------------------------------------------------------


def test_consent_is_kept_with_its_proof_and_its_history():
    user = make_user()
    contact = make_contact(number(1))
    at = "2026-01-02T03:04:05Z"
    record_consent(contact, Consent.GIVEN, source="web form", evidence="IP 192.0.2.1", at=_at(at), actor=user)
    assert (contact.consent, contact.consent_source, contact.consent_evidence) == ("given", "web form", "IP 192.0.2.1")
    assert contact.consented_at == _at(at)
    record_consent(contact, Consent.WITHDRAWN, source="phone call", actor=user)
    assert not contact.consented_at
    history = ConsentChange.objects.values_list("act", "kind", "source", "evidence", "actor__username", "contact")
    assert list(history) == [
        ("given", "marketing", "web form", "IP 192.0.2.1", "olga", contact.pk),
        ("withdrawn", "marketing", "phone call", "", "olga", contact.pk),
    ]


def _at(text: str):
    from django.utils.dateparse import parse_datetime

    return parse_datetime(text)


def test_recording_the_same_for_many_twice_changes_nothing(monkeypatch):
    monkeypatch.setattr(consent, "CHUNK", 2)
    make_group(contacts=5)
    ids = list(Contact.objects.values_list("pk", flat=True))
    for changed in (5, 0):
        assert record_consents(ids, Consent.GIVEN, source="fair 2026", evidence="paper list") == changed
    assert ConsentChange.objects.count() == 5
    assert Contact.objects.filter(consent=Consent.GIVEN, consent_source="fair 2026").count() == 5


def test_consent_to_service_only_ends_what_waits_of_marketing(everybody_agreed):
    campaign = marketing(contacts=1)
    record_consent(Contact.objects.get(), Consent.GIVEN, kind=ConsentKind.SERVICE, source="contract")
    assert reasons(campaign) == [("suppressed", "no_consent")]


# --- elsewhere --------------------------------------------------------------------------------------------------------


def test_the_people_of_the_demo_have_agreed():
    assert seed_demo()
    assert set(Contact.objects.values_list("consent", "consent_source")) == {("given", "demo")}
    assert ConsentChange.objects.count() == Contact.objects.count()
    found = foresee(make_campaign(*Campaign.objects.get().include_groups.all(), kind="marketing"))
    assert not found.suppressed["no_consent"]


def test_a_marketing_campaign_made_by_command_says_who_lacks_consent(capsys):
    make_group("VIP", contacts=2)
    call_command("create_campaign", "Sale", "--text", "Hello", "--group", "VIP", "--marketing")
    assert "2 people have not agreed to advertising" in capsys.readouterr().err
    call_command("create_campaign", "News", "--text", "Hello", "--group", "VIP")
    assert capsys.readouterr().err == ""
