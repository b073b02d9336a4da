"""A real Chromium against a live server of this test run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from campaigns.models import User
from tests.browser.operator import Operator
from tests.browser.windows import DESKTOP, NoChromium, chromium, new_window
from tests.faults.installation import SendingInstallation
from tests.faults.storage import Storage
from tests.processes import free_port
from tests.roles import role

# Playwright's own event loop runs in the thread of the tests, where Django would take it for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

PASSWORD = "correct horse battery"
#: Milliseconds until something that is waited for has failed: none of these tests is about speed.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as started:
            yield started
    except NoChromium as missing:
        pytest.skip(str(missing))


@contextmanager
def running_installation(folder: Path) -> Iterator[SendingInstallation]:
    """Web and workers on SQLite, with an empty database; `anna` may do everything."""
    storage = Storage(f"sqlite:///{folder / 'db.sqlite3'}", "")
    installation = SendingInstallation(
        folder, storage, free_port(), DJANGO_SUPERUSER_USERNAME="anna", DJANGO_SUPERUSER_PASSWORD=PASSWORD
    )
    installation.start_all()
    try:
        yield installation
    finally:
        installation.kill_everything()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser wrote to its console: errors of scripts, and whatever the security policy refused."""
    return []


@pytest.fixture
def open_window(browser: Browser, complaints: list[str], transactional_db: None) -> Iterator[Callable[..., Page]]:
    """
    `open_window(base_url, size, dark=False)`: a fresh window, in which nobody is signed in.

    All are closed, and what they asked for last is answered, before the database is emptied: a draft that is being
    written saves itself when its page is left.
    """
    contexts: list[BrowserContext] = []

    def open_one(base_url: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Page:
        context = new_window(browser, base_url, size, dark=dark)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    give_up = time.monotonic() + 10
    while any("process_request_thread" in thread.name for thread in threading.enumerate()):
        if time.monotonic() > give_up:
            break
        time.sleep(0.02)


@pytest.fixture
def operator(transactional_db) -> User:
    """Somebody who may do everything."""
    return User.objects.create_superuser("anna", password=PASSWORD, first_name="Anna")


@pytest.fixture
def signed_in(open_window: Callable[..., Page], live_server, operator: User) -> Callable[..., Page]:
    """`signed_in(size, dark=False)`: a window on the live server in which the operator is signed in."""

    def sign_in(size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Page:
        page = open_window(live_server.url, size, dark=dark)
        Operator(page).sign_in(operator.username, PASSWORD)
        return page

    return sign_in


@pytest.fixture
def sign_in(open_window: Callable[..., Page], live_server) -> Callable[..., Operator]:
    """`sign_in("olga", "Operator", size)`: a new member with this role and nothing else, at a window of their own."""

    def sign_in_as(username: str, role_name: str, size: tuple[int, int] = DESKTOP) -> Operator:
        user = User.objects.create_user(username, password=PASSWORD, is_staff=True, first_name=username.capitalize())
        user.groups.add(role(role_name))
        operator = Operator(open_window(live_server.url, size))
        operator.sign_in(username, PASSWORD)
        return operator

    return sign_in_as
