"""Writing a campaign in a real browser: what is typed is counted, mended, previewed, kept and never lost."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from campaigns.models import Campaign, CampaignDraft, ContactGroup, MessageTemplate, TemplateText, User
from sms_backends.segments import GSM_REPLACEMENTS
from tests.browser.conftest import PASSWORD
from tests.browser.operator import Operator
from tests.browser.windows import DESKTOP, PHONE
from tests.campaigns.building import make_campaign, make_contact, make_group, number
from tests.campaigns.screens import campaign_url
from tests.campaigns.test_texts_in_the_browser import TEXTS, VALUES, in_python

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADD = "/admin/campaigns/campaign/add/"
#: How many forms this browser keeps a copy of.
COPIES = "Object.keys(localStorage).filter((name) => name.startsWith('draft:')).length"
#: Milliseconds until the server has what was typed.
KEPT = 15_000


@pytest.fixture
def people() -> ContactGroup:
    group = make_group("Loyalty card")
    make_contact(number(1), group, first_name="Anna", language="ru", attributes={"City": "Omsk"})
    make_contact(number(2), group, first_name="Maximiliano", attributes={"City": "Nizhny Novgorod"})
    make_contact(number(3), group, first_name="Bo")
    return group


def text_field(page: Page):
    return page.locator("#id_body")


def type_text(page: Page, text: str) -> None:
    """At the end of what is there, key by key."""
    text_field(page).focus()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def expect_kept(page: Page) -> None:
    expect(page.locator("#draft-said")).to_contain_text("not saved yet", timeout=KEPT)


def sign_out_everywhere() -> None:
    Session.objects.all().delete()


def test_the_count_is_of_the_longest_real_values_as_one_types(signed_in, people, complaints):
    page = signed_in()
    page.goto(campaign_url(make_campaign(people, body="Hi")))
    type_text(page, " {{ first_name }}")
    expect(page.locator("#segment-count")).to_contain_text("characters: 14")  # at once: Hi Maximiliano
    expect(page.locator("#writing-panel")).to_contain_text("Longest, for Maximiliano")
    assert complaints == []


def test_costly_characters_are_marked_and_replaced_by_one_click_and_back(signed_in, people, complaints):
    page = signed_in()
    page.goto(campaign_url(make_campaign(people, body="Hi “you” – " + "a" * 60)))
    expect(page.locator(".marks mark")).to_have_text(["“", "”", "–"])
    expect(page.locator(".costly li").first).to_contain_text("at position 4: 3 more SMS")
    page.locator('[data-replace="–"]').click()
    expect(text_field(page)).to_have_value("Hi “you” - " + "a" * 60)
    page.get_by_role("button", name=re.compile("^Replace all")).click()
    expect(text_field(page)).to_have_value('Hi "you" - ' + "a" * 60)
    expect(page.locator(".marks mark")).to_have_count(0)
    expect(page.locator("#segment-count")).to_contain_text("GSM-7")
    page.get_by_role("button", name="Undo").click()
    expect(text_field(page)).to_have_value("Hi “you” - " + "a" * 60)
    text_field(page).press("Control+z")  # the editor's own memory goes on working
    expect(text_field(page)).to_have_value('Hi "you" - ' + "a" * 60)
    assert complaints == []


def test_placeholders_are_put_in_at_the_cursor_by_keyboard_too(signed_in, people):
    page = signed_in()
    page.goto(campaign_url(make_campaign(people, body="Hello !")))
    page.evaluate("document.getElementById('id_body').setSelectionRange(6, 6)")
    text_field(page).focus()
    page.get_by_role("button", name="City").click()
    expect(text_field(page)).to_have_value("Hello {{ City }}!")
    chip = page.get_by_role("button", name="first name")
    chip.focus()
    page.keyboard.press("Enter")
    expect(text_field(page)).to_have_value("Hello {{ City }}{{ first_name }}!")
    expect(page.locator(".chips")).to_contain_text("1 person has none")


def test_an_unknown_placeholder_is_named_while_typing_and_mended(signed_in, people):
    page = signed_in()
    page.goto(campaign_url(make_campaign(people, body="In")))
    type_text(page, " {{ citty }}")
    expect(page.locator("#writing-panel")).to_contain_text("Nobody in the chosen groups has “citty”")
    page.get_by_role("button", name="Change to City").click()
    expect(text_field(page)).to_have_value("In {{ City }}")
    expect(page.locator("#writing-panel")).not_to_contain_text("citty")


def test_real_peoples_phones_are_shown_and_any_number_typed_in(signed_in, people):
    page = signed_in()
    page.goto(campaign_url(make_campaign(people, body="Hi {{ first_name }} in {{ city }}: shop.ru/sale")))
    shown = page.locator(".writing-preview")
    expect(shown).to_contain_text("Gets nothing: there is no city")
    page.get_by_role("button", name="Shortest", exact=True).click()
    expect(shown.locator("figure")).to_have_count(1)
    expect(shown.locator(".bubble")).to_have_text("Hi Anna in Omsk: shop.ru/sale")
    expect(shown.get_by_role("link", name="shop.ru/sale")).to_have_attribute("href", "https://shop.ru/sale")
    page.locator("#preview-number").fill("8 (999) 000-00-02")
    page.keyboard.press("Enter")
    expect(shown.locator(".bubble")).to_contain_text("Hi Maximiliano")
    expect(page).to_have_url(re.compile("/change/$"))  # Enter in that field saves nothing


def test_enter_in_another_field_still_saves(signed_in, people):
    page = signed_in()
    campaign = make_campaign(people)
    page.goto(campaign_url(campaign))
    page.get_by_label("Name:", exact=True).fill("Renamed")
    page.keyboard.press("Enter")
    expect(page.get_by_text("“Renamed” is saved.")).to_be_visible()


def test_a_template_in_two_languages_is_put_in_and_taken_back(signed_in, people, complaints):
    template = MessageTemplate.objects.create(name="Greeting", body="Hello {{ first_name }}")
    TemplateText.objects.create(template=template, language="de", body="Hallo")
    TemplateText.objects.create(template=template, language="ru", body="Привет, {{ first_name }}")
    page = signed_in()
    campaign = make_campaign(people, body="My own")
    page.goto(campaign_url(campaign))
    page.get_by_text("Template and languages").click()
    page.get_by_label("Template:").select_option(label="Greeting")
    page.get_by_role("button", name="Put in its texts").click()
    expect(text_field(page)).to_have_value("Hello {{ first_name }}")
    expect(page.locator("#writing-panel")).to_contain_text("Привет, Anna")
    page.get_by_role("button", name="Undo").click()
    expect(text_field(page)).to_have_value("My own")
    page.get_by_role("button", name="Put in its texts").click()
    expect(text_field(page)).to_have_value("Hello {{ first_name }}")
    Operator(page).save()
    expect(page.get_by_text("is saved.")).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.texts == {"de": "Hallo", "ru": "Привет, {{ first_name }}"}
    assert complaints == []


def test_what_is_typed_is_kept_by_itself_and_there_again_later(signed_in, people):
    page = signed_in()
    page.goto(ADD)
    page.get_by_label("Name:", exact=True).fill("Sale")
    type_text(page, "Hello everybody")
    expect_kept(page)
    assert page.evaluate(COPIES) == 0  # the server has it
    assert not Campaign.objects.exists()
    page.goto("/admin/")
    page.goto(ADD)
    expect(text_field(page)).to_have_value("Hello everybody")
    page.get_by_role("button", name="Throw it away").click()
    expect(page.get_by_text("is thrown away")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(text_field(page)).to_have_value("")


def test_leaving_keeps_what_was_typed_last(signed_in, people):
    page = signed_in()
    campaign = make_campaign(people, body="Old")
    page.goto(campaign_url(campaign))
    text_field(page).fill("Typed and left at once")
    page.goto("/admin/")
    page.goto(campaign_url(campaign))
    expect(text_field(page)).to_have_value("Typed and left at once")


def test_two_people_are_told_and_nobody_saves_over_the_other_unseen(signed_in, open_window, live_server, people):
    User.objects.create_superuser("ivan", password=PASSWORD, first_name="Ivan")
    campaign = make_campaign(people, body="Old")
    anna = signed_in()
    anna.goto(campaign_url(campaign))
    text_field(anna).fill("Anna's text")
    expect_kept(anna)
    ivan = open_window(live_server.url)
    Operator(ivan).sign_in("ivan", PASSWORD)
    ivan.goto(campaign_url(campaign))
    expect(ivan.locator("#company")).to_contain_text("Anna is writing this campaign too, since")
    text_field(ivan).fill("Ivan's text")
    Operator(ivan).save()
    expect(ivan.get_by_text("is saved.")).to_be_visible()
    # Anna is told without touching anything, and sees both texts when she saves.
    expect(anna.locator("#company")).to_contain_text("Ivan saved this campaign", timeout=KEPT)
    Operator(anna).save()
    expect(anna.locator(".bubble.theirs")).to_have_text("Ivan's text")
    expect(anna.locator(".bubble.mine")).to_have_text("Anna's text")
    campaign.refresh_from_db()
    assert campaign.body == "Ivan's text"
    anna.get_by_role("button", name="Save mine over it").click()
    expect(anna.get_by_text("is saved.")).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.body == "Anna's text"


def test_a_lost_session_loses_no_text(signed_in, people):
    page = signed_in()
    page.goto(ADD)
    page.get_by_label("Name:", exact=True).fill("Sale")
    page.locator(".field-include_groups .select2-selection").click()
    page.get_by_role("option", name="Loyalty card").click()
    type_text(page, "Written before")
    expect_kept(page)
    sign_out_everywhere()
    type_text(page, " and after")
    expect(page.locator("#draft-trouble")).to_contain_text("You are signed out", timeout=KEPT)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Username")).to_be_visible()
    page.get_by_label("Username").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(text_field(page)).to_have_value("Written before and after")
    expect(page.locator("#draft-trouble")).to_contain_text("is filled in again")
    expect(page.locator(".field-include_groups")).to_contain_text("Loyalty card")
    Operator(page).save()
    expect(page.get_by_text("“Sale” is saved.")).to_be_visible()
    assert Campaign.objects.get().body == "Written before and after"
    page.wait_for_load_state("domcontentloaded")  # the script that forgets the copy has run
    assert page.evaluate(COPIES) == 0
    assert not CampaignDraft.objects.exists()


def test_signing_in_in_another_tab_is_enough(signed_in, people):
    page = signed_in()
    campaign = make_campaign(people, body="Old")
    page.goto(campaign_url(campaign))
    type_text(page, " more")
    expect_kept(page)
    sign_out_everywhere()
    type_text(page, " text")
    expect(page.locator("#draft-trouble")).to_contain_text("You are signed out", timeout=KEPT)
    tab = page.context.new_page()
    Operator(tab).sign_in("anna", PASSWORD)
    expect(page.locator("#draft-trouble")).to_be_empty(timeout=KEPT)
    Operator(page).save()
    expect(page.get_by_text("is saved.")).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.body == "Old more text"


def test_without_scripts_the_form_says_the_same_after_saving(browser, live_server, operator, people):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    Operator(page).sign_in(operator.username, PASSWORD)
    campaign = make_campaign(people, body="“Hi” {{ first_name }}")
    page.goto(campaign_url(campaign))
    expect(page.locator("#writing-panel")).to_contain_text("U+201C at position 1")
    text_field(page).fill("Hello {{ first_name }}")
    page.get_by_role("button", name="Shortest", exact=True).click()
    expect(page.locator(".bubble")).to_have_text("Hello Bo")
    Operator(page).save()
    expect(page.get_by_text("is saved.")).to_be_visible()
    context.close()


def test_chromium_reads_texts_as_the_server_does(signed_in, people):
    page = signed_in()
    page.goto(ADD)
    for text in TEXTS:
        found = page.evaluate(
            """([text, values]) => ({
                count: countSegments(text), spans: smsTexts.literalSpans(text), rendered: smsTexts.render(text, values),
                costly: smsTexts.costlyIn(text), replaced: smsTexts.withReplacements(text, GSM_REPLACEMENTS),
                name: smsTexts.normaliseName(text)})""",
            [text, VALUES],
        )
        assert (text, json.loads(json.dumps(found))) == (text, in_python(text))
    assert page.evaluate("GSM_REPLACEMENTS") == GSM_REPLACEMENTS


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, True), (PHONE, False)], ids=["desktop, dark", "phone"])
def test_the_page_is_no_wider_than_the_window_with_all_of_it(signed_in, people, complaints, size, dark):
    page = signed_in(size, dark=dark)
    page.goto(campaign_url(make_campaign(people, body="“" + "long" * 60, texts={"ru": "Привет"})))
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert complaints == []
