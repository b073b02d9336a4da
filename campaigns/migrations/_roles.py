"""What several migrations do: give permissions to the roles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.contrib.auth.management import create_permissions


def give_permissions(given: Mapping[str, Collection[str]]) -> Callable[[Any, Any], None]:
    """
    For RunPython: codenames of permissions of this app, by role, to the roles that are still there.

    Permissions are made after migrations otherwise, which would be too late.
    """

    def give(apps: Any, schema_editor: Any) -> None:
        for app_config in apps.get_app_configs():
            app_config.models_module = True
            create_permissions(app_config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
            app_config.models_module = None
        permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="campaigns")
        for role in apps.get_model("auth", "Group").objects.filter(name__in=given):
            role.permissions.add(*permissions.filter(codename__in=given[role.name]))

    return give
