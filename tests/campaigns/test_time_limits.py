"""A query that takes too long is ended, and nothing else."""

from __future__ import annotations

import time

import pytest
from django.db import OperationalError, connection, transaction

from campaigns.models import Contact
from campaigns.time_limits import TookTooLong, time_limit

#: Takes minutes on either database.
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000000) SELECT COUNT(*) FROM c"


def ask(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_the_database_is_stopped_after_the_time_and_goes_on_working():
    began = time.monotonic()
    with pytest.raises(TookTooLong), time_limit(0.2):
        ask(ENDLESS)
    assert time.monotonic() - began < 5
    assert Contact.objects.count() == 0


@pytest.mark.django_db
def test_within_a_transaction_that_goes_on_only_the_query_is_lost():
    Contact.objects.create(phone_number="+79991234567")
    with pytest.raises(TookTooLong), time_limit(0.2):
        ask(ENDLESS)
    assert Contact.objects.count() == 1


@pytest.mark.django_db
def test_what_comes_after_is_not_limited():
    with time_limit(0.05):
        ask("SELECT 1")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)
    time.sleep(0.06)
    ask("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) SELECT COUNT(*) FROM c")


@pytest.mark.django_db
def test_other_errors_stay_what_they_are():
    with pytest.raises(Exception, match="no_such") as caught, transaction.atomic(), time_limit(1):
        ask("SELECT * FROM no_such_table")
    assert not isinstance(caught.value, TookTooLong)
    if connection.vendor == "sqlite":
        assert isinstance(caught.value, OperationalError)
