"""`manage.py run`, for real: what it starts, what it ends, and what it survives."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.running import BOOT_SECONDS
from tests.processes import Installation, free_port, manage, wait_for

pytestmark = pytest.mark.faults


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    running = Installation(tmp_path)
    yield running
    running.kill_everything()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_pages_and_works_tasks_and_a_signal_ends_all_of_it(installation: Installation, number: int) -> None:
    installation.start().wait_until_ready()
    login = urllib.request.urlopen(f"http://127.0.0.1:{installation.port}/admin/login/", timeout=10)
    assert login.status == 200
    assert installation.stop(number) == 0, installation.output
    assert installation.pids() == []
    assert "Traceback" not in installation.output


def test_static_files_are_served_with_debug_off(tmp_path: Path) -> None:
    installation = Installation(tmp_path, DJANGO_DEBUG="0", DJANGO_SECRET_KEY="x" * 60)
    try:
        installation.start().wait_until_ready()
        address = f"http://127.0.0.1:{installation.port}/static/admin/css/base.css"
        with urllib.request.urlopen(address, timeout=10) as response:
            assert response.status == 200
        assert installation.stop() == 0
    finally:
        installation.kill_everything()


def test_a_generated_password_is_shown_once_and_works(installation: Installation) -> None:
    installation.start().wait_until_ready()
    password = installation.output.partition("Password: ")[2].split()[0]
    script = (
        f"from django.contrib.auth import authenticate; print(authenticate(username='admin', password='{password}'))"
    )
    assert manage("shell", "-c", script, **installation.variables).stdout.strip().endswith("admin")
    installation.stop()

    shown_before = installation.output.count("Password")
    installation.start()
    wait_for(lambda: installation.output.count("Press Ctrl-C to stop") == 2, "the second start")
    assert installation.output.count("Password") == shown_before
    installation.stop()


def test_a_task_that_was_begun_is_finished_before_it_stops(installation: Installation, tmp_path: Path) -> None:
    installation.start().wait_until_ready()
    script = (
        f"from django_q.tasks import async_task; async_task('tests.faults.slow.write_slowly', {str(tmp_path)!r}, 4)"
    )
    assert manage("shell", "-c", script, **installation.variables).returncode == 0
    wait_for((tmp_path / "begun").exists, "the task")
    assert not (tmp_path / "finished").exists()
    assert installation.stop() == 0
    assert (tmp_path / "finished").exists()


def test_a_killed_worker_process_takes_the_cluster_down_and_a_new_one_comes(installation: Installation) -> None:
    installation.start().wait_until_ready()
    time.sleep(BOOT_SECONDS)  # a death before that would end the command
    cluster, web = installation.pids("qcluster"), installation.pids("gunicorn")
    os.kill(cluster[-1], signal.SIGKILL)
    wait_for(lambda: not set(cluster) & set(installation.pids("qcluster")), "the end of the old cluster")
    wait_for(lambda: len(installation.pids("qcluster")) == len(cluster), "a new cluster")
    assert installation.pids("gunicorn") == web
    assert installation.stop() == 0
    assert installation.pids() == []


def test_a_killed_web_server_is_started_again(installation: Installation) -> None:
    installation.start().wait_until_ready()
    time.sleep(BOOT_SECONDS)
    os.kill(installation.pids("gunicorn")[0], signal.SIGKILL)
    wait_for(lambda: not installation.health(), "the end of the old server")
    wait_for(installation.health, "a new server")
    assert installation.stop() == 0


def test_when_the_command_itself_is_killed_its_children_finish_by_themselves(installation: Installation) -> None:
    installation.start().wait_until_ready()
    installation.stop(signal.SIGKILL)
    wait_for(lambda: installation.pids() == [], "the end of the children")


def test_a_second_signal_ends_what_does_not_finish(installation: Installation) -> None:
    installation.start().wait_until_ready()
    for pid in installation.pids("qcluster"):
        os.kill(pid, signal.SIGSTOP)  # a cluster that will never answer
    installation.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in installation.output, "the stop")
    time.sleep(1.5)  # nearer to each other, two signals count as one
    assert not installation.has_ended
    assert installation.stop(signal.SIGINT) == 1
    assert installation.pids() == []


def test_a_taken_port_is_said_at_once(installation: Installation) -> None:
    installation.start().wait_until_ready()
    refused = manage("run", "--port", str(installation.port), **installation.variables)
    assert refused.returncode == 1
    assert f"Port {installation.port} is taken" in refused.stderr
    assert f"PORT={installation.port + 1}" in refused.stderr


def test_a_service_that_cannot_start_ends_the_command(tmp_path: Path) -> None:
    installation = Installation(tmp_path, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0").start()
    try:
        wait_for(lambda: installation.has_ended, "the end")
        assert installation.process.returncode == 1
        assert "worker ended with code" in installation.output
        assert installation.pids() == []
    finally:
        installation.kill_everything()
