"""
The table of roles and acts: every page of the admin, for every role. A page without a row makes a test fail.

Rows say who may; everybody else is refused, whatever the page would do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.urls import URLPattern, URLResolver, reverse

from tests.campaigns.everything import ROLES, make_everything, member_of

pytestmark = pytest.mark.django_db

_V, P, W, A = ROLES
ALL = frozenset(ROLES)
NOBODY: frozenset[str] = frozenset()


def only(*roles: str) -> frozenset[str]:
    return frozenset(roles)


WRITERS = only(W, A)
#: model -> who may look, add, change, delete.
MODELS: dict[str, tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]] = {
    "campaigns_attribute": (ALL, WRITERS, WRITERS, WRITERS),
    "campaigns_auditevent": (only(P, A), NOBODY, NOBODY, NOBODY),
    "campaigns_automaticreply": (ALL, WRITERS, WRITERS, WRITERS),
    # Two pages that change nothing, however they are asked.
    "campaigns_bulkaction": (ALL, NOBODY, ALL, NOBODY),
    "campaigns_campaign": (ALL, WRITERS, WRITERS, WRITERS),
    "campaigns_contact": (ALL, WRITERS, WRITERS, WRITERS),
    "campaigns_contactgroup": (ALL, WRITERS, WRITERS, WRITERS),
    "campaigns_contactimport": (WRITERS, WRITERS, WRITERS, NOBODY),
    "campaigns_conversation": (ALL, NOBODY, NOBODY, NOBODY),
    "campaigns_erasure": (only(P, A), only(P, A), NOBODY, NOBODY),
    "campaigns_gatewaystate": (ALL, NOBODY, NOBODY, NOBODY),
    "campaigns_heartbeat": (only(A), NOBODY, NOBODY, NOBODY),
    "campaigns_holiday": (ALL, WRITERS, WRITERS, WRITERS),
    "campaigns_importsource": (WRITERS, NOBODY, NOBODY, NOBODY),
    "campaigns_inboundmessage": (ALL, NOBODY, NOBODY, NOBODY),
    "campaigns_messagetemplate": (ALL, WRITERS, WRITERS, WRITERS),
    "campaigns_optout": (ALL, WRITERS, NOBODY, WRITERS),
    "campaigns_pricelist": (ALL, NOBODY, only(P, A), NOBODY),
    "campaigns_replykeyword": (ALL, WRITERS, WRITERS, WRITERS),
    "campaigns_sentmessage": (ALL, NOBODY, NOBODY, NOBODY),
    "campaigns_smartgroup": (ALL, WRITERS, WRITERS, WRITERS),
    "campaigns_unmatchedreceipt": (only(A), NOBODY, NOBODY, NOBODY),
    "campaigns_user": (only(A), only(A), only(A), only(A)),
    "auth_group": (only(A), only(A), only(A), only(A)),
    "django_q_failure": (only(A), NOBODY, NOBODY, NOBODY),
    "django_q_ormq": (only(A), NOBODY, NOBODY, NOBODY),
    "django_q_schedule": (only(A), NOBODY, NOBODY, NOBODY),
    "django_q_success": (only(A), NOBODY, NOBODY, NOBODY),
}
LAUNCHERS = only(P, W, A)
#: Pages of our own: method, who may, and whose page it is, where that is not the model's object.
OWN: dict[str, tuple[str, frozenset[str], str]] = {
    "dashboard": ("GET", ALL, ""),
    "auth_user_password_change": ("POST", only(A), "user"),
    "campaigns_bulkaction_cancel": ("POST", WRITERS, "bulkaction"),
    "campaigns_bulkaction_go_on": ("POST", WRITERS, "bulkaction"),
    "campaigns_bulkaction_file": ("GET", NOBODY, "bulkaction"),  # whoever asked for it, and none of these did
    "campaigns_campaign_progress": ("GET", ALL, "sent"),
    "campaigns_campaign_archive": ("POST", WRITERS, "sent"),
    "campaigns_campaign_restore": ("POST", WRITERS, "sent"),
    "campaigns_campaign_check": ("POST", WRITERS, ""),
    "campaigns_campaign_new_draft": ("POST", WRITERS, ""),
    "campaigns_campaign_discard_new": ("POST", WRITERS, ""),
    "campaigns_campaign_draft": ("POST", WRITERS, "campaign"),
    "campaigns_campaign_discard": ("POST", WRITERS, "campaign"),
    "campaigns_campaign_template": ("GET", WRITERS, "messagetemplate"),
    "campaigns_campaign_as_template": ("POST", WRITERS, "campaign"),
    "campaigns_campaign_launch": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_recount": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_rehearsal": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_forecast": ("GET", LAUNCHERS, "campaign"),
    "campaigns_campaign_left_out": ("GET", LAUNCHERS, "campaign"),
    "campaigns_campaign_approval": ("POST", only(P, A), "campaign"),
    "campaigns_campaign_withdraw": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_report": ("GET", ALL, "sent"),
    "campaigns_campaign_schedule": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_unschedule": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_pause": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_resume": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_cancel": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_unknown": ("POST", LAUNCHERS, "sent"),
    "campaigns_campaign_resend": ("POST", LAUNCHERS, "sent"),
    "campaigns_campaign_limit": ("POST", LAUNCHERS, "campaign"),
    "campaigns_campaign_duplicate": ("POST", WRITERS, "campaign"),
    "campaigns_campaign_test": ("POST", WRITERS, "campaign"),
    "campaigns_contact_merge": ("GET", WRITERS, "contact"),
    "campaigns_contact_archive": ("POST", WRITERS, "contact"),
    "campaigns_contact_restore": ("POST", WRITERS, "contact"),
    "campaigns_contactgroup_archive": ("POST", WRITERS, "contactgroup"),
    "campaigns_contactgroup_restore": ("POST", WRITERS, "contactgroup"),
    "campaigns_contactimport_read": ("POST", WRITERS, "contactimport"),
    "campaigns_contactimport_read_anew": ("POST", WRITERS, "contactimport"),
    "campaigns_contactimport_confirm": ("POST", WRITERS, "contactimport"),
    "campaigns_contactimport_cancel": ("POST", WRITERS, "contactimport"),
    "campaigns_contactimport_continue": ("POST", WRITERS, "contactimport"),
    "campaigns_contactimport_undo": ("POST", WRITERS, "contactimport"),
    "campaigns_contactimport_progress": ("GET", WRITERS, "contactimport"),
    "campaigns_contactimport_bad_rows": ("GET", WRITERS, "contactimport"),
    "campaigns_conversation_answer": ("POST", WRITERS, "conversation"),
    "campaigns_conversation_seen": ("POST", WRITERS, "conversation"),
    "campaigns_conversation_assign": ("POST", WRITERS, "conversation"),
    "campaigns_conversation_settle": ("POST", WRITERS, "conversation"),
    "campaigns_conversation_review": ("POST", LAUNCHERS, "conversation"),
    "campaigns_erasure_export": ("POST", only(P, A), ""),
    "campaigns_gatewaystate_pause": ("POST", only(P, A), "gatewaystate"),
    "campaigns_gatewaystate_resume": ("POST", only(P, A), "gatewaystate"),
    "campaigns_gatewaystate_balance": ("POST", only(P, A), "gatewaystate"),
    "campaigns_gatewaystate_rate": ("POST", only(P, A), "gatewaystate"),
    "campaigns_gatewaystate_limit": ("POST", only(P, A), "gatewaystate"),
    "campaigns_gatewaystate_release": ("POST", only(P, A), ""),
    "campaigns_replykeyword_built_in": ("GET", ALL, ""),
    "campaigns_sentmessage_export": ("GET", WRITERS, ""),
    "campaigns_sentmessage_why_not": ("GET", ALL, ""),
    "campaigns_sentmessage_unknown": ("POST", LAUNCHERS, "sentmessage"),
    "campaigns_smartgroup_archive": ("POST", WRITERS, "smartgroup"),
    "campaigns_smartgroup_restore": ("POST", WRITERS, "smartgroup"),
    "campaigns_smartgroup_count": ("POST", ALL, ""),
}
#: Pages of Django's that every member of staff has, and shows nothing of anybody else.
EVERYBODYS = {
    "index", "login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n", "view_on_site",
    "app_list",
}  # fmt: skip
#: `search` looks only for what the user may see (see also test_search).
EVERYBODYS |= {"search"}
#: What the lists offer for a selection: who is offered it.
ACTIONS: dict[str, dict[str, frozenset[str]]] = {
    "campaigns_campaign": {
        "send_now": LAUNCHERS,
        "schedule": LAUNCHERS,
        "pause": LAUNCHERS,
        "resume": LAUNCHERS,
        "cancel": LAUNCHERS,
        "send_again": LAUNCHERS,
        "duplicate": WRITERS,
        "send_test": WRITERS,
        "archive": WRITERS,
        "restore": WRITERS,
    },
    "campaigns_contact": {
        "send_to_selected": WRITERS,
        "merge_two": WRITERS,
        "add_to_group": WRITERS,
        "remove_from_group": WRITERS,
        "set_attribute": WRITERS,
        "opt_out": WRITERS,
        "consent": WRITERS,
        "delete_contacts": WRITERS,
        "erase": only(P, A),
        "export": WRITERS,
    },
    "campaigns_sentmessage": {"export": WRITERS},
    "campaigns_contactgroup": {"delete_selected": WRITERS, "archive": WRITERS, "restore": WRITERS},
    "campaigns_smartgroup": {"delete_selected": WRITERS, "archive": WRITERS, "restore": WRITERS},
    "campaigns_importsource": {"forget": WRITERS},
    "campaigns_messagetemplate": {"archive": WRITERS},
    "campaigns_attribute": {"delete_selected": WRITERS},
    "campaigns_holiday": {"delete_selected": WRITERS},
}
STANDARD = ("changelist", "add", "change", "delete", "history")


def pages(patterns: Any = None) -> Iterator[URLPattern]:
    for pattern in admin.site.urls[0] if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from pages(pattern.url_patterns)
        elif pattern.name:
            yield pattern


def standard_model(name: str) -> str:
    model, _, kind = name.rpartition("_")
    return model if kind in STANDARD and model in MODELS else ""


NAMES = sorted({str(pattern.name) for pattern in pages()} - EVERYBODYS)


def address(name: str, things: dict[str, Any]) -> str:
    if name in OWN:
        thing = things.get(OWN[name][2])
        return reverse(f"admin:{name}", args=[getattr(thing, "alias", thing.pk)] if thing else [])
    model, _, kind = name.rpartition("_")
    is_about_one = kind not in ("changelist", "add")
    return reverse(f"admin:{name}", args=[things[model.rpartition("_")[2]].pk] if is_about_one else [])


def row_of(name: str) -> list[tuple[str, frozenset[str]]]:
    """Methods and who may."""
    if name in OWN:
        return [OWN[name][:2]]
    model, _, kind = name.rpartition("_")
    view, add, change, delete = MODELS[model]
    return {
        "changelist": [("GET", view)],
        "history": [("GET", view)],
        "change": [("GET", view), ("POST", change)],
        "add": [("GET", add), ("POST", add)],
        "delete": [("GET", delete), ("POST", delete)],
    }[kind]


def test_every_page_of_the_admin_has_a_row():
    missing = [name for name in NAMES if name not in OWN and not standard_model(name)]
    assert not missing, f"Who may see these pages? Say it in this table and in docs/people.md: {missing}"


@pytest.mark.parametrize("name", [name for name in NAMES if name in OWN or standard_model(name)])
def test_the_page_is_for_those_and_no_others(client, name):
    things = make_everything()
    url = address(name, things)
    for method, allowed in row_of(name):
        seen = {role for role in ROLES if not is_refused(client, role, method, url)}
        assert seen == set(allowed), f"{method} {url}"


def is_refused(client: Any, role: str, method: str, url: str) -> bool:
    """What the request does is taken back."""
    with transaction.atomic():
        client.force_login(member_of(role))
        response = client.get(url) if method == "GET" else client.post(url, {"q": "x"})
        assert response.status_code != 500
        assert "/login/" not in response.headers.get("Location", "")
        transaction.set_rollback(True)
    return bool(response.status_code == 403)


@pytest.mark.parametrize("name", [name for name in NAMES if name in OWN or standard_model(name)])
def test_nobody_sees_it_without_signing_in(client, name):
    url = address(name, make_everything())
    for method, _allowed in row_of(name):
        response = client.get(url) if method == "GET" else client.post(url)
        assert response.status_code == 302
        assert "/login/" in response.headers["Location"]


@pytest.mark.parametrize("role", ROLES)
def test_lists_offer_what_the_role_may_do_and_nothing_else(rf, role):
    request = rf.get("/")
    request.user = member_of(role)
    for model, model_admin in admin.site._registry.items():
        key = f"{model._meta.app_label}_{model._meta.model_name}"
        wanted = {action for action, roles in ACTIONS.get(key, {}).items() if role in roles}
        assert set(model_admin.get_actions(request)) == wanted, key
