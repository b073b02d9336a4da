"""Nothing is sent on a database that may forget after a power cut."""

from __future__ import annotations

import pytest
from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from campaigns import workers
from campaigns.durability import (
    check_durability,
    commit_without_waiting,
    durability_problems,
    refuse_undurable_database,
)

#: SQLite changes this only outside of a transaction.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def forgetful():
    """The connection as it is, and as it is when somebody has made it fast."""
    fast, safe = (
        ("SET synchronous_commit = off", "RESET synchronous_commit")
        if connection.vendor == "postgresql"
        else ("PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL")
    )
    with connection.cursor() as cursor:
        cursor.execute(safe)
        assert durability_problems() == []
        cursor.execute(fast)
        yield
        cursor.execute(safe)


def test_as_it_is_installed_the_database_keeps_what_it_has_stored():
    assert durability_problems() == []
    refuse_undurable_database()


def test_what_is_switched_off_is_named_with_what_to_change(forgetful):
    ((problem, advice),) = durability_problems()
    assert "synchronous" in problem
    assert "synchronous" in advice
    with pytest.raises(ImproperlyConfigured, match="power cut"):
        refuse_undurable_database()


@pytest.mark.postgresql
def test_only_the_one_transaction_commits_without_waiting():
    with transaction.atomic():
        commit_without_waiting()
        assert durability_problems()
    assert durability_problems() == []


def test_the_check_is_one_of_databases_and_asks_no_other(forgetful):
    found = run_checks(tags=[Tags.database], databases=["default"])
    assert [message.id for message in found] == ["campaigns.E003"]
    assert check_durability(databases=None) == check_durability(databases=["other"]) == []


def test_no_worker_starts_on_it(forgetful, monkeypatch):
    monkeypatch.setattr(workers, "_lead_own_process_group", lambda: None)
    monkeypatch.setattr(workers, "keep_no_queries", lambda: None)
    with pytest.raises(ImproperlyConfigured):
        workers.run_cluster()
