"""Watching a campaign in a real browser: live, paused, hidden, signed out, offline, without JavaScript."""

from __future__ import annotations

import re
import threading

import pytest
from playwright.sync_api import Page, Route, expect

from campaigns import lifecycle
from campaigns.models import Campaign, CampaignStatus, MessageStatus
from tests.browser.operator import Operator
from tests.browser.windows import DESKTOP, PHONE
from tests.campaigns.building import launched, make_message, message_to, number
from tests.campaigns.screens import campaign_url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PROGRESS = "**/progress/"
PASSWORD = "correct horse battery"
SOON = 15_000


def become(campaign: Campaign, status: MessageStatus, *numbers: int) -> None:
    """What workers and receipts do, as far as the page can tell."""
    campaign.messages.filter(phone_number__in=[number(n) for n in numbers]).update(status=status)


def count_requests(page: Page) -> list[str]:
    """The page's own questions, as they are asked."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/progress/") else None)
    return asked


def hide(page: Page, is_hidden: bool) -> None:
    """The window goes behind another one, or comes back."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


@pytest.fixture
def campaign() -> Campaign:
    return launched(contacts=4, name="New shop in Kazan")


def test_a_campaign_is_watched_to_its_end_without_touching_anything(signed_in, campaign, complaints):
    page = signed_in()
    asked = count_requests(page)
    page.goto(campaign_url(campaign))
    become(campaign, MessageStatus.SENT, 1, 2, 3)
    expect(page.locator("#progress .legend")).to_contain_text("sent 3", timeout=SOON)
    become(campaign, MessageStatus.REJECTED, 4)
    campaign.messages.filter(phone_number=number(4)).update(reason="barred", reason_text="line is barred (7)")
    become(campaign, MessageStatus.DELIVERED, 1, 2)
    expect(page.locator("#progress .problems")).to_contain_text("line is barred (7)", timeout=SOON)
    become(campaign, MessageStatus.DELIVERED, 3)
    lifecycle.complete_if_done(campaign.pk)
    Operator(page).wait_until("completed")
    expect(page.locator("#progress .legend")).to_contain_text("delivered 3")
    assert page.locator("#progress").get_attribute("data-seconds") == "0"
    so_far = len(asked)
    page.wait_for_timeout(4_000)
    assert len(asked) == so_far
    assert complaints == []


def test_every_part_of_the_bar_leads_to_its_rows(signed_in, campaign):
    become(campaign, MessageStatus.SENT, 1)
    page = signed_in()
    page.goto(campaign_url(campaign))
    page.locator("svg.bar a").first.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def test_whoever_is_on_a_link_by_keyboard_stays_on_it(signed_in, campaign):
    page = signed_in()
    page.goto(campaign_url(campaign))
    page.locator("#progress .legend a").focus()
    make_message(number(60), campaign=campaign, status=MessageStatus.QUEUED)
    expect(page.locator("#progress .legend")).to_contain_text("queued 5", timeout=SOON)
    expect(page.locator("#progress .legend a")).to_be_focused()


def test_those_who_hear_the_page_are_told_at_most_every_ten_seconds(signed_in, campaign):
    page = signed_in()
    page.goto(campaign_url(campaign))
    told = page.locator("#progress-said")
    become(campaign, MessageStatus.SENT, 1)
    expect(page.locator("#progress .legend")).to_contain_text("sent 1", timeout=SOON)
    assert told.inner_text() == ""
    expect(told).to_contain_text("1 of 4 done, 3 to go", timeout=SOON)
    assert page.locator("#progress [role=status], #progress [aria-live]").count() == 0


def test_pause_resume_and_cancel_by_hand(signed_in, campaign):
    page = signed_in()
    operator = Operator(page)
    page.goto(campaign_url(campaign))
    page.get_by_role("button", name="Pause").click()
    operator.wait_until("paused")
    page.get_by_role("button", name="Resume").click()
    operator.wait_until("sending")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the campaign").click()
    operator.wait_until("cancelled")
    trail = page.locator("#trail")
    for words in ("anna paused", "anna resumed", "anna cancelled"):
        expect(trail).to_contain_text(words)


def test_a_double_click_on_pause_pauses_once_and_is_no_error(signed_in, campaign):
    page = signed_in()
    page.goto(campaign_url(campaign))
    page.get_by_role("button", name="Pause").dblclick()
    Operator(page).wait_until("paused")
    expect(page.locator(".messagelist .error")).to_have_count(0)
    assert campaign.audit_events.filter(action="pause").count() == 1


def test_two_windows_that_pause_are_both_told_that_it_is_paused(signed_in, campaign):
    page = signed_in()
    page.goto(campaign_url(campaign))
    hide(page, True)  # it does not notice by itself
    lifecycle.pause(campaign, actor=None)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".messagelist")).to_contain_text("is paused already")
    expect(page.locator(".messagelist .error")).to_have_count(0)


def test_a_hidden_tab_asks_nothing_and_asks_at_once_when_it_is_looked_at(signed_in, campaign):
    page = signed_in()
    asked = count_requests(page)
    page.goto(campaign_url(campaign))
    hide(page, True)
    page.wait_for_timeout(500)
    so_far = len(asked)
    become(campaign, MessageStatus.SENT, 1)
    page.wait_for_timeout(5_000)
    assert len(asked) == so_far
    hide(page, False)
    expect(page.locator("#progress .legend")).to_contain_text("sent 1", timeout=SOON)


