"""Makes an installation ready for use: its database, and somebody who can sign in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, transaction
from django.utils.translation import gettext as _

from sms_backends import gateways

from .durability import refuse_undurable_database
from .models import User
from .safety import is_well_known


@dataclass(frozen=True, slots=True)
class Administrator:
    """The first administrator, just made. `password` is set if it was generated: nobody else will ever know it."""

    username: str
    password: str | None


def prepare_database() -> None:
    """
    Apply all migrations. Idempotent; asks nothing.

    Raises CommandError when the database does not answer, ImproperlyConfigured when it may forget what it has stored.
    """
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        raise CommandError(_("The database cannot be used: %(error)s") % {"error": str(error).strip()}) from error
    refuse_undurable_database()


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
        user, _created = User.objects.get_or_create(username=wanted["username"], defaults={"email": wanted["email"]})
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(generated or given)
        user.save()
    return Administrator(wanted["username"], generated)


def sends_for_real() -> bool:
    """Whether a gateway has a real provider behind it. Raises ImproperlyConfigured for one that is not set up right."""
    return any(not gateways[alias].capabilities.pretends for alias in gateways)
