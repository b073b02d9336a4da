"""The report of a campaign: its figures, what is counted when, the page and the file."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from openpyxl import load_workbook

from campaigns import campaign_report
from campaigns.admin.campaign_report import country_name
from campaigns.admin.charts import HEIGHT, bars
from campaigns.campaign_report import in_classes, percentile, report_of
from campaigns.models import (
    AuditEvent,
    Campaign,
    CampaignMinute,
    CampaignReport,
    InboundMessage,
    MessageStatus,
    OptOutSource,
)
from campaigns.optouts import record_opt_out
from campaigns.report_file import Sheet, workbook
from campaigns.tasks import write_report
from sms_backends import DeliveryStatus, Reason, RecipientRejectedError
from tests.campaigns.building import launched, make_campaign, make_message, number, report, send, set_prices
from tests.campaigns.screens import campaign_url, said, sign_in, text_of

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def over(woken, provider) -> Campaign:
    """Three were sent, of whom two got it; one was refused."""
    set_prices(p7="2")
    provider.refusals[number(4)] = RecipientRejectedError("=1+1", reason=Reason.BARRED)
    campaign = send(launched(contacts=4))
    report(DeliveryStatus.DELIVERED, 1, 2)
    return Campaign.objects.get(pk=campaign.pk)


# --- figures ---


def test_the_figures_come_by_country_and_by_gateway(over):
    found = report_of(over)
    assert [(it.key, it.messages, it.sent, it.delivered, it.not_delivered) for it in found.by_country] == [
        ("RU", 4, 3, 2, 1)
    ]
    assert [(it.key, it.price) for it in found.by_gateway] == [("default", Decimal(6))]
    assert found.by_country[0].percent == pytest.approx(66.7, abs=0.1)
    assert (found.sent, found.segments, found.currency) == (3, 3, "RUB")
    assert found.counted is not None
    assert [(it.amount, it.currency, it.messages) for it in found.counted.costs] == [(Decimal("4.5"), "RUB", 3)]


def test_what_was_sent_to_nobody_has_no_share(woken):
    share = report_of(launched(contacts=1)).by_country[0]
    assert share.percent is None


@pytest.mark.parametrize("seconds", [0, 7, 10, 86_399, 86_401, 250_000])
def test_times_to_delivery_are_whole_seconds(woken, seconds):
    campaign = launched()
    sent_at = timezone.now() - timedelta(days=5)
    status_at = sent_at + timedelta(seconds=seconds)
    make_message(number(70), campaign=campaign, status="delivered", sent_at=sent_at, status_at=status_at)
    counted = report_of(campaign).counted
    assert counted is not None
    assert (counted.median, counted.ninetieth) == (seconds, seconds)


def test_a_receipt_stamped_before_its_message_took_no_time(woken):
    campaign, now = launched(), timezone.now()
    early = now - timedelta(seconds=30)
    make_message(number(70), campaign=campaign, status="delivered", sent_at=now, status_at=early)
    counted = report_of(campaign).counted
    assert counted is not None
    assert counted.median == 0


def test_median_and_ninetieth_are_values_that_occurred():
    assert percentile({}, 50) is None
    assert percentile({3: 1}, 90) == 3
    ten = dict.fromkeys(range(1, 11), 1)
    assert (percentile(ten, 50), percentile(ten, 90)) == (5, 9)
    assert percentile({1: 99, 500: 1}, 90) == 1


def test_every_time_is_in_one_class():
    assert in_classes({0: 1, 4: 1, 5: 2, 86_399: 3, 86_400: 4, 10**7: 1}) == [2, 2, 0, 0, 0, 0, 3, 5]


def test_opt_outs_and_answers_since_it_was_sent_are_counted(over):
    record_opt_out(number(1), source=OptOutSource.KEYWORD)
    for n, meaning in ((1, "stop"), (2, "")):
        InboundMessage.objects.create(
            gateway="default",
            phone_number=number(n),
            text="x",
            campaign=over,
            meaning=meaning,
            fingerprint=str(n),
            received_at=timezone.now(),
        )
    counted = report_of(over).counted
    assert counted is not None
    assert (counted.opt_outs, counted.replies, counted.stops) == (1, 2, 1)


# --- what is counted when ---


def test_what_was_counted_is_kept_until_something_changes(over, django_assert_max_num_queries, monkeypatch):
    report_of(over)
    made_at = CampaignReport.objects.get().made_at
    # figures, what is kept, shares, prices, minutes
    with django_assert_max_num_queries(5):
        report_of(over)
    assert CampaignReport.objects.get().made_at == made_at
    report(DeliveryStatus.UNDELIVERED, 3)
    report_of(over)
    assert CampaignReport.objects.get().made_at != made_at


def test_what_was_counted_an_hour_ago_is_counted_again(over):
    report_of(over)
    long_ago = timezone.now() - timedelta(hours=2)
    CampaignReport.objects.update(made_at=long_ago)
    report_of(over)
    made_at = CampaignReport.objects.get().made_at
    assert made_at is not None
    assert made_at > long_ago


def test_a_large_campaign_is_counted_in_the_background_and_asked_for_once(
    over, woken, monkeypatch, client, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(campaign_report, "AT_ONCE", 3)
    sign_in(client, "view_campaign")
    with django_capture_on_commit_callbacks(execute=True):
        first, second = (text_of(client.get(campaign_url(over, "report"))) for _look in range(2))
    assert "This is being counted. Reload the page in a minute." in first
    assert "This is being counted" in second
    assert [task for task in woken if task[0] == "write_report"] == [("write_report", over.pk)]
    write_report(over.pk)
    page = text_of(client.get(campaign_url(over, "report")))
    assert "being counted" not in page
    assert "Half of those delivered had it within" in page
    report(DeliveryStatus.DELIVERED, 3)
    assert "newer ones are being counted" in text_of(client.get(campaign_url(over, "report")))


# --- the page ---


def test_the_page_has_everything_and_no_navigation(over, client):
    minute = timezone.now().replace(second=0, microsecond=0)
    for n, so_far in ((3, 100), (2, 250)):
        at = minute - timedelta(minutes=n)
        CampaignMinute.objects.create(campaign=over, minute=at, at=at, handed_over=so_far)
    sign_in(client, "view_campaign")
    response = client.get(campaign_url(over, "report"))
    page = text_of(response)
    for words in (
        "Sale Completed.",
        "In the audience 4",
        "Expected cost 6 RUB",
        "Cost, says the provider 4.50 RUB",
        "Subscriber barred",
        "Russia",
        "the highest bar is 150",
        "Who did what",
        "for olga",
    ):
        assert words in page
    assert "task-nav" not in response.content.decode()


def test_the_page_takes_the_same_queries_whatever_the_size(over, client, django_assert_max_num_queries):
    sign_in(client, "view_campaign")
    client.get(campaign_url(over, "report"))
    # session, user, permissions (2), the campaign, the report (5), words of one state, the trail
    with django_assert_max_num_queries(12):
        client.get(campaign_url(over, "report"))


def test_before_it_is_sent_there_is_no_report(client):
    campaign = make_campaign()
    sign_in(client, "view_campaign")
    response = client.get(campaign_url(campaign, "report"))
    assert response.status_code == 302
    assert "no report before it was sent" in said(response)


def test_the_report_is_not_for_everybody(over, client):
    sign_in(client, "view_contact")
    assert client.get(campaign_url(over, "report")).status_code == 403


@pytest.mark.parametrize("region", ["RU", "XX", ""])
def test_every_country_is_called_something(region):
    assert country_name(region)


def test_bars_are_as_high_as_their_values():
    assert [bar.height for bar in bars([0, 5, 10], ["a", "b", "c"])] == ["0.00", f"{HEIGHT / 2:.2f}", f"{HEIGHT:.2f}"]
    assert bars([], []) == []


# --- the file ---


def rows_of(response_content: bytes, sheet: int) -> list[tuple[Any, ...]]:
    book = load_workbook(io.BytesIO(response_content))
    return [tuple(row) for row in book.worksheets[sheet].iter_rows(values_only=True)]


def test_the_file_says_the_same_and_who_took_it_is_written_down(over, client):
    user = sign_in(client, "view_campaign")
    response = client.post(campaign_url(over, "report"))
    assert response["Content-Disposition"] == 'attachment; filename="sale.xlsx"'
    summary = {row[0]: row[1] for row in rows_of(response.content, 0)}
    assert (summary["Campaign"], summary["In the audience"], summary["Sent"]) == ("Sale", 4, 3)
    results = rows_of(response.content, 1)
    assert ("delivered", None, 2, None) in results
    assert [row[2] for row in results if row[0] == "rejected"] == [1]
    assert sum(row[2] for row in results[1:-1]) == results[-1][2] == 4
    event = AuditEvent.objects.get(action="export_report")
    assert (event.actor, event.campaign) == (user, over)


def test_looking_at_the_report_writes_nothing_down(over, client):
    sign_in(client, "view_campaign")
    client.get(campaign_url(over, "report"))
    assert not AuditEvent.objects.filter(action="export_report").exists()


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd", "\t=1"])
def test_nothing_in_the_file_is_run_as_a_formula(text):
    content = workbook([Sheet("A [sheet]: 1/2", [text], [(text, 5, None)])])
    book = load_workbook(io.BytesIO(content))
    for row in book.worksheets[0].iter_rows():
        assert row[0].data_type != "f"
        assert str(row[0].value).startswith("'")


def test_what_xml_cannot_hold_does_not_break_the_file():
    assert rows_of(workbook([Sheet("A", ["a"], [("bell\x07", 1.5)])]), 0) == [("a", None), ("bell", 1.5)]


def test_a_campaign_named_in_letters_that_no_header_carries_has_a_file_too(over, client):
    Campaign.objects.filter(pk=over.pk).update(name="Распродажа")
    sign_in(client, "view_campaign")
    header = client.post(campaign_url(over, "report"))["Content-Disposition"]
    assert header == f'attachment; filename="campaign-{over.pk}.xlsx"'


def test_states_that_are_not_over_are_in_the_file_too(woken, client):
    campaign = launched(contacts=2)
    sign_in(client, "view_campaign")
    results = rows_of(client.post(campaign_url(campaign, "report")).content, 1)
    assert (str(MessageStatus.QUEUED.label), None, 2, None) in results
