"""Single messages go through the same steps as a campaign's, and pressing twice sends once."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from campaigns import optouts
from campaigns.composing import TemplateError
from campaigns.models import AuditEvent, MessageStatus, OptOutSource, Purpose, SentMessage
from campaigns.sending.dispatch import send_waiting
from campaigns.single import queue_single, sample_text, send_test
from tests.campaigns.building import make_campaign, make_contact, make_group, make_user, number

pytestmark = pytest.mark.django_db


def quick(text: str = "Привет", **fields) -> tuple[SentMessage, bool]:
    return queue_single(number(1), text, **{"purpose": Purpose.QUICK, **fields})


def test_it_is_a_row_of_the_log_and_is_sent(provider):
    contact = make_contact(number(1))
    user = make_user()
    message, created = quick(actor=user, sender_id="SHOP")
    assert created
    assert (message.status, message.purpose, message.contact, message.created_by) == ("queued", "quick", contact, user)
    assert (message.encoding, message.segment_count, message.region) == ("UCS-2", 1, "RU")
    assert AuditEvent.objects.get(action="send_quick").actor == user
    send_waiting(None, seconds=5)
    message.refresh_from_db()
    assert message.status == MessageStatus.SENT
    assert provider.requests[0].sender_id == "SHOP"


def test_the_same_form_sent_twice_is_one_message(provider):
    first, created = quick(nonce="form-1")
    again, created_again = quick(nonce="form-1")
    other, created_other = quick(nonce="form-2")
    assert (created, created_again, created_other) == (True, False, True)
    assert first == again != other
    assert AuditEvent.objects.filter(action="send_quick").count() == 2
    send_waiting(None, seconds=5)
    assert provider.copies() == {number(1): 2}


def test_without_a_nonce_each_is_a_message_of_its_own():
    assert quick()[0] != quick()[0]


def test_a_failure_that_is_no_double_click_is_not_hidden(monkeypatch):
    def refuse(*args, **kwargs):
        raise IntegrityError("another constraint")

    monkeypatch.setattr(SentMessage, "save", refuse)
    with pytest.raises(IntegrityError):
        quick(nonce="form-1")


def test_it_wakes_a_worker_once_it_is_written(woken, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        quick()
        assert woken == []
    assert woken == [("send_urgent",)]


def test_whoever_opted_out_gets_nothing(provider):
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    message, _created = quick()
    assert (message.status, message.reason) == (MessageStatus.SUPPRESSED, "opted_out")
    send_waiting(None, seconds=5)
    assert provider.requests == []


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [("SMS_ONLY_TO", [number(2)], "not_allowed"), ("SMS_ALLOWED_COUNTRIES", ["EE"], "country_not_enabled")],
)
def test_the_installations_guard_is_asked(settings, setting, value, reason):
    setattr(settings, setting, value)
    message, _created = quick()
    assert (message.status, message.reason) == (MessageStatus.SUPPRESSED, reason)
    assert setting in message.reason_text


def test_a_very_long_text_is_counted_and_sent(provider):
    message, _created = quick("я" * 10_000)
    assert message.segment_count == 150
    send_waiting(None, seconds=5)
    assert provider.taken[0][1] == "я" * 10_000


# --- tests of a campaign --------------------------------------------------------------------------------------


def test_a_test_goes_out_as_somebody_would_get_it(provider):
    group = make_group()
    make_contact(number(2), group)
    make_contact(number(3), group, first_name="Anna")
    campaign = make_campaign(group, body="Hello {{ first_name }}", sender_id="SHOP")
    message = send_test(campaign, number(1), actor=make_user(), nonce="n")
    assert (message.body, message.purpose, message.sender_id) == ("Hello Anna", "test", "SHOP")
    assert message.campaign is None
    assert send_test(campaign, number(1), actor=None, nonce="n") == message
    campaign.refresh_from_db()
    assert (campaign.status, campaign.audience) == ("draft", 0)


def test_without_anybody_who_has_all_values_a_test_shows_the_names():
    campaign = make_campaign(make_group(contacts=1), body='{{ first_name }} {{ x|default:"y" }}')
    assert sample_text(campaign, number(1)) == "first_name y"


def test_a_text_that_is_not_understood_is_not_sent_as_a_test():
    with pytest.raises(TemplateError):
        send_test(make_campaign(body="{{"), number(1), actor=None)
    assert not SentMessage.objects.exists()
