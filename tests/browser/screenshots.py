"""
The pictures in docs/screenshots: every page of `tests/pages.py` on a desktop and on a phone, in light and in dark.

    python -m tests.browser.screenshots                   # all of them
    python -m tests.browser.screenshots campaign log      # pages whose names begin so

They are called page-device-theme.webp. The installation is made up (`tests/world.py`) and lives in a folder that is
deleted afterwards; nothing leaves the machine. Needs Chromium; takes about two minutes.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page as Window
from playwright.sync_api import ViewportSize

from tests.browser.windows import DESKTOP, PHONE, chromium
from tests.processes import BASE_DIR, clean_environment, free_port, wait_for

PICTURES = Path(os.environ.get("PICTURES") or BASE_DIR / "docs" / "screenshots")
THEMES = ("light", "dark")
#: What of a long page is in its picture, in pixels.
TALLEST = 1300
#: Of WebP: text stays sharp, and all pictures together stay below twelve megabytes.
QUALITY = 45
BEAT_SECONDS = 20.0
STILL = "* { transition: none !important; animation: none !important; caret-color: transparent !important; }"


class Device(NamedTuple):
    """What a page is looked at with."""

    name: str
    size: tuple[int, int]


DEVICES = (Device("desktop", DESKTOP), Device("phone", PHONE))


class Shot(NamedTuple):
    """A page under the name of its pictures."""

    name: str
    url: str


def main(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variables = {
            "ENV_FILE": os.devnull,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DJANGO_SECRET_KEY": "pictures",
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "SMS_DATA_DIR": str(folder / "var"),
            "SMS_DEFAULT_REGION": "US",
            "SMS_BACKEND": "smsc",
            "SMSC_LOGIN": "example",
            "SMSC_PASSWORD": "never-used",
            "SMSC_CALLBACK_SECRET": "never-used",
        }
        os.environ.update(variables)
        with serving(clean_environment(**variables)) as base_url:
            photograph_all(base_url, wanted, folder / "pictures")
        keep(folder / "pictures", everything=not wanted)


@contextlib.contextmanager
def serving(environment: dict[str, str]) -> Iterator[str]:
    """A web server on a migrated, empty database."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    base_url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", base_url.removeprefix("http://")]
    server = subprocess.Popen([*command, "--workers", "2", "--log-level", "error"], cwd=BASE_DIR, env=environment)
    try:
        wait_for(lambda: _answers(f"{base_url}/admin/login/"), "the web server")
        yield base_url
    finally:
        server.terminate()
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as answer:  # our own server
            return bool(answer.status == 200)
    except OSError:
        return False


def photograph_all(base_url: str, wanted: list[str], folder: Path) -> None:
    """The first pages while there is nothing, then all of them with something on each."""
    from campaigns.models import User
    from tests import world
    from tests.pages import EMPTY, OUTSIDE, PAGES

    folder.mkdir()
    operator = User.objects.create_superuser("anna", password="never typed", first_name="Anna")
    cookie = session_of(operator)
    with beating():
        photograph(base_url, cookie, [Shot(f"empty-{page.name}", page.url()) for page in EMPTY], wanted, folder)
        everything = world.build(operator)
        photograph(base_url, cookie, [Shot(page.name, page.url(everything)) for page in PAGES], wanted, folder)
        photograph(base_url, "", [Shot(page.name, page.url(everything)) for page in OUTSIDE], wanted, folder)


def session_of(user: object) -> str:
    """What the browser of somebody who is signed in sends along."""
    from django.test import Client

    client = Client()
    client.force_login(user)  # type: ignore[arg-type]
    return client.cookies["sessionid"].value


@contextlib.contextmanager
def beating() -> Iterator[None]:
    """As if a worker were there: pages would say otherwise that none is."""
    from django.db import connection

    from campaigns.tasks import beat

    over = threading.Event()

    def run() -> None:
        while not over.wait(BEAT_SECONDS):
            beat()
        connection.close()

    beat()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def photograph(base_url: str, cookie: str, shots: list[Shot], wanted: list[str], folder: Path) -> None:
    """Each page on each device, the devices side by side."""
    chosen = [shot for shot in shots if not wanted or shot.name.startswith(tuple(wanted))]
    if not chosen:
        return
    with ThreadPoolExecutor(len(DEVICES)) as devices:
        for done in [devices.submit(_with_device, base_url, cookie, chosen, device, folder) for device in DEVICES]:
            done.result()


def _with_device(base_url: str, cookie: str, shots: list[Shot], device: Device, folder: Path) -> None:
    from tests.pages import LATE_PARTS as late_parts

    with chromium() as browser:
        size = ViewportSize(width=device.size[0], height=device.size[1])
        context = browser.new_context(base_url=base_url, viewport=size, locale="en-GB", bypass_csp=True)
        if cookie:
            context.add_cookies([{"name": "sessionid", "value": cookie, "url": base_url}])
        window = context.new_page()
        for shot in shots:
            window.emulate_media(color_scheme="light")
            answer = window.goto(shot.url)
            if answer is None or answer.status != 200:
                raise SystemExit(f"{shot.name} ({shot.url}) does not open: {answer and answer.status}")
            if window.locator(late_parts).count():
                window.wait_for_load_state("networkidle")
            window.add_style_tag(content=STILL)
            for theme in THEMES:
                window.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                take(window, device, folder / f"{shot.name}-{device.name}-{theme}.webp")


def take(window: Window, device: Device, path: Path) -> None:
    """The page from its head on, as far as it is worth it."""
    width, height = device.size
    whole = window.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": max(height, min(whole, TALLEST)), "scale": 1}
    session = window.context.new_cdp_session(window)
    options = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
    path.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", options)["data"]))
    session.detach()


def keep(folder: Path, *, everything: bool) -> None:
    """Put the new pictures in place; with all of them taken, those of pages that are no more go."""
    PICTURES.mkdir(exist_ok=True)
    taken = sorted(folder.iterdir())
    if everything:
        for old in PICTURES.glob("*.webp"):
            old.unlink()
    for picture in taken:
        shutil.copy(picture, PICTURES / picture.name)
    size = sum(picture.stat().st_size for picture in taken)
    sys.stdout.write(f"{len(taken)} pictures, {size / 1_000_000:.1f} MB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
