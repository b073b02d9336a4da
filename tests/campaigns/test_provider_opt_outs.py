"""What a provider says about a number holds for all that is sent to it."""

from __future__ import annotations

import pytest

from campaigns import brakes, optouts, receipts
from campaigns.models import Campaign, ConsentChange, MessageStatus, OptOut, OptOutSource
from sms_backends import DeliveryReceipt, DeliveryStatus, Reason, RecipientRejectedError
from tests.campaigns.building import launched, make_contact, make_user, message_to, number, send

pytestmark = pytest.mark.django_db


def refused(reason: Reason, *, suppress: bool = True) -> RecipientRejectedError:
    return RecipientRejectedError("said so", provider_code="21610", reason=reason, suppress=suppress)


def test_a_refusal_because_of_an_opt_out_there_is_an_opt_out_here(provider):
    provider.refusals[number(1)] = refused(Reason.OPTED_OUT)
    provider.refusals[number(2)] = refused(Reason.BLOCKED, suppress=False)
    campaign = send(launched(contacts=3))
    opt_out = OptOut.objects.get()
    assert (opt_out.phone_number, opt_out.source, opt_out.note) == (number(1), OptOutSource.PROVIDER, "21610 said so")
    change = ConsentChange.objects.get()
    assert (change.act, change.source, change.contact_id) == (
        "opted_out",
        "provider",
        campaign.messages.get(phone_number=number(1)).contact_id,
    )
    assert campaign.messages.get(phone_number=number(1)).status == MessageStatus.REJECTED


def test_what_waits_for_it_elsewhere_is_suppressed_by_the_intent(provider):
    provider.refusals[number(1)] = refused(Reason.OPTED_OUT)
    group = launched(contacts=1).include_groups.get()
    from campaigns import lifecycle
    from tests.campaigns.building import frozen, make_campaign

    other = make_campaign(group, name="Other")
    lifecycle.launch(other, actor=None)
    other = frozen(other)
    send(Campaign.objects.exclude(pk=other.pk).get())
    send(other)
    assert (message_to(number(1), other).status, message_to(number(1), other).reason) == ("suppressed", "opted_out")


def test_a_dead_number_is_not_written_to_again_but_has_not_opted_out(provider):
    campaign = send(launched(contacts=2))
    for n, reason in ((1, Reason.UNKNOWN_SUBSCRIBER), (2, Reason.OPTED_OUT)):
        provider_id = f"id-{message_to(number(n)).reference}"
        news = DeliveryReceipt(provider_id, number(n), DeliveryStatus.UNDELIVERED, reason=reason, suppress=True)
        receipts.receive("default", [news])
    assert OptOut.objects.get(phone_number=number(1)).source == OptOutSource.DEAD_NUMBER
    assert brakes.opt_outs_since_launch(campaign) == 1


@pytest.mark.parametrize(("reason", "source"), [(Reason.OPTED_OUT, "provider"), (Reason.UNKNOWN_SUBSCRIBER, "dead")])
def test_a_receipt_can_say_it_too_and_says_it_once(provider, reason, source):
    make_contact(number(7))
    send(launched(contacts=1))
    reference = message_to(number(1)).reference
    news = DeliveryReceipt(
        f"id-{reference}", number(1), DeliveryStatus.UNDELIVERED, reason=reason, suppress=True, provider_text="gone"
    )
    receipts.receive("default", [news, news])
    receipts.receive("default", [news])
    assert OptOut.objects.get().source == source
    assert ConsentChange.objects.count() == 1
    assert message_to(number(1)).status == MessageStatus.UNDELIVERED


def test_a_receipt_about_nobody_of_ours_opts_out_nobody():
    news = DeliveryReceipt("foreign", number(1), DeliveryStatus.UNDELIVERED, reason=Reason.OPTED_OUT, suppress=True)
    receipts.receive("default", [news])
    assert not OptOut.objects.exists()


def test_an_opt_out_that_is_there_already_keeps_its_first_entry(provider):
    optouts.record_opt_out(number(1), source=OptOutSource.LINK, note="by link")
    optouts.record_refusals([optouts.Refusal(number(1), "opted_out", "x"), optouts.Refusal("#abc", "opted_out", "x")])
    assert OptOut.objects.get().note == "by link"


def test_lifting_an_opt_out_keeps_in_the_history_what_was_never_written_there():
    OptOut.objects.create(phone_number=number(1), source=OptOutSource.IMPORT, note="from the old system")
    optouts.lift_opt_out(number(1), note="asked by phone", actor=make_user())
    acts = list(ConsentChange.objects.values_list("act", "source", "evidence", "actor__username"))
    assert acts == [
        ("opted_out", "import", "from the old system", None),
        ("opted_in", "operator", "asked by phone", "olga"),
    ]


def test_an_operator_cannot_lift_it_without_saying_why():
    optouts.record_opt_out(number(1), source=OptOutSource.LINK)
    with pytest.raises(ValueError, match="why"):
        optouts.lift_opt_out(number(1), note="  ", actor=make_user())
    assert OptOut.objects.exists()
