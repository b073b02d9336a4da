"""Importing a large file as people do it: closing the tab in the middle, coming back, finishing, taking it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, running_installation
from tests.browser.operator import Operator
from tests.dirty_file import DirtyFile, make_dirty_file
from tests.faults.installation import SendingInstallation
from tests.processes import wait_for

pytestmark = pytest.mark.browser

ROW_COUNT = 100_000
#: Milliseconds that the slowest step may take: checking so many rows on a busy machine.
PATIENCE = 240_000


@pytest.fixture(scope="module")
def dirty() -> DirtyFile:
    return make_dirty_file(ROW_COUNT, seed=5)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[SendingInstallation]:
    with running_installation(tmp_path) as running:
        yield running


@pytest.fixture
def come_in(open_window: Callable[..., Page], installation: SendingInstallation) -> Callable[[], Operator]:
    """A new window, in which somebody has signed in."""

    def sign_in() -> Operator:
        operator = Operator(open_window(f"http://127.0.0.1:{installation.web_port}"))
        operator.sign_in("anna", PASSWORD)
        return operator

    return sign_in


def come_back(come_in: Callable[[], Operator]) -> Page:
    """To the import, by the menu and the list."""
    operator = come_in()
    operator.open("Imports")
    operator.page.get_by_role("link", name="Клиенты.csv").click()
    return operator.page


def test_an_import_of_100000_rows_goes_on_without_the_tab_and_can_be_taken_back(
    installation: SendingInstallation,
    come_in: Callable[[], Operator],
    dirty: DirtyFile,
    tmp_path: Path,
    complaints: list[str],
) -> None:
    file = tmp_path / "Клиенты.csv"
    file.write_bytes(dirty.content)

    def rows_worked_off(status: str) -> int:
        query = f"SELECT cursor FROM campaigns_contactimport WHERE status = '{status}'"
        return sum(int(cursor) for (cursor,) in installation.storage.rows(query))

    operator = come_in()
    operator.begin_upload(file, country="Russia (+7)", new_group="Клиенты")
    page = operator.page
    expect(page.get_by_role("heading", name="What each column is")).to_be_visible()
    expect(page.get_by_label("Encoding")).to_have_value("cp1251")
    expect(page.get_by_label("What it is: Телефон")).to_have_value("phone_number")
    page.get_by_label("What it is: Комментарий").select_option("ignored")
    page.get_by_role("button", name="Check the rows").click(no_wait_after=True)
    wait_for(lambda: rows_worked_off("checking"), "the first rows")
    page.close()

    page = come_back(come_in)
    expect(page.get_by_text("No contact has been changed yet")).to_be_visible(timeout=PATIENCE)
    counts = Operator(page).row_counts()
    assert counts["new"] == len(dirty.contacts)
    assert (counts["duplicate"], counts["bad"]) == (len(dirty.duplicates), len(dirty.bad_rows))
    assert installation.storage.value("SELECT count(*) FROM campaigns_contact") == 0
    page.get_by_role("button", name=f"Import {len(dirty.contacts):,} contacts").click(no_wait_after=True)
    wait_for(lambda: rows_worked_off("importing") or rows_worked_off("done"), "the first contacts")
    page.close()

    page = come_back(come_in)
    expect(page.get_by_text("The good rows are imported.")).to_be_visible(timeout=PATIENCE)
    assert installation.storage.value("SELECT count(*) FROM campaigns_contact") == len(dirty.contacts)
    page.get_by_role("link", name="Undo the import").click()
    expect(page.get_by_role("row", name="New contacts that go")).to_contain_text(f"{len(dirty.contacts):,}")
    page.get_by_role("button", name="Undo the import").click()
    expect(page.get_by_text("The import was taken back.")).to_be_visible(timeout=PATIENCE)
    assert installation.storage.value("SELECT count(*) FROM campaigns_contact") == 0
    assert complaints == []
