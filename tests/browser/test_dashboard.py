"""The start page as somebody sees it who looks at figures, and somebody who sends: each period, down to the rows."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from campaigns.models import CampaignStatus, MessageStatus
from campaigns.spent import today
from tests.browser.conftest import PASSWORD
from tests.browser.windows import DESKTOP, PHONE
from tests.campaigns.building import make_campaign, make_message, number

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ROWS = "#result_list tbody tr"


@pytest.fixture
def messages() -> None:
    """Delivered: two today, one three days ago. Refused: one today."""
    campaign = make_campaign(name="Autumn", status=CampaignStatus.SENDING, launched_at=timezone.now())
    for n, days_ago in enumerate((0, 0, 3), 1):
        make_message(
            number(n),
            campaign=campaign,
            status=MessageStatus.DELIVERED,
            region="RU",
            segment_count=1,
            sent_at=timezone.now() - timedelta(days=days_ago),
            day=today() - timedelta(days=days_ago),
        )
    refused = {"status": MessageStatus.REJECTED, "reason": "barred", "status_at": timezone.now(), "day": today()}
    make_message(number(9), campaign=campaign, region="RU", segment_count=1, **refused)


def tile(page: Page, name: str):
    return page.locator(".tile", has=page.get_by_role("heading", name=name, exact=True))


def look_at(page: Page, period: str) -> None:
    """Chooses the period."""
    page.locator(".periods").get_by_role("link", name=period, exact=True).click()
    expect(page.locator(".periods [aria-current]")).to_have_text(period)


def test_a_viewer_on_a_phone_goes_from_a_period_to_a_number_and_to_its_rows(sign_in, messages, complaints):
    page = sign_in("vera", "Viewer", PHONE).page
    expect(page.get_by_role("link", name="Write a campaign")).to_have_count(0)
    look_at(page, "Today")
    expect(tile(page, "Delivered").locator(".big")).to_have_text("2")
    look_at(page, "7 days")
    expect(tile(page, "Delivered").locator(".big")).to_have_text("3")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    tile(page, "Delivered").get_by_role("link").click()
    expect(page.locator(ROWS)).to_have_count(3)
    expect(page.locator(ROWS).first).to_contain_text("+7••••••••0")
    assert number(1) not in page.content()
    assert complaints == []


def test_an_operator_on_a_desktop_finds_out_what_failed_and_goes_on_to_write(sign_in, messages, complaints):
    page = sign_in("olga", "Operator", DESKTOP).page
    look_at(page, "30 days")
    assert page.evaluate("document.documentElement.scrollWidth") == DESKTOP[0]
    page.get_by_text("The same as a table").click()
    expect(page.locator(".chart table")).to_be_visible()
    page.locator(".reasons").get_by_role("link", name="1").click()
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text(number(9))
    page.go_back()
    page.get_by_role("link", name="Write a campaign").click()
    expect(page).to_have_url(re.compile("/campaign/add/"))
    assert complaints == []


def drawn(page: Page) -> list[list[int]]:
    """What the chart shows, part by part."""
    canvas = page.locator(".chart canvas")
    expect(canvas).to_be_visible()
    return canvas.evaluate("it => Chart.getChart(it).data.datasets.map(({data}) => data)")


def test_the_bars_show_the_table_and_lead_to_a_day_in_light_and_in_dark(sign_in, messages, complaints):
    page = sign_in("olga", "Operator", DESKTOP).page
    look_at(page, "7 days")
    page.get_by_text("The same as a table").click()
    cells = [[int(cell) for cell in row.split()[-4:]] for row in page.locator(".chart tbody tr").all_inner_texts()]
    assert [list(day) for day in zip(*drawn(page), strict=True)] == cells
    assert sum(map(sum, cells)) > 0
    colours = "it => Chart.getChart(it).options.scales.x.ticks.color"
    light = page.locator(".chart canvas").evaluate(colours)
    page.get_by_role("button", name="Toggle theme").click()
    assert page.locator(".chart canvas").evaluate(colours) != light
    box = page.locator(".chart canvas").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] - 30, box["y"] + box["height"] / 2)
    expect(page).to_have_url(re.compile(f"day__gte={today()}&day__lte={today()}"))
    expect(page.locator(ROWS)).to_have_count(sum(cells[-1]))
    assert complaints == []


def test_without_scripts_there_is_the_table(browser, live_server, messages, operator):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill(operator.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".chart canvas")).not_to_be_visible()
    page.get_by_text("The same as a table").click()
    expect(page.locator(".chart table")).to_be_visible()
    context.close()


def test_the_figures_renew_themselves_and_keep_the_period(sign_in, messages, complaints):
    page = sign_in("vera", "Viewer").page
    page.clock.install()
    look_at(page, "Today")
    make_message(number(5), status=MessageStatus.DELIVERED, sent_at=timezone.now(), day=today(), segment_count=1)
    page.clock.fast_forward(31_000)
    expect(tile(page, "Delivered").locator(".big")).to_have_text("3")
    assert sum(drawn(page)[0]) == 3
    expect(page.locator(".periods [aria-current]")).to_have_text("Today")
    assert complaints == []
