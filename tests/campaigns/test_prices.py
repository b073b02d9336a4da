"""What a message is expected to cost is known where a price is, and nowhere else."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from campaigns import copying, lifecycle
from campaigns.forecasting.foreseen import foresee
from campaigns.models import AuditEvent, GatewayPrice, GatewayState, MessageStatus, Purpose, SentMessage
from campaigns.prices import PriceTable, limit_problems, money, price_table
from campaigns.resending import make_child
from campaigns.single import queue_single
from tests.campaigns.building import (
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    number,
    send,
    set_prices,
)
from tests.campaigns.screens import sign_in, text_of

pytestmark = pytest.mark.django_db


def priced(*phone_numbers: str, segments: int = 1, **prices: str) -> list[Decimal | None]:
    table = PriceTable({prefix.lstrip("p"): Decimal(price) for prefix, price in prices.items()})
    return [table.price(phone_number, segments) for phone_number in phone_numbers]


# --- looking up ---------------------------------------------------------------------------------------------------


def test_the_longest_prefix_wins_whatever_was_asked_before():
    assert priced("+79991234567", "+77011234567", "+79261234567", "+79991234567", p7="2", p79="3", p7999="4") == [
        Decimal(4),
        Decimal(2),
        Decimal(3),
        Decimal(4),
    ]


def test_a_price_is_for_each_segment():
    assert priced("+79991234567", segments=3, p7="2.5") == [Decimal("7.5")]
    table = PriceTable({"7": Decimal("2.5")})
    assert [table.price("+79991234567", segments) for segments in (1, 2, 1)] == [2.5, 5, 2.5]


def test_where_no_prefix_fits_the_price_is_unknown_and_not_zero():
    assert priced("+447911123456", "+79991234567", p7="2") == [None, 2]
    assert priced("+447911123456") == [None]
    assert priced("+447911123456", p44="0") == [0]


def test_an_empty_prefix_stands_for_all_other_numbers():
    assert priced("+447911123456", "+79991234567", p="9", p7="2") == [9, 2]


def test_a_message_without_a_price_counts_as_the_dearest_there_is():
    table = PriceTable({"7": Decimal(2), "44": Decimal(5)})
    assert table.at_most(None, 3) == 15
    assert table.at_most(Decimal(2), 3) == 2


@pytest.mark.parametrize(
    ("amount", "words"),
    [("5000", "5,000 RUB"), ("4998.75", "4,998.75 RUB"), ("0.00401", "0.01 RUB"), ("1240.5", "1,240.50 RUB")],
)
def test_amounts_are_grouped_and_never_rounded_down(amount, words):
    assert money(Decimal(amount), "RUB") == words


# --- written on every message -------------------------------------------------------------------------------------


def test_the_freeze_writes_the_price_of_each_message_and_none_for_who_is_left_out():
    set_prices(p7="2.5", p44="0.071")
    group = make_group()
    for phone_number, name in [(number(1), "A"), (number(2), "B" * 150), ("+447911123456", "C"), (number(3), "")]:
        make_contact(phone_number, group, first_name=name)
    make_contact("+12025550101", group, first_name="D")
    campaign = make_campaign(group, body="Hello dear {{ first_name }}!")
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    prices = dict(SentMessage.objects.values_list("phone_number", "price"))
    assert prices == {
        number(1): Decimal("2.5"),
        number(2): Decimal(5),
        "+447911123456": Decimal("0.071"),
        number(3): None,
        "+12025550101": None,
    }


def test_where_a_number_is_there_already_the_others_get_their_price_all_the_same():
    set_prices(p52="3")
    group = make_group()
    for phone_number in ("+5215512345678", "+525512345678", "+525512345679"):
        make_contact(phone_number, group)
    campaign = make_campaign(group)
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    found = SentMessage.objects.values_list("status", "price")
    assert sorted(found, key=str) == [("queued", 3), ("queued", 3), ("suppressed", None)]


def test_single_messages_have_their_price():
    set_prices(p7="2.5")
    message, _created = queue_single(number(1), "a" * 161, purpose=Purpose.QUICK)
    message.refresh_from_db()
    assert message.price == 5
    other, _created = queue_single("+447911123456", "Hello", purpose=Purpose.QUICK)
    assert other.price is None


def test_a_message_that_is_sent_again_costs_what_it_costs_then(provider):
    set_prices(p7="2")
    campaign = send(launched(contacts=2))
    SentMessage.objects.update(status=MessageStatus.UNDELIVERED)
    set_prices(p7="3")
    child = frozen(make_child(campaign, [MessageStatus.UNDELIVERED], actor=None))
    assert [row.price for row in child.messages.all()] == [3, 3]


# --- said before sending ------------------------------------------------------------------------------------------


def test_before_sending_it_says_what_it_will_cost_and_for_how_many_nobody_knows():
    set_prices(p7="2.5", currency="RUB")
    group = make_group(contacts=3)
    make_contact("+447911123456", group)
    found = foresee(make_campaign(group))
    assert (found.cost, found.unpriced, found.at_most) == (Decimal("7.5"), 1, Decimal(10))
    assert found.warnings == []


def test_before_sending_it_warns_that_a_limit_will_stop_it():
    set_prices(p7="2.5", currency="RUB")
    group = make_group(contacts=3)
    found = foresee(make_campaign(group, spend_limit=Decimal(5)))
    assert ["7.50 RUB" in warning and "5 RUB" in warning for warning in found.warnings] == [True]
    assert foresee(make_campaign(group, spend_limit=Decimal("7.5"))).warnings == []
    GatewayState.objects.update(daily_spend_limit=4)
    assert ["4 RUB" in warning for warning in foresee(make_campaign(group)).warnings] == [True]


def test_a_limit_without_any_prices_is_refused_before_anything_is_written():
    campaign = make_campaign(make_group(contacts=1), spend_limit=5)
    with pytest.raises(lifecycle.LaunchRefused, match="Enter its prices first"):
        lifecycle.launch(campaign, actor=None)
    GatewayState.objects.create(alias="default", daily_spend_limit=5)
    with pytest.raises(lifecycle.LaunchRefused, match="limit for each day"):
        lifecycle.launch(make_campaign(make_group("Others", contacts=0)), actor=None)
    set_prices(p7="1")
    assert limit_problems(campaign) == []
    assert lifecycle.launch(campaign, actor=None)


def test_the_copy_of_a_campaign_has_its_limit():
    assert copying.duplicate(make_campaign(spend_limit=5), actor=None).spend_limit == 5


# --- entering them ------------------------------------------------------------------------------------------------


def prices_url() -> str:
    GatewayState.objects.get_or_create(alias="default")
    return reverse("admin:campaigns_pricelist_change", args=[GatewayState.objects.get(alias="default").pk])


def entered(*rows: tuple[str, str], currency: str = "rub", known: tuple[GatewayPrice, ...] = ()) -> dict[str, str]:
    """What the page sends for these rows, the first of which change the known prices."""
    fields = {"price_currency": currency, "prices-TOTAL_FORMS": str(len(rows)), "prices-INITIAL_FORMS": str(len(known))}
    for n, (prefix, price) in enumerate(rows):
        fields |= {f"prices-{n}-prefix": prefix, f"prices-{n}-per_segment": price, f"prices-{n}-gateway": "default"}
        if n < len(known):
            fields[f"prices-{n}-id"] = str(known[n].pk)
    return fields


def test_all_prices_of_a_gateway_are_entered_on_one_page_in_any_spelling(client):
    user = sign_in(client, "change_gatewayprice")
    response = client.post(prices_url(), entered(("+7 (999)", "2.50"), ("", "9"), ("44", "0.071"), ("", "")))
    assert response.status_code == 302, text_of(response)
    table = price_table("default")
    assert table.currency == "RUB"
    assert [table.price(n, 1) for n in (number(1), "+447911123456", "+12025550101")] == [
        Decimal("2.5"),
        Decimal("0.071"),
        9,
    ]
    event = AuditEvent.objects.get(action="gateway_prices")
    assert (event.actor, event.subject) == (user, "default")
    shown = {"+7999": [None, "2.5"], "all others": [None, "9"], "+44": [None, "0.071"]}
    assert event.details["changes"].items() >= shown.items()


def test_what_was_changed_and_removed_is_written_down(client):
    sign_in(client, "change_gatewayprice")
    set_prices(p44="1", p7="2")
    known = tuple(GatewayPrice.objects.order_by("prefix"))
    fields = entered(("44", "1"), ("7", "3"), known=known) | {"prices-0-DELETE": "on"}
    assert client.post(prices_url(), fields).status_code == 302
    assert list(GatewayPrice.objects.values_list("prefix", "per_segment")) == [("7", Decimal(3))]
    details = AuditEvent.objects.get(action="gateway_prices").details
    assert details["changes"] == {"+7": ["2", "3"], "+44": ["1", None]}


@pytest.mark.parametrize(
    ("rows", "currency", "words"),
    [
        ([("7", "2"), ("+7", "3")], "RUB", "Please correct the duplicate"),
        ([("07", "2")], "RUB", "country's code first"),
        ([("7", "-2")], "RUB", "greater than or equal to 0"),
        ([("7", "")], "RUB", "required"),
        ([("7", "2")], "R1B", "three letters"),
        ([("7", "2")], "", "required"),
    ],
)
def test_what_is_no_price_list_is_refused_in_words(client, rows, currency, words):
    sign_in(client, "change_gatewayprice")
    response = client.post(prices_url(), entered(*rows, currency=currency))
    assert response.status_code == 200
    assert words in text_of(response)
    assert not GatewayPrice.objects.exists()


def change_currency(client, currency: str) -> str:
    """What the page says; empty when it was saved."""
    known = tuple(GatewayPrice.objects.all())
    fields = entered(("7", "2.5"), currency=currency, known=known)
    response = client.post(prices_url(), fields)
    return "" if response.status_code == 302 else text_of(response)


def test_a_currency_that_was_mistyped_can_be_put_right_while_there_are_no_amounts(client):
    sign_in(client, "change_gatewayprice")
    set_prices(p7="2.5", currency="RUR")
    assert change_currency(client, "RUB") == ""
    assert price_table("default").currency == "RUB"


def test_amounts_of_one_currency_cannot_be_called_another(client):
    sign_in(client, "change_gatewayprice")
    set_prices(p7="2.5", currency="RUB")
    queue_single(number(1), "Hello", purpose=Purpose.QUICK)
    assert "would be called EUR" in change_currency(client, "EUR")
    assert price_table("default").currency == "RUB"
    assert change_currency(client, "rub") == "", "the same, and the prices may be changed"


@pytest.mark.parametrize("limit", ["campaign", "day"])
def test_a_spend_limit_of_one_currency_cannot_become_as_much_of_another(client, limit):
    sign_in(client, "change_gatewayprice")
    set_prices(p7="2.5", currency="RUB")
    if limit == "campaign":
        make_campaign(spend_limit=5)
    else:
        GatewayState.objects.update(daily_spend_limit=5)
    assert "Remove them first" in change_currency(client, "EUR")
    assert price_table("default").currency == "RUB"


def test_who_may_only_see_prices_cannot_change_them_and_others_see_none(client):
    set_prices(p7="2")
    sign_in(client, "view_gatewayprice")
    page = client.get(prices_url())
    assert page.status_code == 200
    assert 'name="prices-0-per_segment"' not in page.content.decode()
    assert client.post(prices_url(), entered(("44", "2"))).status_code == 403
    client.logout()
    sign_in(client, "view_campaign", "resume_gateway", username="boris")
    assert client.get(prices_url()).status_code == 403
    assert client.get(reverse("admin:campaigns_pricelist_changelist")).status_code == 403
    assert "Prices" not in text_of(client.get(reverse("admin:index")))


def test_the_list_shows_every_gateway_with_the_number_of_its_prices(client):
    sign_in(client, "change_gatewayprice")
    page = client.get(reverse("admin:campaigns_pricelist_changelist"))
    assert "none yet" in text_of(page)
    set_prices(p7="2", p44="3")
    assert "default RUB 2" in text_of(client.get(reverse("admin:campaigns_pricelist_changelist")))


def test_the_page_of_a_message_shows_what_it_is_expected_to_cost(client):
    set_prices(p7="2.505", currency="RUB")
    message, _created = queue_single(number(1), "Hello", purpose=Purpose.QUICK)
    sign_in(client, "view_sentmessage")
    assert "Expected price 2.505 RUB" in text_of(client.get(message.get_absolute_url()))
