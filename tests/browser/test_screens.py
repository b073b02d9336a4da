"""What only a browser can tell: what the policy refuses, whether a phone scrolls sideways, how the scripts count."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from campaigns import lifecycle
from campaigns.models import Campaign, CampaignStatus, MessageStatus
from sms_backends.segments import segment
from tests.browser.windows import DESKTOP, PHONE
from tests.campaigns.building import launched, make_campaign, make_group, make_message, number
from tests.campaigns.screens import campaign_url, message_url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXTS = [
    "",
    "Hello",
    "a" * 160,
    "a" * 161,
    "€" * 80,
    "€" * 81,
    "a" * 152 + "€" + "b" * 153,
    "Привет" * 12,
    "п" * 70,
    "п" * 71,
    "п" * 66 + "😀" + "п" * 66,
    "line\nbreak {brackets} [and] ~tilde~ \\ ^ |",
    "“curly” – quotes",
]


@pytest.fixture
def pages() -> list[str]:
    """Every kind of page of ours, with something on it."""
    group = make_group(contacts=3, first_name="Anna", attributes={"a_rather_long_name": "and a rather long value"})
    sending = make_campaign(group, name="New shop in Kazan")
    lifecycle.launch(sending, actor=None)
    message = make_message(number(8), campaign=sending, status=MessageStatus.UNKNOWN, reason="worker_lost")
    draft = make_campaign(group, body="Hello {{ first_name }}")
    return [
        "/",
        "/admin/",
        "/admin/campaigns/campaign/",
        campaign_url(sending),
        campaign_url(draft),
        campaign_url(draft, "launch"),
        campaign_url(draft, "schedule"),
        campaign_url(draft, "test"),
        "/admin/campaigns/contact/",
        "/admin/campaigns/contact/add/",
        "/admin/campaigns/contactgroup/",
        "/admin/campaigns/contactimport/add/",
        "/admin/campaigns/sentmessage/",
        message_url(message),
        "/admin/campaigns/gatewaystate/",
        "/admin/campaigns/user/add/",
        "/admin/django_q/success/",
    ]


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop", "phone, dark"])
def test_no_page_breaks_the_policy_or_is_wider_than_the_window(signed_in, pages, complaints, size, dark):
    page = signed_in(size, dark=dark)
    for url in pages:
        page.goto(url)
        page.wait_for_load_state("networkidle")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert (url, width) == (url, size[0])
    assert complaints == []


def test_the_browser_counts_segments_as_the_server_does(signed_in):
    page = signed_in()
    page.goto("/")
    for text in TEXTS:
        found = page.evaluate("text => window.countSegments(text)", text)
        expected = segment(text)
        assert (text, found) == (
            text,
            {
                "encoding": str(expected.encoding),
                "segments": expected.segments,
                "units": expected.units,
                "left": expected.units_left,
            },
        )


def test_the_count_follows_what_is_typed(signed_in):
    page = signed_in()
    page.goto("/")
    page.get_by_label("Text").fill("Привет")
    expect(page.locator("#segment-count")).to_have_text("SMS: 1 · characters: 6 · left in this SMS: 64 · UCS-2")


def test_the_form_says_which_number_is_meant(signed_in):
    page = signed_in()
    page.goto("/")
    page.get_by_label("Phone number").fill("8 912 345 67 89")
    expect(page.locator("#number-hint")).to_have_text("Will be sent to +79123456789")


def test_the_figures_of_a_running_campaign_renew_themselves(signed_in):
    campaign = launched(contacts=3)
    page = signed_in()
    page.goto(campaign_url(campaign))
    expect(page.locator("#progress")).to_contain_text("0 done")
    campaign.messages.filter(phone_number=number(1)).update(status=MessageStatus.CANCELLED)
    expect(page.locator("#progress")).to_contain_text("1 done")
    Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.PAUSED, pause_reason="no money left")
    expect(page.get_by_text("no money left")).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_rows_become_cards_on_a_phone(signed_in):
    make_campaign(name="Sale")
    page = signed_in(PHONE)
    page.goto("/admin/campaigns/campaign/")
    cell = page.locator("#result_list td.field-state")
    assert cell.get_attribute("data-label") == "Status"
    expect(page.locator("#result_list thead")).to_be_hidden()
