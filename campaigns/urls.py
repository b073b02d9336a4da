"""Addresses outside the admin."""

from __future__ import annotations

from django.urls import path

from . import language_view, unsubscribe_view, views

urlpatterns = [
    path("", views.quick_send, name="quick_send"),
    path("u/<str:token>/", unsubscribe_view.unsubscribe, name="unsubscribe"),
    path("language/", language_view.choose_language, name="language"),
    path("number/", views.read_number, name="read_number"),
]
