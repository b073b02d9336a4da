"""A rehearsal says what would have happened, and cannot text anybody."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from campaigns import rehearsing
from campaigns.forecasting import running
from campaigns.forecasting.foreseen import read
from campaigns.models import Attempt, AuditEvent, Campaign, Figure, ForecastKind, ForecastStatus, SentMessage
from sms_backends import SMSMessage, get_sms_backend
from sms_backends.exceptions import SmsError
from sms_backends.providers.simulator import ENDINGS
from sms_backends.results import Outcome
from tests.campaigns.building import make_campaign, make_contact, make_group, number, there
from tests.campaigns.screens import campaign_url, sign_in, sign_in_superuser, text_of

ENDS = sorted(ENDINGS)


def what_sending_gives(phone_number: str) -> tuple[str, str]:
    """The simulator's real answer and receipt for one message, in the words of a rehearsal."""
    (result,) = SMSMessage(phone_numbers=[phone_number], message="Hello", using="default").send()
    error = result.error
    if result.outcome is Outcome.ACCEPTED:
        (receipt,) = get_sms_backend("default").fetch_receipts([(there(result.provider_message_id), phone_number)])
        if receipt.status == "accepted":
            return "sent", ""
        return str(receipt.status), str(receipt.reason or "")
    assert isinstance(error, SmsError)
    if not error.outcome_known:
        return "unknown", ""
    if error.scope == "recipient":
        return "rejected", str(error.reason)
    return ("failed" if not error.permanent else "stopped"), str(error.reason)


@pytest.mark.parametrize("ending", [*ENDS, "123456"])
def test_it_foretells_what_the_simulator_does(settings, ending):
    settings.SMS_SETTINGS = {
        "BACKEND": "simulator",
        "OPTIONS": {"LATENCY": 0, "TIMEOUT": 0, "DELIVERY_SECONDS": 0, "LATE_SECONDS": 0},
    }
    phone_number = f"+7999{'1234567'[: 7 - len(ending)]}{ending}"
    foretold, reason = rehearsing.fate(phone_number)
    given, given_reason = what_sending_gives(phone_number)
    if foretold == "stopped":
        assert given in {"stopped", "failed"}
    else:
        assert foretold == given
    assert reason == given_reason


@pytest.mark.django_db
def test_the_whole_campaign_is_rehearsed_and_leaves_no_trace(provider, woken):
    group = make_group()
    for n in (1, 2, 99, 555001, 555009):
        make_contact(number(n), group, first_name="Anna")
    make_contact(number(3), group)
    campaign = make_campaign(group, body="Hello {{ first_name }}")
    forecast = running.begin(campaign, ForecastKind.REHEARSAL)
    found = there(read(forecast, campaign))
    assert found.tally.fates == {
        ("delivered", ""): 2,
        ("undelivered", "unreachable_temporary"): 1,
        ("rejected", "invalid_number"): 1,
        ("unknown", ""): 1,
    }
    assert (found.recipients, found.segments) == (5, 5)
    assert provider.requests == []  # the real gateway heard of nothing
    campaign.refresh_from_db()
    assert (campaign.status, campaign.launched_at) == ("draft", None)
    for model in (SentMessage, Attempt, Figure):
        assert not model.objects.exists()


def test_nothing_in_it_could_send():
    """By construction: the modules know neither messages to be sent nor the engine, and open no gateway."""
    folder = Path(django_settings.BASE_DIR) / "campaigns"
    for path in (
        folder / "rehearsing.py",
        folder / "forecasting" / "counting.py",
        folder / "forecasting" / "running.py",
    ):
        tree = ast.parse(path.read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not names & {"SMSMessage", "get_sms_backend", "gateways", "send", "send_sms", "send_messages"}, path


@pytest.mark.django_db
def test_a_foreteller_is_the_simulator_whatever_is_configured(settings):
    settings.SMS_SETTINGS = {"BACKEND": "smsc", "OPTIONS": {"SMSC_LOGIN": "a", "SMSC_PASSWORD": "b"}}
    rehearsing.simulator.cache_clear()
    backend: Any = rehearsing.simulator()
    assert type(backend).__module__ == "sms_backends.providers.simulator"
    assert backend.capabilities.pretends


@pytest.fixture
def campaign() -> Campaign:
    group = make_group()
    for n in (1, 99):
        make_contact(number(n), group)
    return make_campaign(group)


@pytest.mark.django_db
def test_begun_looked_at_and_thrown_away_on_its_page(client, campaign, woken):
    sign_in_superuser(client)
    url = campaign_url(campaign, "rehearsal")
    assert "Nobody is texted" in text_of(client.get(url))
    client.post(url, {"_begin": "1"})
    page = text_of(client.get(url))
    assert "What would have happened" in page
    assert "delivered 1 50" in page
    assert "undelivered: phone not reachable 1 50" in page
    client.post(url, {"_discard": "1"})
    assert running.latest(campaign, ForecastKind.REHEARSAL) is None
    assert "What would have happened" not in text_of(client.get(url))
    trail = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(trail) == ["rehearsal_begun", "rehearsal_discarded"]


@pytest.mark.django_db
def test_a_large_one_runs_in_the_background_and_says_when_it_is_outdated(client, campaign, woken, monkeypatch):
    sign_in_superuser(client)
    monkeypatch.setattr(running, "AT_ONCE", 0)
    url = campaign_url(campaign, "rehearsal")
    client.post(url, {"_begin": "1"})
    assert "0 of 2 people are counted" in text_of(client.get(url))
    answer = client.get(campaign_url(campaign, "forecast"), {"kind": "rehearsal"}).json()
    assert (answer["status"], answer["people"]) == (ForecastStatus.COUNTING, 2)
    running.work(there(running.latest(campaign, ForecastKind.REHEARSAL)).pk, seconds=None)
    campaign.body = "Changed"
    campaign.save()
    assert "The text was changed. Rehearse it again" in text_of(client.get(url))


@pytest.mark.django_db
def test_a_text_that_is_not_understood_is_said(client, campaign, woken):
    sign_in_superuser(client)
    Campaign.objects.update(body="{{ x")
    response = client.post(campaign_url(campaign, "rehearsal"), {"_begin": "1"}, follow=True)
    assert "not closed" in text_of(response)


@pytest.mark.django_db
def test_only_whoever_may_send_rehearses(client, campaign, woken):
    sign_in(client, "view_campaign", "control_campaign")
    assert client.post(campaign_url(campaign, "rehearsal"), {"_begin": "1"}).status_code == 403
    assert running.latest(campaign, ForecastKind.REHEARSAL) is None
