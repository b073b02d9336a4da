"""What an operator does with mouse and keyboard, page by page; nothing here knows an address beyond the first."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

#: Milliseconds that the slowest step may take: ten thousand rows on a busy machine.
PATIENCE = 90_000
#: Rows of the page before sending that say something in words, or an amount of money.
WORDS = {"Gateway", "Expected cost"}
#: Where pages are that are not in the menu of every page.
SECTION_OF = {"Imports": "Contacts", "Smart groups": "Contacts", "Bulk actions": "Contacts"}


class Operator:
    """Somebody at a window. Every method leaves the page open that its last click led to."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def sign_in(self, username: str, password: str) -> None:
        self.page.goto("/admin/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def open(self, menu_item: str) -> None:
        """By the menu that every page has; what belongs to a section shows once one is in that section."""
        section = SECTION_OF.get(menu_item)
        if section and not self._menu(menu_item).is_visible():
            self._menu(section).click()
        self._menu(menu_item).click()

    def _menu(self, item: str) -> Locator:
        """At the side or, on a phone, behind a button."""
        button = self.page.locator("#header .menu:not([open]) > summary")
        if button.is_visible():
            button.click()
        return self.page.locator(".task-nav a:visible").get_by_text(item, exact=True)

    # --- importing -----------------------------------------------------------------------------------------------

    def upload(self, file: Path, *, country: str, new_group: str) -> None:
        """Read as it seems to be; ends with the preview, once every row is checked."""
        self.begin_upload(file, country=country, new_group=new_group)
        self.page.get_by_role("button", name="Check the rows").click()
        expect(self.page.get_by_text("No contact has been changed yet")).to_be_visible(timeout=PATIENCE)

    def begin_upload(self, file: Path, *, country: str, new_group: str) -> None:
        """Ends with how the file seems to be read."""
        self.open("Contacts")
        self.page.get_by_role("link", name="Import contacts").first.click()
        self.page.get_by_label("File").set_input_files(file)
        self.page.get_by_label("Country").select_option(label=country)
        self.page.get_by_label("And to a new group").fill(new_group)
        self.page.get_by_role("button", name="Upload", exact=True).click()

    def import_good_rows(self) -> None:
        self.page.get_by_role("button", name=re.compile("^Import ")).click()
        expect(self.page.get_by_text("The good rows are imported.")).to_be_visible(timeout=PATIENCE)

    def row_counts(self) -> dict[str, int]:
        """The figures over the rows of an import: kind -> count."""
        tabs = self.page.locator(".sms-tabs a").all()
        return {str(tab.get_attribute("data-rows")): number_in(tab.locator(".sms-tab-count")) for tab in tabs}

    # --- writing and sending -------------------------------------------------------------------------------------

    def write(self, name: str, text: str, *, group: str) -> None:
        """Fills in a new campaign, without saving it."""
        self.open("Campaigns")
        self.page.get_by_role("link", name="Add campaign").first.click()
        self.page.get_by_label("Name:", exact=True).fill(name)
        self.page.get_by_label("Text:", exact=True).fill(text)
        self.page.locator(".field-include_groups .select2-selection").click()
        self.page.get_by_role("option", name=group).click()

    def save(self) -> None:
        self.page.get_by_role("button", name="Save", exact=True).click()

    def go_on_to_sending(self) -> None:
        self.page.get_by_role("button", name="Save and go on to sending").click()
        expect(self.page.get_by_role("heading", name="Who gets it")).to_be_visible()

    def sums(self) -> dict[str, int]:
        """The table of the page that asks before sending: what is counted -> how many."""
        rows = self.page.locator("table.sums tr").all()
        texts = {row.locator("th").inner_text(): row.locator("td") for row in rows}
        return {head: number_in(cell) for head, cell in texts.items() if head not in WORDS}

    def send_button(self) -> Locator:
        return self.page.get_by_role("button", name=re.compile(r"^Send [\d,]+ message"))

    def send_one(self, number: str, text: str) -> None:
        """By the form for one message; ends with what came of it."""
        self.open("Send one message")
        self.page.get_by_label("Phone number").fill(number)
        self.page.get_by_label("Text").fill(text)
        self.page.get_by_role("button", name="Send", exact=True).click()
        expect(self.page.locator(".card.result")).to_be_visible(timeout=PATIENCE)

    def figure(self, state: str) -> Locator:
        """The entry of this state in the legend of a campaign, a link to its messages."""
        return self.page.locator("#progress .legend").get_by_role("link", name=re.compile(f"^{state} "))

    def figures(self) -> dict[str, int]:
        """The legend of a campaign that was started: state -> messages."""
        parts = self.page.locator("#progress .legend a").all()
        return {
            part.inner_text().removesuffix(part.locator("strong").inner_text()).strip(): number_in(
                part.locator("strong")
            )
            for part in parts
        }

    # --- looking -------------------------------------------------------------------------------------------------

    def wait_until(self, status: str) -> None:
        """Watches the page of a campaign, touching nothing."""
        expect(self.page.locator("#content h1 .pill")).to_have_text(status, timeout=PATIENCE)

    def search(self, words: str) -> None:
        """In the list that is open."""
        self.page.locator("#searchbar").fill(words)
        self.page.locator("#searchbar").press("Enter")


def number_in(place: Locator) -> int:
    """A count as it is written for people: with separators between the thousands, a minus where it is taken off."""
    return int("".join(filter(str.isdecimal, place.inner_text())))
