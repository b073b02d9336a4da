"""A whole installation that sends through the fake SMSC.ru: real commands, real processes, a database of its own."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import BASE_DIR, clean_environment, free_port, manage, wait_for

from .operator import Operator
from .program import Program
from .storage import Storage

CALLBACK_SECRET = "callback-secret"
ADMINISTRATOR = {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_PASSWORD": "the-operator-of-the-fault-tests"}
SWEEPER = """
import time
from django.db import close_old_connections
from campaigns.lifecycle import wake_campaign
from campaigns.models import Campaign
from campaigns.tasks import sweep
while True:
    close_old_connections()
    sweep()
    for campaign in Campaign.objects.all() if {and_wake} else ():
        wake_campaign(campaign)
    time.sleep({every})
"""
#: How long the slowest campaign here may take.
SENDING_SECONDS = 300


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A row of the delivery log."""

    phone_number: str
    body: str
    status: str
    reason: str
    provider_message_id: str
    attempt_count: int
    sent_twice: bool

    @property
    def digits(self) -> str:
        """As SMSC.ru writes numbers."""
        return self.phone_number.removeprefix("+")


class SendingInstallation:
    """
    `smsc_port` is where its provider is meant to listen, `request_size` how many recipients one request may have;
    further `variables` become part of its environment.

    Nothing runs until it is started. `kill_everything()` belongs in the fixture that makes it.
    """

    def __init__(
        self, folder: Path, storage: Storage, smsc_port: int, *, request_size: int = 500, **variables: str
    ) -> None:
        self.folder = folder
        self.storage = storage
        self.web_port = free_port()
        self.variables = {
            **storage.variables,
            "SMS_DATA_DIR": str(folder / "data"),
            "DJANGO_SECRET_KEY": "fault-tests-" + "k" * 50,
            "SMS_BACKEND": "smsc",
            "SMSC_BASE_URL": f"http://127.0.0.1:{smsc_port}",
            "SMSC_LOGIN": "login",
            "SMSC_PASSWORD": "right",
            "SMSC_CALLBACK_SECRET": CALLBACK_SECRET,
            "SMS_OPTIONS": json.dumps({"SMSC_MAX_RECIPIENTS": request_size}),
            **variables,
        }
        self._programs: list[Program] = []

    # --- processes ---------------------------------------------------------------------------------------------

    def start_workers(self, code: Path = BASE_DIR) -> Program:
        """A real `manage.py qcluster` of the project in `code`, which nobody starts again when it dies."""
        return self.start_command("worker", ["manage.py", "qcluster"], code)

    def start_web(self) -> Program:
        """A real gunicorn, ready to serve."""
        bind = f"--bind=127.0.0.1:{self.web_port}"
        command = ["-m", "gunicorn", "config.wsgi:application", bind, "--worker-class=gthread", "--threads=8"]
        web = self.start_command("web", [*command, "--workers=2", "--no-control-socket", "--log-level=warning"])
        wait_for(lambda: self._is_healthy() or web.has_ended, "the web server")
        assert not web.has_ended, web.output
        return web

    def start_all(self) -> Program:
        """`manage.py run`: web and workers under supervision, as an operator would have them."""
        run = self.start_command("run", ["manage.py", "run", "--port", str(self.web_port)])
        wait_for(lambda: "Press Ctrl-C" in run.output or run.has_ended, "manage.py run")
        assert not run.has_ended, run.output
        return run

    def start_sweeper(self, every: float = 2.0, *, and_wake: bool = False) -> Program:
        """
        Sweeps in a process of its own, again and again: as the schedule does each minute, only more often.

        `and_wake`: wakes campaigns too while the dead seem to work on them, so that not everybody waits for a lease.
        """
        return self.start_command(
            "sweeper", ["manage.py", "shell", "-c", SWEEPER.format(every=every, and_wake=and_wake)]
        )

    def operator(self) -> Operator:
        """Somebody at a browser, signed in. The web server must be running."""
        return Operator(f"http://127.0.0.1:{self.web_port}", ADMINISTRATOR)

    def kill_everything(self) -> None:
        for program in self._programs:
            program.kill()

    def start_command(
        self, name: str, command: list[str], folder: Path = BASE_DIR, variables: Mapping[str, str] | None = None
    ) -> Program:
        """`python <command>` in its environment, and in `variables`."""
        environment = clean_environment(**self.variables, **(variables or {}))
        program = Program(command, environment, self.folder / f"{name}.log", folder)
        self._programs.append(program)
        return program

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/healthz", timeout=10) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    @property
    def receipts_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}/sms/default/receipts/"

    # --- what an operator does ---------------------------------------------------------------------------------

    def manage(self, *arguments: str) -> str:
        """What the command printed; fails the test when the command does."""
        ended = manage(*arguments, **self.variables)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def answer(self, *arguments: str) -> dict[str, Any]:
        """The one line of JSON that a command prints."""
        line, rest = self.manage(*arguments, "--json").split("\n", 1)
        assert not rest, "more than one line"
        return dict(json.loads(line))

    def create_campaign(self, text: str, group: str, name: str = "Campaign", options: Sequence[str] = ()) -> int:
        self.manage("create_campaign", name, "--text", text, "--group", group, *options)
        return int(self.storage.value("SELECT max(id) FROM campaigns_campaign"))

    def launch(self, campaign: int) -> None:
        self.manage("send_campaign", str(campaign))

    def opt_out(self, *numbers: str) -> None:
        """As from the page of a contact."""
        self.manage(
            "shell",
            "-c",
            "from campaigns.optouts import record_opt_out; from campaigns.models import OptOutSource; "
            f"[record_opt_out(number, source=OptOutSource.OPERATOR) for number in {numbers!r}]",
        )

    def sweep(self) -> None:
        """As each minute."""
        self.manage("shell", "-c", "from campaigns.tasks import sweep; sweep()")

    def let_unknown_settle(self, settle_seconds: float, gap_seconds: float) -> None:
        """The settle time passes, then two sweeps."""
        time.sleep(settle_seconds)
        for _sweep in range(2):
            self.sweep()
            time.sleep(gap_seconds)

    def pause_gateway(self) -> None:
        """As from the page of the provider."""
        self.manage(
            "shell",
            "-c",
            "from campaigns.gateway_control import pause_gateway; pause_gateway('default', reason='', text='A pause.')",
        )

    def resume_gateway(self) -> None:
        """As from the page of the provider."""
        self.manage(
            "shell", "-c", "from campaigns.gateway_control import resume_gateway; resume_gateway('default', actor=None)"
        )

    # --- what is known -----------------------------------------------------------------------------------------

    def messages(self, campaign: int) -> list[LoggedMessage]:
        columns = ", ".join(LoggedMessage.__slots__)
        query = f"SELECT {columns} FROM campaigns_sentmessage WHERE campaign_id = {campaign} ORDER BY id"
        return [LoggedMessage(*row) for row in self.storage.rows(query)]

    def counts(self, campaign: int) -> dict[str, int]:
        """Messages by state, counted here and not by the product."""
        query = f"SELECT status, count(*) FROM campaigns_sentmessage WHERE campaign_id = {campaign} GROUP BY status"
        return dict(self.storage.rows(query))

    def lost_count(self, campaign: int) -> int:
        """For how many messages the worker was lost before it could write down an answer."""
        query = (
            "SELECT count(DISTINCT message_id) FROM campaigns_messageevent WHERE kind = 'unknown' AND message_id IN "
            f"(SELECT id FROM campaigns_sentmessage WHERE campaign_id = {campaign})"
        )
        return int(self.storage.value(query))

    def reached_count(self, campaign: int) -> int:
        """Messages that were taken, delivered or not yet."""
        return sum(count for status, count in self.counts(campaign).items() if status in {"sent", "delivered"})

    def status(self, campaign: int) -> str:
        return str(self.storage.value(f"SELECT status FROM campaigns_campaign WHERE id = {campaign}"))

    def gateway(self) -> Mapping[str, Any]:
        """What is known of the gateway `default`."""
        columns = ("paused_at", "pause_reason", "provider_text", "held_until", "failure_count")
        rows = self.storage.rows(f"SELECT {', '.join(columns)} FROM campaigns_gatewaystate WHERE alias = 'default'")
        return dict(zip(columns, rows[0], strict=True)) if rows else dict.fromkeys(columns)

    def campaigns(self) -> dict[int, tuple[str, int]]:
        """(state, audience) of each that was launched."""
        query = "SELECT id, status, audience FROM campaigns_campaign WHERE launched_at IS NOT NULL ORDER BY id"
        return {pk: (status, audience) for pk, status, audience in self.storage.rows(query)}

    def wait_until_completed(self, campaign: int) -> None:
        give_up_at = time.monotonic() + SENDING_SECONDS
        while self.status(campaign) != "completed":
            assert time.monotonic() < give_up_at, (self.status(campaign), self.counts(campaign), self.logs())
            time.sleep(0.2)

    def logs(self) -> str:
        """The last that its processes said."""
        return "\n".join({program.log: program.output[-2000:] for program in self._programs}.values())

    # --- what nobody should have to do -------------------------------------------------------------------------

    def let_leases_end(self) -> int:
        """
        As if the lease had passed for all rows that a worker holds; how many there were.

        Only when no worker is alive: then nothing but time can happen to them.
        """
        assert all(program.has_ended for program in self._programs), "somebody may hold these rows"
        return self.storage.execute(
            "UPDATE campaigns_sentmessage SET lease_expires_at = CURRENT_TIMESTAMP "
            "WHERE status IN ('claimed', 'sending')"
        )
