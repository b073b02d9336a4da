"""`manage.py send_campaign NAME_OR_ID [--wait]`: send a campaign, and watch it go."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from campaigns import lifecycle
from campaigns.management.lookup import find_campaign
from campaigns.models import EDITABLE, Campaign, CampaignStatus, GatewayState
from campaigns.reports import Figures, campaign_figures, workers_alive
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.freeze import freeze
from campaigns.sending.recovery import expire_leases

BAR = 30
#: Between two looks at the figures.
WORK_SECONDS = 2.0


class Command(BaseCommand):
    help = "Send a campaign. With --wait: until it is completed, with a progress bar."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", metavar="NAME_OR_ID")
        parser.add_argument(
            "--people",
            metavar="NUMBER",
            help="how many get it; needed for a campaign above SMS_CONFIRM_ABOVE_PEOPLE or SMS_CONFIRM_ABOVE_COST",
        )
        parser.add_argument("--wait", action="store_true", help="until it is completed; works without a worker too")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = find_campaign(options["campaign"])
        if campaign.status not in EDITABLE and not campaign.is_running:
            raise CommandError(f"“{campaign.name}” is {campaign.get_status_display()}; it cannot be sent.")
        try:
            started = lifecycle.launch(campaign, actor=None, typed=options["people"])
        except lifecycle.LifecycleError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"“{campaign.name}” is being sent{'' if started else ' already'}.")
        if options["wait"]:
            self._wait(campaign)
        elif not workers_alive():
            self.stderr.write("No worker is alive: it goes out when one is started (make run).")

    def _wait(self, campaign: Campaign) -> None:
        told = False
        while True:
            if not workers_alive():
                if not told:
                    self.stderr.write("No worker is alive: this command sends the messages itself.")
                told = True
                self._work(campaign)
            campaign.refresh_from_db()
            figures = campaign_figures(campaign)
            self._draw(figures)
            if not campaign.is_running:
                break
            paused = GatewayState.objects.filter(alias=campaign.launch["gateway"], paused_at__isnull=False).first()
            if paused:
                raise CommandError(f"The gateway “{paused.alias}” is paused: {paused.provider_text}")
            time.sleep(0.5)
        self.stdout.write("")
        if campaign.status != CampaignStatus.COMPLETED:
            raise CommandError(f"It is {campaign.get_status_display()}. {campaign.pause_reason}".strip())
        counts = ", ".join(f"{count} {status}" for status, count in figures.messages.items() if count)
        self.stdout.write(f"Completed: {counts}.")

    def _work(self, campaign: Campaign) -> None:
        """A worker's part. Not through the tasks: they give signs of life, and no worker is alive."""
        freeze(campaign.pk, seconds=WORK_SECONDS)
        expire_leases()
        if not send_waiting(campaign.pk, seconds=WORK_SECONDS):
            lifecycle.complete_if_done(campaign.pk)

    def _draw(self, figures: Figures) -> None:
        if not self.stdout.isatty() or not figures.audience:
            return
        filled = BAR * figures.done // figures.audience
        bar = "#" * filled + "." * (BAR - filled)
        self.stdout.write(f"\r[{bar}] {figures.done:,} of {figures.audience:,}", ending="")
        self.stdout.flush()
