"""No page in Russian shows a word of English that nobody marked for translation."""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import NamedTuple
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import Resolver404, resolve

from campaigns.models import User

from . import world
from .reading import english_in, read

#: What is the same in Russian: names, formats, what is typed in Latin letters.
ALLOWED = re.compile(
    r"""
    \{\{?.*?\}\}?                            # placeholders
    | \b[A-Z]\w+/[\w/]+ | \b(UTC|MSK)\b      # time zones
    | \b(ru|en|kk|pt-BR|EUR|RUB|RU|DE)\b      # languages, currencies, countries
    | \b\w+\.(py\ \w+|tasks[.\w]*)|docs/\w+\.md|make\ run|\.env|\.(xlsx?|ods|csv) # files and commands
    | \b[A-Z]{2,}(_[A-Z]+)+\b                # settings
    | \b(SMS|CSV|TSV|XLSX?|Excel|LibreOffice|JSON|UTF-8|UCS-2|GSM-7|ZIP|PDF|JavaScript|Single\ Sing-On|LDAP)\b
    | \b(STOP|START|HELP|cnjg)\b             # what people answer
    | (Windows|KOI8|DOS|ISO|EUC)[- ][\w-]+ | Shift_JIS | GB18030 | Big5 | Macintosh | UTF-16 | utf-8 # encodings
    | \#[0-9a-f]+ | "\w+":.* | \((tuple|dict)\) | \bsms\b | \bID\b # an erased number, the details of the audit trail
    | \bEnglish\b                            # the other language, by its own name
    | \b(default|Memory|Approver|Operator|Viewer|Administrator|sweep|worker|import|contact)\b # names given here
    | \b(True|False|None)\b | \w+\ object\ \(\d+\) | [\w-]+\ relationships? # Django's own
    | \b[a-z]+(_[a-z]+)+\b                   # fields and codes
    | \bcity\b | \bmd5\b | \w+\*{3,} | “(Control|Command)“ | \bMac\b
    """,
    re.VERBOSE,
)
#: Pages that are opened of each kind, and with each set of filters.
EACH = 5
EACH_FILTERED = 1
EACH_PRESSED = 1
#: Not pressed: whoever does is not signed in, or reads another language.
LEAVING = {"admin:logout", "language", "admin:password_change"}
#: Parameters that change nothing about the words of a page.
ORDER = {"o", "all", "_changelist_filters"}


class Kind(NamedTuple):
    """Pages of one kind come from one view and have the same parameters."""

    view: str
    filters: tuple[str, ...]


pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client: Client, woken: list[tuple[object, ...]], settings, tmp_path) -> Client:
    settings.MEDIA_ROOT = tmp_path
    client.force_login(User.objects.create_superuser("ольга", password="x", language="ru", first_name="Ольга"))
    return client


def crawl(client: Client, *starts: str) -> list[tuple[str, str]]:
    """Every page that links lead to, a few of each kind, and its HTML."""
    waiting, seen, opened, pages = deque(starts), set(starts), Counter[Kind](), []
    while waiting:
        url = waiting.popleft()
        response = client.get(url)
        assert response.status_code in (200, 302, 403, 404, 405), url
        if response.status_code != 200 or "text/html" not in response.headers["Content-Type"]:
            continue
        page = response.content.decode()
        pages.append((url, page))
        for link in read(page).links:
            target = urljoin(url, link.split("#")[0])
            kind = kind_of(target)
            if kind is None or target in seen or opened[kind] >= (EACH_FILTERED if kind.filters else EACH):
                continue
            seen.add(target)
            opened[kind] += 1
            waiting.append(target)
    return pages


def press(client: Client, pages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What the buttons of these pages lead to, a few of each kind: what is missing, what is asked, what was done."""
    pressed, answers = Counter[object](), []
    for url, page in pages:
        for form in read(page).forms:
            target = urljoin(url, form.action or url)
            for name, value in form.buttons or [("", "")]:
                kind = kind_of(target), name
                if kind[0] is None or kind[0].view in LEAVING or pressed[kind] >= EACH_PRESSED:
                    continue
                pressed[kind] += 1
                response = client.post(target, {**form.fields, **({name: value} if name else {})}, follow=True)
                assert response.status_code in (200, 403, 404, 405), target
                if "text/html" in response.headers["Content-Type"]:
                    answers.append((f"{name or 'button'} at {target}", response.content.decode()))
    return answers


def choose_actions(client: Client, pages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What the actions of lists ask or say, each for the first row."""
    answers = []
    for url, page in pages:
        actions = re.findall(r'<select name="action".*?</select>', page, re.DOTALL)
        row = re.search(r'name="_selected_action" value="([^"]+)"', page)
        if not actions or not row or "?" in url:
            continue
        for action in re.findall(r'<option value="(\w+)"', actions[0]):
            response = client.post(url, {"action": action, "_selected_action": row[1]}, follow=True)
            answers.append((f"{action} at {url}", response.content.decode()))
    return answers


def kind_of(url: str) -> Kind | None:
    """None for what is no page of ours, or differs from one by its order alone."""
    parts = urlsplit(url)
    filters = tuple(sorted(parse_qs(parts.query)))
    if parts.scheme or parts.netloc or ORDER & set(filters):
        return None
    try:
        return Kind(resolve(parts.path).view_name, filters)
    except Resolver404:
        return None


def english(pages: list[tuple[str, str]]) -> dict[str, str]:
    """Each text with English words in it, and where it was seen first."""
    found: dict[str, str] = {}
    for url, page in pages:
        for text in read(page).texts:
            if words := list(english_in(text, ALLOWED)):
                found.setdefault(" ".join(text.split())[:150], f"{url}: {' '.join(words[:5])}")
    return found


def test_an_empty_installation_is_all_russian(client):
    assert english(crawl(client, "/admin/", "/")) == {}


def test_a_full_installation_is_all_russian(client):
    user = User.objects.get()
    world.fill(user)
    world.import_files(client)
    pages = crawl(client, "/admin/", "/")
    assert english(pages) == {}
    assert english(choose_actions(client, pages)) == {}
    assert english(press(client, pages)) == {}
