#!/bin/sh
# The container `app`: migrations and the first administrator, then the web server in this shell's place.
set -e
python manage.py initialize_installation
exec gunicorn config.wsgi:application --bind 0.0.0.0:8080 --worker-class gthread --workers 2 --threads 8 \
	--worker-tmp-dir /dev/shm --no-control-socket --log-level warning
