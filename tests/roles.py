"""
The roles that come with the product. Migrations make them; a test that empties the database afterwards takes them away.
"""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

#: Role -> its permissions, by application and codename, as the migrations left them.
_ROLES: dict[str, list[tuple[str, str]]] = {}


def remember() -> None:
    """Called once, while the database is as the migrations made it."""
    for group in Group.objects.all():
        _ROLES[group.name] = list(group.permissions.values_list("content_type__app_label", "codename"))


def role(name: str) -> Group:
    """The group of this name, made again where it is gone."""
    group, is_new = Group.objects.get_or_create(name=name)
    if is_new:
        wanted = Q(pk__in=[])
        for app, codename in _ROLES[name]:
            wanted |= Q(content_type__app_label=app, codename=codename)
        group.permissions.set(Permission.objects.filter(wanted))
    return group
