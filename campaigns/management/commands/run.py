"""`manage.py run`: web and workers together in the foreground."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from campaigns.demo import seed_demo
from campaigns.installation import Administrator, create_first_administrator, prepare_database, sends_for_real
from campaigns.running import ChildDiedAtStart, Service, Supervisor, port_is_free, web_answers
from campaigns.safety import refuse_unsafe_defaults
from campaigns.wakeups import wake
from campaigns.workers import keep_no_queries

READY_SECONDS = 60


class Command(BaseCommand):
    help = "Prepares the database, then runs web and workers together until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
        parser.add_argument("--workers", type=int, help="worker processes (default: SMS_WORKERS, else 2)")
        parser.add_argument("--grace", type=int, default=45, help="seconds a stop may take (default: %(default)s)")
        parser.add_argument("--demo", action="store_true", help="fill an empty installation with a small demo")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unsafe_defaults()
        host, port = options["host"], options["port"]
        if not port_is_free(host, port):
            raise CommandError(
                _("Port %(port)s is taken. Choose another, for example: make run PORT=%(other)s")
                % {"port": port, "other": port + 1}
            )
        keep_no_queries()
        is_real = sends_for_real()
        self._say(_("Preparing the database ..."))
        prepare_database()
        administrator = create_first_administrator()
        if options["demo"] and seed_demo():
            self._say(_("Loaded a small demo: contacts, groups and a draft campaign."))
        supervisor = Supervisor(
            _services(host, port, options["workers"]), upkeep=partial(wake, "sweep"), grace_seconds=options["grace"]
        )
        try:
            supervisor.start()
            if supervisor.wait_until(partial(web_answers, host, port), seconds=READY_SECONDS):
                self._welcome(host, port, administrator, is_real=is_real)
            supervisor.run()
        except ChildDiedAtStart as error:
            supervisor.stop()
            raise CommandError(str(error)) from error
        self._say(_("Stopping: what was begun is finished first. Press Ctrl-C again to stop at once."))
        if not supervisor.stop():
            raise CommandError(_("Stopped before everything was finished. Messages in doubt are shown as unknown."))
        self._say(_("Stopped."))

    def _welcome(self, host: str, port: int, administrator: Administrator | None, *, is_real: bool) -> None:
        name = "localhost" if host in {"127.0.0.1", "0.0.0.0"} else host  # noqa: S104 - compared, not bound
        lines = [_("Open http://%(host)s:%(port)s/admin/") % {"host": name, "port": port}]
        if administrator is None:
            lines.append(_("Sign in with your account (`manage.py changepassword NAME` sets a forgotten password)."))
        else:
            password = administrator.password or _("the one in DJANGO_SUPERUSER_PASSWORD")
            lines.append(_("User: %(name)s") % {"name": administrator.username})
            lines.append(_("Password: %(password)s") % {"password": password})
            if administrator.password:
                lines.append(
                    _("(Note it down: the password is not shown again. `manage.py changepassword` sets another.)")
                )
        if is_real:
            lines.append(_("Messages are really sent, through %(backend)s.") % {"backend": settings.SMS_BACKEND})
        else:
            lines.append(_("The simulator is active: nothing is really sent."))
        lines.append(_("Press Ctrl-C to stop."))
        self._say("\n" + "\n".join(f"  {line}" for line in lines) + "\n")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _services(host: str, port: int, workers: int | None) -> list[Service]:
    web = [sys.executable, "-m", "gunicorn", "config.wsgi:application", f"--bind={host}:{port}"]
    web += ["--worker-class=gthread", "--workers=2", "--threads=8", "--no-control-socket", "--log-level=warning"]
    return [
        Service("web", web),
        Service("worker", [sys.executable, "manage.py", "qcluster"], {"SMS_WORKERS": str(workers)} if workers else {}),
    ]
