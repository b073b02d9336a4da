"""Going from page to page by keyboard: the search box, and the menu of a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.windows import PHONE
from tests.campaigns.building import make_campaign, make_contact, number

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/campaigns/contactgroup/"


@pytest.fixture
def people() -> None:
    for n, name in ((1, "Anna"), (2, "Anton"), (3, "Boris")):
        make_contact(number(n), first_name=name)
    make_campaign(name="Antenna sale")


def test_a_slash_goes_to_the_box_and_arrows_and_enter_open_what_was_found(signed_in, people, complaints):
    page = signed_in()
    page.goto(LIST)
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Search for a number, a name or a campaign")
    expect(box).to_be_focused()
    expect(box).to_have_value("")
    page.keyboard.type("ant")  # no page of the menu has a word that begins so
    options = page.get_by_role("option")
    expect(options).to_have_count(2)
    expect(box).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#site-search-said")).to_have_text("2 hits")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", str(options.nth(1).get_attribute("id")))
    page.keyboard.press("ArrowUp")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/admin/campaigns/contact/\d+/change/"))
    expect(page.get_by_label("First name")).to_have_value("Anton")
    assert complaints == []


def test_escape_closes_the_hits_and_then_leaves_the_box(signed_in, people):
    page = signed_in()
    page.goto(LIST)
    page.keyboard.press("/")
    page.keyboard.type("anna")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    expect(page.locator("#site-search")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#site-search")).not_to_be_focused()


def test_a_slash_that_is_typed_into_a_field_stays_there(signed_in, people):
    page = signed_in()
    page.goto("/admin/campaigns/contact/add/")
    page.get_by_label("First name").fill("")
    page.get_by_label("First name").press("/")
    expect(page.get_by_label("First name")).to_have_value("/")


def test_enter_without_a_choice_leads_to_the_page_with_all_that_was_found(signed_in, people):
    page = signed_in()
    page.goto(LIST)
    page.keyboard.press("/")
    page.keyboard.type("8 999 000 00 03")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Found for “8 999 000 00 03”")).to_be_visible()
    page.get_by_role("link", name="Boris").click()
    expect(page.get_by_label("First name")).to_have_value("Boris")


def test_the_box_works_without_scripts(browser, live_server, signed_in, people):
    cookies = signed_in().context.cookies()
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(LIST)
    page.locator("#site-search").fill("boris")
    page.locator("#site-search").press("Enter")
    expect(page.get_by_role("link", name="Boris")).to_be_visible()
    context.close()


def test_the_menu_of_a_phone_is_opened_and_closed_by_keyboard(signed_in, people):
    page = signed_in(PHONE)
    page.goto(LIST)
    menu = page.locator("#header .menu")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    current = menu.get_by_role("link", name="Groups", exact=True)
    expect(current).to_have_attribute("aria-current", "page")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(current).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    menu.get_by_role("link", name="Delivery log").press("Enter")
    expect(page).to_have_url(re.compile("/admin/campaigns/sentmessage/"))
