"""
What the benchmarks share: databases to measure in, steps in processes of their own, medians and peak memory.

Each step runs in a new process, so that the memory it reports is its own and nothing is warm that would not be.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Measured:
    """What one process did: `began` and `ended` are wall-clock times in seconds, `peak_mb` its highest memory."""

    rows: int
    began: float
    ended: float
    peak_mb: float

    @property
    def rate(self) -> float:
        return self.rows / (self.ended - self.began)


@contextmanager
def sqlite_database() -> Iterator[str]:
    """The address of an empty SQLite database in a file."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/benchmark.sqlite3"


@contextmanager
def postgresql_database() -> Iterator[str | None]:
    """
    The address of a PostgreSQL database to measure in; None where there is none.

    BENCH_DATABASE_URL names an empty one. Without it a private server is started in a temporary folder, with the
    settings that PostgreSQL is installed with (`fsync` included).
    """
    given = os.environ.get("BENCH_DATABASE_URL")
    if given:
        yield given
        return
    from tests.faults.services import MissingBinary, PostgresServer

    try:
        server = PostgresServer()
    except MissingBinary:
        yield None
        return
    try:
        server.start()
        yield server.create_database("benchmark")
    finally:
        server.remove()


@contextmanager
def postgresql_databases() -> Iterator[Callable[[str], str]]:
    """Makes databases of a private server, by name, and gives their addresses. Raises MissingBinary without one."""
    from tests.faults.services import PostgresServer

    server = PostgresServer()
    try:
        server.start()
        yield server.create_database
    finally:
        server.remove()


def start_step(script: str, url: str, step: str, *arguments: object) -> subprocess.Popen[str]:
    """Begin `script --step step arguments...` in a process of its own, against the database at `url`."""
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(BASE_DIR), "DJANGO_DEBUG": "1"}
    command = [sys.executable, script, "--step", step, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=BASE_DIR)


def finish_step(process: subprocess.Popen[str]) -> Measured:
    """What a started step measured. Raises RuntimeError when it failed; its own words are on stderr."""
    output, _nothing = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args} failed")
    return Measured(**json.loads(output.splitlines()[-1]))


def run_step(script: str, url: str, step: str, *arguments: object) -> Measured:
    return finish_step(start_step(script, url, step, *arguments))


def report(rows: int, began: float) -> None:
    """The last thing a step does: say what it measured since `began` (time.time())."""
    ended = time.time()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(asdict(Measured(rows, began, ended, peak_mb))))


def together(measured: Sequence[Measured]) -> Measured:
    """Several processes that worked at the same time, as one."""
    return Measured(
        sum(one.rows for one in measured),
        min(one.began for one in measured),
        max(one.ended for one in measured),
        max(one.peak_mb for one in measured),
    )


def print_figure(name: str, ours: Sequence[Measured], floor: Sequence[Measured]) -> None:
    """
    One line: medians, and the median of the ratios of neighbouring runs, which other load on the machine moves least.
    """
    ratios = [mine.rate / least.rate for mine, least in zip(ours, floor, strict=True)]
    print(
        f"{name:<44}{_median_rate(ours):>10,.0f}{_median_rate(floor):>10,.0f}{statistics.median(ratios):>8.2f}"
        f"   {min(ratios):.2f}-{max(ratios):.2f}{max(one.peak_mb for one in ours):>9.0f} MB",
        flush=True,
    )


def print_heading(title: str) -> None:
    print(f"\n{title:<44}{'rows/s':>10}{'floor':>10}{'ratio':>8}   {'range':<9}{'memory':>12}", flush=True)


def _median_rate(measured: Sequence[Measured]) -> float:
    return statistics.median(one.rate for one in measured)