def test_whoever_is_signed_out_is_told_and_goes_on_after_signing_in(signed_in, campaign, complaints):
    page = signed_in()
    page.goto(campaign_url(campaign))
    page.context.clear_cookies()
    trouble = page.locator("#progress-trouble")
    expect(trouble).to_contain_text("You are signed out", timeout=SOON)
    link = trouble.get_by_role("link", name="Sign in in a new tab")
    with page.context.expect_page() as opened:
        link.click()
    other = opened.value
    other.get_by_label("Username").fill("anna")
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Log in").click()
    expect(other.locator("#content h1")).to_contain_text(campaign.name)
    page.bring_to_front()
    become(campaign, MessageStatus.SENT, 1)
    expect(page.locator("#progress .legend")).to_contain_text("sent 1", timeout=20_000)
    expect(trouble).to_be_empty()
    assert complaints == []


def test_a_server_that_does_not_answer_is_told_and_asked_less_and_less(signed_in, campaign):
    page = signed_in()
    asked = count_requests(page)
    page.route(PROGRESS, lambda route: route.abort())
    page.goto(campaign_url(campaign))
    trouble = page.locator("#progress-trouble")
    expect(trouble).to_contain_text("The server does not answer", timeout=20_000)
    so_far = len(asked)
    page.wait_for_timeout(5_000)
    assert len(asked) <= so_far + 1
    page.unroute(PROGRESS)
    become(campaign, MessageStatus.SENT, 1)
    expect(page.locator("#progress .legend")).to_contain_text("sent 1", timeout=30_000)
    expect(trouble).to_be_empty()


def test_on_a_slow_network_one_question_is_open_at_a_time(signed_in, campaign):
    page = signed_in()
    open_now, most = [0], [0]
    lock = threading.Lock()

    def slowly(route: Route) -> None:
        with lock:
            open_now[0] += 1
            most[0] = max(most[0], open_now[0])
        page.wait_for_timeout(3_000)
        with lock:
            open_now[0] -= 1
        route.continue_()

    page.route(PROGRESS, slowly)
    page.goto(campaign_url(campaign))
    become(campaign, MessageStatus.SENT, 1)
    hide(page, False)
    expect(page.locator("#progress .legend")).to_contain_text("sent 1", timeout=30_000)
    assert most[0] == 1
    page.unroute(PROGRESS)


def test_whoever_may_not_look_any_more_is_told_and_not_asked_about_again(signed_in, campaign, operator):
    page = signed_in()
    asked = count_requests(page)
    page.goto(campaign_url(campaign))
    operator.is_superuser = False
    operator.save()
    expect(page.locator("#progress-trouble")).to_contain_text("may not see this campaign", timeout=SOON)
    so_far = len(asked)
    page.wait_for_timeout(4_000)
    assert len(asked) == so_far


def test_without_javascript_the_figures_are_there_and_can_be_looked_at_again(browser, live_server, operator, campaign):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    Operator(page).sign_in("anna", PASSWORD)
    page.goto(campaign_url(campaign))
    expect(page.locator("#progress .legend")).to_contain_text("queued 4")
    become(campaign, MessageStatus.SENT, 1)
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("#progress .legend")).to_contain_text("sent 1")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#content h1 .pill")).to_have_text("paused")
    context.close()


def test_from_a_number_to_its_message_in_two_clicks_and_to_why_not(signed_in, campaign):
    become(campaign, MessageStatus.CANCELLED, 2)
    Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.CANCELLED)
    page = signed_in()
    operator = Operator(page)
    operator.open("Delivery log")
    operator.search("8 999 000-00-02")
    page.locator("#result_list tbody th a").first.click()
    expect(page.get_by_role("heading", name="What was allowed")).to_be_visible()
    page.get_by_role("link", name="What it means").click()
    expect(page.locator("#answer")).to_contain_text("The campaign was cancelled")
    page.get_by_label("Phone number").fill("8 999 000 00 77")
    page.get_by_role("button", name="Why not?").click()
    expect(page.locator("#answer")).to_contain_text("There is no contact with this number")


def test_a_message_prints_without_what_belongs_to_the_screen(signed_in, campaign):
    page = signed_in()
    page.goto(message_to(number(1)).get_absolute_url())
    page.emulate_media(media="print")
    expect(page.locator(".printed")).to_be_visible()
    for hidden in ("#header", ".sidebar", ".action-bar", "#footer"):
        expect(page.locator(hidden).first).to_be_hidden()


def test_the_report_is_a_page_of_its_own_and_a_file(signed_in, campaign, complaints):
    become(campaign, MessageStatus.SENT, 1, 2)
    page = signed_in(DESKTOP, dark=True)
    page.goto(campaign_url(campaign))
    page.get_by_role("link", name="Report").click()
    expect(page.get_by_role("heading", name="What became of it")).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    with page.expect_download() as download:
        page.get_by_role("button", name="Excel file").click()
    assert re.fullmatch(r"new-shop-in-kazan\.xlsx", download.value.suggested_filename)
    assert complaints == []


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop", "phone, dark"])
def test_none_of_these_pages_is_wider_than_the_window(signed_in, campaign, complaints, size, dark):
    words = "a provider's word without any space: " + "x" * 80
    campaign.messages.filter(phone_number=number(1)).update(status="rejected", reason="barred", reason_text=words)
    page = signed_in(size, dark=dark)
    pk = message_to(number(1)).pk
    for url in (
        campaign_url(campaign),
        campaign_url(campaign, "report"),
        message_to(number(1)).get_absolute_url(),
        f"/admin/campaigns/sentmessage/why-not/?campaign={campaign.pk}&message={pk}",
    ):
        page.goto(url)
        page.wait_for_load_state("load")
        assert (url, page.evaluate("document.documentElement.scrollWidth")) == (url, size[0])
    assert complaints == []
