"""
The least that a receipt can cost behind a web server: a Django project of one view, without middleware.

One UPDATE by index and one INSERT in one transaction, into the tables of the product. It verifies nothing, looks for no
attempt, keeps nothing that it does not know, and applies a repeated receipt twice.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import environ
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

DEBUG = False
SECRET_KEY = "benchmark"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = __name__
DATABASES: dict[str, Any] = {"default": {**environ.Env.db_url_config(os.environ["DATABASE_URL"]), "CONN_MAX_AGE": None}}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
    }

UPDATE = (
    "UPDATE campaigns_sentmessage SET status = 'delivered', status_at = %s, next_poll_at = NULL "
    "WHERE gateway = 'default' AND provider_message_id = %s AND phone_number = %s AND status = 'sent' RETURNING id"
)
INSERT = (
    "INSERT INTO campaigns_messageevent (message_id, at, kind, payload, fingerprint) VALUES (%s, %s, 'receipt', %s, %s)"
)


def receipts(request: HttpRequest) -> HttpResponse:
    """Status 1 of everything that comes is taken for "delivered"."""
    fields, now = request.POST.dict(), timezone.now().isoformat()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(UPDATE, [now, fields["id"], f"+{fields['phone']}"])
        ((message,),) = cursor.fetchall()
        cursor.execute(INSERT, [message, now, json.dumps(fields), fields["md5"]])
    return HttpResponse("OK", content_type="text/plain", headers={"Content-Length": "2"})


urlpatterns = [path("sms/default/receipts/", receipts)]

if os.environ.get("DJANGO_SETTINGS_MODULE") == __name__ and "gunicorn" in sys.modules:
    application = get_wsgi_application()
