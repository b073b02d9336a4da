FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/venv/bin:$PATH

RUN python -m venv /opt/venv && useradd --create-home --uid 1000 app
WORKDIR /app

# Before the code, so that a change of code does not install everything again.
COPY requirements.txt .
RUN pip install --require-hashes --no-deps -r requirements.txt

COPY . .
# The only places that are written to: the data, and the static files that `collectstatic` gathers.
RUN mkdir -p var staticfiles && chown app: var staticfiles
USER app
RUN python manage.py collectstatic --noinput

EXPOSE 8080
CMD ["sh", "docker/app.sh"]
