"""Installations on SQLite and on PostgreSQL with Redis, each test's its own."""

from __future__ import annotations

import csv
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import free_port, manage

from .installation import ADMINISTRATOR, SendingInstallation
from .services import MissingBinary, PostgresServer, RedisServer, Server
from .storage import Storage

#: In the group "People" of every installation.
PEOPLE_COUNT = 1000
#: In its group "Everybody": those, and more.
EVERYBODY_COUNT = 5000
STORAGES = ("sqlite", "postgresql-redis")


#: Always on both storages.
_ALWAYS_ON_BOTH = {"test_crash_points", "test_kills", "test_main_job", "test_restored_backup"}

#: There two sweepers and two clusters really write at the same time.
_ON_POSTGRESQL = {"test_the_same_tasks_fifty_times_two_sweepers_and_two_clusters_send_nothing_twice"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Every fault on one storage, by turns; FAULTS=all: on both, which takes twice as long.

    What must hold is the same on both, and the engine's own tests run on both anyhow.
    """
    if os.environ.get("FAULTS") == "all":
        return
    left_out = [item for item in items if not _has_its_turn(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _has_its_turn(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function) or "/faults/" not in str(item.path):
        return True
    storage = getattr(item, "callspec", None) and item.callspec.params.get("storage")
    if storage is None or item.path.stem in _ALWAYS_ON_BOTH:
        return True
    if item.originalname in _ON_POSTGRESQL:
        return storage == STORAGES[1]
    return storage == STORAGES[zlib.crc32(item.originalname.encode()) % len(STORAGES)]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A test that stops it starts it again."""
    try:
        server = PostgresServer()
    except MissingBinary as missing:
        pytest.skip(str(missing))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A test that stops it starts it again."""
    try:
        server = RedisServer()
    except MissingBinary as missing:
        pytest.skip(str(missing))
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _prepare(folder: Path, database_url: str) -> None:
    """Migrate, and import people."""
    variables = {
        "DATABASE_URL": database_url,
        "SMS_DATA_DIR": str(folder),
        "DJANGO_SECRET_KEY": "preparing-" + "k" * 50,
    }
    commands = [["migrate", "-v0"]]
    for group, count in (("People", PEOPLE_COUNT), ("Everybody", EVERYBODY_COUNT)):
        people = folder / f"{group}.csv"
        _write_people(people, count)
        commands.append(["import_contacts", str(people), "--group", group, "--region", "RU"])
    for command in (*commands, ["initialize_installation"]):
        ended = manage(*command, **variables, **ADMINISTRATOR)
        assert ended.returncode == 0, ended.stderr


def _write_people(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["phone", "first_name"])
        writer.writerows((f"+7903{index:07d}", f"Name{index}" if index % 5 else "") for index in range(count))


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database to copy."""
    folder = tmp_path_factory.mktemp("prepared")
    path = folder / "db.sqlite3"
    _prepare(folder, f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def prepared_postgres(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database to copy."""
    url = postgres.create_database("prepared")
    _prepare(tmp_path_factory.mktemp("prepared-postgres"), url)
    return "prepared"


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A database with people in it, and an empty queue: one after the other on SQLite and on PostgreSQL with Redis."""
    if request.param == "sqlite":
        path = tmp_path / "db.sqlite3"
        shutil.copy(request.getfixturevalue("prepared_sqlite"), path)
        return Storage(f"sqlite:///{path}", "")
    template = request.getfixturevalue("prepared_postgres")
    server: PostgresServer = request.getfixturevalue("postgres")
    redis: RedisServer = request.getfixturevalue("redis_server")
    redis.empty()
    url = server.create_database("installation", template=template)
    return Storage(url, redis.url, redis.empty, _outages(server, redis))


def _outages(postgres: PostgresServer, redis: RedisServer) -> dict[str, Callable[[], None]]:
    """What can happen to the servers: each is running again when the call returns."""

    def restarted(server: Server, end: Callable[[], None], seconds: float) -> Callable[[], None]:
        def restart() -> None:
            end()
            time.sleep(seconds)
            server.start()

        return restart

    return {
        "Redis stopped and started": restarted(redis, redis.stop, 2),
        "Redis killed and started": restarted(redis, redis.kill, 0),
        "PostgreSQL restarted": restarted(postgres, postgres.stop, 1),
        "PostgreSQL killed and started": restarted(postgres, postgres.kill, 0),
    }


@pytest.fixture
def seed(storage: Storage) -> int:
    """The beginning of everything that happens by chance; a test that is repeated names more of them."""
    return 2 if storage.redis_url else 1


@pytest.fixture
def smsc_port() -> int:
    """Where the provider listens, when it does."""
    return free_port()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """The file in which the provider notes what it took."""
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def smsc(smsc_port: int, ledger: Path) -> Iterator[FakeSmscProcess]:
    """The provider, in a process of its own."""
    with FakeSmscProcess(port=smsc_port, ledger=ledger, password="right") as process:
        yield process


@pytest.fixture
def prompt_smsc(smsc_port: int, ledger: Path) -> Iterator[FakeSmscProcess]:
    """The same, which says "delivered" as soon as it is asked: then it is asked once for each message."""
    with FakeSmscProcess(port=smsc_port, ledger=ledger, password="right", deliver_after=0) as process:
        yield process


@pytest.fixture
def install(storage: Storage, smsc_port: int, tmp_path: Path) -> Iterator[Callable[..., SendingInstallation]]:
    """Makes the installation, with options of the test's choice."""
    made: list[SendingInstallation] = []

    def make(**options: Any) -> SendingInstallation:
        installation = SendingInstallation(tmp_path, storage, smsc_port, **options)
        made.append(installation)
        return installation

    yield make
    for installation in made:
        installation.kill_everything()
