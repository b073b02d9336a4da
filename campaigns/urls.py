"""Addresses outside the admin."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("", views.quick_send, name="quick_send"),
    path("number/", views.read_number, name="read_number"),
]
