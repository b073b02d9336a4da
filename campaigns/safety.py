"""Keeps an installation from serving with secrets that everybody knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

#: What `.env.example` and countless tutorials say.
WELL_KNOWN_PASSWORDS = frozenset({"change-me", "changeme", "admin", "password", "postgres", "secret"})
ADVICE = (
    "`make env-cp` writes a .env with generated secrets if there is none. "
    "For a trial on this machine alone, DJANGO_DEBUG=1 (or `make run`) goes without."
)


def is_well_known(password: str) -> bool:
    """Whether a password is a placeholder or a default that anybody would try first."""
    return password.lower() in WELL_KNOWN_PASSWORDS


def unsafe_defaults() -> list[str]:
    """What must be changed before this installation may serve, one sentence each."""
    problems = []
    if settings.SECRET_KEY == settings.DEFAULT_SECRET_KEY or is_well_known(settings.SECRET_KEY):
        problems.append("DJANGO_SECRET_KEY is not set: give it a long random value.")
    if is_well_known(str(settings.DATABASES["default"].get("PASSWORD") or "")):
        problems.append("The password of the database (DATABASE_URL, POSTGRES_PASSWORD) is a well-known default.")
    if is_well_known(settings.FIRST_ADMINISTRATOR["password"]):
        problems.append("DJANGO_SUPERUSER_PASSWORD is a well-known default.")
    return problems


def refuse_unsafe_defaults() -> None:
    """Raises ImproperlyConfigured when DEBUG is off and a secret is a default. Called by whatever starts serving."""
    problems = [] if settings.DEBUG else unsafe_defaults()
    if problems:
        raise ImproperlyConfigured(" ".join([*problems, ADVICE]))


def check_unsafe_defaults(**kwargs: Any) -> list[CheckMessage]:
    """The same as a system check, for `manage.py check --deploy`."""
    return [Error(problem, hint=ADVICE, id="campaigns.E001") for problem in unsafe_defaults()]
