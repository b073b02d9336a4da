"""Every page of the product, on a desktop and on a phone, in light and dark: what axe, the policy and the width say."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Literal

import pytest
from playwright.sync_api import Page as Window

from tests import world
from tests.browser.windows import DESKTOP, PHONE
from tests.pages import LATE_PARTS, OUTSIDE, PAGES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
ALL_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
#: The only one of them that depends on the colours.
CONTRAST = {"type": "rule", "values": ["color-contrast"]}
#: Links and buttons fade from one colour to the other: at once, here.
CHANGED = """
    () => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))
        .then(() => document.getAnimations().forEach((fading) => fading.finish()))
"""
#: So many tests share the pages, so that they can be walked side by side.
PARTS = 4


@pytest.fixture
def everything(operator, settings, tmp_path) -> world.World:
    settings.MEDIA_ROOT = tmp_path / "media"
    return world.build(operator)


@pytest.mark.parametrize("part", range(PARTS))
def test_axe_finds_nothing_and_no_page_breaks_the_policy_or_is_wider_than_the_window(
    open_window, signed_in, live_server, everything, complaints, part
):
    """In the light and in the dark on a desktop, and on a phone."""
    found: list[Any] = []
    for window, pages in ((signed_in(), PAGES), (open_window(live_server.url), OUTSIDE)):
        for page in pages[part::PARTS]:
            answer = window.goto(page.url(everything))
            assert (page.name, answer and answer.status) == (page.name, 200)
            if window.locator(LATE_PARTS).count():
                window.wait_for_load_state("networkidle")
            found += [(page.name, *finding) for finding in problems(window)]
    assert not found, "\n" + "\n".join(map(str, found))
    assert complaints == []


def problems(window: Window) -> list[tuple[str, ...]]:
    """What is wrong with the page that is open."""
    window.evaluate(AXE)
    found = [*too_wide(window), *violations(window, ALL_RULES)]
    look(window, DESKTOP, "dark")
    found += [("dark", *finding) for finding in violations(window, CONTRAST)]
    look(window, PHONE, "light")
    found += [("phone", *finding) for finding in (*too_wide(window), *violations(window, ALL_RULES))]
    look(window, DESKTOP, "light")
    return found


def look(window: Window, size: tuple[int, int], scheme: Literal["light", "dark"]) -> None:
    """At the same page in a window of another size, or in other colours."""
    window.emulate_media(color_scheme=scheme)
    window.set_viewport_size({"width": size[0], "height": size[1]})
    window.evaluate(CHANGED)


def too_wide(window: Window) -> list[tuple[str, ...]]:
    wide, seen = window.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return [("width", str(wide))] if wide != seen else []


def violations(window: Window, rules: dict[str, Any]) -> list[tuple[str, ...]]:
    """What axe objects to: the rule, and the elements that break it."""
    answer = window.evaluate("rules => axe.run(document, {runOnly: rules, preload: false})", rules)
    return [
        (finding["id"], *(f"{node['target']} {node['html'][:160]}" for node in finding["nodes"][:3]))
        for finding in answer["violations"]
    ]
