"""The dashboard on the start page: numbers that lead to their rows, for whoever may see them, in a few queries."""

from __future__ import annotations

import html
import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone, translation

from campaigns import lifecycle
from campaigns.admin.calendar import calendar
from campaigns.admin.dashboard import duration
from campaigns.dashboard import PERIODS
from campaigns.models import GatewayMinute, GatewayState, OptOut, SentMessage, User
from campaigns.spent import today
from tests.campaigns.building import launched, make_campaign, make_message, number, there
from tests.campaigns.screens import campaign_url, sign_in, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

START = "/admin/"


def message(n: int, status: str = "delivered", *, days_ago: int = 0, **fields: Any) -> SentMessage:
    at = timezone.now() - timedelta(days=days_ago)
    taken = status in {"sent", "delivered", "undelivered", "expired"}
    values = {"status_at": at, "sent_at": at if taken else None, "day": today() - timedelta(days=days_ago)}
    return make_message(number(n), status=status, **{"region": "DE", "segment_count": 1, **values, **fields})


def some_messages() -> None:
    launched(contacts=1)
    states = ("delivered", "delivered", "delivered", "sent", "undelivered", "rejected", "unknown")
    for n, status in enumerate(states, 10):
        message(n, status, reason="barred" if status == "rejected" else "")


def viewer(client) -> User:
    """Somebody with the role that the product comes with."""
    user = User.objects.create(username="vera", is_staff=True)
    user.groups.set([Group.objects.get(name="Viewer")])
    client.force_login(user)
    return user


def links_of(response: Any) -> dict[str, str]:
    """What the tiles say, and where they lead."""
    page = response.content.decode()
    tiles = re.findall(r'tile"><h3>([^<]+)</h3><p class="big"><a href="([^"]+)">([^<]+)</a>', page)
    return {name: url.replace("&amp;", "&") for name, url, _number in tiles}


def test_every_tile_leads_to_exactly_the_rows_that_it_counts(client):
    sign_in_superuser(client)
    some_messages()
    message(50, days_ago=8)
    OptOut.objects.create(phone_number=number(99))
    response = client.get(START)
    page = text_of(response)
    assert "Sent 5 of which 1 without a word yet Delivered 3 60.0 % of those sent Failed 2 and not known: 1" in page
    links = links_of(response)
    assert set(links) == {"Sent", "Delivered", "Failed", "Opt-outs"}
    for name, rows in {"Sent": 5, "Delivered": 3, "Failed": 2, "Opt-outs": 1}.items():
        listed = client.get(links[name])
        assert listed.status_code == 200
        assert len(listed.context["cl"].result_list) == rows, name


def test_reasons_gateways_and_countries_lead_to_their_rows(client):
    sign_in_superuser(client)
    some_messages()
    board = client.get(START).context["start"].board
    numbers = [board.reasons[0].number, *(row.failed for row in (*board.gateways, *board.countries))]
    for one in numbers:
        assert len(client.get(one.url).context["cl"].result_list) == int(one.shown)
    assert {reason.label for reason in board.reasons} == {"rejected: subscriber barred", "undelivered"}
    assert [row.name for row in board.countries] == ["Germany"]


def test_messages_that_failed_without_a_reason_are_linked_without_those_that_have_one(client):
    sign_in_superuser(client)
    message(1, "failed")
    for n in (2, 3):
        message(n, "failed", reason="barred")
    board = client.get(START).context["start"].board
    listed = {reason.label: client.get(reason.number.url) for reason in board.reasons}
    found = {label: [row.phone_number for row in page.context["cl"].result_list] for label, page in listed.items()}
    assert found == {"failed": [number(1)], "failed: subscriber barred": [number(3), number(2)]}
    assert "Reason: none known" in text_of(listed["failed"])


def test_the_period_is_chosen_by_the_address_and_seven_days_without_one(client):
    sign_in_superuser(client)
    some_messages()
    message(50, days_ago=6)
    message(51, days_ago=20)
    sent = {period: client.get(START, {"period": period}).context["start"].board.sent.shown for period in PERIODS}
    assert sent == {"today": "5", "7": "6", "30": "7"}
    for anything in ({}, {"period": "8"}, {"period": ""}):
        assert client.get(START, anything).context["start"].board.sent.shown == "6"
    assert 'href="?period=30" aria-current="true"' in client.get(START, {"period": "30"}).content.decode()


def test_a_viewer_sees_figures_gateways_and_the_calendar_and_no_buttons(client):
    viewer(client)
    some_messages()
    make_campaign(name="Easter", status="scheduled", scheduled_at=timezone.now() + timedelta(days=3))
    page = text_of(client.get(START))
    for words in ("What was sent", "By country", "Why messages failed", "Providers", "Scheduled", "Easter", "Opt-outs"):
        assert words in page
    assert "Write a campaign" not in page.replace("or write a campaign", "")


