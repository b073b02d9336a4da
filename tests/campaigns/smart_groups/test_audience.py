"""Smart groups as the audience of a campaign: beside static ones, as they were when it was launched."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle
from campaigns.audience import audience
from campaigns.forecasting.foreseen import foresee
from campaigns.models import Campaign, CampaignStatus, Contact, ContactGroup, MessageStatus, SentMessage
from campaigns.sending import freeze as freezing
from campaigns.sending.freeze import freeze_chunk
from campaigns.smart_groups import ConditionsError
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    number,
    statuses,
)
from tests.campaigns.smart_groups.conditions import attribute, make_smart_group, on, stored

pytestmark = pytest.mark.django_db
KAZAN = attribute("city", "equals", "Kazan")


def numbers(campaign: Campaign) -> list[str]:
    return list(campaign.messages.order_by("contact_id").values_list("phone_number", flat=True))


@pytest.fixture
def towns() -> None:
    for n, city in enumerate(["Kazan", "Tver", "Kazan", "Perm"], start=1):
        make_contact(number(n), attributes={"city": city})


def launched(*groups, **fields) -> Campaign:
    campaign = make_campaign(*groups, **fields)
    assert lifecycle.launch(campaign, actor=None)
    return campaign


def test_everybody_who_meets_the_conditions_gets_one_row(towns):
    campaign = frozen(launched(make_smart_group(KAZAN)))
    assert numbers(campaign) == [number(1), number(3)]
    assert statuses(campaign) == {"queued": 2}
    assert_adds_up(campaign)


def test_smart_and_static_groups_are_one_audience_in_which_everybody_counts_once(towns):
    group = make_group("Static")
    for n in (1, 4):
        Contact.objects.get(phone_number=number(n)).groups.add(group)
    campaign = frozen(launched(make_smart_group(KAZAN), group))
    assert numbers(campaign) == [number(1), number(3), number(4)]
    assert_adds_up(campaign)


def test_a_smart_group_can_be_left_out(towns):
    everybody = make_smart_group(on("region", "equals", "RU"), name="All")
    campaign = frozen(launched(everybody, exclude=make_smart_group(KAZAN)))
    assert numbers(campaign) == [number(2), number(4)]


def test_a_static_group_can_be_left_out_of_a_smart_one(towns):
    staff = make_group("Staff")
    Contact.objects.get(phone_number=number(1)).groups.add(staff)
    assert numbers(frozen(launched(make_smart_group(KAZAN), exclude=staff))) == [number(3)]


def test_preflight_and_freeze_agree(towns):
    campaign = make_campaign(make_smart_group(KAZAN))
    assert foresee(campaign).audience == 2
    lifecycle.launch(campaign, actor=None)
    assert frozen(campaign).audience == 2


def test_conditions_edited_after_the_launch_change_nothing_that_is_sent(towns):
    group = make_smart_group(KAZAN)
    campaign = launched(group)
    ContactGroup.objects.update(conditions=stored(on("region", "equals", "DE")))
    assert numbers(frozen(campaign)) == [number(1), number(3)]


def test_a_smart_group_deleted_after_the_launch_is_still_sent_to(towns):
    group = make_smart_group(KAZAN)
    campaign = launched(group)
    group.delete()
    assert numbers(frozen(campaign)) == [number(1), number(3)]


def test_conditions_are_met_at_the_freeze_and_not_at_the_launch(towns):
    """Design, section 4: who is in the audience when their chunk is written gets it."""
    campaign = launched(make_smart_group(KAZAN))
    Contact.objects.filter(phone_number=number(4)).update(attributes={"city": "Kazan"})
    make_contact(number(5), attributes={"city": "Kazan"})  # after the launch: too late
    assert numbers(frozen(campaign)) == [number(1), number(3), number(4)]


def test_a_freeze_in_chunks_misses_nobody_who_was_in_the_audience_throughout(towns, monkeypatch):
    monkeypatch.setattr(freezing, "CHUNK", 1)
    for n in range(10, 20):
        make_contact(number(n), attributes={"city": "Kazan"})
    campaign = launched(make_smart_group(KAZAN))
    chunks = 0
    while freeze_chunk(campaign.pk, campaign.launch_token):
        chunks += 1
        Contact.objects.filter(phone_number=number(2)).update(attributes={"city": "Kazan" if chunks % 2 else "Tver"})
    assert {number(n) for n in (1, 3, *range(10, 20))} <= set(numbers(campaign))
    assert_adds_up(campaign)


def test_who_was_sent_something_is_asked_of_other_campaigns_while_this_one_is_written(monkeypatch):
    """“Got nothing in 30 days” goes on being true of those whose rows this campaign has not written yet."""
    monkeypatch.setattr(freezing, "CHUNK", 2)
    for n in range(1, 8):
        make_contact(number(n))
    old = make_message(number(3), contact=Contact.objects.get(phone_number=number(3)), status=MessageStatus.DELIVERED)
    SentMessage.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=3))
    campaign = frozen(launched(make_smart_group(on("message", "was_not", days=30))))
    assert numbers(campaign) == [number(n) for n in (1, 2, 4, 5, 6, 7)]


def test_days_are_counted_from_the_launch_however_long_the_freeze_takes(towns):
    contact = Contact.objects.get(phone_number=number(1))
    at = timezone.now() - timedelta(days=30, minutes=5)
    make_message(number(1), contact=contact, status=MessageStatus.SENT, created_at=at)
    campaign = make_campaign(make_smart_group(on("message", "was", days=31)))
    lifecycle.launch(campaign, actor=None)
    launch = campaign.launch
    (pk,) = launch["smart_groups"]["by_group"]
    launch["smart_groups"]["by_group"][pk] = stored(on("message", "was", days=30))
    launch["smart_groups"]["as_of"] = (timezone.now() - timedelta(minutes=10)).isoformat()
    Campaign.objects.filter(pk=campaign.pk).update(launch=launch)
    assert numbers(frozen(campaign)) == [number(1)]


def test_conditions_that_cannot_be_read_stop_the_launch_with_a_sentence(towns):
    group = make_smart_group(KAZAN, name="Old")
    ContactGroup.objects.update(conditions={"version": 9, "match": {}})
    campaign = make_campaign(group)
    with pytest.raises(lifecycle.LaunchRefused, match="“Old” cannot be used"):
        lifecycle.launch(campaign, actor=None)
    assert "cannot be used" in " ".join(foresee(campaign).problems)


def test_conditions_that_cannot_be_read_at_the_freeze_pause_it_with_the_reason(towns):
    campaign = launched(make_smart_group(KAZAN))
    launch = {**campaign.launch}
    for pk in launch["smart_groups"]["by_group"]:
        launch["smart_groups"]["by_group"][pk] = {"version": 9, "match": {}}
    Campaign.objects.filter(pk=campaign.pk).update(launch=launch)
    campaign = frozen(campaign)
    assert campaign.status == CampaignStatus.PAUSED
    assert "another version" in campaign.pause_reason
    assert not campaign.messages.exists()


def test_a_launch_of_an_older_version_knows_no_smart_groups(towns):
    group = make_group("Static")
    make_contact(number(9), group)
    campaign = launched(group)
    launch = {name: value for name, value in campaign.launch.items() if name != "smart_groups"}
    Campaign.objects.filter(pk=campaign.pk).update(launch=launch)
    assert numbers(frozen(campaign)) == [number(9)]


def test_unreadable_conditions_are_no_empty_audience():
    group = make_smart_group(KAZAN)
    ContactGroup.objects.update(conditions={})
    with pytest.raises(ConditionsError):
        audience([group.pk])


def test_a_smart_group_of_nobody_is_refused_like_an_empty_group(towns):
    campaign = make_campaign(make_smart_group(attribute("city", "equals", "Omsk")))
    with pytest.raises(lifecycle.LaunchRefused, match="nobody in the chosen groups"):
        lifecycle.launch(campaign, actor=None)
