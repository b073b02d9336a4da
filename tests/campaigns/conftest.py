"""What the engine's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from campaigns import kept_figures, wakeups
from tests.campaigns import providers


@pytest.fixture(autouse=True)
def figures_are_kept(request, _django_db_marker) -> Iterator[None]:
    """Whatever a test did to messages, the database has kept count of it."""
    yield
    if request.node.get_closest_marker("django_db"):
        assert kept_figures.differences() == []


@pytest.fixture
def provider(settings) -> Iterator[providers.Provider]:
    """The scripted provider behind the gateway `default`, which takes one text to many."""
    providers.provider.reset()
    use_adapter(settings, providers.SameText)
    yield providers.provider
    providers.provider.reset()


@pytest.fixture
def adapter(settings, provider):
    """Choose another adapter to the scripted provider."""
    return lambda backend_class: use_adapter(settings, backend_class)


def use_adapter(settings, backend_class: type) -> None:
    settings.SMS_SETTINGS = {"BACKEND": f"{backend_class.__module__}.{backend_class.__qualname__}", "OPTIONS": {}}


@pytest.fixture
def woken(monkeypatch) -> list[tuple[object, ...]]:
    """The tasks that were queued, instead of the queue."""
    tasks: list[tuple[object, ...]] = []
    monkeypatch.setattr(wakeups, "_enqueue", lambda task, *args: tasks.append((task, *args)))
    return tasks
