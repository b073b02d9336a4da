"""What the tests of the screens share: signing in with permissions, and reading pages."""

from __future__ import annotations

import html
import re
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, ContactImport, SentMessage, User

VIEW_ALL = (
    "view_campaign",
    "view_contact",
    "view_contactgroup",
    "view_optout",
    "view_sentmessage",
    "view_gatewaystate",
)


SEEING = ("view_full_numbers", "view_message_text")


def sign_in(client: Client, *permissions: str, username: str = "olga", sees: bool = True, **fields: Any) -> User:
    """A member of staff with these permissions of the campaigns app, signed in; who `sees` numbers and texts."""
    permissions = (*permissions, *SEEING) if sees else permissions
    user = User.objects.create(username=username, is_staff=True, is_active=True, **fields)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="campaigns", codename__in=permissions))
    assert user.user_permissions.count() == len(permissions), "a permission that does not exist"
    client.force_login(user)
    return user


def sign_in_superuser(client: Client, **fields: Any) -> User:
    user = User.objects.create(username="root", is_staff=True, is_superuser=True, **fields)
    client.force_login(user)
    return user


def text_of(response: Any) -> str:
    """A page as people read it: no tags, no entities, single spaces."""
    page = re.sub(r"<(script|template|svg)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def said(response: Any) -> str:
    """What a redirect will say on the next page."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def campaign_url(campaign: Campaign, action: str = "change") -> str:
    return reverse(f"admin:campaigns_campaign_{action}", args=[campaign.pk])


def log_url(**filters: Any) -> str:
    return reverse("admin:campaigns_sentmessage_changelist", query=filters)


def message_url(message: SentMessage) -> str:
    return reverse("admin:campaigns_sentmessage_change", args=[message.pk])


def hidden_fields(response: Any) -> dict[str, str]:
    """The hidden inputs of a page, as its form would send them."""
    found = re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', response.content.decode())
    return {name: html.unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}


def read_form(client: Client) -> dict[str, Any]:
    """How the file seems to be read, as the page would send it."""
    form = client.get(ContactImport.objects.latest("pk").get_absolute_url()).context["form"]
    return {field.html_name: "" if field.value() is None else field.value() for field in form}


def check_rows(client: Client, **changes: Any) -> Any:
    """Press "Check the rows", with some of the fields changed."""
    url = reverse("admin:campaigns_contactimport_read", args=[ContactImport.objects.latest("pk").pk])
    return client.post(url, {**read_form(client), **changes}, follow=True)
