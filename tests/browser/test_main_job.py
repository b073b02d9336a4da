"""The main job as an operator does it: a real installation, a real browser, a provider that keeps its own record."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.operator import Operator
from tests.dirty_file import DirtyFile, make_dirty_file
from tests.fake_smsc import FakeSmscProcess
from tests.faults.installation import SendingInstallation
from tests.faults.ledger import read_ledger
from tests.faults.storage import Storage
from tests.processes import free_port

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
TEXT = '{{ first_name|default:"Друг" }}, ждём вас! {{ Город }}: акция до 30 числа.'

#: What an import leaves behind, without ids and times.
CONTACTS = """
    SELECT phone_number, first_name, last_name, email, language, attributes, region, time_zone, consent, name
    FROM campaigns_contact
    LEFT JOIN campaigns_contact_groups ON contact_id = campaigns_contact.id
    LEFT JOIN campaigns_contactgroup ON campaigns_contactgroup.id = contactgroup_id
    ORDER BY phone_number
"""
COUNTERS = """
    SELECT status, encoding, delimiter, new_count, changed_count, unchanged_count, duplicate_count, bad_count,
           opted_out_count, remark_count
    FROM campaigns_contactimport
"""
ROWS = (
    "SELECT number, kind, phone_number, cells, column, reason, remark FROM campaigns_contactimportrow ORDER BY number"
)


@pytest.fixture(scope="module")
def dirty() -> DirtyFile:
    return make_dirty_file(10_000, seed=3)


@pytest.fixture
def file(dirty: DirtyFile, tmp_path: Path) -> Path:
    path = tmp_path / "Клиенты.csv"
    path.write_bytes(dirty.content)
    return path


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[[str], SendingInstallation]]:
    """`install("name")`: an installation with an empty database of its own; all of them send to one provider."""
    made: list[SendingInstallation] = []
    smsc_port = free_port()

    def make(name: str) -> SendingInstallation:
        folder = tmp_path / name
        folder.mkdir()
        storage = Storage(f"sqlite:///{folder / 'db.sqlite3'}", "")
        installation = SendingInstallation(
            folder, storage, smsc_port, DJANGO_SUPERUSER_USERNAME="anna", DJANGO_SUPERUSER_PASSWORD=PASSWORD
        )
        made.append(installation)
        return installation

    with FakeSmscProcess(port=smsc_port, ledger=tmp_path / "ledger.jsonl", password="right"):
        yield make
        for installation in made:
            installation.kill_everything()


@pytest.fixture
def sign_in(open_window: Callable[..., Page]) -> Callable[[SendingInstallation], Operator]:
    """A new window on an installation that runs."""

    def sign_in_at(installation: SendingInstallation) -> Operator:
        operator = Operator(open_window(f"http://127.0.0.1:{installation.web_port}"))
        operator.sign_in("anna", PASSWORD)
        return operator

    return sign_in_at


def test_from_a_dirty_file_to_the_providers_answer_about_one_person(
    install: Callable[[str], SendingInstallation],
    sign_in: Callable[[SendingInstallation], Operator],
    dirty: DirtyFile,
    file: Path,
    tmp_path: Path,
    complaints: list[str],
) -> None:
    installation = install("by_browser")
    installation.start_all()
    left_out, followed = list(dirty.contacts)[0], list(dirty.contacts)[-1]
    installation.opt_out(left_out)
    operator = sign_in(installation)
    downloaded = import_through_the_pages(operator, file, dirty)
    compare_with_the_command(install("by_command"), installation, file, downloaded)

    recipients = len(dirty.contacts) - 1
    operator.write("Осенняя акция", TEXT, group="Клиенты")
    operator.go_on_to_sending()
    sums = operator.sums()
    assert sums["In the chosen groups"] == len(dirty.contacts)
    assert {head: count for head, count in sums.items() if head.startswith("Left out")} == {"Left out: opted out": 1}
    assert sums["Will get the message"] == sums["SMS segments, all together"] == recipients
    samples = operator.page.locator(".phones .bubble").all_inner_texts()
    texts = {
        number: f"{first}, ждём вас! {city}: акция до 30 числа."
        for number, (_, first, _, city) in dirty.contacts.items()
    }
    assert len(samples) == 3
    assert set(samples) <= set(texts.values())

    send_it_with_too_many_clicks(operator, sign_in(installation))
    operator.wait_until("completed")
    assert operator.figures() == {"sent": recipients, "not sent on purpose": 1}
    trail = operator.page.locator("#trail li").all_inner_texts()
    assert len([line for line in trail if line.startswith("anna sent")]) == 1, trail

    taken = read_ledger(tmp_path / "ledger.jsonl")
    assert len(taken) == recipients
    assert {message.phone: message.text for message in taken} == {
        number.removeprefix("+"): text for number, text in texts.items() if number != left_out
    }
    answer = open_one_message(operator, followed, texts[followed])
    assert next(message.id for message in taken if message.phone == followed[1:]) in answer
    assert complaints == []


def import_through_the_pages(operator: Operator, file: Path, dirty: DirtyFile) -> bytes:
    """Looks at the preview and imports; returns the bad rows as downloaded."""
    operator.upload(file, country="Russia (+7)", new_group="Клиенты")
    counts = operator.row_counts()
    assert counts["new"] == len(dirty.contacts)
    assert counts["duplicate"] == len(dirty.duplicates)
    assert counts["bad"] == len(dirty.bad_rows)
    assert sum(counts[kind] for kind in ("new", "changed", "unchanged", "duplicate", "bad")) == dirty.row_count
    expect(operator.page.get_by_text(f"add up to all {dirty.row_count:,} rows")).to_be_visible()

    with operator.page.expect_download() as download:
        operator.page.get_by_role("link", name="Download the bad rows").click()
    content = download.value.path().read_bytes()
    bad = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))[1:]
    assert [int(row[-3]) for row in bad] == dirty.bad_rows
    assert all(reason for *_cells, reason in bad)

    operator.import_good_rows()
    return content


def compare_with_the_command(
    fresh: SendingInstallation, by_browser: SendingInstallation, file: Path, bad_rows: bytes
) -> None:
    """The same file by the command in an installation of its own: the same contacts, counters, rows and bad rows."""
    fresh.manage("migrate", "-v0")
    fresh.opt_out(*(number for (number,) in by_browser.storage.rows("SELECT phone_number FROM campaigns_optout")))
    result = json.loads(fresh.manage("import_contacts", str(file), "--group", "Клиенты", "--region", "RU", "--json"))
    for query in (COUNTERS, CONTACTS, ROWS):
        assert fresh.storage.rows(query) == by_browser.storage.rows(query)
    assert _counters(result) == by_browser.storage.rows(
        "SELECT new_count, changed_count, unchanged_count, duplicate_count, bad_count FROM campaigns_contactimport"
    )
    assert Path(result["errors_file"]).read_bytes() == bad_rows


def _counters(result: dict[str, Any]) -> list[tuple[int, ...]]:
    return [tuple(result[name] for name in ("new", "changed", "unchanged", "duplicate", "bad"))]


def send_it_with_too_many_clicks(operator: Operator, colleague: Operator) -> None:
    """A double click; and somebody else, who had the same page open already, presses Send as well."""
    colleague.page.goto(operator.page.url)
    operator.send_button().dblclick()
    expect(operator.page.get_by_text("is on its way")).to_be_visible()
    colleague.send_button().click()
    expect(colleague.page.get_by_text(re.compile("already"))).to_be_visible()


def open_one_message(operator: Operator, number: str, text: str) -> str:
    """From the figures to the log, where the number is typed as people do; what the provider said."""
    operator.figure("sent").click()
    national = number.removeprefix("+7")
    operator.search(f"8 ({national[:3]}) {national[3:6]}-{national[6:8]}-{national[8:]}")
    operator.page.locator("#result_list tbody tr").get_by_role("link", name=number).click()
    expect(operator.page.locator("h1", has_text=number)).to_contain_text("sent")
    expect(operator.page.locator(".bubble")).to_have_text(text)
    answers = operator.page.locator("details", has_text="As the provider said it")
    answers.first.locator("summary").click()
    return answers.first.locator("pre").inner_text()
