"""Sending again from the page of a campaign: the numbers first, then by POST, with the permission."""

from __future__ import annotations

import pytest
from django.utils import timezone

from campaigns.models import Campaign, MessageStatus, SentMessage
from tests.campaigns.building import launched, make_message, message_to, number, send
from tests.campaigns.screens import campaign_url, said, sign_in, sign_in_superuser, text_of
from tests.campaigns.sending.test_settling import Searchable

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

BUTTON = "Resend to failed, undelivered or unknown"


@pytest.fixture
def campaign(provider) -> Campaign:
    """Ended; one message failed, one came back undelivered, one was sent."""
    campaign = send(launched(contacts=3))
    for n, status in ((1, MessageStatus.FAILED), (2, MessageStatus.UNDELIVERED)):
        contact = message_to(number(n)).contact
        SentMessage.objects.filter(phone_number=number(n)).delete()
        make_message(number(n), campaign=campaign, contact=contact, status=status)
    return campaign


def test_the_page_says_how_many_people_each_choice_means(client, campaign):
    sign_in_superuser(client)
    assert BUTTON in text_of(client.get(campaign.get_absolute_url()))
    page = text_of(client.post(campaign_url(campaign, "resend")))
    assert "failed: 1" in page
    assert "undelivered: 1" in page
    assert "unknown: " not in page
    assert not campaign.children.exists(), "looking starts nothing"


def test_a_confirmed_choice_starts_a_child_and_leads_to_it(client, campaign):
    user = sign_in_superuser(client)
    response = client.post(campaign_url(campaign, "resend"), {"confirm": "yes", "statuses": ["failed"]})
    child = campaign.children.get()
    assert response.url == child.get_absolute_url()
    assert (child.launched_by, child.launch["resend"]) == (user, ["failed"])
    assert "Sent again to people whom" in text_of(client.get(child.get_absolute_url()))


def test_nothing_chosen_or_a_state_that_was_not_offered_starts_nothing(client, campaign):
    sign_in_superuser(client)
    client.post(campaign_url(campaign, "resend"), {"confirm": "yes"})
    client.post(campaign_url(campaign, "resend"), {"confirm": "yes", "statuses": ["sent"]})
    assert not campaign.children.exists()


def test_where_everybody_was_reached_there_is_no_button(client, provider):
    campaign = send(launched(contacts=1))
    sign_in_superuser(client)
    assert BUTTON not in text_of(client.get(campaign.get_absolute_url()))
    response = client.post(campaign_url(campaign, "resend"), follow=True)
    assert "There is nobody to send it to again" in said(response)


def test_it_needs_the_permission_to_launch(client, campaign):
    sign_in(client, "view_campaign", "control_campaign")
    response = client.post(campaign_url(campaign, "resend"), {"confirm": "yes", "statuses": ["failed"]})
    assert response.status_code == 403
    assert not campaign.children.exists()


def test_the_page_says_which_unknown_messages_are_being_looked_up(client, provider, adapter):
    adapter(Searchable)
    campaign = send(launched(contacts=2))
    for n, at in ((1, timezone.now()), (2, None)):
        SentMessage.objects.filter(phone_number=number(n)).delete()
        make_message(number(n), campaign=campaign, status=MessageStatus.UNKNOWN, next_lookup_at=at)
    sign_in_superuser(client)
    assert "The provider is being asked about 1 of them" in text_of(client.get(campaign.get_absolute_url()))
    SentMessage.objects.update(next_lookup_at=None)
    assert "is being asked about" not in text_of(client.get(campaign.get_absolute_url()))
