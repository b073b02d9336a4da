"""
The pictures in docs/screenshots: a real installation, made-up people, and the tests' stand-in for SMSC.ru.

    python -m tests.browser.screenshots

Nothing leaves the machine. Needs Chromium; takes about a minute.
"""

from __future__ import annotations

import csv
import random
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.operator import PATIENCE, Operator
from tests.browser.windows import DESKTOP, PHONE, chromium, new_window
from tests.fake_smsc import FakeSmscProcess
from tests.faults.installation import CALLBACK_SECRET, SendingInstallation
from tests.faults.storage import Storage
from tests.processes import BASE_DIR, free_port

PICTURES = BASE_DIR / "docs" / "screenshots"
PASSWORD = "correct horse battery"
FIRST_NAMES = ["Alice", "Ben", "Chloe", "Daniel", "Emma", "Felix", "Grace", "Henry", "Isla", "Jack", "Laura", "Maya"]
LAST_NAMES = ["Baker", "Clarke", "Diaz", "Evans", "Fischer", "Garcia", "Hughes", "Ito", "Jensen", "Kowalski", "Okoye"]
CITIES = ["Boston", "Chicago", "Denver", "New York", "Portland", "Seattle"]
#: Each has a hundred numbers for fiction, 555-0100 to 555-0199, that belong to nobody.
AREA_CODES = [202, 206, 212, 303, 312, 415, 503, 602, 617, 713, 773, 971]
GROUP = "Loyalty card"
TEXT = 'Hi {{ first_name|default:"there" }}, our {{ city }} shop has 20% off until Sunday. Show card {{ card }}.'


def write_people(path: Path) -> list[str]:
    """A contact file with what is wrong in such files; the good numbers in it."""
    chance = random.Random(5)
    numbers = [f"+1{area}555{last:04d}" for last in range(100, 200) for area in AREA_CODES]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["First name", "Last name", "Mobile", "City", "Card"])
        for count, number in enumerate(numbers):
            first, last, city = (chance.choice(names) for names in (FIRST_NAMES, LAST_NAMES, CITIES))
            spelling = f"({number[2:5]}) {number[5:8]}-{number[8:]}" if count % 3 else number
            writer.writerow([first, last, spelling, "" if count % 90 == 7 else city, 40_000 + count * 7])
            if count % 45 == 10:
                wrong = chance.choice(["n/a", number[2:8], f"{number} ext. 12", "", "4.15556E+10", "see notes"])
                writer.writerow([chance.choice(FIRST_NAMES), last, wrong, city, ""])
            if count % 70 == 20:
                writer.writerow([first, last, number, city, 40_000 + count * 7])
    return numbers


class Camera:
    """Takes the pictures of one window."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def take(self, name: str, *, whole: bool = False) -> None:
        """What the window shows; `whole`: and what one would scroll to."""
        self._page.mouse.move(0, 0)
        self._page.evaluate("document.activeElement.blur()")
        self._page.screenshot(path=PICTURES / f"{name}.png", animations="disabled", full_page=whole)


def main() -> None:
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder, smsc_port = Path(name), free_port()
        storage = Storage(f"sqlite:///{folder / 'db.sqlite3'}", "")
        installation = SendingInstallation(
            folder,
            storage,
            smsc_port,
            request_size=50,
            DJANGO_SUPERUSER_USERNAME="anna",
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            SMS_DEFAULT_REGION="US",
        )
        with FakeSmscProcess(port=smsc_port, ledger=folder / "ledger.jsonl", password="right") as smsc:
            installation.start_all()
            try:
                photograph(browser, installation, smsc, folder / "loyalty-cards.csv")
            finally:
                installation.kill_everything()


def photograph(browser: Browser, installation: SendingInstallation, smsc: FakeSmscProcess, file: Path) -> None:
    """The main job from the first page of an empty installation on."""
    numbers = write_people(file)
    installation.opt_out(*numbers[100:109])
    for number in numbers[300:306]:
        smsc.refuse(number, status=25)  # no route
    smsc.set_callback(url=installation.receipts_url, secret=CALLBACK_SECRET, delay=5)

    base_url = f"http://127.0.0.1:{installation.web_port}"
    page = new_window(browser, base_url).new_page()
    operator, camera = Operator(page), Camera(page)
    operator.sign_in("anna", PASSWORD)
    camera.take("start")
    operator.upload(file, country="United States (+1)", new_group=GROUP)
    page.locator('.sms-tabs a[data-rows="bad"]').click()
    camera.take("import")
    operator.import_good_rows()

    operator.write("Black Friday reminder", TEXT, group=GROUP)
    operator.save()
    operator.write("Weekend sale", TEXT, group=GROUP)
    camera.take("write")
    operator.go_on_to_sending()
    camera.take("send")
    smsc.fault("slow", seconds=2)
    operator.send_button().click()
    expect(operator.figure("delivered")).to_be_visible(timeout=PATIENCE)
    page.reload()
    camera.take("sending")
    smsc.clear_faults()
    operator.wait_until("completed")
    expect(operator.figure("sent")).to_have_count(0, timeout=PATIENCE)  # every receipt is there
    look_around(browser, operator, base_url)


def look_around(browser: Browser, operator: Operator, base_url: str) -> None:
    """What can be seen once a campaign is over; some of it on a phone and in the dark."""
    page, camera, campaign = operator.page, Camera(operator.page), operator.page.url
    camera.take("campaign")
    operator.open("Campaigns")
    camera.take("campaigns")
    operator.open("Delivery log")
    log = page.url
    camera.take("log")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator(".timeline")).to_be_visible()
    for summary in page.locator(".timeline summary").all():
        summary.click()
    camera.take("message", whole=True)
    operator.send_one("(202) 555-0142", "Your order 5120 is ready. We are open until 7 pm.")
    camera.take("quick")

    cookies = page.context.cookies()
    for name, address, size, dark in (
        ("campaign-dark", campaign, DESKTOP, True),
        ("campaign-phone", campaign, PHONE, False),
        ("log-phone-dark", log, PHONE, True),
    ):
        window = new_window(browser, base_url, size, dark=dark)
        window.add_cookies(cookies)  # type: ignore[arg-type]  # read and written under two names of one type
        other = window.new_page()
        other.goto(address)
        Camera(other).take(name)


if __name__ == "__main__":
    main()