@pytest.mark.parametrize(
    ("permission", "seen", "hidden"),
    [
        ("view_sentmessage", "Delivered", ("Opt-outs", "Time to accept", "Scheduled", "Going on")),
        ("view_optout", "Opt-outs", ("Delivered", "Time to accept", "Scheduled", "Going on")),
        ("view_gatewaystate", "Time to accept", ("Delivered", "Opt-outs", "Scheduled", "Going on")),
        ("view_campaign", "Scheduled", ("Delivered", "Opt-outs", "Time to accept")),
    ],
)
def test_everybody_sees_what_they_may_and_nothing_else(client, permission, seen, hidden):
    sign_in(client, permission)
    some_messages()
    make_campaign(name="Easter", status="scheduled", scheduled_at=timezone.now() + timedelta(days=3))
    for page in (text_of(client.get(START)), client.get(reverse("admin:dashboard")).json()["html"]):
        assert seen in page
        for words in hidden:
            assert words not in page


def test_whoever_may_see_nothing_is_sent_to_the_menu(client):
    sign_in(client)
    assert "Choose a page from the menu." in text_of(client.get(START))


def test_without_any_message_the_page_teaches_instead_of_showing_noughts(client):
    sign_in_superuser(client)
    page = text_of(client.get(START))
    assert "Three steps" in page
    assert "What was sent" not in page
    launched(contacts=1)
    assert "Nothing was sent in these days. Look at more of them, or write a campaign." in text_of(client.get(START))


def test_whoever_writes_no_campaigns_is_not_taught_to(client):
    viewer(client)
    page = text_of(client.get(START))
    assert "Three steps" not in page
    assert "Write a campaign" not in page


def test_what_needs_attention_is_on_top_with_the_way_to_it(client):
    sign_in_superuser(client)
    campaign = launched(contacts=2, name="Spring")
    lifecycle.pause(campaign, actor=None, reason="no money left", by_engine=True)
    message(5, "unknown")
    later = timezone.now() + timedelta(hours=2)
    GatewayState.objects.update_or_create(alias="default", defaults={"spent_until": later})
    response = client.get(START)
    page = text_of(response)
    assert page.index("Needs attention") < page.index("What was sent")
    assert "The campaign “Spring” is paused. no money left See the campaign" in page
    assert "Of 1 message nobody knows whether the provider took it." in page
    assert "The spend limit for today of “default” is reached; its messages wait." in page
    GatewayState.objects.update(spent_until=None, failure_count=3, provider_text="connection refused")
    assert "could not be reached; it is tried again by itself. connection refused" in text_of(client.get(START))
    assert campaign_url(campaign) in response.content.decode()


def test_a_gateway_that_is_not_set_up_right_needs_attention(client, settings):
    sign_in_superuser(client)
    settings.SMS_SETTINGS = {"BACKEND": "nowhere.Backend", "OPTIONS": {}}
    assert "The gateway “default” is not set up right." in text_of(client.get(START))


def test_a_gateways_card_tells_its_balance_its_last_error_and_how_it_answers(client):
    sign_in_superuser(client)
    now = timezone.now()
    defaults = {"balance": Decimal("1412.5"), "currency": "EUR", "balance_at": now, "balance_problem": "not now"}
    GatewayState.objects.update_or_create(alias="default", defaults=defaults)
    GatewayMinute.objects.create(
        gateway="default",
        minute=now - timedelta(minutes=3),
        taken=999,
        refused=1,
        waited=timedelta(seconds=1500),
        last_attempt=5,
        error="Number is wrong",
        error_at=now,
    )
    page = text_of(client.get(START))
    assert "Taken in 15 minutes 99.9 % of 1,000 messages Time to accept 1.50 s Balance 1,412.50 EUR" in page
    assert "Balance not told not now" in page
    assert "Last error Number is wrong" in page


def test_cost_says_where_it_comes_from(client):
    sign_in_superuser(client)
    some_messages()
    GatewayState.objects.update_or_create(alias="default", defaults={"price_currency": "EUR"})
    SentMessage.objects.filter(status="sent").update(price=Decimal("0.07"))
    assert "Cost 0.07 EUR by price list Not all segments have a price." in text_of(client.get(START))
    SentMessage.objects.filter(status="delivered").update(cost=Decimal("0.05"), currency="EUR")
    assert "Cost 0.22 EUR 0.07 EUR of it by price list" in text_of(client.get(START))


