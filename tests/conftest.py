"""What every test has: a database that refuses steps of a message which the table of transitions does not list."""

from __future__ import annotations

import pytest
from django.db import connection

from tests import transition_guard


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        transition_guard.install(connection)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("postgresql") and connection.vendor != "postgresql":
        pytest.skip("holds on PostgreSQL only")
