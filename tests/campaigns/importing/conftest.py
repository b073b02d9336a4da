"""What the tests of importing share."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from campaigns import importing
from campaigns.models import ContactImport


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """Uploaded files go where nobody else looks."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


Start = Callable[..., ContactImport]


@pytest.fixture
def checked(db: None) -> Start:
    """Upload a text or bytes and check it to the end."""

    def run(
        content: str | bytes, *, file_name: str = "contacts.csv", region: str = "RU", **options: Any
    ) -> ContactImport:
        data = content if isinstance(content, bytes) else content.encode()
        contact_import = importing.start(
            ContentFile(data, name=file_name), file_name=file_name, region=region, **options
        )
        assert not importing.check(contact_import.pk)
        contact_import.refresh_from_db()
        return contact_import

    return run


@pytest.fixture
def imported(checked: Start) -> Start:
    """Upload, check and import."""

    def run(content: str | bytes, **options: Any) -> ContactImport:
        contact_import = checked(content, **options)
        assert importing.confirm(contact_import)
        assert not importing.commit(contact_import.pk)
        contact_import.refresh_from_db()
        return contact_import

    return run


def binary(text: str, encoding: str = "utf-8") -> io.BytesIO:
    """A file with this text."""
    return io.BytesIO(text.encode(encoding))
