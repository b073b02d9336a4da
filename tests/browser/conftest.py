"""A real Chromium against a live server of this test run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from campaigns.models import User

# Playwright's own event loop runs in the thread of the tests, where Django would take it for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP = (1280, 860)
PHONE = (390, 844)
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; `CHROMIUM` names another than the one on the path."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser wrote to its console: errors of scripts, and whatever the security policy refused."""
    return []


@pytest.fixture
def open_page(browser: Browser, live_server, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """`open_page(size, dark=False)`: a fresh window on the live server, in which nobody is signed in."""
    contexts: list[BrowserContext] = []

    def open_one(size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            locale="en-GB",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def operator(transactional_db) -> User:
    """Somebody who may do everything."""
    return User.objects.create_superuser("anna", password=PASSWORD, first_name="Anna")


@pytest.fixture
def signed_in(open_page: Callable[..., Page], operator: User) -> Callable[..., Page]:
    """`signed_in(size, dark=False)`: a window in which the operator is signed in."""

    def sign_in(size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Page:
        page = open_page(size, dark=dark)
        page.goto("/admin/login/")
        page.get_by_label("Username").fill(operator.username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        return page

    return sign_in
