"""`manage.py create_campaign NAME --text TEXT --group GROUP`: write a draft campaign."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.db import transaction
from django.forms import DecimalField
from django.utils import timezone

from campaigns import audit
from campaigns.brakes import settings_problem
from campaigns.models import MARKETING_WINDOW, Campaign, CampaignKind, CanaryThen, ContactGroup
from campaigns.preflight import check_body, gateway_problems, no_consent_warning, without_consent_count
from campaigns.prices import limit_problems

LIMIT = DecimalField(min_value=0, max_digits=14, decimal_places=2)

#: Field of a campaign -> its option, and what that says of itself.
CAREFUL_OPTIONS = {
    "canary_size": ("--canary", "send to so many people first; all others wait until it is known how that went"),
    "canary_wait_minutes": ("--canary-wait", "wait so many minutes at most for the receipts of the first portion"),
    "brake_refused": ("--brake-refused", "pause when more than so many per cent are refused"),
    "brake_undelivered": ("--brake-undelivered", "pause when more than so many per cent are not delivered"),
    "brake_opt_outs": ("--brake-opt-outs", "pause when more than so many per cent opt out"),
}


def read_window(text: str) -> tuple[time, time]:
    """09:00-21:00 -> the two times. Raises CommandError."""
    try:
        start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError as error:
        raise CommandError(f"“{text}” is not a sending window. Example: --window 09:00-21:00") from error
    if start == end:
        raise CommandError(f"The sending window “{text}” has no length. Example: --window 09:00-21:00")
    return start, end


def read_rate(rate: int | None) -> int | None:
    """Raises CommandError for what is no rate."""
    if rate is not None and rate < 1:
        raise CommandError("--max-per-second must be 1 or more. Leave it out to send as fast as the gateway allows.")
    return rate


def read_careful_start(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of the first portion and the brakes. Raises CommandError for what is no limit, or judges nothing."""
    values = {name: options[name] for name in CAREFUL_OPTIONS if options[name] is not None}
    others = {field.name for field in Campaign._meta.fields} - set(values)
    try:
        Campaign(**values).clean_fields(exclude=others)
    except ValidationError as error:
        wrong = [f"{CAREFUL_OPTIONS[name][0]}: {' '.join(said)}" for name, said in error.message_dict.items()]
        raise CommandError(" ".join(wrong)) from error
    values["canary_then"] = CanaryThen.ASK if options["canary_ask"] else CanaryThen.GO_ON
    if problem := settings_problem(values):
        raise CommandError(problem)
    return values


def read_limit(text: str | None) -> Decimal | None:
    """An amount of money. Raises CommandError."""
    if text is None:
        return None
    try:
        limit = Decimal(LIMIT.clean(text))
    except ValidationError as error:
        raise CommandError(f"“{text}” is no spend limit. Example: --spend-limit 5000") from error
    return limit


def read_end(text: str) -> datetime:
    """The time, in the installation's zone unless it names one. Raises CommandError."""
    try:
        end = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"“{text}” is not a time. Example: --ends 2026-12-31T21:00") from error
    end = end if timezone.is_aware(end) else timezone.make_aware(end)
    if end <= timezone.now():
        raise CommandError(f"“{text}” has passed. Choose a later end.")
    return end


class Command(BaseCommand):
    help = "Write a draft campaign: a service campaign that may be sent at any hour, unless said otherwise."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--text", required=True, help='with placeholders such as {{ first_name|default:"friend" }}')
        parser.add_argument("--group", action="append", required=True, help="name of a group; may be repeated")
        parser.add_argument("--exclude", action="append", default=[], help="name of a group to leave out")
        parser.add_argument("--gateway", default="default")
        parser.add_argument("--sender", default="", help="what the phone shows")
        parser.add_argument("--marketing", action="store_true", help="a marketing campaign, sent from 09:00 to 21:00")
        parser.add_argument("--window", help="hours where the recipient lives, such as 09:00-21:00")

        parser.add_argument("--max-per-second", type=int, help="no more messages than this each second")
        parser.add_argument("--canary-ask", action="store_true", help="pause after the first portion in any case")
        for name, (option, words) in CAREFUL_OPTIONS.items():
            parser.add_argument(option, dest=name, type=int, help=words)
        parser.add_argument("--spend-limit", help="pause before it costs more, in the currency of the gateway's prices")
        parser.add_argument("--ends", help="send nothing after this time, such as 2026-12-31T21:00")

    def handle(self, *args: Any, **options: Any) -> None:
        include = [self._group(name).pk for name in options["group"]]
        exclude = [self._group(name).pk for name in options["exclude"]]
        window = read_window(options["window"]) if options["window"] else (None, None)
        if options["marketing"] and not options["window"]:
            window = MARKETING_WINDOW
        campaign = Campaign(
            name=options["name"],
            body=options["text"],
            kind=CampaignKind.MARKETING if options["marketing"] else CampaignKind.SERVICE,
            gateway=options["gateway"],
            sender_id=options["sender"],
            window_start=window[0],
            window_end=window[1],
            max_per_second=read_rate(options["max_per_second"]),
            spend_limit=read_limit(options["spend_limit"]),
            ends_at=read_end(options["ends"]) if options["ends"] else None,
            **read_careful_start(options),
        )
        problems = gateway_problems(campaign) + limit_problems(campaign) + check_body(campaign.body, include, exclude)
        if problems:
            raise CommandError(" ".join(problems))
        with transaction.atomic():
            campaign.save()
            campaign.include_groups.set(include)
            campaign.exclude_groups.set(exclude)
            audit.record("create", campaign=campaign, subject=campaign.name)
        self.stdout.write(f"Campaign {campaign.pk} “{campaign.name}” is written. Send it: send_campaign {campaign.pk}")
        if lacking := without_consent_count(campaign):
            self.stderr.write(no_consent_warning(lacking))

    def _group(self, name: str) -> ContactGroup:
        group = ContactGroup.objects.filter(name=name).first()
        if group is None:
            known = ", ".join(ContactGroup.objects.values_list("name", flat=True)[:20]) or "none yet"
            raise CommandError(f"There is no group “{name}”. Groups: {known}.")
        return group
