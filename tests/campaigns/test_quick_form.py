"""The form at `/`: one text to one number."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import single, views
from campaigns.models import Heartbeat, MessageStatus, OptOutSource, Purpose, SentMessage
from campaigns.optouts import record_opt_out
from campaigns.sending.dispatch import send_waiting
from sms_backends import Reason, RecipientRejectedError
from tests.campaigns.screens import hidden_fields, sign_in, text_of

pytestmark = pytest.mark.django_db

NUMBER = "8 (912) 345-67-89"


@pytest.fixture
def worker(monkeypatch, provider):
    """A worker that is alive and sends while the page waits."""
    Heartbeat.objects.create(name="worker", at=timezone.now())
    monkeypatch.setattr(views, "LOOK_EVERY_SECONDS", 0)
    monkeypatch.setattr(single, "wake", lambda task: None)
    monkeypatch.setattr("campaigns.views.time.sleep", lambda seconds: send_waiting(None, seconds=5))
    return provider


@pytest.fixture
def no_worker(monkeypatch):
    monkeypatch.setattr(single, "wake", lambda task: None)


def submit(client, **fields):
    nonce = hidden_fields(client.get("/"))["nonce"]
    return client.post("/", {"phone": NUMBER, "message_text": "Hello Anna", "nonce": nonce, **fields})


def test_who_is_not_signed_in_goes_to_the_sign_in_page_and_back(client):
    assert client.get("/").url == "/admin/login/?next=/"
    assert client.post("/", {"phone": NUMBER, "message_text": "Hello"}).url == "/admin/login/?next=/"
    assert not SentMessage.objects.exists()


def test_staff_without_the_permission_may_not(client):
    sign_in(client, "view_campaign")
    assert client.get("/").status_code == 403
    assert client.get("/number/?phone=123").status_code == 403


def test_the_result_stands_on_the_page_with_the_backends_path_and_a_link(client, worker):
    user = sign_in(client, "send_quick", "view_sentmessage")
    response = submit(client)
    message = SentMessage.objects.get()
    assert (message.phone_number, message.body, message.purpose) == ("+79123456789", "Hello Anna", Purpose.QUICK)
    assert (message.status, message.created_by) == (MessageStatus.SENT, user)
    page = text_of(response)
    assert "tests.campaigns.providers.SameText" in page
    assert "+79123456789 sent" in page
    assert message.provider_message_id in page
    assert f'href="{message.get_absolute_url()}"' in response.content.decode()


def test_two_clicks_send_once(client, worker):
    sign_in(client, "send_quick")
    fields = {"phone": NUMBER, "message_text": "Hello", "nonce": hidden_fields(client.get("/"))["nonce"]}
    client.post("/", fields)
    response = client.post("/", fields)
    assert SentMessage.objects.count() == 1
    assert "the message was sent once" in text_of(response)


def test_a_second_message_from_a_fresh_form_is_another(client, worker):
    sign_in(client, "send_quick")
    first = submit(client)
    client.post("/", {"phone": NUMBER, "message_text": "Hello", "nonce": hidden_fields(first)["nonce"]})
    assert SentMessage.objects.count() == 2


def test_without_a_worker_it_stays_queued_and_says_so_at_once(client, no_worker, monkeypatch):
    sign_in(client, "send_quick")
    monkeypatch.setattr(
        "campaigns.views.time.sleep", lambda seconds: pytest.fail("waited for a worker that is not there")
    )
    page = text_of(submit(client))
    assert "No worker is alive. The message stays queued" in page
    assert SentMessage.objects.get().status == MessageStatus.QUEUED


def test_a_worker_that_is_busy_is_not_waited_for_for_ever(client, no_worker, monkeypatch):
    sign_in(client, "send_quick")
    Heartbeat.objects.create(name="worker", at=timezone.now() + timedelta(seconds=5))
    monkeypatch.setattr(views, "WAIT_SECONDS", 0)
    assert "The worker has not come to it yet." in text_of(submit(client))


def test_a_number_that_is_none_is_explained_and_everything_stays_filled_in(client, no_worker):
    sign_in(client, "send_quick")
    response = submit(client, phone="12 34")
    page = response.content.decode()
    assert "too short" in text_of(response)
    assert 'value="12 34"' in page
    assert "Hello Anna</textarea>" in page
    assert not SentMessage.objects.exists()


def test_an_empty_text_is_refused(client, no_worker):
    sign_in(client, "send_quick")
    assert "The text is empty." in text_of(submit(client, message_text=" \n "))
    assert not SentMessage.objects.exists()


def test_a_refusal_is_given_in_words_and_the_form_stays_filled_in(client, worker):
    sign_in(client, "send_quick")
    worker.refusals["+79123456789"] = RecipientRejectedError("absent", reason=Reason.UNKNOWN_SUBSCRIBER)
    response = submit(client)
    page = response.content.decode()
    assert "rejected: number not in use: absent" in text_of(response)
    assert f'value="{NUMBER}"' in page
    assert "Hello Anna</textarea>" in page


def test_somebody_who_opted_out_gets_nothing_and_the_page_says_why(client, worker):
    sign_in(client, "send_quick")
    record_opt_out("+79123456789", source=OptOutSource.OPERATOR)
    assert "not sent on purpose: opted out" in text_of(submit(client))
    assert worker.requests == []


def test_the_hint_says_which_number_is_meant(client):
    sign_in(client, "send_quick")
    assert client.get("/number/", {"phone": NUMBER}).json()["e164"] == "+79123456789"
    assert "too short" in client.get("/number/", {"phone": "12"}).json()["problem"]
    assert client.post("/number/", {"phone": NUMBER}).status_code == 405
