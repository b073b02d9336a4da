"""The commands do what the screens do, say it in one line, and fail when they could not."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from campaigns import copying, lifecycle, optouts, tasks
from campaigns.models import Campaign, CampaignStatus, OptOutSource, SentMessage
from campaigns.reports import workers_alive
from campaigns.sending.claim import claim_campaign
from sms_backends import ContentRejectedError, InsufficientFundsError, OutcomeUnknownError, RecipientRejectedError
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    handed_over,
    launched,
    make_campaign,
    make_group,
    number,
    send,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db


def run(*args: str) -> str:
    """What a command prints."""
    out = io.StringIO()
    call_command(*args, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refusal(*args: str) -> str:
    """The sentence with which a command fails."""
    with pytest.raises(CommandError) as error:
        run(*args)
    return str(error.value)


# --- send_sms -------------------------------------------------------------------------------------------------


def test_send_sms_sends_and_logs(provider):
    assert run("send_sms", "8 (999) 000-00-01", "Hello") == f"{number(1)}: sent\n"
    assert provider.taken == [(number(1), "Hello")]
    assert SentMessage.objects.get().purpose == "quick"


def test_send_sms_refuses_what_cannot_be_sent(provider):
    assert "8999" not in refusal("send_sms", "no number", "Hello")
    assert "empty" in refusal("send_sms", number(1), " ")
    assert "default" in refusal("send_sms", number(1), "Hello", "--gateway", "gone")
    assert not SentMessage.objects.exists()


@pytest.mark.parametrize("error", [RecipientRejectedError("Barred"), OutcomeUnknownError("Time-out")])
def test_send_sms_fails_when_it_was_not_taken_or_nobody_knows(provider, error):
    provider.fail_next(error)
    assert str(error) in refusal("send_sms", number(1), "Hello")


def test_send_sms_says_when_somebody_has_opted_out(provider):
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    assert "opted out" in refusal("send_sms", number(1), "Hello")
    assert provider.requests == []


def test_send_sms_says_that_a_message_waits_for_its_gateway(provider):
    provider.fail_next(InsufficientFundsError("No money left"))
    assert "No money left" in run("send_sms", number(1), "Hello")


# --- create_campaign ------------------------------------------------------------------------------------------


def test_create_campaign_writes_a_service_campaign_without_a_window():
    group = make_group("Clients", contacts=1)
    assert "is written" in run("create_campaign", "Sale", "--text", "Hello", "--group", "Clients")
    campaign = Campaign.objects.get()
    assert (campaign.name, campaign.body, campaign.kind, campaign.status) == ("Sale", "Hello", "service", "draft")
    assert campaign.window_start is campaign.window_end is None
    assert list(campaign.include_groups.all()) == [group]


def test_create_campaign_takes_a_pace_and_an_end():
    make_group("Clients", contacts=1)
    command = ("create_campaign", "Sale", "--text", "Hello", "--group", "Clients")
    run(*command, "--max-per-second", "50", "--ends", "2099-12-31T21:00+03:00")
    campaign = Campaign.objects.get()
    assert campaign.max_per_second == 50
    assert campaign.ends_at == datetime(2099, 12, 31, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize("options", [("--max-per-second", "0"), ("--ends", "soon"), ("--ends", "2001-01-01T00:00")])
def test_create_campaign_refuses_a_pace_or_an_end_that_sends_nobody_anything(options):
    make_group("Clients", contacts=1)
    with pytest.raises(CommandError):
        run("create_campaign", "Sale", "--text", "Hello", "--group", "Clients", *options)
    assert not Campaign.objects.exists()


def test_create_campaign_takes_a_careful_start_and_brakes():
    make_group("Clients", contacts=1)
    command = ("create_campaign", "Sale", "--text", "Hello", "--group", "Clients")
    run(*command, "--canary", "50", "--canary-wait", "10", "--brake-refused", "5", "--brake-opt-outs", "0")
    campaign = Campaign.objects.get()
    assert (campaign.canary_size, campaign.canary_wait_minutes, campaign.canary_then) == (50, 10, "go_on")
    assert (campaign.brake_refused, campaign.brake_undelivered, campaign.brake_opt_outs) == (5, None, 0)
    run(*command, "--canary", "50", "--canary-ask")
    assert Campaign.objects.latest("pk").canary_then == "ask"
    assert Campaign.objects.latest("pk").canary_wait_minutes == 30


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--canary", "50"], "Give at least one limit"),
        (["--canary", "0", "--canary-ask"], "--canary:"),
        (["--brake-refused", "100"], "--brake-refused:"),
    ],
)
def test_create_campaign_refuses_a_careful_start_that_would_do_nothing(options, words):
    make_group("Clients", contacts=1)
    assert words in refusal("create_campaign", "Sale", "--text", "Hello", "--group", "Clients", *options)
    assert not Campaign.objects.exists()


def test_create_campaign_takes_groups_windows_and_senders(provider):
    make_group("A", contacts=1), make_group("B"), make_group("Staff")
    options = ["--group", "A", "--group", "B", "--exclude", "Staff", "--sender", "SHOP"]
    run("create_campaign", "Sale", "--text", "Hello", *options, "--marketing")
    campaign = Campaign.objects.get()
    assert (campaign.kind, str(campaign.window_start), str(campaign.window_end)) == (
        "marketing",
        "09:00:00",
        "21:00:00",
    )
    assert (campaign.include_groups.count(), campaign.exclude_groups.get().name) == (2, "Staff")
    run("create_campaign", "Night", "--text", "Hello", *options, "--window", "22:00-06:30")
    assert str(Campaign.objects.get(name="Night").window_end) == "06:30:00"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--text", "Hello", "--group", "Nobody"], "There is no group “Nobody”. Groups: Clients."),
        (["--text", " ", "--group", "Clients"], "empty"),
        (["--text", "{{ x", "--group", "Clients"], "not closed"),
        (["--text", "{{ frist_name }}", "--group", "Clients"], "frist_name"),
        (["--text", "Hi", "--group", "Clients", "--gateway", "gone"], "gone"),
        (["--text", "Hi", "--group", "Clients", "--window", "9-21h"], "09:00-21:00"),
        (["--text", "Hi", "--group", "Clients", "--window", "09:00"], "09:00-21:00"),
        (["--text", "Hi", "--group", "Clients", "--window", "09:00-09:00"], "no length"),
    ],
)
def test_create_campaign_refuses_in_words(options, words):
    make_group("Clients", contacts=1)
    assert words in refusal("create_campaign", "Sale", *options)
    assert not Campaign.objects.exists()


# --- finding --------------------------------------------------------------------------------------------------


def test_a_campaign_is_found_by_id_and_by_name():
    campaign = make_campaign(name="Sale")
    assert json.loads(run("campaign_status", str(campaign.pk), "--json"))["name"] == "Sale"
    assert json.loads(run("campaign_status", "Sale", "--json"))["id"] == campaign.pk


@pytest.mark.parametrize("name", ["Nothing", "999", "9" * 40, "²"])
def test_a_campaign_that_is_not_there_is_refused(name):
    assert "There is no campaign" in refusal("campaign_status", name)


def test_a_name_that_fits_several_is_refused_with_their_ids():
    first, second = make_campaign(name="Sale"), make_campaign(name="Sale")
    assert f"{first.pk}, {second.pk}" in refusal("campaign_status", "Sale")
    third = make_campaign(name=str(first.pk))
    words = refusal("campaign_status", str(first.pk))
    assert str(first.pk) in words
    assert str(third.pk) in words


# --- campaign_status ------------------------------------------------------------------------------------------


def test_campaign_status_prints_one_line_of_json_that_adds_up(provider):
    campaign = launched(contacts=3)
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    send(campaign)
    printed = run("campaign_status", "Sale", "--json")
    assert printed.count("\n") == 1
    answer = json.loads(printed)
    assert list(answer) == ["id", "name", "status", "audience", "messages", "suppressed"]
    assert (answer["status"], answer["audience"]) == ("completed", 3)
    assert sum(answer["messages"].values()) == 3
    assert len(answer["messages"]) == 12
    assert (answer["messages"]["sent"], answer["messages"]["suppressed"]) == (2, 1)
    assert answer["suppressed"] == {"opted_out": 1}


def test_campaign_status_in_words_is_one_line(provider):
    campaign = launched(contacts=2)
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    send(campaign)
    assert run("campaign_status", "Sale") == "Sale: completed, 2 people; 1 sent, 1 suppressed (opted out: 1)\n"
    make_campaign(name="New")
    assert run("campaign_status", "New") == "New: draft, 0 people; -\n"


# --- send_campaign --------------------------------------------------------------------------------------------


def draft(contacts: int = 3, **fields) -> Campaign:
    return make_campaign(make_group(contacts=contacts), **fields)


def test_send_campaign_starts_it_and_says_so():
    campaign = draft()
    assert "is being sent." in run("send_campaign", "Sale")
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FREEZING
    assert "is being sent already." in run("send_campaign", "Sale")


def test_send_campaign_waits_until_everybody_has_it(provider):
    campaign = draft()
    assert "Completed: 3 sent." in run("send_campaign", "Sale", "--wait")
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)


def test_without_a_worker_one_campaign_can_be_sent_after_the_other(provider):
    """The command is no worker: it must not be taken for one, or the next would wait for it for ever."""
    draft()
    run("send_campaign", "Sale", "--wait")
    assert not workers_alive()
    make_campaign(Campaign.objects.get().include_groups.get(), name="Second")
    assert "Completed" in run("send_campaign", "Second", "--wait")


def test_what_an_earlier_run_left_behind_does_not_keep_it_waiting_for_ever(provider):
    campaign = launched(contacts=2)
    claim = claim_campaign(campaign.pk, limit=1)
    assert claim.messages
    the_lease_runs_out()
    assert "2 sent" in run("send_campaign", "Sale", "--wait")
    assert_adds_up(campaign)


def test_what_nobody_knows_is_said_at_the_end(provider):
    campaign = launched(contacts=1)
    handed_over(campaign)
    the_lease_runs_out()
    assert "1 unknown" in run("send_campaign", "Sale", "--wait")
    assert provider.requests == []


def test_with_a_worker_it_only_watches(provider, monkeypatch):
    campaign = draft()
    tasks.beat()
    looks = []

    def a_worker_works(seconds):
        looks.append(seconds)
        send(frozen(campaign))

    monkeypatch.setattr("time.sleep", a_worker_works)
    assert "Completed" in run("send_campaign", "Sale", "--wait")
    assert len(looks) == 1


def test_it_says_when_no_worker_is_there(provider):
    draft()
    err = io.StringIO()
    call_command("send_campaign", "Sale", stdout=io.StringIO(), stderr=err)
    assert "No worker is alive" in err.getvalue()


def test_without_a_worker_the_command_itself_lets_all_others_follow_the_first_portion(provider):
    make_campaign(make_group(contacts=3), canary_size=1, brake_refused=10)
    assert "Completed: 3 sent." in run("send_campaign", "Sale", "--wait")


def test_waiting_ends_with_a_question_when_one_was_asked_for(provider):
    make_campaign(make_group(contacts=3), canary_size=1, canary_then="ask")
    assert "The first 1 are out." in refusal("send_campaign", "Sale", "--wait")


def test_waiting_ends_when_only_an_operator_can_help(provider):
    draft()
    provider.fail_next(InsufficientFundsError("No money left"))
    assert "No money left" in refusal("send_campaign", "Sale", "--wait")


def test_waiting_ends_when_the_campaign_is_paused(provider):
    draft()
    provider.fail_next(ContentRejectedError("Forbidden words"))
    assert "paused. Forbidden words" in refusal("send_campaign", "Sale", "--wait")


def test_send_campaign_refuses_in_words(provider):
    make_campaign(make_group("Empty"), name="Nobody")
    assert "nobody in the chosen groups" in refusal("send_campaign", "Nobody")
    campaign = send(launched(contacts=1))
    assert "completed; it cannot be sent" in refusal("send_campaign", "Sale")
    paused = copying.duplicate(campaign, actor=None)
    lifecycle.launch(paused, actor=None)
    lifecycle.pause(paused, actor=None)
    assert "paused; it cannot be sent" in refusal("send_campaign", str(paused.pk))


def test_progress_is_drawn_where_somebody_watches(provider):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    draft()
    out = Terminal()
    call_command("send_campaign", "Sale", "--wait", stdout=out, stderr=io.StringIO(), no_color=True)
    assert "[##############################] 3 of 3" in out.getvalue()
