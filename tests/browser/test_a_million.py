"""Selecting all of a million contacts and acting upon them: asked in numbers, watched, left, come back to, stopped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PASSWORD, running_installation
from tests.browser.operator import Operator
from tests.faults.installation import SendingInstallation

pytestmark = pytest.mark.browser

CONTACT_COUNT = 1_000_000
CONTACTS = f"""
INSERT INTO campaigns_contact (phone_number, first_name, last_name, email, language, region, time_zone, attributes,
    consent, consent_source, consent_evidence, created_at, updated_at)
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {CONTACT_COUNT})
SELECT '+7' || (9120000000 + n), 'First ' || (n % 1000), 'Last ' || n, '', 'ru', 'RU', 'Europe/Moscow', '{{}}',
    'unknown', '', '', '2026-01-01 00:00:00', '2026-01-01 00:00:00'
FROM counted
"""
NEW_OPERATOR = f"""
from django.contrib.auth.models import Group
from campaigns.models import User
olga = User.objects.create_user("olga", password="{PASSWORD}", is_staff=True)
olga.groups.add(Group.objects.get(name="Operator"))
"""
#: Milliseconds that the whole million may take on a busy machine.
PATIENCE = 300_000


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SendingInstallation]:
    """Runs, with a million contacts and an operator."""
    with running_installation(tmp_path_factory.mktemp("million")) as running:
        assert running.storage.execute(CONTACTS) == CONTACT_COUNT
        running.manage("shell", "-c", NEW_OPERATOR)
        yield running


@pytest.fixture
def come_in(open_window: Callable[..., Page], installation: SendingInstallation) -> Callable[[], Operator]:
    """A new window, in which the operator has signed in."""

    def sign_in() -> Operator:
        operator = Operator(open_window(f"http://127.0.0.1:{installation.web_port}"))
        operator.sign_in("olga", PASSWORD)
        return operator

    return sign_in


def all_contacts_selected(operator: Operator, action: str) -> Page:
    """The list of contacts, all of them selected and this action chosen."""
    operator.open("Contacts")
    page = operator.page
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Select everything that this list shows").click()
    page.locator("select[name=action]").select_option(label=action)
    return page


def progress(page: Page) -> Locator:
    """The sentence that says how far it is."""
    return page.locator("#content .explanation[role=status]")


def come_back(operator: Operator) -> Page:
    """To what was begun last, by the menu."""
    operator.open("Bulk actions")
    operator.page.locator("#result_list tbody tr").first.get_by_role("link").first.click()
    return operator.page


def test_all_of_a_million_contacts_are_put_into_a_group(installation, come_in, complaints):
    page = all_contacts_selected(come_in(), "Add to a group…")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_text("Chosen: 1,000,000 people.")).to_be_visible()
    page.get_by_label("or to a new group named").fill("Everybody")
    page.get_by_role("button", name="Add to the group").dblclick()
    expect(page).to_have_url(re.compile("/bulkaction/"))
    expect(progress(page)).to_contain_text(re.compile(r"[1-9][\d,]* people of 1,000,000 so far"))
    page.close()  # it goes on without

    page = come_back(come_in())
    expect(progress(page)).to_have_text("1,000,000 people, 1,000,000 of them changed.", timeout=PATIENCE)
    assert installation.storage.rows(
        "SELECT name, count(*) FROM campaigns_contactgroup JOIN campaigns_contact_groups "
        "ON contactgroup_id = campaigns_contactgroup.id GROUP BY name"
    ) == [("Everybody", CONTACT_COUNT)]
    assert installation.storage.value("SELECT count(*) FROM campaigns_bulkaction") == 1, "whatever was clicked"
    assert complaints == []


def test_what_is_stopped_on_the_way_through_a_million_says_exactly_how_far_it_came(installation, come_in, complaints):
    page = all_contacts_selected(come_in(), "Set a field…")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_text("Chosen: 1,000,000 people.")).to_be_visible()
    page.get_by_label("Field").fill("vip")
    page.get_by_label("Value").fill("yes")
    page.get_by_role("button", name="Set the field").click()
    expect(progress(page)).to_contain_text(re.compile(r"[1-9][\d,]* people of 1,000,000 so far"))
    page.close()

    page = come_back(come_in())
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".messagelist")).to_contain_text("Stopped. What was done stays done:")
    people, changed = map(int, re.findall(r"\d+", progress(page).inner_text().replace(",", "")))
    assert 0 < changed == people < CONTACT_COUNT
    has_it = "SELECT count(*) FROM campaigns_contact WHERE attributes -> '$.vip' IS NOT NULL"
    assert installation.storage.value(has_it) == changed
    assert complaints == []
