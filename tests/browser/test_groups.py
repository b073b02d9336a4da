"""Building a smart group and sending to it, and acting on everybody that a filter matches, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from campaigns import bulk
from campaigns.models import Attribute, BulkAction, Contact, ContactGroup, SmartGroup
from campaigns.smart_groups import VERSION
from tests.browser.operator import Operator
from tests.browser.windows import DESKTOP, PHONE
from tests.campaigns.building import make_campaign, make_contact, make_group, make_message, number
from tests.campaigns.smart_groups.conditions import attribute, block, make_smart_group, on

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people() -> ContactGroup:
    """Eighty, every second in Kazan, ten of them staff; everybody's age is known."""
    Attribute.objects.create(name="age", label="Age", kind="number")
    group, staff = make_group("Customers"), make_group("Staff")
    for n in range(1, 81):
        attributes = {"city": "Kazan" if n % 2 else "Tver", "age": n}
        contact = make_contact(number(n), group, first_name=f"Name {n}", attributes=attributes)
        if n <= 10:
            contact.groups.add(staff)
    return staff


def condition(page: Page, n: int):
    return page.locator(".condition").nth(n - 1)


def test_a_smart_group_is_built_counted_and_used_in_a_campaign(signed_in, people, complaints):
    page = signed_in(DESKTOP)
    operator = Operator(page)
    operator.open("Smart groups")
    page.get_by_role("link", name="Add smart group").first.click()
    page.get_by_label("Name:", exact=True).fill("Adults in Kazan")

    condition(page, 1).get_by_label("What it looks at").select_option(label="Other field")
    condition(page, 1).get_by_label("Name of the field").first.select_option(label="another field…")
    condition(page, 1).locator("input[aria-label='Name of the field']").fill("city")
    condition(page, 1).get_by_label("Compared with").fill("Kazan")
    expect(page.locator("#counted")).to_contain_text("40 people meet these conditions now.")

    page.get_by_role("button", name="Add a condition").click()
    condition(page, 2).get_by_label("What it looks at").select_option(label="Other field")
    condition(page, 2).get_by_label("Name of the field").first.select_option(label="Age")
    condition(page, 2).get_by_label("How it is compared").select_option(label="is at least")
    condition(page, 2).get_by_label("Compared with").fill("18")
    expect(page.locator("#counted")).to_contain_text("31 people meet these conditions now.")

    page.get_by_role("button", name="Add a block").click()
    inner = page.locator(".block .block")
    inner.get_by_label("How these count together").select_option(label="none of these is true")
    inner.get_by_label("What it looks at").select_option(label="Group")
    expect(page.locator("#counted")).to_contain_text("choose a group")
    inner.get_by_label("Compared with").select_option(label="Staff")
    expect(page.locator("#counted")).to_contain_text("none of these: in “Staff”")
    page.get_by_role("button", name="Save", exact=True).click()
    conditions: Any = SmartGroup.objects.get().conditions
    assert conditions["version"] == VERSION
    assert [part.get("is") for part in conditions["match"]["parts"]] == ["equals", "at_least", None]

    operator.write("Sale", "Hello", group="Adults in Kazan")
    operator.go_on_to_sending()
    assert operator.sums()["Will get the message"] == 31
    assert complaints == []


def test_the_form_works_with_the_keyboard_alone(signed_in, people):
    """Whoever adds or removes something goes on where they were."""
    page = signed_in(DESKTOP)
    page.goto("/admin/campaigns/smartgroup/add/")

    def focused() -> str:
        return str(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
        )

    page.get_by_role("button", name="Add a condition").press("Enter")
    assert focused() == "What it looks at"
    page.keyboard.type("Consent")
    assert focused() == "What it looks at"
    page.keyboard.press("Tab")
    assert focused() == "How it is compared"
    page.keyboard.press("Tab")
    assert focused() == "Compared with"
    page.keyboard.type("given")
    page.keyboard.press("Tab")
    assert focused() == "Remove condition 2"
    page.keyboard.press("Enter")
    assert page.locator(".condition").count() == 1
    assert focused() == "What it looks at"


