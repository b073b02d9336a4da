"""`/healthz`, as a load balancer or Docker sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns.models import Heartbeat
from campaigns.reports import BEAT_LIMIT, WORKER_BEAT

pytestmark = pytest.mark.django_db


def test_it_is_healthy_without_a_worker_and_says_so(client: Client) -> None:
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "migrations": "applied", "worker": "silent"}


@pytest.mark.parametrize(("age", "state"), [(timedelta(0), "alive"), (2 * BEAT_LIMIT, "silent")], ids=["young", "old"])
def test_a_worker_is_alive_as_long_as_it_beats(client: Client, age: timedelta, state: str) -> None:
    Heartbeat.objects.update_or_create(name=WORKER_BEAT, defaults={"at": timezone.now() - age})
    assert client.get("/healthz").json()["worker"] == state


def test_it_needs_neither_the_right_host_name_nor_https(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["sms.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz", headers={"host": "10.0.0.7:8080"}).status_code == 200


def test_a_database_that_does_not_answer_is_an_error(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "ensure_connection", refuse)
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.json() == {"status": "error", "database": "unreachable"}


def test_missing_migrations_are_an_error_until_they_are_applied(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'campaigns'")
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.json() == {"status": "error", "database": "ok", "migrations": "missing"}
