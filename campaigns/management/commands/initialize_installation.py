"""`manage.py initialize_installation`: migrations and the first administrator, as `run` does before it serves."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from campaigns.installation import create_first_administrator, prepare_database
from campaigns.safety import refuse_unsafe_defaults


class Command(BaseCommand):
    help = "Applies the migrations and creates the first administrator, if there is none. Asks nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unsafe_defaults()
        prepare_database()
        self.stdout.write(_("The database is up to date."))
        administrator = create_first_administrator()
        if administrator is None:
            self.stdout.write(_("There is an administrator already."))
        elif administrator.password is None:
            self.stdout.write(
                _("Created the administrator %(name)s with the password from DJANGO_SUPERUSER_PASSWORD.")
                % {"name": administrator.username}
            )
        else:
            self.stdout.write(
                _("Created the administrator %(name)s with the password %(password)s (it is shown only this once).")
                % {"name": administrator.username, "password": administrator.password}
            )
