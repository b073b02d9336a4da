"""
Web and workers as children of one foreground process.

Each child leads a session of its own, so that Ctrl-C reaches this process alone, which then asks each child's main
process to finish: a SIGTERM to django-q2's whole group would kill tasks in the middle. A child that dies takes its
group along and is started again.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from django.conf import settings
from django.db import close_old_connections

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.2
BOOT_SECONDS = 5
UPKEEP_SECONDS = 10
#: One Ctrl-C or `kill` may arrive twice, from the terminal and from `make`: signals this close together are one.
SAME_REQUEST_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Service:
    """A program that is to run all the time, in its environment. `label` begins each of its log lines."""

    label: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class ChildDiedAtStart(Exception):
    """A service ended within seconds of its first start: starting it again would not help."""

    def __init__(self, service: Service, exit_code: int) -> None:
        super().__init__(f"{service.label} ended with code {exit_code} as soon as it was started.")


class Supervisor:
    """
    Keeps services running until SIGINT or SIGTERM, then lets them finish.

    `upkeep` is called every `UPKEEP_SECONDS` while the services run; an error in it is logged, not fatal.
    `grace_seconds` is how long the services may take to finish before they are killed.
    """

    def __init__(self, services: Sequence[Service], *, upkeep: Callable[[], object], grace_seconds: int) -> None:
        self._services = services
        self._upkeep = upkeep
        self._grace_seconds = grace_seconds
        self._children: dict[str, Child] = {}
        self._stop_requests = 0
        self._last_request_at = 0.0
        self._next_upkeep = 0.0

    @property
    def is_stopping(self) -> bool:
        return self._stop_requests > 0

    def start(self) -> None:
        """Take over SIGINT and SIGTERM and start the services."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request_stop)
        for service in self._services:
            self._children[service.label] = Child(service)

    def wait_until(self, is_ready: Callable[[], bool], *, seconds: float) -> bool:
        """
        Look after the services until they are ready; False: they did not become so in time, or are to stop.

        Raises ChildDiedAtStart.
        """
        give_up_at = time.monotonic() + seconds
        while not self.is_stopping and time.monotonic() < give_up_at:
            self._revive()
            if is_ready():
                return True
            time.sleep(TICK_SECONDS)
        return False

    def run(self) -> None:
        """Look after the services until a signal asks to stop. Raises ChildDiedAtStart."""
        while not self.is_stopping:
            self._revive()
            if time.monotonic() >= self._next_upkeep:
                self._next_upkeep = time.monotonic() + UPKEEP_SECONDS
                self._do_upkeep()
            time.sleep(TICK_SECONDS)

    def stop(self) -> bool:
        """
        Let the services finish what they began; True: all did.

        After `grace_seconds`, or when a second signal comes, those that are left are killed.
        """
        for child in self._children.values():
            child.ask_to_finish()
        give_up_at = time.monotonic() + self._grace_seconds
        while any(child.is_alive() for child in self._children.values()):
            if time.monotonic() >= give_up_at or self._stop_requests > 1:
                break
            time.sleep(TICK_SECONDS)
        unfinished = [child for child in self._children.values() if child.is_alive()]
        for child in self._children.values():
            child.kill_group()
        return not unfinished

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last_request_at > SAME_REQUEST_SECONDS:
            self._stop_requests += 1
            self._last_request_at = now

    def _revive(self) -> None:
        for label, child in self._children.items():
            exit_code = child.exit_code()
            if exit_code is None or self.is_stopping:
                continue
            child.kill_group()
            if child.age_seconds() >= BOOT_SECONDS:  # else it waits: what it needs may be on its way back
                logger.error("%s ended with code %s and is started again.", label, exit_code)
                self._children[label] = Child(child.service, is_first=False)
            elif child.is_first:
                raise ChildDiedAtStart(child.service, exit_code)

    def _do_upkeep(self) -> None:
        try:
            close_old_connections()
            self._upkeep()
        except Exception:
            # A fault in the upkeep must not take down what sends; the workers' own schedule does the same work.
            logger.exception("The upkeep failed.")


class Child:
    """A running service: the leader of a session of its own that is told to finish if this process dies."""

    def __init__(self, service: Service, *, is_first: bool = True) -> None:
        self.service = service
        self.is_first = is_first
        self._is_gone = False
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            service.command,
            stdin=subprocess.DEVNULL,
            cwd=settings.BASE_DIR,
            env={**os.environ, "LOG_LABEL": service.label, **service.environment},
            start_new_session=True,
            preexec_fn=_finish_with_parent,  # safe: this process has no threads
        )

    def age_seconds(self) -> float:
        return time.monotonic() - self._started_at

    def exit_code(self) -> int | None:
        """None: still running."""
        return self._process.poll()

    def is_alive(self) -> bool:
        return self.exit_code() is None

    def ask_to_finish(self) -> None:
        """Ask the main process alone; it knows how to let the others of its group finish."""
        if self.is_alive():
            self._process.terminate()

    def kill_group(self) -> None:
        """End whatever is left of the service. Harmless when nothing is."""
        if self._is_gone:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._is_gone = True  # from now on the number may belong to another process


def _finish_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def port_is_free(host: str, port: int) -> bool:
    """Whether a server can be started there. Port 0 is always free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def web_answers(host: str, port: int) -> bool:
    """Whether the web process of this installation is up and healthy."""
    address = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - "any address" is reached by loopback
    try:
        with urllib.request.urlopen(f"http://{address}:{port}/healthz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
