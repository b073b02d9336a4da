"""Chromium, and its windows."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, BrowserContext, sync_playwright

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP = (1280, 860)
PHONE = (390, 844)


class NoChromium(Exception):
    """It is not installed here."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium; `CHROMIUM` names another than the one on the path. Raises NoChromium."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise NoChromium("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


def new_window(
    browser: Browser, base_url: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False
) -> BrowserContext:
    """A window of its own: nothing remembered, nobody signed in."""
    return browser.new_context(
        base_url=base_url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        locale="en-GB",
    )