def test_what_is_stored_is_drawn_as_it_is_and_saved_unchanged(signed_in, people):
    campaign = make_campaign(name="Sale")
    type(campaign).objects.update(launched_at="2026-01-01T00:00Z")
    group = make_smart_group(
        attribute("city", "starts_with", "Ka"),
        attribute("age", "at_most", 7, "number"),
        attribute("born", "in_next_days", 7, "date"),
        attribute("vip", "yes", kind="yes_no"),
        on("group", "not_in", people.pk),
        on("consent", "equals", "given"),
        on("created_at", "after", "2026-01-31"),
        block(
            on("message", "was", campaign=campaign.pk, became="unknown", days=30),
            block(on("reply", "no", days=None), on("opted_out", "no"), combine="none"),
            combine="any",
        ),
    )
    page = signed_in(DESKTOP)
    page.goto(f"/admin/campaigns/smartgroup/{group.pk}/change/")
    expect(page.locator(".condition")).to_have_count(10)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert SmartGroup.objects.get().conditions == group.conditions


def test_what_the_server_refuses_is_still_in_the_form(signed_in, people):
    page = signed_in(DESKTOP)
    page.goto("/admin/campaigns/smartgroup/add/")
    page.get_by_label("Name:", exact=True).fill("X")
    condition(page, 1).get_by_label("What it looks at").select_option(label="First name")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_contain_text("Condition 1: write what it is compared with.")
    expect(condition(page, 1).get_by_label("What it looks at")).to_have_value("first_name")


def test_everything_that_a_filter_matches_goes_into_a_group(signed_in, people, complaints, monkeypatch):
    page = signed_in(DESKTOP)
    Operator(page).open("Contacts")
    page.locator("#changelist-filter").get_by_role("link", name="Customers").click()
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Select everything that this list shows").click()
    expect(page.get_by_text("Everything that this list shows is selected")).to_be_visible()
    page.locator("select[name=action]").select_option(label="Add to a group…")
    page.get_by_role("button", name="Run").or_(page.locator("button[name=index]")).first.click()
    expect(page.get_by_text("Chosen: 80 people.")).to_be_visible()
    page.get_by_label("or to a new group named").fill("Everybody")
    page.get_by_role("button", name="Add to the group").click()
    expect(page.get_by_text(re.compile("Add to the group “Everybody”"))).to_be_visible()
    for action in BulkAction.objects.filter(status="running"):
        bulk.run(action.pk)
    assert ContactGroup.objects.get(name="Everybody").contacts.count() == 80
    assert complaints == []


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop", "phone, dark"])
def test_no_page_breaks_the_policy_or_is_wider_than_the_window(signed_in, people, complaints, size, dark):
    contact = Contact.objects.get(phone_number=number(1))
    other = Contact.objects.get(phone_number=number(2))
    make_message(number(1), contact=contact, campaign=make_campaign(name="Sale"), status="delivered")
    group = make_smart_group(
        attribute("city", "equals", "Kazan"),
        block(
            on("message", "was", campaign=None, became="not_delivered", days=30), on("email", "filled"), combine="any"
        ),
    )
    action = bulk.start("opt_out", "contact", {"filters": {}, "up_to": 2**40}, total=80)
    bulk.run(action.pk, seconds=0)
    page = signed_in(size, dark=dark)
    for url in (
        "/admin/campaigns/smartgroup/",
        "/admin/campaigns/smartgroup/add/",
        f"/admin/campaigns/smartgroup/{group.pk}/change/",
        "/admin/campaigns/attribute/",
        "/admin/campaigns/attribute/add/",
        "/admin/campaigns/bulkaction/",
        action.get_absolute_url(),
        "/admin/campaigns/contact/",
        f"/admin/campaigns/contact/{contact.pk}/change/",
        f"/admin/campaigns/contact/{contact.pk}/merge/",
        f"/admin/campaigns/contact/{contact.pk}/merge/?with={other.pk}",
    ):
        page.goto(url)
        page.wait_for_load_state("networkidle")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert (url, width) == (url, size[0])
    assert complaints == []
