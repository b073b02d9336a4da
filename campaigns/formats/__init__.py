"""Formats of dates by language, over those of Django (FORMAT_MODULE_PATH)."""
