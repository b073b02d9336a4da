"""What operators do with a campaign: only by POST, only with the permission, and only once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns import lifecycle
from campaigns.models import AuditEvent, Campaign, CampaignStatus, MessageStatus, Purpose, SentMessage
from tests.campaigns.building import make_campaign, make_contact, make_group, make_message, number
from tests.campaigns.screens import campaign_url, hidden_fields, said, sign_in, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

LIST = "/admin/campaigns/campaign/"


@pytest.fixture
def campaign() -> Campaign:
    group = make_group(contacts=2, first_name="Anna")
    make_contact(number(3), group)
    return make_campaign(group, body="Hello {{ first_name }}")


def confirmed(client, campaign: Campaign, action: str = "launch", **fields: str) -> dict[str, str]:
    """The fields of the confirmation page as it is shown now, with what the operator types."""
    return {**hidden_fields(client.get(campaign_url(campaign, action))), **fields}


def test_the_confirmation_page_counts_people_and_says_who_is_left_out_and_why(client, campaign):
    sign_in_superuser(client)
    page = text_of(client.post(campaign_url(campaign, "launch")))
    assert "In the chosen groups 3" in page
    assert "Left out: no value for a placeholder −1" in page
    assert "Will get the message 2" in page
    assert "SMS segments, all together 2" in page
    assert "Hello Anna" in page
    assert "Send 2 messages" in page


def test_looking_at_the_confirmation_page_sends_nothing(client, campaign):
    sign_in_superuser(client)
    client.get(campaign_url(campaign, "launch"))
    client.post(campaign_url(campaign, "launch"))
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_what_stands_in_the_way_is_said_instead_of_a_button(client):
    sign_in_superuser(client)
    page = text_of(client.get(campaign_url(make_campaign(), "launch")))
    assert "No group is chosen" in page
    assert "Send 0" not in page


def test_confirming_starts_the_campaign_and_notes_who_did_it(client, campaign):
    user = sign_in_superuser(client)
    response = client.post(campaign_url(campaign, "launch"), confirmed(client, campaign))
    campaign.refresh_from_db()
    assert response.url == campaign.get_absolute_url()
    assert (campaign.status, campaign.launched_by) == (CampaignStatus.FREEZING, user)


def test_two_clicks_start_it_once_and_the_second_is_told_so(client, campaign):
    sign_in_superuser(client)
    fields = confirmed(client, campaign)
    client.post(campaign_url(campaign, "launch"), fields)
    response = client.post(campaign_url(campaign, "launch"), fields)
    assert "started already" in said(response)
    assert AuditEvent.objects.filter(action="launch").count() == 1


def test_a_text_changed_after_the_page_was_shown_is_not_sent_unseen(client, campaign):
    sign_in_superuser(client)
    fields = confirmed(client, campaign)
    campaign.body = "Something else"
    campaign.save()
    response = client.post(campaign_url(campaign, "launch"), fields)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT
    assert "changed" in said(response)


def test_people_who_came_into_the_groups_after_the_page_was_shown_are_not_sent_to_unseen(client, campaign):
    sign_in_superuser(client)
    fields = confirmed(client, campaign)
    make_contact(number(4), campaign.include_groups.get(), first_name="Boris")
    response = client.post(campaign_url(campaign, "launch"), fields)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT
    assert "4 people" in said(response)


def test_a_campaign_that_became_unsendable_is_refused_with_the_reasons(client, campaign):
    sign_in_superuser(client)
    fields = confirmed(client, campaign)
    Campaign.objects.filter(pk=campaign.pk).update(ends_at=timezone.now() - timedelta(minutes=1))
    response = client.post(campaign_url(campaign, "launch"), fields)
    assert "has passed" in said(response)


@pytest.mark.parametrize("action", ["pause", "resume", "unschedule", "duplicate", "unknown"])
def test_a_get_changes_nothing(client, campaign, action):
    sign_in_superuser(client)
    assert client.get(campaign_url(campaign, action)).status_code == 405
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("action", "permission"),
    [
        ("launch", "launch_campaign"),
        ("schedule", "launch_campaign"),
        ("unschedule", "launch_campaign"),
        ("pause", "control_campaign"),
        ("resume", "control_campaign"),
        ("cancel", "control_campaign"),
        ("unknown", "control_campaign"),
        ("duplicate", "add_campaign"),
        ("test", "send_quick"),
    ],
)
def test_each_action_has_its_permission(client, campaign, action, permission):
    sign_in(client, "view_campaign", "change_campaign")
    assert client.post(campaign_url(campaign, action), {"confirm": "yes"}).status_code == 403
    assert not AuditEvent.objects.exists()
    client.logout()
    sign_in(client, "view_campaign", permission, username="boris")
    assert client.post(campaign_url(campaign, action), {"decision": "leave"}).status_code in {200, 302}


def test_the_page_has_a_button_only_for_what_can_be_done_and_may_be_done(client, campaign):
    sign_in(client, "view_campaign", "control_campaign")
    assert campaign_url(campaign, "launch") not in client.get(campaign_url(campaign)).content.decode()
    lifecycle.launch(campaign, actor=None)
    page = client.get(campaign_url(campaign)).content.decode()
    assert f'action="{campaign_url(campaign, "pause")}"' in page
    assert f'action="{campaign_url(campaign, "resume")}"' not in page


def test_pausing_and_resuming_by_the_buttons(client, campaign):
    sign_in_superuser(client)
    lifecycle.launch(campaign, actor=None)
    client.post(campaign_url(campaign, "pause"))
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.PAUSED
    client.post(campaign_url(campaign, "resume"))
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FREEZING


def test_a_state_that_does_not_allow_it_is_said_in_a_sentence(client, campaign):
    sign_in_superuser(client)
    response = client.post(campaign_url(campaign, "pause"))
    assert "only a running campaign can be paused" in said(response)


def test_cancelling_asks_first(client, campaign):
    sign_in_superuser(client)
    lifecycle.launch(campaign, actor=None)
    assert "will never be sent" in text_of(client.post(campaign_url(campaign, "cancel")))
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FREEZING
    client.post(campaign_url(campaign, "cancel"), {"confirm": "yes"})
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.CANCELLED


def test_scheduling_is_in_the_operators_own_time_zone(client, campaign):
    sign_in_superuser(client, time_zone="Asia/Vladivostok")
    assert "In your time zone, Asia/Vladivostok." in text_of(client.get(campaign_url(campaign, "schedule")))
    day = (timezone.now() + timedelta(days=3)).date().isoformat()
    fields = confirmed(client, campaign, "schedule", at_0=day, at_1="19:30")
    client.post(campaign_url(campaign, "schedule"), fields)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED
    assert campaign.scheduled_at.isoformat() == f"{day}T09:30:00+00:00"


def test_a_time_that_has_passed_is_refused_on_the_form(client, campaign):
    sign_in_superuser(client)
    fields = confirmed(client, campaign, "schedule", at_0="2020-01-01", at_1="10:00")
    response = client.post(campaign_url(campaign, "schedule"), fields)
    assert "This time has passed" in text_of(response)
    assert "2020-01-01" in response.content.decode()


def test_a_duplicate_is_a_new_draft_and_is_opened(client, campaign):
    sign_in_superuser(client)
    response = client.post(campaign_url(campaign, "duplicate"))
    copy = Campaign.objects.exclude(pk=campaign.pk).get()
    assert response.url == copy.get_absolute_url()


def test_a_test_goes_to_a_number_in_any_spelling_and_two_clicks_send_it_once(client, campaign):
    sign_in_superuser(client)
    fields = confirmed(client, campaign, "test", phone="8 (912) 345-67-89")
    for _click in range(2):
        client.post(campaign_url(campaign, "test"), fields)
    message = SentMessage.objects.get()
    assert (message.phone_number, message.body, message.purpose) == ("+79123456789", "Hello Anna", Purpose.TEST)


def test_a_number_that_is_none_is_explained_and_stays_in_the_field(client, campaign):
    sign_in_superuser(client)
    response = client.post(campaign_url(campaign, "test"), {"confirm": "yes", "phone": "12"})
    assert "too short" in text_of(response)
    assert 'value="12"' in response.content.decode()


def test_resending_unknown_messages_asks_first_and_leaving_them_does_not(client, campaign):
    sign_in_superuser(client)
    lifecycle.launch(campaign, actor=None)
    old = timezone.now() - timedelta(days=1)
    messages = [make_message(number(n), campaign=campaign, status=MessageStatus.UNKNOWN, status_at=old) for n in (8, 9)]
    page = text_of(client.post(campaign_url(campaign, "unknown"), {"decision": "resend"}))
    assert "people get them twice" in page
    assert SentMessage.objects.filter(status=MessageStatus.UNKNOWN).count() == 2
    client.post(reverse("admin:campaigns_sentmessage_unknown", args=[messages[0].pk]), {"decision": "leave"})
    client.post(campaign_url(campaign, "unknown"), {"decision": "resend", "confirm": "yes"})
    assert [SentMessage.objects.get(pk=m.pk).status for m in messages] == [MessageStatus.UNKNOWN, MessageStatus.QUEUED]


@pytest.mark.parametrize(("name", "action"), [("send_now", "launch"), ("schedule", "schedule"), ("cancel", "cancel")])
def test_actions_that_need_a_look_lead_to_the_page_of_one_campaign(client, campaign, name, action):
    sign_in_superuser(client)
    response = client.post(LIST, {"action": name, "_selected_action": [campaign.pk]})
    assert response.url == campaign_url(campaign, action)
    other = make_campaign()
    response = client.post(LIST, {"action": name, "_selected_action": [campaign.pk, other.pk]})
    assert "Choose one campaign" in said(response)


def test_pausing_several_says_for_each_what_came_of_it(client, campaign):
    sign_in_superuser(client)
    lifecycle.launch(campaign, actor=None)
    draft = make_campaign(name="Only a draft")
    response = client.post(LIST, {"action": "pause", "_selected_action": [campaign.pk, draft.pk]})
    assert "“Sale” is paused." in said(response)
    assert "Only a draft: The campaign is draft; only a running campaign can be paused." in said(response)


def test_the_list_offers_nobody_what_they_may_not_do(client, campaign):
    sign_in(client, "view_campaign", "control_campaign")
    page = client.get(LIST).content.decode()
    assert 'value="pause"' in page
    assert 'value="send_now"' not in page
    assert 'value="delete_selected"' not in page