def test_the_chart_has_the_same_numbers_as_a_table_each_a_link_to_its_rows(client):
    sign_in_superuser(client)
    some_messages()
    message(60, days_ago=2)
    chart = client.get(START).context["start"].board.chart
    table = [[cell.shown for cell in bar.cells] for bar in chart.bars]
    assert table[-3:] == [["1", "0", "0", "0"], ["0", "0", "0", "0"], ["3", "1", "1", "2"]]
    for bar in chart.bars:
        for cell in bar.cells:
            assert (
                len(client.get(cell.url).context["cl"].result_list) == int(cell.shown)
                if cell.url
                else cell.shown == "0"
            )
    assert len(client.get(chart.bars[-1].url).context["cl"].result_list) == 7
    assert chart.bars[-2].url == ""
    hours = client.get(START, {"period": "today"}).context["start"].board.chart.bars
    assert len(hours) == 24
    assert {cell.url for bar in hours for cell in bar.cells} == {""}


def test_what_is_drawn_is_in_the_page_with_plain_numbers_in_every_language(client):
    sign_in_superuser(client, language="ru")
    some_messages()
    found = re.search(r'data-chart="([^"]+)"', client.get(START).content.decode())
    drawn = json.loads(html.unescape(there(found)[1]))
    assert [part["values"][-1] for part in drawn["parts"]] == [3, 1, 1, 2]
    assert [part["tone"] for part in drawn["parts"]] == ["good", "sent", "unsure", "bad"]
    assert drawn["parts"][0]["name"] == "доставлено"
    assert len(drawn["labels"]) == len(drawn["urls"]) == 7


def test_the_fragment_is_what_the_page_shows(client):
    sign_in_superuser(client)
    some_messages()
    answer = client.get(reverse("admin:dashboard"), {"period": "30"})
    assert "What was sent" in answer.json()["html"]
    assert '<a href="?period=30" aria-current="true">' in answer.json()["html"]
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    client.logout()
    assert client.get(reverse("admin:dashboard")).status_code == 302


def test_the_page_takes_the_same_queries_however_much_there_is(client, django_assert_num_queries):
    sign_in_superuser(client)
    some_messages()
    for period in PERIODS:
        with django_assert_num_queries(17):
            client.get(START, {"period": period})
    for n in range(20):
        message(n + 100, days_ago=n, region="FR" if n % 2 else "GB", gateway=f"g{n % 3}")
        make_campaign(name=f"C{n}", status="scheduled", scheduled_at=timezone.now() + timedelta(days=n))
    for period in PERIODS:
        with django_assert_num_queries(17):
            client.get(START, {"period": period})
    with django_assert_num_queries(14):  # without the notices at the head of a page
        client.get(reverse("admin:dashboard"))


# --- the calendar ------------------------------------------------------------------------------------------------

NOW = datetime.fromisoformat("2026-03-11T10:00:00+00:00")


def scheduled(name: str, at: str) -> None:
    make_campaign(name=name, status="scheduled", scheduled_at=datetime.fromisoformat(at))


def days() -> dict[str, list[str]]:
    found = calendar(NOW)
    assert found is not None
    return {str(d.date): [e.name for e in d.entries] for week in found.weeks for d in week if d.entries}


def test_campaigns_stand_on_the_day_on_which_they_start_by_the_readers_clock():
    scheduled("Late", "2026-03-12T22:30:00+00:00")
    scheduled("Early", "2026-03-12T06:00:00+00:00")
    assert days() == {"2026-03-12": ["Early", "Late"]}
    with timezone.override("Europe/Moscow"):
        assert days() == {"2026-03-12": ["Early"], "2026-03-13": ["Late"]}


def test_the_calendar_begins_with_this_week_as_the_language_has_it():
    scheduled("Soon", "2026-03-12T06:00:00+00:00")
    found = calendar(NOW)
    assert found is not None
    assert (len(found.weeks), {len(week) for week in found.weeks}) == (5, {7})
    assert str(found.weeks[0][0].date) == "2026-03-08"  # a Sunday, in American English
    with translation.override("ru"):
        found = calendar(NOW)
    assert found is not None
    assert str(found.weeks[0][0].date) == "2026-03-09"
    assert [day.is_today for day in found.weeks[0]] == [False, False, True, False, False, False, False]
    assert [day.is_past for day in found.weeks[0]] == [True, True, False, False, False, False, False]


def test_what_is_due_stands_today_and_what_lies_far_ahead_below():
    scheduled("Due", "2026-03-10T06:00:00+00:00")
    scheduled("Far", "2026-09-10T06:00:00+00:00")
    assert days() == {"2026-03-11": ["Due"]}
    found = calendar(NOW)
    assert found is not None
    assert [entry.name for entry in found.later] == ["Far"]


def test_there_is_no_calendar_where_nothing_is_scheduled():
    make_campaign()
    assert calendar(NOW) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.4, "under 1 s"), (12.4, "12 s"), (180, "3 min"), (5400, "1.5 h"), (86400, "over a day")],
)
def test_how_long_something_took_is_said_roughly(seconds, words):
    assert duration(seconds) == words
