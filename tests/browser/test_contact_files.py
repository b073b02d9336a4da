"""What a file of contacts looks like in another encoding, what is remembered of it, and consent of everybody in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from campaigns.models import Contact
from tests.browser.operator import Operator
from tests.browser.windows import PHONE
from tests.campaigns.building import make_contact, make_group, number

pytestmark = pytest.mark.browser
#: Where pictures are put that somebody wants to look at.
PICTURES = os.environ.get("PICTURES", "")


@pytest.fixture(autouse=True)
def media(settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


def test_another_encoding_shows_at_once_how_the_file_looks_then(
    signed_in: Callable[..., Page], tmp_path: Path, complaints: list[str]
) -> None:
    file = tmp_path / "lidé.csv"
    file.write_bytes("telefon;jméno\n+420601234567;Růžička\n+420601234568;Šťastný\n".encode("iso8859-2"))
    page = signed_in()
    Operator(page).begin_upload(file, country="Russia (+7)", new_group="Lidé")
    expect(page.get_by_text("The encoding is a guess")).to_be_visible()
    expect(page.get_by_text("Růžička", exact=True).first).to_be_visible()
    expect(page.get_by_label("Encoding")).to_have_value("iso8859-2")
    picture(page, "reading")
    page.get_by_label("Encoding").select_option("cp1252")
    expect(page.get_by_text("Rù¾ièka", exact=True).first).to_be_visible()
    page.get_by_label("Encoding").select_option("cp1250")
    page.get_by_label("Encoding").select_option("iso8859-2")
    expect(page.get_by_text("Růžička", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Check the rows").click()
    expect(page.get_by_text("No contact has been changed yet")).to_be_visible()
    page.get_by_role("button", name="Import 2 contacts").click()
    page.get_by_role("link", name="Undo the import").click()
    expect(page.get_by_role("row", name="The group “Lidé” that it made")).to_contain_text("goes")
    picture(page, "undo")
    page.get_by_role("button", name="Undo the import").click()
    expect(page.get_by_text("The group “Lidé”, which it had made, is gone.")).to_be_visible()
    page.goto("/admin/campaigns/importsource/")
    expect(page.get_by_role("cell", name="lidé.csv", exact=True)).to_be_visible()
    picture(page, "readings")
    assert complaints == []


def test_the_consent_of_everybody_in_a_list_is_recorded_on_a_phone(
    signed_in: Callable[..., Page], complaints: list[str]
) -> None:
    make_group("Regulars", contacts=3)
    make_contact(number(9))
    page = signed_in(PHONE)
    page.goto(f"/admin/campaigns/contact/?q={number(1)[1:]}")
    page.locator("input.action-select").check()
    page.locator("select[name=action]").select_option("consent")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_text("Chosen: 1 person.")).to_be_visible()
    picture(page, "consent-phone")
    page.get_by_label("They agreed", exact=True).check()
    page.get_by_label("Source").fill("order form")
    page.get_by_role("button", name="Record it for 1 contact").click()
    expect(page.get_by_text("Record consent to advertising (order form): 1 person, 1 of them changed.")).to_be_visible()
    assert Contact.objects.filter(consent="given").count() == 1
    assert complaints == []


def test_remembered_readings_and_the_consent_form_hold_in_the_dark(signed_in: Callable[..., Page]) -> None:
    make_group("Regulars", contacts=3)
    page = signed_in(dark=True)
    page.goto("/admin/campaigns/importsource/")
    expect(page.get_by_text("Nothing is remembered yet")).to_be_visible()
    picture(page, "readings-empty-dark")
    page.goto("/admin/campaigns/contact/")
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("consent")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_text("Chosen: 3 people.")).to_be_visible()
    picture(page, "consent-dark")
