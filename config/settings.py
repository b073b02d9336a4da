"""
Settings of the installation. Everything that differs between installations comes from the environment
(or from a `.env` beside `manage.py`; real environment variables win) and is explained in `.env.example`.
"""

from __future__ import annotations

import os
import sys
import zoneinfo
from pathlib import Path
from typing import Any

import environ
from django.utils.translation import gettext_lazy as _

from config.environment import Environment, with_query
from config.sms import gateway_options

BASE_DIR = Path(__file__).resolve().parent.parent
TESTING = "pytest" in sys.modules
#: Known to everybody who has read this file: good for a laptop, refused elsewhere (campaigns/safety.py).
DEFAULT_SECRET_KEY = "insecure-development-key"  # noqa: S105

if TESTING:
    # Nothing of the developer's own environment reaches a test, above all not the address of a real database.
    env = Environment(
        {
            "DJANGO_SECRET_KEY": "tests",
            "SMS_BACKEND": "locmem",
            "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
            "REDIS_URL": os.environ.get("TEST_REDIS_URL", ""),
        }
    )
else:
    environ.Env.read_env(os.environ.get("ENV_FILE") or BASE_DIR / ".env")
    env = Environment(os.environ)

VAR_DIR = Path(env.text("SMS_DATA_DIR") or BASE_DIR / "var")
STATIC_ROOT = BASE_DIR / "staticfiles"
for folder in (VAR_DIR, STATIC_ROOT):
    folder.mkdir(parents=True, exist_ok=True)

DEBUG = env.boolean("DJANGO_DEBUG")
SECRET_KEY = env.text("DJANGO_SECRET_KEY", DEFAULT_SECRET_KEY)
ALLOWED_HOSTS = env.words("DJANGO_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("DJANGO_CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "campaigns",  # before django_q: our `qcluster` command is the one that runs
    "sms_backends",
    "config.apps.ConfigConfig",
    "config.apps.SmsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "phonenumber_field",
    "import_export",
    "django_q",
]

MIDDLEWARE = [
    "config.health.HealthMiddleware",  # before anything that looks at the host name or wants https
    "django.middleware.security.SecurityMiddleware",
    "campaigns.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "campaigns.middleware.UserPreferencesMiddleware",
    "campaigns.middleware.MaskingMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database, queue and cache -----------------------------------------------------------------------------
IDLE_IN_TRANSACTION_SECONDS = 60
DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
_database_options = DATABASES["default"].setdefault("OPTIONS", {})
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # WAL and IMMEDIATE: readers never wait and no transaction fails half-way from read to write.
    # FULL: an intent that a power loss takes back would be a text sent twice.
    _database_options["transaction_mode"] = "IMMEDIATE"
    _database_options["timeout"] = 20
    _database_options["init_command"] = "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
    DATABASES["default"]["CONN_MAX_AGE"] = None
else:
    _database_options.setdefault("connect_timeout", 5)
    # A process that is stopped in the middle of a transaction, or a machine that vanishes, would hold its locks for
    # ever. Ours wait for nothing but the processor between their statements.
    # And the disk is no spinning one, whose costs PostgreSQL assumes: it would rather read millions of rows in their
    # order than fifty by an index.
    _database_options.setdefault(
        "options", f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s -c random_page_cost=1.1"
    )
    DATABASES["default"]["CONN_MAX_AGE"] = 600
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# How far each database was when it was last looked at, kept outside of it: an older one is a restored backup.
IDENTITY_FILE = VAR_DIR / ("identity-tests.json" if TESTING else "identity.json")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL")

# A task is only a wake-up, the message table is the truth: no retries, no stored results, nothing prefetched.
# docs/operations.md, "The queue", says what each value guards against.
Q_CLUSTER: dict[str, Any] = {
    "name": "sms",
    "workers": env.integer("SMS_WORKERS", 2, minimum=1),
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0.2,
    "timeout": 120,
    "retry": 600,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "recycle": 200,
    "max_rss": 300_000,
    "guard_cycle": 0.5,
    "cache": "qstats",
    "label": _("System: task queue"),
}
if REDIS_URL:
    Q_CLUSTER["redis"] = with_query(REDIS_URL, socket_connect_timeout="5")
else:
    Q_CLUSTER["orm"] = "default"

_locmem: dict[str, Any] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
CACHES: dict[str, dict[str, Any]] = {
    "default": _locmem,
    # The figures of the running cluster, which the web process reads: memory of one process would show nothing.
    "qstats": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": VAR_DIR / "qstats"},
}
if TESTING:
    CACHES["qstats"] = _locmem
elif REDIS_URL:
    CACHES["default"] = CACHES["qstats"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": with_query(REDIS_URL, socket_connect_timeout="5"),
        "KEY_PREFIX": "sms",
    }

# --- People ------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "campaigns.User"
LOGIN_URL = "admin:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast, and guards nothing there

#: Made by `run` and `initialize_installation` when there is no administrator yet; without a password one is generated.
FIRST_ADMINISTRATOR = {
    "username": env.text("DJANGO_SUPERUSER_USERNAME", "admin"),
    "password": env.text("DJANGO_SUPERUSER_PASSWORD"),
    "email": env.text("DJANGO_SUPERUSER_EMAIL"),
}

LANGUAGES = [("en", _("English")), ("ru", _("Russian"))]
LANGUAGE_CODE = env.choice("DJANGO_LANGUAGE_CODE", "en", dict(LANGUAGES), example="en or ru")
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "campaigns.formats"
TIME_ZONE = env.choice(
    "DJANGO_TIME_ZONE", "UTC", zoneinfo.available_timezones(), example="a time zone such as Europe/Moscow"
)
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

# --- Files -------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = VAR_DIR / "media"
WHITENOISE_USE_FINDERS = True  # static files are served without `collectstatic`, with DEBUG off too

# --- Security ----------------------------------------------------------------------------------------------
# A proxy in front speaks https and overwrites X-Forwarded-Proto; nothing else can reach this server.
BEHIND_HTTPS_PROXY = env.boolean("DJANGO_BEHIND_HTTPS_PROXY")
if BEHIND_HTTPS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 30 * 24 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Subdomains and preloading are for the owner of the domain to decide, at the proxy.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- Mail and links ---------------------------------------------------------------------------------------
#: Under which people outside reach the installation: https://sms.example.org, for links in texts.
SITE_URL = env.text("SITE_URL").rstrip("/")
# Only for passing on incoming messages. Without an address of a server no mail is offered.
EMAIL_URL = env.text("EMAIL_URL")
EMAIL_TIMEOUT = 10
if EMAIL_URL:
    vars().update(environ.Env.email_url_config(EMAIL_URL))
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "sms@localhost")

