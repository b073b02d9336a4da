"""The campaigns' list, the form while they are drafts, and the page that tells how they go."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns import lifecycle
from campaigns.models import AuditEvent, Campaign, CampaignKind, CampaignStatus, MessageStatus
from campaigns.sending.recovery import leave_unknown
from tests.campaigns.building import launched, make_campaign, make_group, make_message, number, send
from tests.campaigns.screens import campaign_url, hidden_fields, log_url, said, sign_in, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

LIST = "/admin/campaigns/campaign/"
ADD = "/admin/campaigns/campaign/add/"


def form_of(client, campaign: Campaign | None = None, **changes) -> dict[str, object]:
    """The fields of the form as it is shown now, with these changes."""
    fields: dict[str, object] = {
        "name": "Sale",
        "body": "Hello",
        "kind": "service",
        "gateway": "default",
        "_save": "Save",
    }
    if campaign:
        page = client.get(campaign_url(campaign))
        fields |= {"version": hidden_fields(page)["version"], "body": campaign.body, "name": campaign.name}
        fields["include_groups"] = list(campaign.include_groups.values_list("pk", flat=True))
    return {**fields, **changes}


def test_saving_a_new_campaign_opens_its_page_and_notes_who_wrote_it(client):
    user = sign_in(client, "view_campaign", "add_campaign", "change_campaign")
    response = client.post(ADD, form_of(client, include_groups=[make_group().pk]))
    campaign = Campaign.objects.get()
    assert response.url == campaign.get_absolute_url()
    assert campaign.created_by == user
    assert AuditEvent.objects.get(action="create").campaign == campaign


def test_a_placeholder_that_nobody_in_the_chosen_groups_has_is_refused(client):
    sign_in_superuser(client)
    group = make_group(contacts=1, attributes={"City": "Kazan"})
    fields = form_of(client, include_groups=[group.pk], body="In {{ city }} and {{ town }}")
    page = text_of(client.post(ADD, fields))
    assert "Nobody in the chosen groups has “town”" in page
    assert "has “city”" not in page
    assert not Campaign.objects.exists()


def test_braces_that_are_not_closed_are_refused(client):
    sign_in_superuser(client)
    assert "not closed" in text_of(client.post(ADD, form_of(client, body="Hello {{ name")))


def test_line_ends_of_the_browser_cost_no_characters(client):
    sign_in_superuser(client)
    client.post(ADD, form_of(client, body="Hello\r\nAnna"))
    assert Campaign.objects.get().body == "Hello\nAnna"


def test_half_a_sending_window_is_refused(client):
    sign_in_superuser(client)
    assert "Give both ends" in text_of(client.post(ADD, form_of(client, window_start="09:00")))


def test_a_marketing_campaign_gets_decent_hours_unless_others_are_given(client):
    sign_in_superuser(client)
    client.post(ADD, form_of(client, kind=CampaignKind.MARKETING))
    campaign = Campaign.objects.get()
    assert (campaign.window_start, campaign.window_end) == (time(9), time(21))
    client.post(
        campaign_url(campaign), form_of(client, campaign, kind="marketing", window_start="10:00", window_end="12:00")
    )
    campaign.refresh_from_db()
    assert (campaign.window_start, campaign.window_end) == (time(10), time(12))


def test_pace_days_and_end_are_kept_and_shown_once_it_runs(client):
    sign_in_superuser(client)
    fields: dict[str, Any] = {
        "window_start": "09:00",
        "window_end": "18:00",
        "window_days": ["1", "5"],
        "skip_holidays": "on",
        "max_per_second": "20",
        "rate_unit": "segments",
        "ends_at_0": "2099-12-31",
        "ends_at_1": "21:00",
        "late_start": "ask",
    }
    client.post(ADD, form_of(client, include_groups=[make_group(contacts=1).pk], **fields))
    campaign = Campaign.objects.get()
    assert (campaign.window_days, campaign.skip_holidays) == ([1, 5], True)
    assert (campaign.max_per_second, campaign.rate_unit, campaign.late_start) == (20, "segments", "ask")
    assert campaign.ends_at == timezone.make_aware(datetime(2099, 12, 31, 21, 0))
    lifecycle.launch(campaign, actor=None)
    page = text_of(client.get(campaign_url(campaign)))
    assert "At most per second" in page
    assert "Send no later than" in page


def test_usual_hours_fill_in_the_window_and_are_not_asked_for_once_it_runs(client):
    sign_in_superuser(client)
    fields: dict[str, Any] = {"hours": "work", "window_start": "03:00", "window_end": "04:00"}
    client.post(ADD, form_of(client, include_groups=[make_group(contacts=1).pk], **fields))
    campaign = Campaign.objects.get()
    assert (campaign.window_start, campaign.window_end) == (time(9), time(18))
    assert (campaign.window_days, campaign.skip_holidays) == ([1, 2, 3, 4, 5], True)
    assert "Usual hours" in text_of(client.get(campaign_url(campaign)))
    lifecycle.launch(campaign, actor=None)
    assert "Usual hours" not in text_of(client.get(campaign_url(campaign)))


def test_what_is_not_filled_in_is_as_fast_as_it_goes_on_all_days_and_without_an_end(client):
    sign_in_superuser(client)
    client.post(ADD, form_of(client, include_groups=[make_group().pk]))
    campaign = Campaign.objects.get()
    assert (campaign.window_days, campaign.max_per_second, campaign.ends_at) == ([], None, None)
    assert (campaign.rate_unit, campaign.late_start) == ("messages", "send")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_per_second": "0"}, "greater than or equal to 1"),
        ({"window_days": ["8"]}, "not one of the available choices"),
        ({"window_start": "09:00", "window_end": "09:00"}, "has no length"),
    ],
)
def test_a_pace_or_window_in_which_nothing_could_be_sent_is_refused(client, fields, words):
    sign_in_superuser(client)
    assert words in text_of(client.post(ADD, form_of(client, **fields)))
    assert not Campaign.objects.exists()


def test_a_form_that_somebody_else_has_overtaken_is_refused_and_keeps_what_was_typed(client):
    sign_in_superuser(client)
    campaign = make_campaign()
    fields = form_of(client, campaign, body="My text")
    campaign.body = "Their text"
    campaign.save()
    response = client.post(campaign_url(campaign), fields)
    assert "after you opened this page" in text_of(response)
    assert "My text" in response.content.decode()
    campaign.refresh_from_db()
    assert campaign.body == "Their text"


def test_a_campaign_that_was_started_meanwhile_is_not_changed(client):
    sign_in_superuser(client)
    campaign = make_campaign(make_group(contacts=1))
    fields = form_of(client, campaign, body="Too late")
    lifecycle.launch(campaign, actor=None)
    response = client.post(campaign_url(campaign), fields)
    campaign.refresh_from_db()
    assert campaign.body == "Hello"
    assert "cannot be changed any more" in said(response)


def test_a_started_campaign_shows_no_fields_to_fill_in(client):
    sign_in_superuser(client)
    page = client.get(campaign_url(launched())).content.decode()
    assert 'name="body"' not in page
    assert 'name="_save"' not in page


def test_only_what_was_never_sent_can_be_deleted(client):
    sign_in_superuser(client)
    sent, draft = launched(), make_campaign()
    assert client.post(reverse("admin:campaigns_campaign_delete", args=[sent.pk]), {"post": "yes"}).status_code == 403
    client.post(reverse("admin:campaigns_campaign_delete", args=[draft.pk]), {"post": "yes"})
    assert list(Campaign.objects.all()) == [sent]
    assert AuditEvent.objects.get(action="delete").subject == draft.name


def test_the_campaign_page_shows_figures_that_add_up_each_a_link_to_its_rows(client):
    sign_in_superuser(client)
    campaign = launched(contacts=3)
    make_message(number(8), campaign=campaign, status=MessageStatus.SENT)
    make_message(number(9), campaign=campaign, status=MessageStatus.REJECTED, reason="barred")
    Campaign.objects.filter(pk=campaign.pk).update(audience=5)
    response = client.get(campaign_url(campaign))
    page = text_of(response)
    assert "5 in the audience" in page
    assert "2 done" in page
    assert "3 to go" in page
    for status, rows in (("queued", 3), ("sent", 1), ("rejected", 1)):
        url = log_url(campaign__id__exact=campaign.pk, status__exact=status)
        assert url.replace("&", "&amp;") in response.content.decode()
        assert len(client.get(url).context["cl"].result_list) == rows
    url = log_url(campaign__id__exact=campaign.pk, status__exact="rejected", reason__exact="barred")
    assert len(client.get(url).context["cl"].result_list) == 1


def test_unknown_messages_are_shown_until_somebody_has_decided(client):
    user = sign_in_superuser(client)
    campaign = launched()
    message = make_message(number(8), campaign=campaign, status=MessageStatus.UNKNOWN)
    assert "Nobody knows whether these were taken" in text_of(client.get(campaign_url(campaign)))
    leave_unknown([message.pk], actor=user)
    assert "Nobody knows" not in text_of(client.get(campaign_url(campaign)))


def test_why_a_campaign_is_paused_stands_on_its_page(client):
    sign_in_superuser(client)
    campaign = launched()
    lifecycle.pause(campaign, actor=None, reason="not enough funds (code 3)", by_engine=True)
    assert "Paused: not enough funds (code 3)" in text_of(client.get(campaign_url(campaign)))


def test_who_did_what_stands_on_the_campaigns_page(client):
    user = sign_in_superuser(client)
    campaign = launched()
    lifecycle.pause(campaign, actor=user)
    assert "root paused" in text_of(client.get(campaign_url(campaign)))


def test_progress_is_asked_with_few_queries_and_says_when_to_ask_again(client, django_assert_num_queries):
    sign_in(client, "view_campaign")
    campaign = launched(contacts=2)
    # session, user, two for permissions, the campaign, its figures, its pace, the gateway, whether a worker runs
    with django_assert_num_queries(9):
        answer = client.get(campaign_url(campaign, "progress")).json()
    assert answer["status"] == CampaignStatus.SENDING
    assert answer["seconds"] == 2
    assert "queued" in answer["html"]
    campaign.messages.update(status=MessageStatus.CLAIMED)
    campaign.messages.update(status=MessageStatus.CANCELLED)
    Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.CANCELLED)
    assert client.get(campaign_url(campaign, "progress")).json()["seconds"] == 0


def test_the_sums_lead_to_their_rows_too(client, provider):
    campaign = send(launched(contacts=3))
    make_message(number(8), campaign=campaign, body="Waits")
    Campaign.objects.filter(pk=campaign.pk).update(audience=4)
    sign_in_superuser(client)
    page = client.get(campaign_url(campaign, "progress")).json()["html"]
    for status, shown, other in (("done", 1, 8), ("to_go", 8, 1)):
        url = log_url(campaign__id__exact=campaign.pk, status__exact=status)
        assert url.replace("&", "&amp;") in page
        rows = text_of(client.get(url))
        assert number(shown) in rows
        assert number(other) not in rows


def test_the_page_of_a_campaign_reads_the_log_only_for_what_the_figures_say_is_there(client, provider):
    campaign = send(launched(contacts=2))
    sign_in_superuser(client)
    client.get(campaign_url(campaign))
    with CaptureQueriesContext(connection) as asked:
        client.get(campaign_url(campaign))
    assert not [query["sql"] for query in asked if "campaigns_sentmessage" in query["sql"]]


def test_progress_is_not_for_everybody(client):
    campaign = launched()
    sign_in(client)
    assert client.get(campaign_url(campaign, "progress")).status_code == 403
    client.logout()
    assert client.get(campaign_url(campaign, "progress")).status_code == 302


def test_the_list_takes_the_same_queries_for_one_campaign_and_for_many(client, django_assert_num_queries):
    sign_in_superuser(client)
    group = make_group(contacts=1)
    make_campaign(group)
    client.get(LIST)
    # session, user, paused gateways, heartbeat, unread, count, rows, figures, approvals
    with django_assert_num_queries(9):
        client.get(LIST)
    for n in range(8):
        campaign = make_campaign(group, name=f"Sale {n}")
        lifecycle.launch(campaign, actor=None)
    with django_assert_num_queries(9):
        page = text_of(client.get(LIST))
    assert "Sale 7" in page


def test_a_scheduled_campaign_says_when_it_starts(client):
    sign_in_superuser(client)
    campaign = make_campaign(make_group(contacts=1))
    lifecycle.schedule(campaign, timezone.now() + timedelta(hours=2, minutes=5), actor=None)
    assert "Starts by itself at" in text_of(client.get(campaign_url(campaign)))
    assert "in 2 hours" in text_of(client.get(campaign_url(campaign))).replace("\xa0", " ")


def test_saving_can_go_on_to_the_page_that_sends(client):
    sign_in_superuser(client)
    fields = form_of(client, include_groups=[make_group(contacts=1).pk])
    del fields["_save"]
    response = client.post(ADD, {**fields, "_send": "yes"})
    assert response.url == campaign_url(Campaign.objects.get(), "launch")
