"""Installations on SQLite and on PostgreSQL with Redis, each test's its own."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import free_port, manage

from .installation import SendingInstallation
from .services import MissingBinary, PostgresServer, RedisServer
from .storage import Storage

#: In the group "People" of every installation.
PEOPLE_COUNT = 1000


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
    people = folder / "people.csv"
    with people.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["phone", "first_name"])
        writer.writerows((f"+7903{index:07d}", f"Name{index}" if index % 5 else "") for index in range(PEOPLE_COUNT))
    for command in (["migrate", "-v0"], ["import_contacts", str(people), "--group", "People", "--region", "RU"]):
        ended = manage(*command, **variables)
        assert ended.returncode == 0, ended.stderr


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


@pytest.fixture(params=["sqlite", "postgresql-redis"])
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
    return Storage(server.create_database("installation", template=template), redis.url, redis.empty)


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