# --- Logging -----------------------------------------------------------------------------------------------
# To stderr. Neither phone numbers nor texts are ever logged.
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": f"%(asctime)s {env.text('LOG_LABEL', 'sms'):<6} %(levelname)-7s %(name)s: %(message)s",
            "datefmt": "%H:%M:%S" if DEBUG else "%Y-%m-%d %H:%M:%S",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["stderr"],
        "level": env.choice("DJANGO_LOG_LEVEL", "INFO", LOG_LEVELS, example="DEBUG, INFO, WARNING or ERROR"),
    },
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django-q": {"level": "WARNING"},  # at INFO: several lines for each task
        "urllib3": {"level": "WARNING"},
    },
}

# --- SMS ---------------------------------------------------------------------------------------------------
SMS_BACKEND = env.text("SMS_BACKEND", "simulator")
SMS_SETTINGS = {"BACKEND": SMS_BACKEND, "OPTIONS": gateway_options(env, SMS_BACKEND)}
SMS_GATEWAYS = env.json_object("SMS_GATEWAYS")
SMS_DEFAULT_REGION = env.text("SMS_DEFAULT_REGION", "RU").upper()
SMS_ONLY_TO = env.words("SMS_ONLY_TO")
SMS_ALLOWED_COUNTRIES = env.words("SMS_ALLOWED_COUNTRIES")
SMS_MARKETING_NEEDS_CONSENT = env.boolean("SMS_MARKETING_NEEDS_CONSENT", True)
SMS_FORWARD_TO_PHONES = env.boolean("SMS_FORWARD_TO_PHONES")
SMS_LEASE_SECONDS = env.integer("SMS_LEASE_SECONDS", 90, minimum=10)
SMS_SETTLE_SECONDS = env.integer("SMS_SETTLE_SECONDS", 0) if env.text("SMS_SETTLE_SECONDS") else None
SMS_LOOKUP_GAP_SECONDS = env.integer("SMS_LOOKUP_GAP_SECONDS", 60)
# Campaigns above this size need the number of people typed, or the approval of a second person; None: never. Costs are
# in the currency of the gateway's prices.
SMS_CONFIRM_ABOVE_PEOPLE = env.limit("SMS_CONFIRM_ABOVE_PEOPLE")
SMS_CONFIRM_ABOVE_COST = env.limit("SMS_CONFIRM_ABOVE_COST")
SMS_APPROVAL_ABOVE_PEOPLE = env.limit("SMS_APPROVAL_ABOVE_PEOPLE")
SMS_APPROVAL_ABOVE_COST = env.limit("SMS_APPROVAL_ABOVE_COST")
# Whoever got another campaign within so many hours is counted before sending; 0: nobody is.
SMS_RECENT_HOURS = env.integer("SMS_RECENT_HOURS", 24)
# For how long an uploaded contact file is kept, and for how long an exported file can be downloaded.
UPLOAD_KEEP_DAYS = env.integer("SMS_UPLOAD_DAYS", 90, minimum=1)
EXPORT_KEEP_DAYS = env.integer("SMS_EXPORT_DAYS", 7, minimum=1)

PHONENUMBER_DB_FORMAT = "E164"
PHONENUMBER_DEFAULT_FORMAT = "INTERNATIONAL"
PHONENUMBER_DEFAULT_REGION = SMS_DEFAULT_REGION

IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "import"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
IMPORT_EXPORT_SKIP_ADMIN_LOG = True
