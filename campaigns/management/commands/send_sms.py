"""`manage.py send_sms NUMBER TEXT`: send one message, with its row in the delivery log."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from campaigns.models import TAKEN, MessageStatus, Purpose
from campaigns.sending.dispatch import send_waiting
from campaigns.single import queue_single
from sms_backends import gateways
from sms_backends.phone_numbers import InvalidPhoneNumber, parse


class Command(BaseCommand):
    help = "Send one SMS. It goes through the configured gateway and is found in the delivery log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", help="in any spelling; national numbers are read as SMS_DEFAULT_REGION's")
        parser.add_argument("text")
        parser.add_argument("--gateway", default="default", help="alias of the gateway (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            number = parse(options["number"], settings.SMS_DEFAULT_REGION)
        except InvalidPhoneNumber as error:
            raise CommandError(str(error.reason)) from error
        if not options["text"].strip():
            raise CommandError("The text is empty.")
        if options["gateway"] not in gateways:
            raise CommandError(f"There is no gateway “{options['gateway']}”. Configured: {', '.join(gateways)}.")
        message, _created = queue_single(
            number.e164, options["text"], purpose=Purpose.QUICK, gateway=options["gateway"]
        )
        # Sent from here: no worker is needed, and one that is there may take it just as well.
        send_waiting(None, seconds=20)
        message.refresh_from_db()
        said = f"{message.phone_number}: {message.get_status_display()}"
        words = f"{said} ({message.reason_display})" if message.reason else said
        if message.status not in TAKEN | {MessageStatus.QUEUED, MessageStatus.CLAIMED, MessageStatus.SENDING}:
            raise CommandError(words)
        self.stdout.write(words)
