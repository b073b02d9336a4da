"""People answer, opt out and are forgotten while a campaign is sent to them, all at once on a real database."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial

import pytest

from campaigns import erasing, lifecycle, optouts, replies, reply_processing
from campaigns.models import (
    Contact,
    Conversation,
    Erasure,
    InboundMessage,
    MessageStatus,
    OptOut,
    OptOutSource,
    Purpose,
    SentMessage,
)
from campaigns.pseudonyms import is_pseudonym
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.freeze import freeze_chunk
from campaigns.sending.sweeper import sweep
from sms_backends import IncomingSms
from tests.campaigns import providers
from tests.campaigns.building import assert_adds_up, launched, make_campaign, make_group, number, send, statuses
from tests.campaigns.crowd import Crowd

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
PEOPLE = 120


def test_who_is_forgotten_while_a_campaign_runs_is_texted_once_or_not_at_all_and_nobody_is_lost(
    adapter, provider, woken
):
    adapter(providers.OneByOne)
    provider.during = lambda request: time.sleep(0.005)
    campaign = launched(contacts=PEOPLE)
    forgotten = [number(n) for n in range(5, PEOPLE, 4)]
    to_forget, to_stop = list(forgotten), [number(n) for n in range(6, PEOPLE, 8)]

    def forget_somebody() -> None:
        if to_forget:
            erasing.request_erasure(to_forget.pop(), reason="asked", actor=None)

    def stop_somebody() -> None:
        if to_stop:
            replies.receive("default", [IncomingSms(to_stop.pop(), "STOP", "1")])

    crowd = Crowd()
    for _worker in range(3):
        crowd.repeat(lambda: send_waiting(campaign.pk, seconds=0.2))
    for step in (sweep, forget_somebody, stop_somebody):
        crowd.repeat(step)
    crowd.work_until(lambda: not (to_forget or to_stop), seconds=60)

    assert crowd.errors == []
    campaign.refresh_from_db()
    send(campaign)
    erasing.finish_erasures()
    texts = Counter(number for number, text in provider.taken if text == "Hello")
    assert set(texts.values()) == {1}
    found = statuses(campaign)
    assert sum(found.values()) == PEOPLE
    assert set(found) <= {MessageStatus.SENT, MessageStatus.CANCELLED, MessageStatus.SUPPRESSED}
    assert found[MessageStatus.SENT] == len(texts)
    assert not Erasure.objects.filter(finished_at=None).exists()
    assert not SentMessage.objects.filter(phone_number__in=forgotten).exists()
    assert not Contact.objects.filter(phone_number__in=forgotten).exists()
    assert all(is_pseudonym(one) for one in Erasure.objects.values_list("phone_number", flat=True))
    assert_adds_up(campaign)


def test_one_message_worked_off_by_many_is_acted_upon_once(monkeypatch, woken):
    monkeypatch.setattr(replies, "_process_quickly", lambda ids: None)
    replies.receive("default", [IncomingSms(number(n), "STOP", "1", f"m-{n}") for n in range(1, 21)])
    ids = list(InboundMessage.objects.values_list("pk", flat=True))
    crowd = Crowd()
    for _worker in range(4):
        crowd.repeat(lambda: reply_processing.process(ids, seconds=5))
    crowd.work_until(lambda: not InboundMessage.objects.filter(process_at__isnull=False).exists(), seconds=30)
    assert crowd.errors == []
    assert OptOut.objects.count() == 20
    assert SentMessage.objects.filter(purpose=Purpose.CONFIRMATION).count() == 20
    assert Conversation.objects.count() == 20


def test_the_same_call_of_a_provider_twice_at_once_is_one_message(woken):
    crowd = Crowd()
    for _call in range(4):
        crowd.repeat(lambda: replies.receive("default", [IncomingSms(number(1), "Hello", "1", "m-1")]))
    crowd.work_until(lambda: InboundMessage.objects.exists(), seconds=30)
    assert crowd.errors == []
    assert InboundMessage.objects.count() == Conversation.objects.get().unread_count == 1


def test_whoever_is_forgotten_while_the_rows_are_written_gets_none_or_a_cancelled_one(provider, woken):
    group = make_group(contacts=60)
    campaign = make_campaign(group)
    to_forget = [number(n) for n in range(1, 61, 3)]
    lifecycle.launch(campaign, actor=None)
    campaign.refresh_from_db()

    def forget_somebody() -> None:
        if to_forget:
            erasing.request_erasure(to_forget.pop(), reason="asked", actor=None)

    crowd = Crowd()
    crowd.repeat(forget_somebody)
    crowd.repeat(lambda: freeze_chunk(campaign.pk, campaign.launch_token))
    crowd.work_until(lambda: not to_forget, seconds=30)
    assert crowd.errors == []
    while freeze_chunk(campaign.pk, campaign.launch_token):
        pass
    campaign.refresh_from_db()
    assert campaign.status == "sending"
    erasing.finish_erasures()
    send(campaign)
    assert not {number(n) for n in range(1, 61, 3)} & set(provider.copies())
    assert_adds_up(campaign)


def test_two_opt_outs_of_one_number_at_once_are_one(woken):
    crowd = Crowd()
    for source in (OptOutSource.KEYWORD, OptOutSource.LINK, OptOutSource.OPERATOR):
        crowd.repeat(partial(optouts.record_opt_out, number(1), source=source))
    crowd.work_until(lambda: OptOut.objects.exists(), seconds=30)
    assert crowd.errors == []
    assert OptOut.objects.count() == 1
