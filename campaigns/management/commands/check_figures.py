"""`manage.py check_figures [--repair] [--json]`: whether the kept figures are what counting the whole log gives."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils.translation import gettext as _

from campaigns import kept_figures
from campaigns.day_figures import DayDifference


class Command(BaseCommand):
    help = "Compare the kept figures with a count of the whole log. Nobody is kept from sending meanwhile."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="make the figures what counting gives")
        parser.add_argument("--json", action="store_true", help="one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        were_kept = kept_figures.are_kept()
        found = kept_figures.repair() if options["repair"] else kept_figures.differences()
        if options["json"]:
            listed = [{**one._asdict(), "kept": one.kept._asdict(), "counted": one.counted._asdict()} for one in found]
            answer = {"were_kept": were_kept, "differences": listed, "repaired": options["repair"]}
            self.stdout.write(json.dumps(answer, default=str))
        else:
            self.stdout.write("\n".join(_in_words(were_kept, found)))
            if options["repair"] and (found or not were_kept):
                self.stdout.write(_("This was mended."))
        if options["repair"]:
            return
        if found:
            raise CommandError(_("The kept figures are wrong. Mend them: manage.py check_figures --repair"))
        if not were_kept:
            raise CommandError(_("Figures are not kept any more. Mend it: manage.py check_figures --repair"))


def _in_words(were_kept: bool, found: list[kept_figures.Difference | DayDifference]) -> list[str]:
    lines = list(map(str, found)) or [_("All kept figures are what counting gives.")]
    if not were_kept:
        lines.insert(0, _("The triggers that keep the figures were missing, or switched off."))
    return lines
