"""A reply arrives, an operator reads and answers it, and the answer leaves; by the screens and nothing else."""

from __future__ import annotations

import json
import os
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect

from campaigns import consent, replies
from campaigns.models import Consent, Conversation, MessageStatus, OptOut, Purpose, ReplyKeyword, SentMessage
from campaigns.sending.dispatch import send_waiting
from campaigns.unsubscribing import unsubscribe_link
from sms_backends import IncomingSms
from tests.browser.windows import DESKTOP, PHONE
from tests.campaigns.building import make_contact, make_group, make_message, number

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SECRET = "correct-horse"


@pytest.fixture(autouse=True)
def simulator(settings):
    settings.SMS_SETTINGS = {
        "BACKEND": "sms_backends.providers.simulator.SmsBackend",
        "OPTIONS": {"LATENCY": 0, "INCOMING_SECRET": SECRET},
    }


def post(base_url: str, secret: str = SECRET, **fields: str) -> int:
    """What a provider does when somebody writes."""
    request = Request(f"{base_url}/sms/default/incoming/", json.dumps(fields).encode(), method="POST")
    request.add_header("X-Simulator-Secret", secret)
    with urlopen(request, timeout=10) as response:
        return int(response.status)


def test_a_reply_is_read_and_answered(signed_in, live_server, complaints):
    make_contact(number(1), first_name="Anna", last_name="Orlova")
    make_message(number(1), body="Your parcel is here.", status=MessageStatus.SENT)
    page = signed_in()
    for _delivery in range(2):  # providers repeat themselves
        assert post(live_server.url, **{"from": number(1), "text": "Until when are you open?", "id": "m-1"}) == 200
    page.get_by_role("navigation").get_by_role("link", name="Inbox").click()
    row = page.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("unread")
    row.get_by_role("link").first.click()
    expect(page.locator(".bubbles .theirs")).to_contain_text("Until when are you open?")
    expect(page.locator(".bubbles .ours")).to_contain_text("Your parcel is here.")
    expect(page.get_by_role("button", name="Mark as read")).to_have_count(0)  # read by now, without a click
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("Taken by anna.")).to_be_visible()
    page.get_by_label("Answer").fill("До семи вечера")
    expect(page.locator("#segment-count")).to_contain_text("SMS: 1")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("The answer is on its way.")).to_be_visible()
    assert not send_waiting(None, seconds=10)
    answer = SentMessage.objects.get(purpose=Purpose.REPLY)
    assert (answer.status, answer.body, answer.phone_number) == (MessageStatus.SENT, "До семи вечера", number(1))
    assert answer.provider_message_id.startswith("sim-")
    page.reload()
    expect(page.locator(".bubbles .ours").last).to_contain_text("До семи вечера")
    expect(page.locator("h1 .pill")).to_have_text("answered")
    assert complaints == []


def test_the_length_of_an_automatic_answer_is_counted_while_it_is_written(signed_in, complaints):
    page = signed_in()
    for url in ("/admin/campaigns/replykeyword/add/", "/admin/campaigns/automaticreply/add/"):
        page.goto(url)
        page.locator("textarea[data-segments]").fill("Привет" * 12)
        expect(page.locator("#segment-count")).to_contain_text("SMS: 2")
    assert complaints == []


def test_somebody_opts_out_by_the_link_without_signing_in(open_window, live_server, complaints, settings):
    settings.SITE_URL = live_server.url
    page = open_window(live_server.url, PHONE)
    page.goto(unsubscribe_link(number(1)))
    assert not OptOut.objects.exists()
    page.get_by_role("button").click()
    expect(page.get_by_text("Done.")).to_be_visible()
    assert OptOut.objects.get().phone_number == number(1)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert complaints == []


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop", "phone, dark"])
def test_no_page_of_these_breaks_the_policy_or_is_wider_than_the_window(signed_in, complaints, size, dark):
    contact = make_contact(number(1), make_group("VIP"), first_name="Anna", last_name="Orlova")
    consent.record_consent(contact, Consent.GIVEN, source="Web form", evidence="Ticked on 3 May, IP 192.0.2.7")
    make_message(number(1), body="Autumn sale: 20 % off. Reply STOP to opt out.", status=MessageStatus.DELIVERED)
    wrote = ((1, "When do you open?"), (1, "please don't text me before 9"), (2, "STOP"), (2, "Where is my parcel?"))
    for n, text in wrote:
        replies.receive("default", [IncomingSms(number(n), text, "1234", f"{n}-{text}")])
    ReplyKeyword.objects.create(word="SALE", normalised="sale", reply="20 % off until Sunday")
    first, second = Conversation.objects.order_by("phone_number")
    pages = {
        "inbox": "/admin/campaigns/conversation/",
        "conversation": first.get_absolute_url(),
        "opted-out": second.get_absolute_url(),
        "contact": f"/admin/campaigns/contact/{contact.pk}/change/",
        "keywords": "/admin/campaigns/replykeyword/",
        "keyword": "/admin/campaigns/replykeyword/add/",
        "built-in": "/admin/campaigns/replykeyword/built-in/",
        "answers": "/admin/campaigns/automaticreply/add/",
        "erasures": "/admin/campaigns/erasure/",
        "erase": f"/admin/campaigns/erasure/add/?contact={contact.pk}",
        "export": "/admin/campaigns/erasure/export/",
    }
    page = signed_in(size, dark=dark)
    folder = os.environ.get("PICTURES_OF_TESTS")
    for name, url in pages.items():
        page.goto(url)
        page.wait_for_load_state("networkidle")
        if folder:
            page.screenshot(path=f"{folder}/{name}-{size[0]}.png", full_page=True)
        assert (url, page.evaluate("document.documentElement.scrollWidth")) == (url, size[0])
    assert complaints == []
