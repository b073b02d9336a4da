"""`/healthz`: can this installation work?"""

from __future__ import annotations

from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from campaigns.reports import workers_alive

PATH = "/healthz"


class HealthMiddleware:
    """
    Answers `/healthz` before the host name, https or a session are looked at: a probe knows none of them.

    200 when the database answers and is migrated, else 503. A web process without a worker is healthy, and says so.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._is_migrated = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info != PATH:
            return self.get_response(request)
        report = self._report()
        return JsonResponse(report, status=200 if report["status"] == "ok" else 503)

    def _report(self) -> dict[str, str]:
        """The state in words, without anything confidential."""
        try:
            connection.ensure_connection()
            # Asked until it is true: migrations do not come undone under a running process, and reading them is slow.
            self._is_migrated = self._is_migrated or not migrations_are_missing()
            if not self._is_migrated:
                return {"status": "error", "database": "ok", "migrations": "missing"}
            worker = "alive" if workers_alive() else "silent"
        except DatabaseError:
            return {"status": "error", "database": "unreachable"}
        return {"status": "ok", "database": "ok", "migrations": "applied", "worker": worker}


def migrations_are_missing() -> bool:
    """Whether this code knows migrations that its database has not had."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
