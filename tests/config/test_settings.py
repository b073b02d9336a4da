"""The settings as a whole, read by a fresh process in a given environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from pytest_django import Settings

from campaigns.safety import refuse_unsafe_defaults
from config.settings import DEFAULT_SECRET_KEY
from tests.processes import BASE_DIR, clean_environment, free_port, manage


def read_settings(expression: str, **variables: str) -> Any:
    """The value of an expression over `settings`, in a process with just these variables."""
    script = f"import json; from django.conf import settings; print(json.dumps({expression}))"
    environment = clean_environment(DJANGO_SETTINGS_MODULE="config.settings", **variables)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_an_empty_environment_gives_an_installation_for_one_machine() -> None:
    values = read_settings(
        "[settings.DEBUG, settings.DATABASES['default']['ENGINE'], settings.Q_CLUSTER['orm'], settings.SMS_BACKEND]"
    )
    assert values == [False, "django.db.backends.sqlite3", "default", "simulator"]


def test_sqlite_is_durable_and_takes_its_lock_at_once() -> None:
    options = read_settings("settings.DATABASES['default']['OPTIONS']")
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]


def test_addresses_switch_to_postgresql_and_redis() -> None:
    variables = {"DATABASE_URL": "postgres://sms:s@db:5432/sms", "REDIS_URL": "redis://redis:6379/0"}
    values = read_settings(
        "[settings.DATABASES['default']['ENGINE'], settings.DATABASES['default']['CONN_HEALTH_CHECKS'],"
        " settings.Q_CLUSTER['redis'], 'orm' in settings.Q_CLUSTER, settings.CACHES['qstats']['BACKEND']]",
        **variables,
    )
    assert values == [
        "django.db.backends.postgresql",
        True,
        "redis://redis:6379/0?socket_connect_timeout=5",
        False,
        "django.core.cache.backends.redis.RedisCache",
    ]


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", "-c idle_in_transaction_session_timeout=60s -c random_page_cost=1.1"),
        ("?options=-c%20jit%3Doff", "-c jit=off"),
    ],
    ids=["ours", "the operator's own"],
)
def test_postgresql_ends_a_transaction_in_which_nothing_happens_for_a_minute(query: str, options: str) -> None:
    found = read_settings(
        "settings.DATABASES['default']['OPTIONS']['options']", DATABASE_URL=f"postgres://sms:s@db:5432/sms{query}"
    )
    assert found == options


@pytest.mark.postgresql
@pytest.mark.django_db
def test_the_server_has_heard_of_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)


def test_a_real_variable_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("DJANGO_TIME_ZONE=Europe/Moscow\nDJANGO_LANGUAGE_CODE=ru\nSMS_OPTIONS='{\"LATENCY\": 0.5}'\n")
    values = read_settings(
        "[settings.TIME_ZONE, settings.LANGUAGE_CODE, settings.SMS_SETTINGS['OPTIONS']]",
        ENV_FILE=str(file),
        DJANGO_LANGUAGE_CODE="en",
    )
    assert values == ["Europe/Moscow", "en", {"LATENCY": 0.5}]


def test_tests_see_nothing_of_the_developers_environment(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("SMS_BACKEND=smsc\n")
    script = (
        "import pytest; from django.conf import settings as s; print(s.SMS_BACKEND, s.DATABASES['default']['NAME'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=BASE_DIR,
        env=clean_environment(
            DJANGO_SETTINGS_MODULE="config.settings",
            ENV_FILE=str(tmp_path / "env"),
            SMS_BACKEND="smsc",
            DATABASE_URL="postgres://sms:s@production:5432/sms",
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["locmem", str(BASE_DIR / "var" / "db.sqlite3")]


def test_every_variable_is_explained_in_the_example() -> None:
    names = {word for file in ("settings.py", "sms.py") for word in _names_in(BASE_DIR / "config" / file)}
    explained = (BASE_DIR / ".env.example").read_text()
    assert {name for name in names if f"{name}=" not in explained} == set()


def _names_in(file: Path) -> set[str]:
    text = file.read_text()
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', text)) | set(re.findall(r'"(SMSC_[A-Z]+)"', text))


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("SMS_WORKERS", "many", "a whole number"),
        ("DJANGO_TIME_ZONE", "Moscow", "a time zone such as Europe/Moscow"),
        ("DJANGO_LANGUAGE_CODE", "klingon", "en or ru"),
        ("DJANGO_LOG_LEVEL", "loud", "DEBUG, INFO, WARNING or ERROR"),
    ],
)
def test_an_unreadable_value_is_one_sentence_without_a_traceback(name: str, value: str, wanted: str) -> None:
    done = manage("check", **{name: value})
    assert done.returncode == 1
    assert done.stderr.strip() == f"Error: {name} must be {wanted}, not {value!r}."


def test_a_database_that_does_not_answer_is_one_sentence_too() -> None:
    done = manage("run", DJANGO_DEBUG="1", DATABASE_URL=f"postgres://sms:x@127.0.0.1:{free_port()}/sms")
    assert done.returncode == 1
    assert "The database cannot be used: connection failed" in done.stderr
    assert "Traceback" not in done.stderr


class TestDefaultSecrets:
    """With DEBUG off nothing serves with secrets that everybody knows; other commands work all the same."""

    @pytest.mark.parametrize("command", ["run", "qcluster", "initialize_installation"])
    def test_serving_is_refused_with_advice(self, command: str) -> None:
        done = manage(command)
        assert done.returncode == 1
        assert "DJANGO_SECRET_KEY is not set" in done.stderr
        assert "make env-cp" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("key", [DEFAULT_SECRET_KEY, "change-me"])
    def test_a_well_known_key_is_named(self, settings: Settings, key: str) -> None:
        settings.SECRET_KEY = key
        with pytest.raises(ImproperlyConfigured, match="DJANGO_SECRET_KEY"):
            refuse_unsafe_defaults()

    def test_well_known_passwords_are_named(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "postgres")
        monkeypatch.setitem(settings.FIRST_ADMINISTRATOR, "password", "Admin")
        with pytest.raises(ImproperlyConfigured, match=r"POSTGRES_PASSWORD.*DJANGO_SUPERUSER_PASSWORD"):
            refuse_unsafe_defaults()

    def test_with_debug_on_they_are_accepted(self, settings: Settings) -> None:
        settings.SECRET_KEY = DEFAULT_SECRET_KEY
        settings.DEBUG = True
        refuse_unsafe_defaults()

    def test_generated_secrets_are_accepted(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "F1b0gwxsxKz6Z5Lalm6U4")
        monkeypatch.setitem(settings.FIRST_ADMINISTRATOR, "password", "KJF43NXXj6QDYu2D")
        refuse_unsafe_defaults()

    def test_the_web_server_refuses_too(self) -> None:
        environment = clean_environment()
        done = subprocess.run(
            [sys.executable, "-c", "import config.wsgi"], cwd=BASE_DIR, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "DJANGO_SECRET_KEY is not set" in done.stderr

    def test_an_image_can_be_built_without_any_secret(self) -> None:
        assert manage("collectstatic", "--noinput", "--dry-run", "--verbosity=0").returncode == 0

    def test_the_deployment_check_reports_them(self) -> None:
        assert "campaigns.E001" in manage("check", "--deploy").stderr

    def test_a_careful_deployment_passes_every_check(self) -> None:
        done = manage(
            "check",
            "--deploy",
            "--fail-level=WARNING",
            DJANGO_SECRET_KEY="kX7" + "aB3dE5gH9" * 8,
            DJANGO_BEHIND_HTTPS_PROXY="1",
            DJANGO_ALLOWED_HOSTS="sms.example.org",
        )
        assert done.returncode == 0, done.stderr
