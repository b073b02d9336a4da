"""How many statements each page takes: the same for few rows and for many."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from campaigns.models import User
from tests import world
from tests.pages import OUTSIDE, PAGES

pytestmark = pytest.mark.django_db

#: Page -> statements, for somebody who may do everything. Five of them are on every page of the admin: the session, the
#: user, unread conversations, paused gateways, the workers' sign of life.
QUERIES = {
    "start": 19,
    "quick": 6,
    "search": 11,
    "search-name": 8,
    "search-nothing": 7,
    "password": 7,
    "campaigns": 9,
    "campaign-add": 9,
    "campaign-draft": 30,
    "campaign-scheduled": 26,
    "campaign-sending": 20,
    "campaign-paused": 17,
    "campaign-completed": 17,
    "campaign-cancelled": 17,
    "campaign-send": 36,
    "campaign-rehearsal": 7,
    "campaign-left-out": 21,
    "campaign-schedule": 37,
    "campaign-approval": 43,
    "campaign-approval-again": 13,
    "campaign-test": 6,
    "campaign-cancel": 6,
    "campaign-resend": 7,
    "campaign-report": 11,
    "campaign-history": 7,
    "campaign-delete": 16,
    "templates": 8,
    "template-add": 5,
    "template": 9,
    "contacts": 9,
    "contact-add": 7,
    "contact": 31,
    "contact-merge": 7,
    "contact-delete": 8,
    "contacts-archived": 9,
    "contact-archived": 29,
    "groups": 7,
    "group-add": 5,
    "group": 6,
    "smart-groups": 7,
    "smart-group-add": 9,
    "smart-group": 11,
    "fields": 7,
    "field-add": 5,
    "field": 6,
    "imports": 7,
    "import-upload": 5,
    "import-reading": 7,
    "import-checking": 10,
    "import-preview": 11,
    "import-bad-rows": 11,
    "import-changed-rows": 11,
    "import-done": 12,
    "import-undo": 17,
    "import-refused": 10,
    "import-cancelled": 11,
    "remembered-files": 7,
    "remembered-file": 6,
    "opt-outs": 7,
    "opt-out-add": 5,
    "opt-out": 8,
    "opt-out-lift": 6,
    "erasures": 7,
    "erasure-add": 5,
    "erasure": 7,
    "person-export": 5,
    "bulk-actions": 7,
    "bulk-action": 8,
    "bulk-action-running": 8,
    "inbox": 7,
    "inbox-all": 7,
    "conversation": 15,
    "conversation-doubtful": 14,
    "keywords": 8,
    "keyword-add": 5,
    "keyword": 8,
    "keywords-built-in": 5,
    "automatic-answers": 7,
    "automatic-answer-add": 5,
    "automatic-answer": 6,
    "log": 7,
    "log-nothing": 8,
    "log-export": 7,
    "why-not": 7,
    "why-not-asked": 7,
    "message": 15,
    "message-unknown": 19,
    "incoming": 7,
    "incoming-message": 8,
    "providers": 9,
    "provider": 6,
    "prices": 9,
    "price-list": 7,
    "unmatched-receipts": 7,
    "unmatched-receipt": 6,
    "users": 8,
    "user-add": 5,
    "user": 11,
    "user-password": 8,
    "permission-groups": 7,
    "permission-group-add": 6,
    "permission-group": 8,
    "holidays": 8,
    "holiday-add": 5,
    "holiday": 6,
    "audit": 9,
    "audit-entry": 9,
    "signs-of-life": 7,
    "sign-of-life": 6,
    "queue": 7,
    "queued-task": 6,
    "schedules": 7,
    "schedule": 6,
    "successes": 7,
    "success": 6,
    "failures": 7,
    "failure": 6,
    "login": 0,
    "unsubscribe": 0,
}
#: A time limit is set and taken back by statements there.
ON_POSTGRESQL = {"log-nothing": 12}
#: There where the queue is kept in the database.
OF_THE_QUEUE = {"queue", "queued-task"}


@pytest.mark.parametrize("people", [18, 60])
def test_each_page_takes_its_queries_however_many_rows_there_are(client, settings, tmp_path, people):
    settings.MEDIA_ROOT = tmp_path / "media"
    operator = User.objects.create_superuser("anna", first_name="Anna")
    everything = world.build(operator, people)
    client.force_login(operator)
    counted: dict[str, Any] = {}
    for page in PAGES:
        counted[page.name] = _count(client, page.url(everything))
    client.logout()
    for page in OUTSIDE:
        counted[page.name] = _count(client, page.url(everything))
    expected = QUERIES | (ON_POSTGRESQL if connection.vendor == "postgresql" else {})
    differing = {name: found for name, found in counted.items() if expected.get(name) != found}
    assert (differing, set(QUERIES) - set(counted) - OF_THE_QUEUE) == ({}, set())


def _count(client: Any, url: str) -> int:
    """Of the second look: the first may fill what is kept for a minute."""
    client.get(url)
    with CaptureQueriesContext(connection) as asked:
        response = client.get(url)
    assert (url, response.status_code) == (url, 200)
    return len(asked)


def test_every_list_form_and_page_of_a_model_is_among_the_pages(rf):
    request = rf.get("/")
    request.user = User.objects.create_superuser("anna")
    views = {page.view for page in PAGES}
    missing = []
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        wanted = [f"{name}_changelist", *([f"{name}_add"] if model_admin.has_add_permission(request) else [])]
        missing += [view for view in [*wanted, f"{name}_change"] if view not in views]
    assert missing == []


def test_every_page_has_one_name_and_leads_somewhere():
    names = [page.name for page in (*PAGES, *OUTSIDE)]
    assert len(names) == len(set(names))
    for page in PAGES:
        try:
            reverse(page.view, args=[1] if page.thing else [])
        except NoReverseMatch:
            reverse(page.view, args=["default"])
