"""
The worker cluster: django-q2's, made to fail as a whole.

A process killed while it holds the lock of a shared queue freezes django-q2's cluster for ever, while its guard looks
healthy. All truth is in the message table, so dying is harmless and freezing is not: any death but planned recycling,
and any silence of more than `BEAT_LIMIT`, kills the whole process group, and whatever supervises it (`manage.py run`,
Docker, systemd) starts a fresh one.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from datetime import datetime
from multiprocessing.process import BaseProcess
from typing import NoReturn

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django_q import cluster as django_q_cluster

from .durability import refuse_undurable_database
from .identity import check_identity
from .reports import BEAT_LIMIT, last_beat
from .wakeups import wake

logger = logging.getLogger(__name__)

RECYCLED = -2  # django_q.worker sets its timer to this when it leaves as planned
CHECK_SECONDS = 10
BROKEN_EXIT_CODE = 70


def run_cluster() -> None:
    """
    Run a worker cluster in the foreground until SIGTERM or SIGINT, then finish the tasks that were begun.

    Before anything can be claimed it looks whether this is still the database that was sent from last. Raises
    ImproperlyConfigured when the database may forget what it has stored.

    Returns after an orderly stop. After a death or a freeze inside the cluster it does not return: the process group
    is killed.
    """
    _lead_own_process_group()
    keep_no_queries()
    refuse_undurable_database()
    check_identity()
    connection.close()  # the processes of the cluster are forks of this one
    django_q_cluster.Sentinel = FailFastSentinel
    cluster = django_q_cluster.Cluster()
    cluster.start()
    # The schedules come round after half a minute only; whoever has just started a worker should not wait for that.
    wake("beat")
    wake("sweep")
    _guard(cluster.sentinel)


def keep_no_queries() -> None:
    """
    For processes that live long and serve no requests, at whose start Django would forget what it kept.

    With DEBUG on it keeps the text of every query, and asks SQLite once more for each to write it out.
    """
    BaseDatabaseWrapper.queries_logged = False  # type: ignore[method-assign, assignment]


class FailFastSentinel(django_q_cluster.Sentinel):  # type: ignore[misc]
    """The guard of the cluster's processes. Where django-q2 replaces a dead process, this one gives up the cluster."""

    def reincarnate(self, process: BaseProcess) -> None:
        timer = getattr(process, "timer", None)
        if timer is None or int(timer.value) != RECYCLED:
            _kill_group("A worker process died or ran into its time limit.")
        super().reincarnate(process)


def _guard(sentinel: BaseProcess) -> None:
    """Wait for the end of the cluster, and make sure that it is one: neither a death of its guard nor a freeze."""
    silence = Silence()
    while sentinel.is_alive():
        sentinel.join(CHECK_SECONDS)
        if sentinel.is_alive() and silence.is_too_long():
            _kill_group(f"No task has been worked off for {BEAT_LIMIT.seconds} s.")
    if sentinel.exitcode != 0:
        _kill_group("The guard of the cluster died.")


class Silence:
    """How long no new sign of life has come, by a clock that nobody sets: a jump of the other one is no silence."""

    def __init__(self) -> None:
        self._last_beat: datetime | None = None
        self._since = time.monotonic()

    def is_too_long(self) -> bool:
        """Whether the queue stands still. Not knowing, for want of a database, is no; the time then begins anew."""
        try:
            close_old_connections()
            beat = last_beat()
        except DatabaseError as error:
            logger.warning("The heartbeat cannot be read: %s", error)
            self._since = time.monotonic()
            return False
        if beat != self._last_beat:
            self._last_beat, self._since = beat, time.monotonic()
        return time.monotonic() - self._since > BEAT_LIMIT.total_seconds()


def _lead_own_process_group() -> None:
    """So that killing the group takes nobody else along, such as the shell or the supervisor that started us."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)


def _kill_group(why: str) -> NoReturn:
    logger.critical("%s The whole cluster is ended, to be started afresh.", why)
    os.killpg(os.getpgrp(), signal.SIGKILL)
    # Reached only as process 1 of a container, which the kernel shields from its own signals.
    time.sleep(0.1)
    os._exit(BROKEN_EXIT_CODE)
