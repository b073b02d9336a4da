"""The page of a campaign says what came back, and each number leads to the messages."""

from __future__ import annotations

import pytest
from django.utils import timezone

from campaigns.models import InboundMessage
from campaigns.reports import answers_to
from tests.campaigns.building import launched, make_campaign, number
from tests.campaigns.screens import VIEW_ALL, campaign_url, sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db


def answer(campaign, n: int, meaning: str = "") -> None:
    InboundMessage.objects.create(
        gateway="default",
        phone_number=number(n),
        text=f"Answer {n}",
        fingerprint=f"f{n}",
        received_at=timezone.now(),
        campaign=campaign,
        meaning=meaning,
    )


def test_answers_and_opt_outs_are_counted_and_lead_to_their_messages(client):
    sign_in_superuser(client)
    campaign, other = launched(contacts=3), make_campaign(name="Other")
    for n, meaning in ((1, ""), (2, "stop"), (3, "stop")):
        answer(campaign, n, meaning)
    answer(other, 4, "stop")
    answer(None, 5)
    page = client.get(campaign_url(campaign))
    assert "3 answers , 2 of them opt-outs" in text_of(page)
    answers = page.context["answers"]
    replies, stops = client.get(answers.replies_url), client.get(answers.opt_outs_url)
    assert [f"Answer {n}" in text_of(replies) for n in range(1, 6)] == [True, True, True, False, False]
    assert [f"Answer {n}" in text_of(stops) for n in range(1, 6)] == [False, True, True, False, False]


def test_a_campaign_that_nobody_answered_says_so(client):
    sign_in_superuser(client)
    assert "Nobody has answered this campaign yet." in text_of(client.get(campaign_url(launched(contacts=1))))


def test_a_draft_says_nothing_of_answers(client):
    sign_in_superuser(client)
    assert client.get(campaign_url(make_campaign())).context["answers"] is None


def test_who_may_not_read_answers_sees_no_count(client):
    sign_in(client, *VIEW_ALL)
    campaign = launched(contacts=1)
    answer(campaign, 1)
    assert "1 answer" not in text_of(client.get(campaign_url(campaign)))


def test_it_is_one_query(django_assert_num_queries):
    campaign = launched(contacts=1)
    answer(campaign, 1, "stop")
    with django_assert_num_queries(1):
        assert answers_to(campaign) == (1, 1)
