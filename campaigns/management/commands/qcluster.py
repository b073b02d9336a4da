"""`manage.py qcluster`: the workers."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from campaigns.reports import workers_alive
from campaigns.safety import refuse_unsafe_defaults
from campaigns.workers import run_cluster


class Command(BaseCommand):
    help = "Runs the workers that send. Ends as a whole when one of its processes dies: let a supervisor restart it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say whether a worker is alive; else exit with 1")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            if not workers_alive():
                raise CommandError(_("No worker has given a sign of life lately."))
            self.stdout.write(_("A worker is alive."))
            return
        refuse_unsafe_defaults()
        run_cluster()
