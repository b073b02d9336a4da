"""No more is spent than the limits allow, all workers together; what does not fit waits, and nothing is lost."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import lifecycle
from campaigns.gateway_control import closed_gateways, set_daily_limit
from campaigns.models import (
    AuditEvent,
    Campaign,
    CampaignStatus,
    GatewayPrice,
    GatewayState,
    MessageStatus,
    Purpose,
    SentMessage,
)
from campaigns.prices import price_table
from campaigns.resending import make_child
from campaigns.sending import spending
from campaigns.sending.claim import claim_again, claim_campaign, claim_urgent, claim_work, give_back
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.spending import end_of
from campaigns.sending.sweeper import sweep
from campaigns.single import queue_single
from campaigns.spent import spent_by_campaign, spent_on, today
from sms_backends import RecipientRejectedError
from tests.campaigns import providers
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    handed_over,
    launched,
    make_campaign,
    make_contact,
    make_group,
    number,
    seconds_until,
    send,
    set_prices,
    statuses,
)

pytestmark = pytest.mark.django_db


def limited(contacts: int, spend_limit: str | None, price: str = "2.5", **fields) -> Campaign:
    """A launched campaign whose messages cost the same each."""
    set_prices(p7=price)
    return launched(contacts=contacts, spend_limit=spend_limit and Decimal(spend_limit), **fields)


def limit_the_day(limit: str | None, alias: str = "default") -> None:
    set_daily_limit(alias, None if limit is None else Decimal(limit), actor=None)


def spent(campaign: Campaign) -> Decimal:
    return spent_by_campaign(campaign, price_table("default")).total


def spent_today() -> Decimal:
    return spent_on(today(), "default", price_table("default")).total


def paused_why(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    assert (campaign.status, campaign.paused_by_engine) == (CampaignStatus.PAUSED, True)
    return campaign.pause_reason


def quick(n: int, text: str = "Hello", **fields) -> SentMessage:
    return queue_single(number(n), text, purpose=Purpose.QUICK, **fields)[0]


@pytest.fixture
def swept(woken, django_capture_on_commit_callbacks):
    """Sweeps, and says what was woken."""

    def run() -> list[tuple[object, ...]]:
        woken.clear()
        with django_capture_on_commit_callbacks(execute=True):
            sweep()
        return woken

    return run


# --- of a campaign ------------------------------------------------------------------------------------------------


def test_a_campaign_goes_to_its_limit_and_pauses_with_the_reason_in_words_and_numbers(provider):
    campaign = send(limited(10, "10"))
    assert statuses(campaign) == {"sent": 4, "queued": 6}
    assert paused_why(campaign) == (
        "The spend limit of 10 RUB is reached: 10 RUB spent or reserved, the next message costs 2.50 RUB. "
        "6 messages wait."
    )
    assert_adds_up(campaign)


def test_it_may_cost_exactly_its_limit_and_not_a_cent_more(provider):
    campaign = send(limited(10, "9.99"))
    assert statuses(campaign) == {"sent": 3, "queued": 7}
    lifecycle.set_spend_limit(campaign, Decimal(10), actor=None)
    lifecycle.resume(campaign, actor=None)
    assert statuses(send(campaign)) == {"sent": 4, "queued": 6}


def test_with_a_higher_limit_it_goes_on_from_where_it_was_and_everybody_gets_it_once(provider):
    campaign = send(limited(6, "5"))
    lifecycle.set_spend_limit(campaign, Decimal("7.5"), actor=None)
    lifecycle.resume(campaign, actor=None)
    assert statuses(send(campaign)) == {"sent": 3, "queued": 3}
    lifecycle.set_spend_limit(campaign, None, actor=None)
    lifecycle.resume(campaign, actor=None)
    assert send(campaign).status == CampaignStatus.COMPLETED
    assert provider.copies() == {number(n): 1 for n in range(1, 7)}


def test_resumed_without_a_higher_limit_it_pauses_again_and_sends_nothing(provider):
    campaign = send(limited(6, "5"))
    lifecycle.resume(campaign, actor=None)
    send(campaign)
    assert "is reached" in paused_why(campaign)
    assert len(provider.taken) == 2


def test_a_claim_takes_the_first_messages_that_fit_and_none_after_one_that_does_not():
    campaign = limited(4, "6")
    ids = sorted(campaign.messages.values_list("pk", flat=True))
    SentMessage.objects.filter(pk=ids[1]).update(price=5, segment_count=2)
    claim = claim_campaign(campaign.pk)
    assert [message.pk for message in claim.messages] == ids[:1]


def test_a_message_without_a_price_counts_as_the_dearest_for_each_segment(provider):
    campaign = limited(5, "10")
    SentMessage.objects.update(price=None, segment_count=2)
    assert spent(campaign) == 0
    send(campaign)
    assert statuses(campaign) == {"sent": 2, "queued": 3}
    assert spent(campaign) == 10
    assert "10 RUB spent or reserved, the next message costs 5 RUB" in paused_why(campaign)


def test_when_the_prices_are_gone_the_limit_cannot_be_kept_and_nothing_is_sent(provider):
    campaign = limited(2, "100")
    GatewayPrice.objects.all().delete()
    send(campaign)
    assert "Enter its prices first" in paused_why(campaign)
    assert provider.requests == []


def test_what_is_refused_gives_its_money_back(provider):
    provider.refusals[number(1)] = RecipientRejectedError("not a number")
    campaign = send(limited(3, "5"))
    assert (campaign.status, statuses(campaign)) == (CampaignStatus.COMPLETED, {"rejected": 1, "sent": 2})
    assert spent(campaign) == 5


@pytest.mark.parametrize("status", ["sent", "undelivered", "expired", "unknown"])
def test_what_was_taken_or_may_have_been_stays_spent(status):
    campaign = limited(3, "5")
    handed_over(campaign)
    SentMessage.objects.filter(status="sending").update(status=status)
    assert spent(campaign) == 5
    send_waiting(campaign.pk, seconds=5)
    assert "5 RUB spent or reserved" in paused_why(campaign)


@pytest.mark.parametrize("on_the_way", ["claimed", "sending"])
def test_while_others_may_still_give_money_back_a_worker_waits_and_pauses_nothing(on_the_way):
    campaign = limited(3, "5")
    mine = claim_campaign(campaign.pk)
    if on_the_way == "sending":
        SentMessage.objects.filter(status="claimed").update(status="sending")
    other = claim_campaign(campaign.pk)
    assert (other.messages, other.wait_seconds > 0) == ([], True)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SENDING
    if on_the_way == "claimed":
        give_back(mine)
        assert len(claim_campaign(campaign.pk).messages) == 2


def test_halves_of_a_refused_request_are_claimed_again_only_if_their_money_is_still_there():
    campaign = limited(4, "5")
    mine = claim_campaign(campaign.pk)
    give_back(mine)
    taken = claim_campaign(campaign.pk)
    waiting = campaign.messages.filter(status="queued").values_list("pk", flat=True)
    assert claim_again(waiting).messages == []
    give_back(taken)
    assert len(claim_again(waiting).messages) == 2


def test_without_a_limit_no_row_is_locked_and_no_figure_read(django_assert_num_queries, monkeypatch):
    campaign = limited(2, None)
    monkeypatch.setattr(spending, "_purses", lambda bound, day: pytest.fail("looked for a limit"))
    assert len(claim_campaign(campaign.pk).messages) == 2


def test_a_child_may_cost_what_its_parent_has_left(provider):
    campaign = limited(4, "12")
    send(campaign)
    SentMessage.objects.filter(phone_number__in=[number(1), number(2)]).update(status=MessageStatus.UNDELIVERED)
    child = make_child(campaign, [MessageStatus.UNDELIVERED], actor=None)
    assert child.spend_limit == 2
    send(frozen(child))
    assert "The spend limit of 2 RUB is reached: 0 RUB spent" in paused_why(child)


def test_a_limit_set_while_it_runs_is_refused_without_prices_and_after_the_end(provider):
    campaign = launched(contacts=1)
    with pytest.raises(lifecycle.LifecycleError, match="Enter its prices first"):
        lifecycle.set_spend_limit(campaign, Decimal(5), actor=None)
    send(campaign)
    set_prices(p7="1")
    with pytest.raises(lifecycle.LifecycleError, match="completed"):
        lifecycle.set_spend_limit(campaign, Decimal(5), actor=None)


# --- of a gateway's day -------------------------------------------------------------------------------------------


def test_at_the_limit_of_the_day_a_gateway_rests_until_midnight_and_then_goes_on_by_itself(provider, swept):
    campaign = limited(5, None)
    limit_the_day("5")
    send(campaign)
    assert (campaign.status, statuses(campaign)) == (CampaignStatus.SENDING, {"sent": 2, "queued": 3})
    state = GatewayState.objects.get()
    assert state.spent_until == end_of(today())
    assert 0 < seconds_until(state.spent_until) <= 24 * 3600
    assert AuditEvent.objects.filter(action="gateway_spent", subject="default").count() == 1
    assert swept() == []

    the_next_day_begins()
    assert ("send_campaign", campaign.pk) in swept()
    assert statuses(send(campaign)) == {"sent": 4, "queued": 1}
    assert_adds_up(campaign)


def the_next_day_begins() -> None:
    """What happened today was yesterday."""
    day = timedelta(days=1)
    SentMessage.objects.filter(day__isnull=False).update(day=today() - day)
    GatewayState.objects.update(spent_until=timezone.now() - timedelta(seconds=1))


def test_all_campaigns_and_single_messages_share_the_day_of_a_gateway(provider):
    first = limited(2, None)
    second = make_campaign(make_group("Others"), name="Second")
    make_contact(number(7), second.include_groups.get())
    lifecycle.launch(second, actor=None)
    frozen(second)
    limit_the_day("7.5")
    quick(90)
    send_waiting(None, seconds=5)
    send(first)
    assert spent_today() == Decimal("7.5")
    quick(91)
    send(second)
    assert statuses(second) == {"queued": 1}
    assert [str(m.status) for m in SentMessage.objects.filter(campaign=None).order_by("pk")] == ["sent", "queued"]
    assert closed_gateways() == {"default"}


def test_single_messages_of_another_gateway_go_while_one_rests(settings, provider, adapter):
    adapter(providers.SameText)
    backend = settings.SMS_SETTINGS
    settings.SMS_GATEWAYS = {"default": backend, "backup": backend}
    set_prices(p7="2")
    limit_the_day("1")
    waiting, goes = quick(1), quick(2, gateway="backup")
    send_waiting(None, seconds=5)
    waiting.refresh_from_db()
    goes.refresh_from_db()
    assert (waiting.status, goes.status) == (MessageStatus.QUEUED, MessageStatus.SENT)


def test_a_head_of_messages_that_do_not_fit_does_not_keep_others_from_being_claimed(monkeypatch):
    set_prices(p7="2")
    set_prices("backup", p7="2")
    limit_the_day("1")
    for n in range(3):
        quick(n)
    other = quick(9, gateway="backup")
    assert claim_urgent(limit=3).messages == []
    assert [message.pk for message in claim_urgent(limit=3).messages] == [other.pk]


def test_a_higher_limit_for_the_day_opens_the_gateway_at_once(provider, woken, django_capture_on_commit_callbacks):
    campaign = limited(5, None)
    limit_the_day("5")
    send(campaign)
    with django_capture_on_commit_callbacks(execute=True):
        limit_the_day("7.5")
    assert closed_gateways() == set()
    assert woken == [("sweep",)]
    assert statuses(send(campaign)) == {"sent": 3, "queued": 2}


def test_a_day_with_a_limit_and_no_prices_lets_nothing_through_until_there_are_some(provider):
    campaign = limited(2, None)
    limit_the_day("100")
    GatewayPrice.objects.all().delete()
    quick(9)
    send(campaign)
    assert provider.requests == []
    assert campaign.status == CampaignStatus.SENDING
    set_prices(p7="1")
    assert send(campaign).status == CampaignStatus.COMPLETED


def test_what_was_sent_yesterday_does_not_count_today(provider):
    campaign = limited(3, None)
    limit_the_day("5")
    send(campaign)
    the_next_day_begins()
    assert spent_today() == 0


def test_both_limits_hold_whichever_is_reached_first(provider):
    campaign = limited(9, "10")
    limit_the_day("5")
    send(campaign)
    assert statuses(campaign) == {"sent": 2, "queued": 7}
    assert campaign.status == CampaignStatus.SENDING
    limit_the_day("100")
    send(campaign)
    assert statuses(campaign) == {"sent": 4, "queued": 5}
    assert "10 RUB is reached" in paused_why(campaign)


def test_the_day_is_the_installations_whoever_looks(settings):
    settings.TIME_ZONE = "Pacific/Kiritimati"
    with timezone.override("Pacific/Pago_Pago"):  # 25 hours behind
        assert today() > timezone.localdate()
        midnight = timezone.localtime(end_of(today()), timezone.get_default_timezone())
        assert (midnight.date(), midnight.hour) == (today() + timedelta(days=1), 0)


# --- several workers ----------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["campaign", "day"])
def test_workers_together_spend_no_more_than_the_limit(kind, adapter, provider, woken, monkeypatch):
    adapter(providers.OneByOne)
    limit = Decimal("52.5")  # 21 of 60 messages
    monkeypatch.setattr("campaigns.sending.dispatch.claim_work", lambda work: claim_work(work, limit=4))
    campaign = limited(60, str(limit) if kind == "campaign" else None)
    if kind == "day":
        limit_the_day(str(limit))
    most: list[Decimal] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            send_waiting(campaign.pk, seconds=30)
            most.append(spent(campaign))
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert max(most) <= limit
    assert statuses(campaign) == {"sent": 21, "queued": 39}
    campaign.refresh_from_db()
    assert (campaign.status == CampaignStatus.PAUSED) is (kind == "campaign")
    assert closed_gateways() == ({"default"} if kind == "day" else set())
    assert len(provider.taken) == 21
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)
