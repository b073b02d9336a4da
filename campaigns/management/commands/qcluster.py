"""`manage.py qcluster`: the workers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from campaigns.safety import refuse_unsafe_defaults
from campaigns.workers import run_cluster


class Command(BaseCommand):
    help = "Runs the workers that send. Ends as a whole when one of its processes dies: let a supervisor restart it."

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unsafe_defaults()
        run_cluster()
