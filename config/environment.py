"""Reads typed values from environment variables. An empty value counts as not set; a wrong one names its variable."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
DATABASE_EXAMPLE = "postgres://user:password@localhost:5432/name"


class Environment:
    """The environment of an installation, or any mapping in its place. Every getter raises ImproperlyConfigured."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str = "") -> str:
        return self._variables.get(name, "").strip() or default

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value not in TRUE_WORDS | FALSE_WORDS:
            raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")
        return value in TRUE_WORDS

    def integer(self, name: str, default: int, *, minimum: int = 0) -> int:
        value = self.text(name)
        try:
            number = int(value) if value else default
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from error
        if number < minimum:
            raise ImproperlyConfigured(f"{name} must be at least {minimum}, not {number}.")
        return number

    def number(self, name: str, default: float) -> float:
        value = self.text(name)
        try:
            return float(value) if value else default
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must be a number, not {value!r}.") from error

    def limit(self, name: str) -> int | None:
        """A whole number; None, which means "no limit", when it is not set."""
        return self.integer(name, 0) if self.text(name) else None

    def words(self, name: str, default: list[str] | None = None) -> list[str]:
        """A list written with commas."""
        return [word.strip() for word in self.text(name).split(",") if word.strip()] or list(default or [])

    def choice(self, name: str, default: str, choices: Collection[str], *, example: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name} must be {example}, not {value!r}.")
        return value

    def json_object(self, name: str) -> dict[str, Any]:
        value = self.text(name)
        try:
            parsed = json.loads(value) if value else {}
        except json.JSONDecodeError as error:
            # The value may hold a password: it is not repeated.
            raise ImproperlyConfigured(f"{name} must be JSON: {error.msg} at character {error.pos + 1}.") from error
        if not isinstance(parsed, dict):
            raise ImproperlyConfigured(f'{name} must be a JSON object such as {{"NAME": "value"}}.')
        return parsed

    def database(self, name: str, default: str) -> dict[str, Any]:
        """Django's form of a database address: `postgres://...` or `sqlite:///path`."""
        url = self.text(name, default)
        if urlsplit(url).scheme not in {"postgres", "postgresql", "sqlite"}:
            raise ImproperlyConfigured(f"{name} must look like {DATABASE_EXAMPLE} or sqlite:////path/to/file.")
        try:
            return dict(environ.Env.db_url_config(url))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must look like {DATABASE_EXAMPLE}: {error}.") from error


def with_query(url: str, **parameters: str) -> str:
    """The address with these query parameters, unless it has them already."""
    parts = urlsplit(url)
    query = parameters | dict(parse_qsl(parts.query))
    return urlunsplit(parts._replace(query=urlencode(query)))
