"""What every test has: a database that refuses steps of a message which the table of transitions does not list."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.utils import timezone, translation

from tests import roles, transition_guard


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        transition_guard.install(connection)
        roles.remember()


@pytest.fixture(scope="session", autouse=True)
def trail_can_be_emptied_between_tests():
    """SQLite empties tables by DELETE, which the audit trail's own trigger refuses; it comes back after each time."""
    operations = DatabaseWrapper.ops_class
    flush = operations.sql_flush

    def sql_flush(self, *args, **kwargs):
        statements = flush(self, *args, **kwargs)
        return ["DROP TRIGGER IF EXISTS audit_guard_delete", *statements] if statements else statements

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "sql_flush", sql_flush)
        yield


@pytest.fixture(autouse=True)
def each_test_begins_in_the_usual_language_and_zone():
    """The middleware of a request leaves its language active in the thread, for whichever test comes next."""
    translation.deactivate()
    timezone.deactivate()
    yield
    translation.deactivate()
    timezone.deactivate()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("postgresql") and connection.vendor != "postgresql":
        pytest.skip("holds on PostgreSQL only")
