"""What the parameters of the log's address mean."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.utils import timezone

from campaigns import log
from campaigns.models import MessageStatus, SentMessage
from tests.campaigns.building import make_message

pytestmark = pytest.mark.django_db


def test_the_groups_of_states_are_all_states_each_once():
    listed = [state for group in log.STATUS_GROUPS.values() for state in group]
    assert sorted(listed) == sorted(MessageStatus)


def test_days_are_whole_days_of_the_reader():
    with timezone.override("Europe/Moscow"):
        filters = log.read({"from": "2026-03-01", "to": "2026-03-02"})
    assert filters.since == datetime(2026, 2, 28, 21, tzinfo=UTC)
    assert filters.until == datetime(2026, 3, 2, 21, tzinfo=UTC)


def test_moments_of_other_pages_links_are_understood():
    filters = log.read({"created_at__gte": "2026-03-01 10:00:00+03:00", "created_at__lt": "2026-03-02"})
    assert filters.since == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert filters.until == datetime(2026, 3, 2, tzinfo=UTC)
    assert log.read({"created_at__gte": "2026-03-01T10:00:00 00:00"}).since == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_days_of_sending_are_those_of_the_kept_figures():
    filters = log.read({"day__gte": "2026-03-01", "day__lte": "2026-03-01"})
    assert (filters.day_from, filters.day_to, filters.active) == (date(2026, 3, 1), date(2026, 3, 1), ["days"])


def test_of_several_values_of_one_parameter_the_last_counts():
    assert log.read({"status__exact": ["sent", "failed"], "q": []}).statuses == {MessageStatus.FAILED}


@pytest.mark.parametrize(
    "parameters",
    [
        {"campaign__id__exact": "x"},
        {"campaign__id__exact": "0"},
        {"campaign__id__exact": str(2**63)},
        {"contact__id__exact": "-1"},
        {"status__exact": "nonsense"},
        {"from": "yesterday"},
        {"from": "2026-02-30"},
        {"to": "0001-01-01"},
        {"to": "9999-12-31"},
        {"created_at__gte": "2026-13-01T00:00"},
        {"created_at__lt": "soon"},
        {"day__gte": "32"},
    ],
)
def test_a_parameter_that_means_nothing_is_refused(parameters):
    with pytest.raises(log.FilterError):
        log.read(parameters)


def found(term: str) -> set[str]:
    return set(SentMessage.objects.filter(log.read({"q": term}).condition()).values_list("phone_number", flat=True))


@pytest.mark.parametrize(
    ("term", "numbers"),
    [
        ("+7•••••••••67", {"+79991234567"}),
        ("+7 999 ••• •• 67", {"+79991234567"}),
        ("7999***4567", {"+79991234567"}),
        ("…67", {"+79991234567", "+4915123456767"}),
        ("...67", {"+79991234567", "+4915123456767"}),
        ("+49xxx67", {"+4915123456767"}),
        ("+7999…", {"+79991234567", "+79990000000"}),
        ("•••", set()),
        ("٧٩٩٩•••٦٧", {"+79991234567"}),
    ],
)
def test_a_masked_number_is_found_by_the_digits_that_show(term, numbers):
    for number in ("+79991234567", "+4915123456767", "+79990000000"):
        make_message(number)
    assert found(term) == numbers


def test_only_whole_numbers_and_long_beginnings_leave_few_rows():
    narrow = {term: log.is_covered(log.read({"q": term})) for term in ("+79991234567", "799912345", "7999", "•67")}
    assert narrow == {"+79991234567": True, "799912345": True, "7999": False, "•67": False}


def test_counts_come_from_the_kept_figures_where_these_know(django_assert_num_queries):
    make_message("+79991234567", status="failed", reason="too_late")
    make_message("+79991234568")
    with django_assert_num_queries(1) as captured:
        assert log.known_count(log.read({"status__exact": "not_reached", "reason__exact": "too_late"})) == 1
    assert "campaigns_sentmessage" not in captured[0]["sql"]
    assert log.known_count(log.read({"campaign__id__exact": "77"})) == 0
    assert log.known_count(log.read({"q": "+79991234568"})) == 1
