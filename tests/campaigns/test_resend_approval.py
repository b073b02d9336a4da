"""Sending again asks for what a campaign of that size asks for: the number typed, or a second person."""

from __future__ import annotations

from decimal import Decimal

import pytest

from campaigns import approval, archiving, lifecycle
from campaigns.approval import ApprovalError
from campaigns.models import Approval, ApprovalStatus, AuditEvent, Campaign, Contact, MessageStatus, SentMessage, User
from campaigns.resendable import resend_sums
from campaigns.resending import make_child
from tests.campaigns.building import frozen, launched, make_message, message_to, number, send
from tests.campaigns.screens import campaign_url, said, sign_in_superuser, text_of
from tests.campaigns.test_approval import make_approver

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

FAILED = [str(MessageStatus.FAILED)]
BOTH = [str(MessageStatus.FAILED), str(MessageStatus.UNDELIVERED)]


@pytest.fixture
def campaign(provider, settings) -> Campaign:
    """Ended; three messages failed, one came back undelivered, one was sent. More than two need approval since."""
    campaign = send(launched(contacts=5))
    settings.SMS_APPROVAL_ABOVE_PEOPLE = 2
    for n in (1, 2, 3):
        becomes(campaign, n, MessageStatus.FAILED)
    becomes(campaign, 4, MessageStatus.UNDELIVERED)
    return campaign


def becomes(campaign: Campaign, n: int, status: MessageStatus, **fields) -> None:
    contact = message_to(number(n)).contact
    SentMessage.objects.filter(phone_number=number(n)).delete()
    make_message(number(n), campaign=campaign, contact=contact, status=status, segment_count=2, **fields)


def asked(campaign: Campaign, actor: User, statuses=FAILED) -> Approval:
    return approval.ask_again(campaign, statuses, actor=actor, question="All right?")


def test_so_many_are_not_sent_to_again_without_approval(campaign):
    olga = make_approver("olga")
    with pytest.raises(lifecycle.NotYetAllowed, match="approval of a second person"):
        make_child(campaign, FAILED, actor=olga)
    asked(campaign, olga)
    with pytest.raises(lifecycle.NotYetAllowed, match="waits for approval"):
        make_child(campaign, FAILED, actor=olga)
    assert not campaign.children.exists()
    assert AuditEvent.objects.get(action="approval_asked").details["people"] == 3


def test_a_few_need_none(campaign):
    assert make_child(campaign, ["undelivered"], actor=None)


def test_a_second_person_approves_and_it_holds_once(campaign):
    olga, boris = make_approver("olga"), make_approver("boris")
    request = asked(campaign, olga)
    with pytest.raises(ApprovalError, match="yourself"):
        approval.decide(request, actor=olga, is_approved=True)
    assert [it.pk for it in approval.waiting_for(boris)] == [request.pk]
    assert approval.waiting_for(olga) == []
    approval.decide(request, actor=boris, is_approved=True)
    assert [it.pk for it in approval.approved_for(olga)] == [request.pk]
    child = frozen(make_child(campaign, FAILED, actor=olga))
    assert child.audience == 3
    request.refresh_from_db()
    assert request.status == ApprovalStatus.VOID
    assert request.decided_by == boris
    assert approval.approved_for(olga) == []


def test_an_approval_is_for_those_who_were_asked_about(campaign):
    olga, boris = make_approver("olga"), make_approver("boris")
    approval.decide(asked(campaign, olga), actor=boris, is_approved=True)
    with pytest.raises(lifecycle.NotYetAllowed, match="needs another approval"):
        make_child(campaign, BOTH, actor=olga)
    becomes(campaign, 5, MessageStatus.FAILED)  # one more than was approved
    with pytest.raises(lifecycle.NotYetAllowed, match="needs another approval"):
        make_child(campaign, FAILED, actor=olga)
    archiving.archive(Contact.objects.get(phone_number=number(5)), actor=None)
    assert make_child(campaign, FAILED, actor=olga)


