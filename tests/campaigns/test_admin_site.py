"""What holds on every page: navigation by task, what must be known, the policy, the reader's zone and language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from campaigns import lifecycle, replies
from campaigns.admin import display
from campaigns.gateway_control import pause_gateway, resume_gateway
from campaigns.middleware import CONTENT_SECURITY_POLICY
from campaigns.models import AuditEvent, ContactGroup, Heartbeat
from sms_backends import IncomingSms
from tests.campaigns.building import launched, make_campaign, make_contact, make_message, number, rewrite_trail
from tests.campaigns.screens import VIEW_ALL, campaign_url, message_url, sign_in, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

START = "/admin/"


def lists() -> list[str]:
    """The list of every model that is in the admin."""
    return [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    ]


@pytest.mark.parametrize("url", lists())
def test_every_list_opens_empty_with_a_sentence_that_says_what_comes_next(client, url):
    sign_in_superuser(client)
    response = client.get(url, {"q": ""} if "gatewaystate" not in url else {})
    assert response.status_code == 200
    assert "There is nothing here yet." not in text_of(response)


@pytest.mark.parametrize("url", lists())
def test_every_list_is_searched_without_an_error(client, url):
    sign_in_superuser(client)
    for term in ("Anna", "8 912 345 67 89", "+7 9", "%"):
        assert client.get(url, {"q": term}).status_code == 200


@pytest.mark.parametrize("url", [*lists(), START, "/", "/admin/password_change/"])
def test_nobody_gets_in_without_signing_in(client, url):
    assert client.get(url).status_code == 302
    assert client.get(url).url.startswith("/admin/login/")


def test_whose_session_ended_comes_back_to_the_page_of_the_button_and_reads_that_nothing_was_done(client):
    campaign = launched()
    page, html = f"{campaign.get_absolute_url()}?from=log", {"Accept": "text/html,*/*"}
    response = client.post(campaign_url(campaign, "pause"), headers={"Referer": f"http://testserver{page}", **html})
    assert response.url == f"{reverse('admin:login')}?next={quote(page)}"
    sign_in_superuser(client)
    assert "nothing was done. Look at the page and do it once more" in text_of(client.get(page))
    campaign.refresh_from_db()
    assert campaign.pause_reason == ""


@pytest.mark.parametrize("referer", ["", "https://elsewhere.example.org/admin/", "http://testserver:81/admin/"])
def test_a_page_of_others_is_not_where_signing_in_leads(client, referer):
    address = campaign_url(launched(), "pause")
    response = client.post(address, headers={"Referer": referer, "Accept": "text/html"})
    assert response.url == f"{reverse('admin:login')}?next={address}"


def test_a_script_that_is_signed_out_leaves_no_message_behind(client):
    page = launched().get_absolute_url()
    client.post(page, headers={"Referer": f"http://testserver{page}", "Accept": "application/json"})
    sign_in_superuser(client)
    assert "nothing was done" not in text_of(client.get(page))


def test_whoever_is_signed_in_and_no_member_of_staff_any_more_is_not_told_of_having_been_signed_out(client):
    user = sign_in_superuser(client)
    page = launched().get_absolute_url()
    type(user).objects.update(is_staff=False)
    headers = {"Referer": f"http://testserver{page}", "Accept": "text/html"}
    answer = client.post(page, headers=headers, follow=True)
    assert "nothing was done" not in text_of(answer)


def test_signing_out_twice_is_signing_out(client):
    headers = {"Referer": "http://testserver/admin/", "Accept": "text/html"}
    assert client.post(reverse("admin:logout"), headers=headers).url == reverse("admin:index")


@pytest.mark.parametrize("url", lists())
def test_staff_see_no_list_without_the_permission(client, url):
    sign_in(client)
    assert client.get(url).status_code == 403


def test_the_navigation_is_by_task_and_shows_only_what_one_may_see(client):
    sign_in_superuser(client)
    titles = [str(section["name"]) for section in client.get(START).context["available_apps"]]
    assert titles == ["Campaigns", "Contacts", "Inbox", "Delivery log", "Providers", "System"]
    client.logout()
    sign_in(client, "view_contact", "view_sentmessage")
    sections = client.get(START).context["available_apps"]
    assert [str(section["name"]) for section in sections] == ["Contacts", "Delivery log"]


def test_every_model_of_the_admin_is_in_the_navigation(client):
    sign_in_superuser(client)
    sections = client.get(START).context["available_apps"]
    shown = {model["object_name"] for section in sections for model in section["models"]}
    assert shown == {model.__name__ for model in admin.site._registry}


def navigation(client, url: str) -> dict[str, list[str]]:
    """What is marked as the place where one is, and the pages that are shown below sections."""
    places = client.get(url).context["navigation"]
    entries = [entry for place in places.places for entry in (place.main, *place.entries)]
    return {
        "current": [f"{entry.title} {entry.current}" for entry in (places.start, *entries) if entry.current],
        "open": [place.key for place in places.places if place.is_open],
    }


def test_the_place_where_one_is_is_marked_and_its_section_open(client):
    sign_in_superuser(client)
    campaign = make_campaign()
    assert navigation(client, START) == {"current": ["Dashboard page"], "open": []}
    assert navigation(client, "/admin/campaigns/campaign/") == {"current": ["Campaigns page"], "open": ["campaigns"]}
    expected = {"current": ["Campaigns true"], "open": ["campaigns"]}
    assert navigation(client, campaign_url(campaign)) == expected
    assert navigation(client, campaign_url(campaign, "launch")) == expected
    groups = navigation(client, "/admin/campaigns/contactgroup/add/")
    assert groups == {"current": ["Groups true"], "open": ["contacts"]}
    page = client.get("/admin/campaigns/contactgroup/").content.decode()
    assert page.count('aria-current="page"') == 2  # at the side, and in the menu of a phone
    assert page.count(">Imports</a>") == 2
    assert ">Imports</a>" not in client.get(START).content.decode()


def test_a_section_leads_to_the_first_page_that_one_may_see(client):
    sign_in(client, "view_optout", "view_contactgroup", "view_heartbeat")
    places = client.get(START).context["navigation"].places
    found = [(str(place.main.title), place.main.url, [str(one.title) for one in place.entries]) for place in places]
    assert found == [
        ("Contacts", "/admin/campaigns/contactgroup/", ["Groups", "Opt-outs"]),
        ("System", "/admin/campaigns/heartbeat/", ["Signs of life"]),
    ]


def test_the_inbox_says_how_many_conversations_nobody_has_read(client, monkeypatch):
    sign_in_superuser(client)
    assert 'class="unread"' not in client.get(START).content.decode()
    for n in range(1, 4):
        replies.receive("default", [IncomingSms(number(n), "Hello", "1234", at=timezone.now())])
    assert "Inbox 3 , 3 unread conversations" in text_of(client.get("/admin/campaigns/contact/"))
    monkeypatch.setattr("campaigns.admin.navigation.UNREAD_COUNTED", 2)
    assert "Inbox 2+ , 2+ unread conversations" in text_of(client.get("/admin/campaigns/contact/"))
    client.logout()
    sign_in(client, "view_contact")
    assert "unread" not in text_of(client.get("/admin/campaigns/contact/"))


@pytest.mark.parametrize(
    ("url", "label", "target"),
    [
        ("/admin/campaigns/sentmessage/", "Write a campaign", "/admin/campaigns/campaign/add/"),
        ("/admin/campaigns/contact/", "Import contacts", "/admin/campaigns/contactimport/add/"),
        ("/admin/campaigns/contactgroup/", "Add group", "/admin/campaigns/contactgroup/add/"),
        ("/admin/campaigns/conversation/", "See the providers", "/admin/campaigns/gatewaystate/"),
    ],
)
def test_an_empty_list_leads_to_what_fills_it_those_who_may(client, url, label, target):
    button = f'<a class="button primary" href="{target}">{label}</a>'
    sign_in_superuser(client)
    assert button in client.get(url).content.decode()
    assert button not in client.get(url, {"q": "+79991234567"}).content.decode()
    client.logout()
    sign_in(client, f"view_{url.split('/')[-2]}")
    assert button not in client.get(url).content.decode()


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        ({"hours": 2, "minutes": 10, "seconds": 5}, "in 2 h 10 min"),
        ({"minutes": -3, "seconds": -5}, "3 min ago"),
        ({"days": 3, "hours": 4, "seconds": 5}, "in 3 d 4 h"),
        ({"days": 2, "minutes": 7, "seconds": 5}, "in 2 d"),
        ({"hours": -5, "seconds": -5}, "5 h ago"),
        ({"seconds": 20}, "in less than a minute"),
        ({"seconds": -20}, "just now"),
        ({"days": 8}, ""),
        ({"days": -8}, ""),
    ],
)
def test_times_say_how_far_from_now_they_are_while_that_matters(ahead, words):
    at = timezone.now() + timedelta(**ahead)
    assert display.from_now(at) == words
    assert (f'<span class="distance">{words}</span>' in display.moment(at)) is bool(words)
    assert f'<time datetime="{at.isoformat()}"' in display.moment(at)


def test_times_in_lists_and_on_pages_that_are_read_are_of_one_kind(client):
    sign_in_superuser(client)
    event = AuditEvent.objects.create(action="launch")
    group = ContactGroup.objects.create(name="Staff")
    for url in (
        "/admin/campaigns/auditevent/",
        f"/admin/campaigns/auditevent/{event.pk}/change/",
        "/admin/campaigns/contactgroup/",
        f"/admin/campaigns/contactgroup/{group.pk}/change/",
    ):
        page = client.get(url).content.decode()
        assert '<time datetime="' in page, url
        assert '<span class="distance">just now</span>' in page, url


def test_the_pages_of_apps_lead_to_the_start_page(client):
    sign_in_superuser(client)
    assert client.get("/admin/campaigns/").url == START
    assert client.get("/admin/nothing/").status_code == 404


def test_an_empty_installation_leads_the_way_step_by_step(client):
    sign_in_superuser(client)
    next_steps = []
    for do in (lambda: None, lambda: make_contact(number(1)), make_campaign):
        do()
        steps = client.get(START).context["start"].steps
        next_steps.append([step.number for step in steps if step.is_next])
    assert next_steps == [[1], [2], [3]]
    assert "Import contacts" in text_of(client.get(START))


def test_after_the_first_campaign_the_start_page_tells_what_is_going_on(client):
    sign_in_superuser(client)
    campaign = launched(contacts=2, name="Spring")
    make_campaign(name="Next idea")
    page = text_of(client.get(START))
    assert "Three steps" not in page
    assert "Spring sending 0 of 2 messages" in page
    assert "Next idea draft" in page
    lifecycle.pause(campaign, actor=None, reason="no money left", by_engine=True)
    assert "no money left" in text_of(client.get(START))


def test_the_start_page_takes_the_same_queries_for_one_campaign_and_for_many(client, django_assert_num_queries):
    sign_in_superuser(client)
    group = launched(contacts=1).include_groups.get()
    client.get(START)
    # session, user, going on, latest, figures, calendar, approvals (2), conversations, gateways, what was
    # sent (2), opt-outs, how far the past is counted,
    # how gateways answered, unread, paused gateways, heartbeat
    with django_assert_num_queries(17):
        client.get(START)
    for n in range(6):
        make_campaign(name=f"Draft {n}")
        lifecycle.launch(make_campaign(group, name=f"Sale {n}"), actor=None)
    with django_assert_num_queries(17):
        client.get(START)


def test_while_a_pretending_backend_is_all_there_is_every_page_says_that_nothing_is_sent(client, settings):
    words = "nothing is really sent"
    assert words in text_of(client.get("/admin/login/"))
    sign_in_superuser(client)
    for url in (START, "/", "/admin/campaigns/contact/", "/admin/password_change/"):
        assert words in text_of(client.get(url))
    settings.SMS_SETTINGS = {"BACKEND": "tests.campaigns.providers.SameText", "OPTIONS": {}}
    for url in (START, "/"):
        assert words not in text_of(client.get(url))


def test_a_paused_gateway_is_on_every_page_with_the_providers_words_but_not_on_the_sign_in_page(client):
    pause_gateway("default", reason="no_funds", text="not enough funds (code 3)")
    assert "not enough funds" not in text_of(client.get("/admin/login/"))
    sign_in_superuser(client)
    for url in (START, "/", "/admin/campaigns/contact/"):
        assert "is paused (no money on the account); its messages wait. not enough funds (code 3)" in text_of(
            client.get(url)
        )
    resume_gateway("default", actor=None)
    assert "its messages wait" not in text_of(client.get(START))


def test_when_no_worker_is_alive_every_page_says_so(client):
    sign_in_superuser(client)
    assert "No worker is running" in text_of(client.get(START))
    beat = Heartbeat.objects.create(name="worker", at=timezone.now())
    assert "No worker is running" not in text_of(client.get(START))
    beat.at = timezone.now() - timedelta(minutes=10)
    beat.save()
    assert "No worker is running" in text_of(client.get("/"))


def test_every_answer_carries_the_policy_and_no_page_has_script_or_style_within(client):
    sign_in_superuser(client)
    campaign = launched(contacts=1)
    pages = [
        "/",
        START,
        "/admin/campaigns/contact/add/",
        "/admin/campaigns/campaign/add/",
        campaign_url(campaign),
        campaign_url(make_campaign(), "launch"),
        message_url(make_message(number(5))),
        *lists(),
    ]
    for url in pages:
        response = client.get(url)
        assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        page = response.content.decode()
        assert "<style" not in page, url
        assert "<script>" not in page, url
        assert " style=" not in page, url
        assert " onclick=" not in page, url


def test_times_are_in_the_users_zone_and_name_it(client):
    make_message(created_at=datetime(2026, 5, 1, 20, 30, tzinfo=UTC))
    sign_in(client, *VIEW_ALL, time_zone="Asia/Yekaterinburg")
    page = text_of(client.get("/admin/campaigns/sentmessage/"))
    assert "2 May 2026, 01:30 +05" in page
    assert "Times are shown in the time zone Asia/Yekaterinburg." in page


def test_stock_columns_name_the_zone_as_well(client):
    AuditEvent.objects.create(action="launch")
    rewrite_trail(AuditEvent.objects.all(), at=datetime(2026, 5, 1, 20, 30, tzinfo=UTC))
    sign_in(client, "view_auditevent", time_zone="Europe/Moscow")
    assert "1 May 2026, 23:30 MSK" in text_of(client.get("/admin/campaigns/auditevent/"))


def test_one_users_zone_and_language_do_not_stay_for_the_next(client):
    user = sign_in(client, *VIEW_ALL, time_zone="Asia/Yekaterinburg", language="ru")
    response = client.get(START)
    assert response.headers["Content-Language"] == "ru"
    assert 'lang="ru"' in response.content.decode()
    user.time_zone = user.language = ""
    user.save()
    response = client.get(START)
    assert 'lang="en"' in response.content.decode()
    assert "time zone UTC" in text_of(response)


def test_a_zone_that_is_none_shows_the_installations(client):
    sign_in(client, time_zone="Mars/Olympus")
    assert "time zone UTC" in text_of(client.get(START))
