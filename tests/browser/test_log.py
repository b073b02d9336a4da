"""The delivery log in a browser: by each filter, there and back, on a phone, and into a file."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from campaigns.admin.sent_messages import SentMessageAdmin
from campaigns.models import Attribute, MessageStatus, SentMessage
from tests.browser.windows import PHONE
from tests.campaigns.building import make_campaign, make_contact, make_message, number

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
STATES = [MessageStatus.DELIVERED, MessageStatus.UNDELIVERED, MessageStatus.FAILED, MessageStatus.QUEUED]


@pytest.fixture(autouse=True)
def log(monkeypatch, settings, tmp_path) -> None:
    """Two campaigns over three days, five rows a page."""
    monkeypatch.setattr(SentMessageAdmin, "list_per_page", 5)
    settings.MEDIA_ROOT = tmp_path
    Attribute.objects.create(name="city", label="City")
    campaigns = [make_campaign(name="Spring sale"), make_campaign(name="Winter news")]
    start = timezone.now().replace(hour=12, minute=0) - timedelta(days=3)
    for n in range(1, 25):
        contact = make_contact(number(n), first_name=f"Anna {n}", attributes={"city": "=Kazan"})
        make_message(
            number(n),
            contact=contact,
            campaign=campaigns[n % 2],
            status=STATES[n % 4],
            reason="too_late" if STATES[n % 4] == MessageStatus.FAILED else "",
            gateway="default" if n % 3 else "backup",
            created_at=start + timedelta(days=n // 9, minutes=n),
        )


def opened(page: Page, query: str = "") -> Page:
    page.goto(f"/admin/campaigns/sentmessage/{query}")
    return page


def numbers(page: Page) -> list[str]:
    cells = page.locator("#result_list tbody .field-to_whom")
    expect(page.locator("#log-filters")).to_be_visible()
    return [text.split(" ")[0].split("\n")[0] for text in cells.all_inner_texts()]


def expected(**filters: object) -> list[str]:
    found = SentMessage.objects.filter(**filters).order_by("-created_at", "-pk")
    return list(found.values_list("phone_number", flat=True))


def show(page: Page) -> None:
    page.locator("#log-filters").get_by_role("button", name="Show").click()
    page.wait_for_load_state()


def chip(page: Page, words: str) -> Locator:
    return page.locator(".chips .chip", has_text=words)


def test_each_filter_is_set_shown_kept_on_other_pages_and_removed(signed_in, complaints):
    page = opened(signed_in())
    page.locator("#log-filters .select2-selection").click()
    page.locator(".select2-search__field").fill("Spring")
    page.get_by_role("option", name="Spring sale").click()
    show(page)
    assert numbers(page) == expected(campaign__name="Spring sale")[:5]
    page.get_by_label("Status", exact=True).select_option(label="not reached (all)")
    show(page)
    not_reached = expected(campaign__name="Spring sale", status__in=["undelivered", "failed"])
    assert numbers(page) == not_reached[:5]
    assert "reason__exact" not in page.url  # what asks for nothing is not in the address
    page.get_by_role("link", name="Older").click()
    page.wait_for_load_state()
    assert numbers(page) == not_reached[5:10]
    expect(chip(page, "Status: not reached")).to_be_visible()
    chip(page, "Campaign: Spring sale").click()
    page.wait_for_load_state()
    assert numbers(page) == expected(status__in=["undelivered", "failed"])[:5]
    page.get_by_label("Status", exact=True).select_option(value="")
    page.get_by_label("Reason").select_option(label="not sent in time")
    show(page)
    assert numbers(page) == expected(reason="too_late")[:5]
    page.get_by_label("Reason").select_option(value="")
    day = (timezone.now() - timedelta(days=3)).date()
    page.get_by_label("From day").fill(day.isoformat())
    page.get_by_label("To day").fill(day.isoformat())
    show(page)
    assert numbers(page) == expected(created_at__date=day)[:5]
    chip(page, "Written").click()
    page.wait_for_load_state()
    page.get_by_label("Number, reference or provider's id").fill("8 999 000-00-07")
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    assert numbers(page) == [number(7)]
    opened(page, "?gateway__exact=backup")
    assert numbers(page) == expected(gateway="backup")[:5]
    assert complaints == []


def test_pages_lead_to_and_fro_and_so_does_the_back_button(signed_in, complaints):
    page, everything = opened(signed_in()), expected()
    for first in (0, 5, 10):
        assert numbers(page) == everything[first : first + 5]
        page.get_by_role("link", name="Older").click()
        page.wait_for_load_state()
    page.get_by_role("link", name="Newer").click()
    page.wait_for_load_state()
    assert numbers(page) == everything[10:15]
    page.go_back()
    page.wait_for_load_state()
    assert numbers(page) == everything[15:20]
    make_message("+79991111111")
    page.go_back()
    page.wait_for_load_state()
    assert numbers(page) == everything[10:15]
    day = (timezone.now() - timedelta(days=3)).date()
    page.get_by_label("Go to the day").fill(day.isoformat())
    page.get_by_role("button", name="Go", exact=True).first.click()
    page.wait_for_load_state()
    assert numbers(page) == expected(created_at__date=day)[:5]
    assert complaints == []


def test_fields_that_asked_for_nothing_can_be_used_after_the_back_button(signed_in):
    page = opened(signed_in())
    page.get_by_label("Status", exact=True).select_option(label="failed")
    show(page)
    page.go_back()
    page.wait_for_load_state()
    expect(page.get_by_label("Reason")).to_be_enabled()
    page.get_by_label("Status", exact=True).select_option(value="")
    page.get_by_label("Reason").select_option(label="not sent in time")
    show(page)
    assert numbers(page) == expected(reason="too_late")[:5]


def test_what_is_filtered_is_exported_and_downloaded(signed_in, tmp_path: Path, complaints):
    page = opened(signed_in(), "?reason__exact=too_late")
    page.get_by_role("link", name="Export…").click()
    expect(page.get_by_text("6 messages will be written into a file.")).to_be_visible()
    page.get_by_label("CSV (.csv)").check()
    for label in ("Id", "Text", "Segments"):
        page.get_by_label(label, exact=True).uncheck()
    page.get_by_label("City", exact=True).check()
    page.get_by_role("button", name="Export", exact=True).dblclick()
    expect(page.get_by_role("link", name="Download the file")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Can be downloaded until")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    content = Path(download.value.path()).read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [row["phone number"] for row in rows] == expected(reason="too_late")[::-1]
    assert {row["city"] for row in rows} == {"'=Kazan"}
    assert not {"id", "text", "segments"} & set(rows[0])
    page.get_by_role("link", name="Back to the list").click()
    page.wait_for_load_state()
    expect(chip(page, "Reason: not sent in time")).to_be_visible()
    assert complaints == []


def test_on_a_phone_messages_are_cards_and_the_filters_open_when_asked_for(signed_in, complaints):
    page = opened(signed_in(PHONE, dark=True), "?status__exact=failed")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert page.locator("#result_list.as-cards tbody tr").count() == 5
    expect(page.get_by_label("Reason")).to_be_hidden()
    page.get_by_text("More filters").click()
    page.get_by_label("Reason").select_option(label="not sent in time")
    show(page)
    assert numbers(page) == expected(reason="too_late")[:5]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    page.goto("/admin/campaigns/sentmessage/export/?status__exact=failed")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert complaints == []
