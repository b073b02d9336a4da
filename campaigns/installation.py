"""Makes an installation ready for use: its database, and somebody who can sign in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from sms_backends import gateways

from .models import User
from .safety import is_well_known


@dataclass(frozen=True, slots=True)
class Administrator:
    """The first administrator, just made. `password` is set if it was generated: nobody else will ever know it."""

    username: str
    password: str | None


def prepare_database() -> None:
    """Apply all migrations. Idempotent; asks nothing."""
    call_command("migrate", interactive=False, verbosity=0)


def create_first_administrator() -> Administrator | None:
    """
    Make `settings.FIRST_ADMINISTRATOR` unless there is an administrator already; None: there was one.

    A password that is missing, or a placeholder that everybody knows, is replaced by a generated one.
    """
    wanted = settings.FIRST_ADMINISTRATOR
    with transaction.atomic():
        if User.objects.filter(is_superuser=True, is_active=True).exists():
            return None
        given = wanted["password"]
        generated = None if given and not is_well_known(given) else secrets.token_urlsafe(12)
        user, _ = User.objects.get_or_create(username=wanted["username"], defaults={"email": wanted["email"]})
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(generated or given)
        user.save()
    return Administrator(wanted["username"], generated)


def sends_for_real() -> bool:
    """Whether a gateway has a real provider behind it. Raises ImproperlyConfigured for one that is not set up right."""
    return any(not gateways[alias].capabilities.pretends for alias in gateways)
