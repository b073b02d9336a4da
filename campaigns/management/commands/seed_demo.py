"""`manage.py seed_demo`: something to look at in an empty installation."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from campaigns.demo import seed_demo


class Command(BaseCommand):
    help = "Fills an empty installation with a few made-up contacts, two groups and a draft campaign."

    def handle(self, *args: Any, **options: Any) -> None:
        if seed_demo():
            self.stdout.write(_("Loaded a small demo: contacts, groups and a draft campaign."))
        else:
            self.stdout.write(_("There are contacts, groups or campaigns already: nothing was changed."))
