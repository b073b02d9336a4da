"""Before sending, as two people do it: one looks and asks, another approves; impatient clicks and old pages."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from campaigns import tasks
from campaigns.forecasting import running
from campaigns.models import AuditEvent, Campaign, ContactGroup, Heartbeat
from campaigns.reports import WORKER_BEAT
from tests.browser.operator import Operator
from tests.campaigns.building import make_campaign, make_contact, make_group, number, set_prices

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("woken")]


@pytest.fixture
def woken(monkeypatch) -> list[tuple[object, ...]]:
    """The tasks that were queued: no worker runs here but those of the tests."""
    queued: list[tuple[object, ...]] = []
    monkeypatch.setattr("campaigns.wakeups._enqueue", lambda task, *args: queued.append((task, *args)))
    return queued


@pytest.fixture
def everybody(transactional_db) -> ContactGroup:
    Heartbeat.objects.update_or_create(name=WORKER_BEAT, defaults={"at": timezone.now() + timedelta(minutes=1)})
    set_prices(p7="2.5")
    group = make_group("Everybody", contacts=5, first_name="Anna")
    make_contact(number(6), group)
    return group


def write_and_look(operator: Operator) -> None:
    operator.write("Autumn", "Hello {{ first_name }}", group="Everybody")
    operator.go_on_to_sending()


def test_an_operator_asks_and_an_approver_answers_before_anything_is_sent(
    sign_in, everybody, settings, complaints: list[str]
) -> None:
    settings.SMS_APPROVAL_ABOVE_PEOPLE = 3
    olga = sign_in("olga", "Operator")
    write_and_look(olga)
    expect(olga.send_button()).to_have_count(0)
    olga.page.get_by_label("A word to them").fill("For Monday, please")
    olga.page.get_by_role("button", name="Ask for approval").dblclick()
    expect(olga.page.get_by_text("waits for approval").first).to_be_visible()
    olga.open("Campaigns")
    expect(olga.page.locator("#result_list").get_by_text("waiting for approval")).to_be_visible()

    boris = sign_in("boris", "Approver")
    boris.page.goto("/admin/")
    boris.page.locator("#approvals").get_by_role("link", name="Autumn").click()
    expect(boris.page.get_by_text("For Monday, please")).to_be_visible()
    assert boris.sums()["Will get the message"] == 5
    boris.page.get_by_role("button", name="Decline").click()
    expect(boris.page.get_by_text("Say in a word why")).to_be_visible()
    boris.page.get_by_role("button", name="Approve 5 messages (5 segments, about 12.50 RUB)").dblclick()
    expect(boris.page.get_by_text(re.compile("is approved|not open any more|Nothing waits")).first).to_be_visible()

    olga.page.goto("/admin/")
    olga.page.locator("#approvals").get_by_role("link", name="Autumn").click()
    expect(olga.page.get_by_text("It can be sent.")).to_be_visible()
    olga.page.get_by_role("button", name="Send now").click()
    expect(olga.page.get_by_text("Boris approved it").or_(olga.page.get_by_text("boris approved it"))).to_be_visible()
    olga.send_button().dblclick()
    expect(olga.page.locator("#content h1 .pill")).to_have_text("preparing")
    acts = AuditEvent.objects.filter(action__in=["approval_asked", "approval_given", "launch"]).order_by("pk")
    assert list(acts.values_list("action", "actor__username")) == [
        ("approval_asked", "olga"),
        ("approval_given", "boris"),
        ("launch", "olga"),
    ]
    assert complaints == []


def test_a_page_that_became_stale_says_what_changed_and_asks_again(sign_in, everybody, complaints: list[str]) -> None:
    olga = sign_in("olga", "Operator")
    write_and_look(olga)
    make_contact(number(50), everybody, first_name="Vera")
    olga.send_button().click()
    expect(olga.page.get_by_text("there are 7 people in them now")).to_be_visible()
    expect(olga.page.get_by_role("button", name="Send 6 messages (6 segments, about 15 RUB)")).to_be_visible()
    assert Campaign.objects.get().status == "draft"
    assert complaints == []


def test_the_back_button_after_sending_sends_nothing_a_second_time(sign_in, everybody, complaints: list[str]) -> None:
    olga = sign_in("olga", "Operator")
    write_and_look(olga)
    olga.send_button().click()
    expect(olga.page.locator("#content h1 .pill")).to_have_text("preparing")
    olga.page.go_back()
    button = olga.send_button()
    if button.count():
        button.click()
    expect(olga.page.get_by_text("was started already").first).to_be_visible()
    assert AuditEvent.objects.filter(action="launch").count() == 1
    assert complaints == []


def test_the_number_is_typed_above_the_threshold(sign_in, everybody, settings, complaints: list[str]) -> None:
    settings.SMS_CONFIRM_ABOVE_PEOPLE = 3
    olga = sign_in("olga", "Operator")
    write_and_look(olga)
    olga.page.get_by_label("Type their number").fill("6")
    olga.send_button().click()
    expect(olga.page.get_by_text("type their number; nothing has been sent")).to_be_visible()
    olga.page.get_by_label("Type their number").fill("5")
    olga.send_button().click()
    expect(olga.page.locator("#content h1 .pill")).to_have_text("preparing")
    assert complaints == []


def test_a_large_audience_is_counted_while_one_looks_elsewhere(
    sign_in, everybody, monkeypatch, complaints: list[str]
) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 0)
    monkeypatch.setattr(running, "PART", 2)
    olga = sign_in("olga", "Operator")
    campaign = make_campaign(everybody, name="Autumn", body="Hello {{ first_name }}")
    olga.page.goto(f"/admin/campaigns/campaign/{campaign.pk}/launch/")
    expect(olga.page.get_by_text("0 of 6 people are counted")).to_be_visible()
    olga.open("Contacts")
    forecast = running.latest(campaign)
    assert forecast is not None
    assert running.work(forecast.pk, seconds=0)
    olga.page.goto(f"/admin/campaigns/campaign/{campaign.pk}/launch/")
    expect(olga.page.get_by_text("2 of 6 people are counted")).to_be_visible()
    tasks.count_forecast(forecast.pk)
    expect(olga.page.get_by_role("heading", name="Who gets it")).to_be_visible()  # without touching anything
    expect(olga.send_button()).to_be_visible()
    olga.page.get_by_role("link", name="no value for a placeholder").click()
    expect(olga.page.get_by_text("1 person is left out for this reason")).to_be_visible()
    assert complaints == []


def test_a_rehearsal_is_begun_looked_at_and_thrown_away(sign_in, everybody, complaints: list[str]) -> None:
    make_contact(number(99), everybody, first_name="Vera")
    olga = sign_in("olga", "Operator")
    olga.write("Autumn", "Hello {{ first_name }}", group="Everybody")
    olga.save()
    olga.page.get_by_role("button", name="Rehearse").click()
    olga.page.get_by_role("button", name="Rehearse").click()
    expect(olga.page.locator(".fates")).to_contain_text("undelivered")
    olga.page.get_by_role("button", name="Throw it away").click()
    expect(olga.page.get_by_text("The rehearsal is thrown away")).to_be_visible()
    expect(olga.page.locator(".fates")).to_have_count(0)
    assert complaints == []
