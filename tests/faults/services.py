"""
A PostgreSQL and a Redis of the tests' own, in temporary folders: they may be stopped, killed and emptied.

Neither listens anywhere but on 127.0.0.1, and neither touches a server that the machine may have already.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql

from tests.processes import PATIENCE_SECONDS, free_port

from .program import end_with_the_tests

POSTGRES_BINARIES = Path("/usr/lib/postgresql")


class MissingBinary(Exception):
    """A server is not installed here; the message names it."""


def find_binary(name: str) -> str:
    """The program's path; for PostgreSQL's, that of the newest version. Raises MissingBinary."""
    versions = sorted(POSTGRES_BINARIES.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which(name)
    if found is None:
        raise MissingBinary(f"{name} is not installed")
    return found


class Server:
    """A server program in a folder of its own; the same port after every start."""

    #: Ends the program at once, without a chance to put anything in order.
    kill_signal = signal.SIGKILL

    def __init__(self, folder: Path, command: list[str], **popen_options: Any) -> None:
        self.folder = folder
        self._command = command
        self._popen_options = popen_options
        self._process: subprocess.Popen[bytes] | None = None

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_the_tests,
                **self._popen_options,
            )
        self._wait(self.answers)

    def stop(self) -> None:
        """As an administrator does it: what was committed is on the disk, clients are told."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a power cut does it."""
        self._end(self.kill_signal)

    def remove(self) -> None:
        """Kill it and throw its folder away."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_SECONDS)

    def _wait(self, condition: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if not self.is_running or time.monotonic() > give_up_at:
                raise RuntimeError((self.folder / "server.log").read_text())
            time.sleep(0.05)


class PostgresServer(Server):
    """
    A private PostgreSQL as it is installed by default, `fsync` included. `variables` go into the environment of the
    server alone; `data` is where it keeps everything, an empty folder.
    """

    #: "Immediate shutdown": all of its processes end without a checkpoint, and the next start recovers from the log.
    #: SIGKILL would leave those that serve connections behind, and the next start would be refused.
    kill_signal = signal.SIGQUIT

    def __init__(self, *, data: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
        initdb, postgres = find_binary("initdb"), find_binary("postgres")
        folder = Path(tempfile.mkdtemp(prefix="sms-postgres-"))
        data = data or folder / "data"
        # PostgreSQL refuses to run as root.
        options: dict[str, Any] = {}
        if os.geteuid() == 0:
            for owned in {folder, data} if data.exists() else {folder}:
                shutil.chown(owned, "postgres", "postgres")
            options = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self.port = free_port()
        command = [postgres, "-D", str(data), "-p", str(self.port), "-k", str(folder), "-h", "127.0.0.1"]
        super().__init__(folder, command, cwd=folder, env={**os.environ, **(variables or {})}, **options)
        subprocess.run(
            [initdb, "-D", str(data), "-U", "sms", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust"],
            cwd=folder,
            check=True,
            capture_output=True,
            **options,
        )

    def url(self, database: str) -> str:
        return f"postgres://sms@127.0.0.1:{self.port}/{database}"

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Its address. A database of this name that is there already is thrown away."""
        self.drop_database(name)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def copy_database(self, url: str, name: str) -> str:
        """Its address here. `url` is that of a database on another server."""
        copy = self.create_database(name)
        dumped = subprocess.run([find_binary("pg_dump"), "--no-owner", url], check=True, capture_output=True)
        subprocess.run([find_binary("psql"), "-q", copy], input=dumped.stdout, check=True, capture_output=True)
        return copy

    def drop_database(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


class RedisServer(Server):
    """A private Redis that keeps everything in memory: what is killed has forgotten all."""

    def __init__(self) -> None:
        binary = find_binary("redis-server")
        folder = Path(tempfile.mkdtemp(prefix="sms-redis-"))
        self.port = free_port()
        settings = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__(folder, [binary, *settings, "--dir", str(folder)])

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        with contextlib.suppress(redis.ConnectionError), redis.Redis(port=self.port) as client:
            return bool(client.ping())
        return False

    def empty(self) -> None:
        with redis.Redis(port=self.port) as client:
            client.flushall()