def test_what_was_approved_before_the_campaign_was_sent_is_nothing_for_sending_it_again(campaign):
    olga = make_approver("olga")
    own = Approval.objects.create(
        campaign=campaign, status=ApprovalStatus.APPROVED, people=9, recipients=9, segments=9, fingerprint="x"
    )
    with pytest.raises(lifecycle.NotYetAllowed, match="approval of a second person"):
        make_child(campaign, FAILED, actor=olga)
    asked(campaign, olga)
    own.refresh_from_db()
    assert own.status == ApprovalStatus.APPROVED, "that it was approved stays on record"


def test_the_number_is_typed(campaign, settings):
    settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_CONFIRM_ABOVE_PEOPLE = None, 2
    for typed in (None, "", "4"):
        with pytest.raises(lifecycle.NotYetAllowed, match="type their number"):
            make_child(campaign, FAILED, actor=None, typed=typed)
    assert make_child(campaign, FAILED, actor=None, typed=" 3 ")


def test_a_price_that_is_not_known_may_be_any(campaign, settings):
    settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_APPROVAL_ABOVE_COST = None, 10
    assert resend_sums(campaign, BOTH) == (4, 8, None)
    with pytest.raises(lifecycle.NotYetAllowed, match="approval"):
        make_child(campaign, FAILED, actor=None)
    for n in (1, 2, 3):
        becomes(campaign, n, MessageStatus.FAILED, price=Decimal("3"))
    assert resend_sums(campaign, FAILED) == (3, 6, Decimal("9"))
    assert make_child(campaign, FAILED, actor=None)


def test_on_the_screens_somebody_asks_and_another_one_approves(client, campaign):
    olga = sign_in_superuser(client)
    page = client.get(campaign_url(campaign, "resend"))
    assert 'name="_ask"' in page.content.decode()
    assert 'name="typed"' not in page.content.decode()
    choice = {"confirm": "yes", "statuses": FAILED}
    assert "approval of a second person" in text_of(client.post(campaign_url(campaign, "resend"), choice))
    assert not campaign.children.exists()
    response = client.post(campaign_url(campaign, "resend"), {**choice, "_ask": "1", "question": "Once more?"})
    assert "A second person was asked" in said(response)
    assert "Waiting for approval" in text_of(client.get(campaign.get_absolute_url()))
    request = Approval.objects.get()
    assert (request.asked_by, request.question, request.again) == (olga, "Once more?", "failed")
    decision = {"approval": request.pk, "_approve": "1"}
    assert "yourself" in said(client.post(campaign_url(campaign, "approval"), decision))

    boris = make_approver("boris")
    client.force_login(boris)
    page = text_of(client.get(campaign_url(campaign, "approval")))
    assert "Once more?" in page
    assert "failed: 3" in page
    assert "Altogether 3 people, 6 segments" in page
    assert campaign.name in text_of(client.get("/admin/"))
    assert "is approved" in said(client.post(campaign_url(campaign, "approval"), decision))

    client.force_login(olga)
    page = client.get(campaign_url(campaign, "resend")).content.decode()

    client.post(campaign_url(campaign, "resend"), choice)
    assert campaign.children.get().launched_by == olga


def test_on_the_screens_the_number_is_typed(client, campaign, settings):
    settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_CONFIRM_ABOVE_PEOPLE = None, 2
    sign_in_superuser(client)
    choice = {"confirm": "yes", "statuses": FAILED}
    assert "type their number" in text_of(client.post(campaign_url(campaign, "resend"), choice))
    client.post(campaign_url(campaign, "resend"), {**choice, "typed": "3"})
    assert campaign.children.exists()


def test_a_decline_is_told(client, campaign):
    olga, boris = sign_in_superuser(client), make_approver("boris")
    approval.decide(asked(campaign, olga), actor=boris, is_approved=False, answer="Too often")
    page = text_of(client.get(campaign.get_absolute_url()))
    assert "boris declined it" in page
    assert "Too often" in page
