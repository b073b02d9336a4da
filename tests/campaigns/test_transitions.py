"""The table of transitions, and the trigger that holds every other test to it."""

from __future__ import annotations

import itertools

import pytest
from django.db import IntegrityError, transaction

from campaigns.models import TAKEN, TRANSITIONS, MessageStatus, SentMessage, may_become
from tests.campaigns.building import make_message

S = MessageStatus


@pytest.mark.django_db
@pytest.mark.parametrize(("source", "target"), list(itertools.product(S, S)))
def test_the_database_of_the_tests_allows_exactly_what_the_table_lists(source, target):
    message = make_message(status=source)
    rows = SentMessage.objects.filter(pk=message.pk)
    if target == source or target in TRANSITIONS[source]:
        assert rows.update(status=target) == 1
    else:
        with pytest.raises(IntegrityError, match="TRANSITIONS"), transaction.atomic():
            rows.update(status=target)


def test_every_state_has_its_row():
    assert set(TRANSITIONS) == set(S)


def test_nothing_that_was_taken_can_wait_again():
    for status in TAKEN | {S.REJECTED}:
        assert not TRANSITIONS[status] & {S.QUEUED, S.CLAIMED, S.SENDING, S.UNKNOWN}


def test_only_a_message_that_waits_or_is_claimed_can_be_handed_over_and_an_unknown_one_once_more():
    assert may_become(S.SENDING) == {S.QUEUED, S.CLAIMED, S.UNKNOWN}


def test_a_message_that_is_being_handed_over_is_not_suppressed():
    assert may_become(S.SUPPRESSED) == {S.QUEUED, S.CLAIMED}


def test_what_is_delivered_stays_delivered():
    assert TRANSITIONS[S.DELIVERED] == frozenset()
