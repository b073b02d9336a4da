"""`manage.py campaign_status NAME_OR_ID [--json]`: where a campaign stands, in figures that add up."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from campaigns.management.lookup import find_campaign
from campaigns.reports import campaign_figures, reason_label


class Command(BaseCommand):
    help = "Show where a campaign stands."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", metavar="NAME_OR_ID")
        parser.add_argument("--json", action="store_true", help="one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = find_campaign(options["campaign"])
        figures = campaign_figures(campaign)
        if options["json"]:
            answer = {
                "id": campaign.pk,
                "name": campaign.name,
                "status": campaign.status,
                "audience": figures.audience,
                "messages": figures.messages,
                "suppressed": figures.suppressed,
            }
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
            return
        counts = [f"{count} {status}" for status, count in figures.messages.items() if count]
        reasons = [f"{reason_label(reason)}: {count}" for reason, count in figures.suppressed.items()]
        line = (
            f"{campaign.name}: {campaign.get_status_display()}, {figures.audience} people; {', '.join(counts) or '-'}"
        )
        self.stdout.write(f"{line} ({'; '.join(reasons)})" if reasons else line)
