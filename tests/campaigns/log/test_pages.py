"""Pages of the log: every row once, in its order, by whatever filters, whatever is written meanwhile."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import log
from campaigns.log.plans import make_plan
from campaigns.models import MessageStatus, SentMessage
from tests.campaigns.building import make_attempt, make_campaign, make_contact, make_message, number

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATUSES = [MessageStatus.DELIVERED, MessageStatus.FAILED, MessageStatus.SUPPRESSED, MessageStatus.QUEUED]
REASONS = {MessageStatus.FAILED: "too_late", MessageStatus.SUPPRESSED: "opted_out"}


@pytest.fixture
def many() -> list[SentMessage]:
    """Rows of two campaigns and of none, by three gateways; ids and times do not go together, and times repeat."""
    campaigns = [make_campaign(name="A"), make_campaign(name="B"), None]
    times = itertools.cycle([5, 3, 3, 8, 1, 3, 9])
    rows = []
    for n in range(48):
        status = STATUSES[n % 4]
        rows.append(
            make_message(
                number(n),
                campaign=campaigns[n % 3],
                status=status,
                reason=REASONS.get(status, "") if n % 5 else "",
                gateway=("default", "backup", "gone")[(n // 5) % 3],
                region="RU" if n % 2 else "KZ",
                day=date(2026, 3, 1 + n % 3) if status in (MessageStatus.DELIVERED, MessageStatus.FAILED) else None,
                created_at=START + timedelta(minutes=next(times), days=n // 16),
            )
        )
    return rows


def read_all(parameters: dict[str, str], size: int = 5) -> list[int]:
    """Every page from the newest to the oldest, each of which also leads back."""
    filters, key, found = log.read(parameters), None, []
    while True:
        page = log.page(filters, SentMessage.objects.all(), size, before=key)
        if key is not None and page.rows:
            back = log.page(filters, SentMessage.objects.all(), size, after=log.Key.of(page.rows[0]))
            assert [row.pk for row in back.rows] == found[-size:]
        found += [row.pk for row in page.rows]
        if not page.has_older:
            return found
        key = log.Key.of(page.rows[-1])


CAMPAIGN = "campaign__id__exact"
COMBINATIONS = [
    {},
    {"status__exact": "failed"},
    {"status__exact": "not_reached"},
    {"status__exact": "done"},
    {"status__exact": "to_go"},
    {"reason__exact": "too_late"},
    {"gateway__exact": "backup"},
    {"gateway__exact": "gone"},
    {"from": "2026-03-02", "to": "2026-03-02"},
    {"to": "2026-03-01"},
    {"purpose__exact": "campaign"},
    {"region__exact": "KZ"},
    {"day__gte": "2026-03-02", "day__lte": "2026-03-02"},
    {"day__lte": "2026-03-01", "status__exact": "not_reached", "region__exact": "RU"},
    {"day__gte": "2026-03-03", "reason__exact": "too_late"},
    {"day__gte": "2026-03-03", "reason__exact": "too_late", "gateway__exact": "backup"},
    {"q": "+799900000"},
    {"q": "•••7"},
    {"q": number(7)},
    {"reason__exact": "too_late", "gateway__exact": "backup"},
    {"reason__exact": log.NO_REASON},
    {"reason__exact": log.NO_REASON, "status__exact": "failed"},
    {"reason__exact": log.NO_REASON, "status__exact": "done", "gateway__exact": "backup"},
    {"reason__exact": log.NO_REASON, "status__exact": "not_reached", "day__gte": "2026-03-02"},
    {"status__exact": "failed", "gateway__exact": "backup"},
    {"status__exact": "left_out", "reason__exact": "opted_out"},
    {"created_at__gte": "2026-03-02T12:03:00+00:00", "created_at__lt": "2026-03-03T12:05:00+00:00"},
]


@pytest.mark.parametrize("in_campaign", [False, True])
@pytest.mark.parametrize("parameters", COMBINATIONS, ids=lambda found: " ".join(found.values()) or "nothing")
def test_every_row_comes_once_in_its_order_there_and_back(many, parameters, in_campaign):
    if in_campaign:
        parameters = {**parameters, CAMPAIGN: str(many[0].campaign_id)}
    expected = SentMessage.objects.filter(log.read(parameters).condition()).order_by("-created_at", "-pk")
    assert read_all(parameters) == list(expected.values_list("pk", flat=True))


def test_the_condition_means_what_is_asked_for(many):
    """What pages are compared with, by hand."""
    parameters = {CAMPAIGN: str(many[0].campaign_id), "status__exact": "not_reached", "gateway__exact": "backup"}
    by_hand = [
        row.pk
        for row in many
        if row.campaign_id == many[0].campaign_id and row.status == "failed" and row.gateway == "backup"
    ]
    found = SentMessage.objects.filter(log.read(parameters).condition())
    assert by_hand
    assert sorted(found.values_list("pk", flat=True)) == by_hand


def test_rows_that_come_while_somebody_reads_make_nothing_come_twice_or_not_at_all(many):
    there = {row.pk for row in many}
    filters, key, found = log.read({}), None, []
    while True:
        page = log.page(filters, SentMessage.objects.all(), 5, before=key)
        found += [row.pk for row in page.rows]
        if not page.has_older:
            break
        key = log.Key.of(page.rows[-1])
        make_message(number(100 + len(found)), created_at=timezone.now())  # newer than all
        make_message(number(200 + len(found)), created_at=page.rows[-1].created_at)  # as old as the last, later written
    assert len(found) == len(set(found))
    assert there <= set(found)


def test_a_row_that_changes_while_somebody_reads_stays_in_its_place(many):
    first = log.page(log.read({}), SentMessage.objects.all(), 5)
    SentMessage.objects.filter(pk=first.rows[-1].pk).update(status=MessageStatus.DELIVERED)
    key = log.Key.of(first.rows[-1])
    second = log.page(log.read({}), SentMessage.objects.all(), 5, before=key)
    assert not {row.pk for row in first.rows} & {row.pk for row in second.rows}


def log_queries(parameters: dict[str, str], **place: log.Key) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        log.page(log.read(parameters), SentMessage.objects.select_related("campaign", "contact"), 5, **place)
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize("in_campaign", [False, True])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"status__exact": "failed"},
        {"status__exact": "not_reached"},
        {"reason__exact": "too_late"},
        {"reason__exact": log.NO_REASON, "status__exact": "failed"},
        {"gateway__exact": "backup"},
        {"from": "2026-03-02", "to": "2026-03-02"},
        {"q": number(7)},
    ],
    ids=lambda found: " ".join(found) or "nothing",
)
def test_a_page_takes_two_queries_and_neither_counts_nor_skips(many, parameters, in_campaign):
    if in_campaign:
        parameters = {**parameters, CAMPAIGN: str(many[0].campaign_id)}
    assert log.is_covered(log.read(parameters))
    for place in ({}, {"before": log.Key(START + timedelta(days=1), 3)}, {"after": log.Key(START, 1)}):
        queries = log_queries(parameters, **place)
        assert len(queries) <= 2
        assert not any(word in query for query in queries for word in ("COUNT(", "OFFSET"))


def more_of(rows: list[SentMessage]) -> None:
    """So many rows that it matters by which index they are found."""
    fields = ("campaign", "status", "reason", "gateway", "created_at")
    SentMessage.objects.bulk_create(
        SentMessage(
            phone_number=number(n), canonical_number=number(n), **{name: getattr(rows[n % 48], name) for name in fields}
        )
        for n in range(1000, 5000)
    )


@pytest.mark.parametrize("in_campaign", [False, True])
@pytest.mark.parametrize(
    ("parameters", "index"),
    [
        ({"status__exact": "failed"}, ""),
        ({"gateway__exact": "backup"}, ""),
        ({"reason__exact": "too_late"}, "_reason"),
        ({"reason__exact": "too_late", "status__exact": "failed"}, "_reason"),
        ({"reason__exact": log.NO_REASON, "status__exact": "failed"}, "_no_reason"),
        ({"reason__exact": log.NO_REASON, "status__exact": "not_reached"}, "_no_reason"),
        ({"reason__exact": log.NO_REASON, "status__exact": "failed", "gateway__exact": "gone"}, "_no_reason"),
        ({"from": "2026-03-02"}, ""),
    ],
)
def test_each_stream_is_read_off_its_index_in_order(many, parameters, index, in_campaign):
    name = f"message_log{index}"
    if in_campaign:
        parameters = {**parameters, CAMPAIGN: str(many[0].campaign_id)}
        name = f"message_log_campaign{index}"
    filters = log.read(parameters)
    more_of(many)
    page_query = log_queries(parameters, before=log.Key(START + timedelta(days=1), 3))[-1]
    streams = make_plan(filters).streams
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE campaigns_sentmessage")
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {page_query}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            # What is not there is looked for by whatever index.
            assert plan.count(f"using {name} ") >= sum(
                SentMessage.objects.filter(**stream).exists() for stream in streams
            )
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {page_query}")
            steps = [row[3] for row in cursor.fetchall()]
            assert sum(f"USING COVERING INDEX {name} " in step for step in steps) == len(streams)
            # Only the few rows that the streams leave are sorted.
            assert sum("USE TEMP B-TREE" in step for step in steps) <= 2


def test_what_the_kept_figures_know_nothing_of_is_not_searched(many):
    """A state without a row of that day would be read to the end of the log."""
    plan = make_plan(log.read({"day__gte": "2026-03-02", "day__lte": "2026-03-02"}))
    counted = {(row.gateway, row.status) for row in many if row.day == date(2026, 3, 2)}
    assert {(stream["gateway"], stream["status"]) for stream in plan.streams} == counted
    assert plan.most is not None
    assert sum(plan.most) == sum(row.day == date(2026, 3, 2) for row in many)
    assert make_plan(log.read({"region__exact": "DE"})).streams == []
    assert read_all({"region__exact": "DE"}) == []


def test_what_two_filters_leave_that_no_index_knows_is_limited_in_time():
    for parameters in (
        {"reason__exact": "too_late", "gateway__exact": "backup"},
        {"purpose__exact": "quick"},
        {"region__exact": "KZ"},
        {"day__gte": "2026-03-01"},
        {"q": "7999"},
        {"q": "+7•••••67"},
    ):
        assert not log.is_covered(log.read(parameters))


def test_the_advice_is_a_filter_without_which_an_index_serves():
    both = log.read({CAMPAIGN: "1", "reason__exact": "too_late", "gateway__exact": "backup"})
    assert log.advice(both) == ["reason", "gateway"]
    assert log.advice(log.read({CAMPAIGN: "1", "purpose__exact": "quick"})) == ["purpose"]
    three = log.read({"purpose__exact": "quick", "region__exact": "KZ", "status__exact": "failed"})
    assert log.advice(three) == ["purpose", "region"]


def test_a_gateway_that_is_configured_no_more_is_still_found(many):
    assert "gone" in {row.gateway for row in log.page(log.read({}), SentMessage.objects.all(), 50).rows}
    assert read_all({"gateway__exact": "gone"})


def test_an_empty_log_has_an_empty_page():
    assert log.page(log.read({}), SentMessage.objects.all(), 5) == log.Page([], has_newer=False, has_older=False)
    assert log.ids_behind(log.read({}), 0, 10) == []


def test_an_export_walks_the_same_rows_from_the_oldest_on(many):
    filters, last, found = log.read({"status__exact": "not_reached"}), 0, []
    while ids := log.ids_behind(filters, last, 3):
        found += ids
        last = ids[-1]
    assert found == read_all({"status__exact": "not_reached"})[::-1]


@pytest.mark.parametrize("text", ["", "x", "1", "1.2.3", "1.-2", "99999999999999999999999.1", "5.x", f"1.{2**63}"])
def test_a_key_that_is_none_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        log.Key.read(text)


def test_a_key_is_exact_to_the_microsecond():
    key = log.Key(START + timedelta(microseconds=123_457), 8)
    assert log.Key.read(str(key)) == key


def test_our_reference_and_the_providers_id_are_looked_up_in_one_query():
    message = make_message(number(1), provider_message_id="abc-1")
    make_attempt(message, reference="f00d")
    other = make_message(number(2), contact=make_contact(number(2)))
    assert read_all({"q": "f00d"}) == read_all({"q": "abc-1"}) == [message.pk]
    assert read_all({"contact__id__exact": str(other.contact_id)}) == [other.pk]
    assert len(log_queries({"q": "f00d"})) == 2
