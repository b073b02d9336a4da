"""django-q2's entry points. Each finds the work and calls one function; none raises, none holds any truth."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec

from django.utils import timezone

from . import (
    balances,
    bulk,
    campaign_report,
    forwarding,
    importing,
    kept_figures,
    lifecycle,
    pace,
    past_days,
    reply_processing,
)
from .forecasting import running as forecasts
from .models import Campaign, Heartbeat
from .reports import WORKER_BEAT
from .sending.braking import apply_brakes
from .sending.dispatch import send_waiting
from .sending.freeze import freeze
from .sending.sweeper import sweep as sweep_once
from .wakeups import wake

logger = logging.getLogger(__name__)
P = ParamSpec("P")

#: A task stops itself after this time, far below django-q2's timeout, and queues itself again while there is work.
TASK_SECONDS = 8.0


def never_raises(task: Callable[P, None]) -> Callable[P, None]:
    """A failed task would be run again by the queue on its own terms; the sweeper decides what is done again."""

    @functools.wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            beat()
            task(*args, **kwargs)
        except Exception:
            logger.exception("The task %s failed; the sweeper wakes what is left to do.", task.__name__)

    return run


def beat() -> None:
    """A worker's sign of life."""
    Heartbeat.objects.update_or_create(name=WORKER_BEAT, defaults={"at": timezone.now()})


@never_raises
def sweep() -> None:
    """Each minute, from the schedule; also after a gateway was resumed."""
    sweep_once()


@never_raises
def freeze_campaign(campaign_id: int) -> None:
    """Write the rows of a launched campaign."""
    if freeze(campaign_id, seconds=TASK_SECONDS):
        wake("freeze_campaign", campaign_id)


@never_raises
def send_campaign(campaign_id: int) -> None:
    """Send what waits: urgent messages first, then this campaign's."""
    if send_waiting(campaign_id, seconds=TASK_SECONDS):
        wake("send_campaign", campaign_id)
    elif not lifecycle.complete_if_done(campaign_id):
        apply_brakes(campaign_id)
    kept_figures.fold()  # every few seconds while something is sent, so that a look at the figures reads few rows
    pace.note(campaign_id)


@never_raises
def send_urgent() -> None:
    """Send waiting single messages, tests and replies."""
    if send_waiting(None, seconds=TASK_SECONDS):
        wake("send_urgent")


@never_raises
def process_replies() -> None:
    """Work off incoming messages."""
    if reply_processing.process_due(seconds=TASK_SECONDS):
        wake("process_replies")


@never_raises
def send_forwards() -> None:
    """Pass incoming messages on by e-mail."""
    if forwarding.send_due(seconds=TASK_SECONDS):
        wake("send_forwards")


@never_raises
def check_import(contact_import_id: int) -> None:
    """Judge the rows of a contact file."""
    if importing.check(contact_import_id, seconds=TASK_SECONDS):
        wake("check_import", contact_import_id)


@never_raises
def commit_import(contact_import_id: int) -> None:
    """Make contacts of the good rows of a confirmed import."""
    if importing.commit(contact_import_id, seconds=TASK_SECONDS):
        wake("commit_import", contact_import_id)


@never_raises
def run_bulk_action(bulk_action_id: int) -> None:
    """Do something to many rows."""
    if bulk.run(bulk_action_id, seconds=TASK_SECONDS):
        wake("run_bulk_action", bulk_action_id)


@never_raises
def write_report(campaign_id: int) -> None:
    """Count what the report of a large campaign says beyond the kept figures."""
    campaign_report.write(Campaign.objects.get(pk=campaign_id))


@never_raises
def undo_import(contact_import_id: int) -> None:
    """Take an import back."""
    if importing.undo(contact_import_id, seconds=TASK_SECONDS):
        wake("undo_import", contact_import_id)


@never_raises
def count_forecast(forecast_id: int) -> None:
    """Count what sending a campaign would do."""
    if forecasts.work(forecast_id, seconds=TASK_SECONDS):
        wake("count_forecast", forecast_id)


@never_raises
def count_past_days() -> None:
    """Count the figures by day of what is older than they are."""
    if past_days.count(seconds=TASK_SECONDS):
        wake("count_past_days")


@never_raises
def ask_balance(gateway_state_id: int) -> None:
    """Ask a provider how much money is left."""
    balances.ask_old_balance(gateway_state_id)
