"""Waking workers. A task is only a wake-up: losing it loses nothing, running it twice sends nothing twice."""

from __future__ import annotations

import logging
import os

from django.db import transaction
from django_q.brokers import Broker, get_broker
from django_q.tasks import async_task

logger = logging.getLogger(__name__)
_brokers: dict[int, Broker] = {}


def _broker() -> Broker:
    """One broker per process: building one for each call costs more than the call."""
    pid = os.getpid()
    if pid not in _brokers:
        _brokers.clear()
        _brokers[pid] = get_broker()
    return _brokers[pid]


def wake(task: str, *args: int) -> None:
    """Queue `campaigns.tasks.<task>` once the current transaction has committed."""
    transaction.on_commit(lambda: _enqueue(task, *args))


def _enqueue(task: str, *args: int) -> None:
    try:
        async_task(f"campaigns.tasks.{task}", *args, broker=_broker())
    except Exception:
        # What must be done stands in the database; the sweeper wakes it within a minute of the broker's return.
        logger.exception("The task queue cannot be reached; %s will be woken by the sweeper.", task)
