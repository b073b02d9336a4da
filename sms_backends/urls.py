"""Addresses that providers call."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "sms_backends"
urlpatterns: list[URLPattern] = []
