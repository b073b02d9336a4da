"""Above a size that the installation sets, the number is typed or a second person approves; a change voids it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns import approval, copying, lifecycle
from campaigns.approval import ApprovalError
from campaigns.forecasting.foreseen import foresee
from campaigns.models import Approval, ApprovalStatus, AuditEvent, Campaign, CampaignStatus, SentMessage, User
from tests.campaigns.building import make_campaign, make_contact, make_group, make_user, number, set_prices, there

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]


@pytest.fixture(autouse=True)
def limits(settings) -> None:
    settings.SMS_APPROVAL_ABOVE_PEOPLE = 2


@pytest.fixture
def writer() -> User:
    return make_user("olga")


@pytest.fixture
def approver() -> User:
    return make_approver("boris")


def make_approver(username: str) -> User:
    user = make_user(username)
    user.user_permissions.add(Permission.objects.get(codename="approve_campaign"))
    return user


@pytest.fixture
def campaign(writer) -> Campaign:
    return make_campaign(make_group(contacts=3), created_by=writer)


def asked(campaign: Campaign, actor: User, at: datetime | None = None) -> Approval:
    return approval.ask(campaign, foresee(campaign), actor=actor, starts_at=at, question="All right?")


def approved(campaign: Campaign, writer: User, approver: User, at: datetime | None = None) -> Approval:
    request = asked(campaign, writer, at)
    approval.decide(request, actor=approver, is_approved=True)
    return request


def test_a_large_campaign_is_not_sent_without_approval(campaign, writer):
    with pytest.raises(lifecycle.NotYetAllowed, match="approval of a second person"):
        lifecycle.launch(campaign, actor=writer)
    asked(campaign, writer)
    with pytest.raises(lifecycle.NotYetAllowed, match="waits for approval"):
        lifecycle.launch(campaign, actor=writer)
    assert not SentMessage.objects.exists()


def test_a_small_one_needs_none(writer):
    assert lifecycle.launch(make_campaign(make_group(contacts=2)), actor=writer)


def test_people_who_are_left_out_do_not_count(writer):
    group = make_group(contacts=2, first_name="Anna")
    make_contact(number(3), group)
    assert lifecycle.launch(make_campaign(group, body="Hello {{ first_name }}"), actor=writer)


def test_once_approved_it_is_sent_by_whoever_wrote_it(campaign, writer, approver):
    request = approved(campaign, writer, approver)
    assert (request.status, request.decided_by, request.recipients) == (ApprovalStatus.APPROVED, approver, 3)
    assert lifecycle.launch(campaign, actor=writer)
    trail = list(AuditEvent.objects.order_by("pk").values_list("action", "actor__username"))
    assert trail == [("approval_asked", "olga"), ("approval_given", "boris"), ("launch", "olga")]


@pytest.mark.parametrize(
    "change",
    [
        {"body": "Something else"},
        {"texts": {"ru": "Привет"}},
        {"kind": "marketing"},
        {"gateway": "other"},
        {"sender_id": "SHOP"},
        {"spend_limit": Decimal(10)},
        {"max_per_second": 7},
        {"window_days": [1, 2]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_after_it_voids_it(campaign, writer, approver, settings, change):
    settings.SMS_GATEWAYS = {"other": {"BACKEND": "locmem"}}
    settings.SMS_MARKETING_NEEDS_CONSENT = False
    set_prices(p="1")
    request = approved(campaign, writer, approver)
    Campaign.objects.filter(pk=campaign.pk).update(**change)
    campaign.refresh_from_db()
    assert not approval.still_fits(request, campaign)
    with pytest.raises(lifecycle.NotYetAllowed, match="changed after it had been approved"):
        lifecycle.launch(campaign, actor=writer)
    asked(campaign, writer)
    request.refresh_from_db()
    assert request.status == ApprovalStatus.VOID


def test_another_group_voids_it(campaign, writer, approver):
    approved(campaign, writer, approver)
    campaign.exclude_groups.add(make_group("Nobody"))
    with pytest.raises(lifecycle.NotYetAllowed, match="changed after"):
        lifecycle.launch(campaign, actor=writer)


def test_other_conditions_of_a_smart_group_void_it(writer, approver):
    from campaigns.models import ContactGroup

    for n in range(1, 4):
        make_contact(number(n), first_name="Anna")

    def conditions(name: str) -> dict[str, object]:
        part = {"on": "first_name", "is": "starts_with", "value": name}
        return {"version": 1, "match": {"combine": "all", "parts": [part]}}

    smart = ContactGroup.objects.create(name="Smart", conditions=conditions("Ann"))
    campaign = make_campaign(smart, created_by=writer)
    approved(campaign, writer, approver)
    smart.conditions = conditions("A")
    smart.save()
    with pytest.raises(lifecycle.NotYetAllowed, match="changed after"):
        lifecycle.launch(campaign, actor=writer)


def test_groups_that_grew_a_little_are_covered_and_others_are_not(writer, approver):
    group = make_group(contacts=20)
    campaign = make_campaign(group, created_by=writer)
    request = approved(campaign, writer, approver)
    for n in (31, 32):
        make_contact(number(n), group)
    assert approval.still_fits(request, campaign)
    make_contact(number(33), group)
    with pytest.raises(lifecycle.NotYetAllowed, match="changed after"):
        lifecycle.launch(campaign, actor=writer)


def test_nobody_approves_what_they_wrote_changed_copied_or_asked_for(campaign, writer, approver):
    for user in (writer, make_approver("vera")):
        user.user_permissions.add(Permission.objects.get(codename="approve_campaign"))
    vera = User.objects.get(username="vera")
    writer = User.objects.get(pk=writer.pk)
    request = asked(campaign, approver)
    with pytest.raises(ApprovalError, match="asked for it yourself"):
        approval.decide(request, actor=approver, is_approved=True)
    with pytest.raises(ApprovalError, match="written or changed"):
        approval.decide(request, actor=writer, is_approved=True)
    AuditEvent.objects.create(action="change", actor=vera, campaign=campaign)
    AuditEvent.objects.create(action="change", actor=writer, campaign=campaign)  # not only the last one counts
    with pytest.raises(ApprovalError, match="written or changed"):
        approval.decide(request, actor=vera, is_approved=True)
    copy = copying.duplicate(campaign, actor=vera)
    with pytest.raises(ApprovalError, match="written or changed"):
        approval.decide(asked(copy, writer), actor=vera, is_approved=True)
    request.refresh_from_db()
    assert request.status == ApprovalStatus.WAITING


def test_only_somebody_with_the_permission_decides(campaign, writer):
    request = asked(campaign, writer)
    eva = User.objects.create(username="eva", is_staff=True)
    with pytest.raises(ApprovalError, match="may not approve"):
        approval.decide(request, actor=eva, is_approved=True)


def test_the_role_of_approvers_has_the_permission(db):
    codenames = Group.objects.get(name="Approver").permissions.values_list("codename", flat=True)
    assert "approve_campaign" in codenames
    assert "approve_campaign" not in Group.objects.get(name="Operator").permissions.values_list("codename", flat=True)


def test_declining_needs_a_word_and_is_recorded(campaign, writer, approver):
    request = asked(campaign, writer)
    with pytest.raises(ApprovalError, match="why"):
        approval.decide(request, actor=approver, is_approved=False)
    approval.decide(request, actor=approver, is_approved=False, answer="Wrong date")
    assert (request.status, request.answer) == (ApprovalStatus.DECLINED, "Wrong date")
    with pytest.raises(lifecycle.NotYetAllowed):
        lifecycle.launch(campaign, actor=writer)
    with pytest.raises(ApprovalError, match="not open any more"):
        approval.decide(request, actor=approver, is_approved=True)
    assert AuditEvent.objects.get(action="approval_declined").details["answer"] == "Wrong date"


def test_what_was_changed_while_it_waited_cannot_be_approved(campaign, writer, approver):
    request = asked(campaign, writer)
    campaign.body = "Other"
    campaign.save()
    with pytest.raises(ApprovalError, match="asked for anew"):
        approval.decide(request, actor=approver, is_approved=True)


def test_a_request_can_be_taken_back(campaign, writer, approver):
    request = asked(campaign, writer)
    approval.withdraw(campaign, actor=writer)
    with pytest.raises(ApprovalError):
        approval.decide(request, actor=approver, is_approved=True)
    with pytest.raises(ApprovalError):
        approval.withdraw(campaign, actor=writer)


def test_what_has_started_cannot_be_asked_for(campaign, writer, settings):
    settings.SMS_APPROVAL_ABOVE_PEOPLE = None
    found = foresee(campaign)
    lifecycle.launch(campaign, actor=writer)
    with pytest.raises(ApprovalError):
        approval.ask(campaign, found, actor=writer, starts_at=None, question="")


# --- schedules -------------------------------------------------------------------------------------------------------


def test_scheduling_needs_it_for_that_very_time(campaign, writer, approver):
    at = timezone.now() + timedelta(hours=3)
    with pytest.raises(lifecycle.NotYetAllowed):
        lifecycle.schedule(campaign, at, actor=writer)
    approved(campaign, writer, approver, at)
    with pytest.raises(lifecycle.NotYetAllowed, match="changed after"):
        lifecycle.schedule(campaign, at + timedelta(minutes=1), actor=writer)
    with pytest.raises(lifecycle.NotYetAllowed, match="changed after"):
        lifecycle.launch(campaign, actor=writer)  # approved for later is not approved for now
    lifecycle.schedule(campaign, at, actor=writer)
    assert campaign.status == CampaignStatus.SCHEDULED


def due(campaign: Campaign, writer: User, approver: User) -> Campaign:
    """Approved, scheduled, and its time has come."""
    at = timezone.now() + timedelta(seconds=1)
    approved(campaign, writer, approver, at)
    lifecycle.schedule(campaign, at, actor=writer)
    return campaign


def start_later(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    later = timezone.now() + timedelta(seconds=2)
    with monkeypatch.context() as clock:
        clock.setattr("campaigns.lifecycle.timezone.now", lambda: later)
        lifecycle.start_due(campaign)
    campaign.refresh_from_db()


def test_an_approved_schedule_starts_when_it_fires(campaign, writer, approver, monkeypatch):
    start_later(due(campaign, writer, approver), monkeypatch)
    assert campaign.status == CampaignStatus.FREEZING


def test_approval_is_asked_once_more_when_the_schedule_fires(campaign, writer, approver, monkeypatch):
    due(campaign, writer, approver)
    Campaign.objects.filter(pk=campaign.pk).update(body="Slipped in")
    campaign.refresh_from_db()
    start_later(campaign, monkeypatch)
    assert campaign.status == CampaignStatus.PAUSED
    assert "changed after it had been approved" in campaign.pause_reason
    with pytest.raises(lifecycle.NotYetAllowed):
        lifecycle.resume(campaign, actor=writer)
    approved(campaign, writer, approver, campaign.scheduled_at)
    lifecycle.resume(campaign, actor=writer)
    assert campaign.status == CampaignStatus.FREEZING


def test_a_group_that_grew_after_scheduling_stops_the_schedule(campaign, writer, approver, monkeypatch):
    due(campaign, writer, approver)
    for n in range(50, 60):
        make_contact(number(n), campaign.include_groups.get())
    start_later(campaign, monkeypatch)
    assert campaign.status == CampaignStatus.PAUSED


# --- money, typing, other ways -----------------------------------------------------------------------------------


def test_a_limit_of_cost_counts_what_is_not_known_as_above_it(campaign, writer, settings):
    settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_APPROVAL_ABOVE_COST = None, 10
    with pytest.raises(lifecycle.NotYetAllowed):
        lifecycle.launch(campaign, actor=writer)
    set_prices(p44="1")  # not theirs
    with pytest.raises(lifecycle.NotYetAllowed):
        lifecycle.launch(campaign, actor=writer)
    set_prices(p7="3.34")
    with pytest.raises(lifecycle.NotYetAllowed):
        lifecycle.launch(campaign, actor=writer)
    set_prices(p7="3.33")
    assert lifecycle.launch(campaign, actor=writer)


@pytest.mark.parametrize("typed", [None, "", "2", "33", "three"])
def test_another_number_than_that_of_the_people_sends_nothing(campaign, writer, settings, typed):
    settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_CONFIRM_ABOVE_PEOPLE = None, 2
    with pytest.raises(lifecycle.NotYetAllowed, match="type their number"):
        lifecycle.launch(campaign, actor=writer, typed=typed)


@pytest.mark.parametrize("typed", ["3", " 3 ", "٣"])
def test_the_number_of_people_sends_it(campaign, writer, settings, typed):
    settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_CONFIRM_ABOVE_PEOPLE = None, 2
    assert lifecycle.launch(campaign, actor=writer, typed=typed)


def test_a_number_grouped_as_it_is_shown_is_understood():
    assert approval._digits("9,512") == approval._digits("9 512") == "9512"


def test_what_was_typed_for_a_schedule_is_not_asked_again_when_it_fires(campaign, writer, settings, monkeypatch):
    settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_CONFIRM_ABOVE_PEOPLE = None, 2
    at = timezone.now() + timedelta(seconds=1)
    with pytest.raises(lifecycle.NotYetAllowed):
        lifecycle.schedule(campaign, at, actor=writer)
    lifecycle.schedule(campaign, at, actor=writer, typed="3")
    start_later(campaign, monkeypatch)
    assert campaign.status == CampaignStatus.FREEZING


def test_the_command_goes_through_the_same_check(campaign, writer, approver, settings):
    with pytest.raises(CommandError, match="approval of a second person"):
        call_command("send_campaign", str(campaign.pk), stdout=StringIO())
    settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_CONFIRM_ABOVE_PEOPLE = None, 2
    with pytest.raises(CommandError, match="type their number"):
        call_command("send_campaign", str(campaign.pk), stdout=StringIO())
    call_command("send_campaign", str(campaign.pk), "--people", "3", stdout=StringIO(), stderr=StringIO())
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FREEZING


def test_what_waits_for_somebody_is_what_they_can_decide(campaign, writer, approver):
    asked(campaign, writer)
    assert [request.campaign for request in approval.waiting_for(approver)] == [campaign]
    assert approval.waiting_for(writer) == []
    assert approval.approved_for(writer) == []
    approval.decide(there(approval.open_approval(campaign)), actor=approver, is_approved=True)
    assert approval.waiting_for(approver) == []
    assert [request.campaign for request in approval.approved_for(writer)] == [campaign]
