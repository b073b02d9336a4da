"""Addresses that providers call. Either takes both kinds; two exist because most providers ask for two."""

from __future__ import annotations

from django.urls import path

from .webhooks import webhook

app_name = "sms_backends"
urlpatterns = [
    path("<slug:gateway>/receipts/", webhook, name="receipts"),
    path("<slug:gateway>/incoming/", webhook, name="incoming"),
]
