#!/bin/sh
# Makes .env from .env.example with generated secrets, unless there is one. The passwords are told this once.
set -e
cd "$(dirname "$0")/.."
if [ -e .env ]; then
	echo ".env is there already and stays as it is."
	exit 0
fi

# Letters and digits only: a password becomes part of an address.
random() {
	LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$1"
}

administrator_password=$(random 16)
umask 077
sed -e "s/^DJANGO_SECRET_KEY=.*/DJANGO_SECRET_KEY=$(random 64)/" \
	-e "s/^POSTGRES_PASSWORD=.*/POSTGRES_PASSWORD=$(random 32)/" \
	-e "s/^DJANGO_SUPERUSER_PASSWORD=.*/DJANGO_SUPERUSER_PASSWORD=$administrator_password/" \
	.env.example >.env.new
mv .env.new .env

echo "Made .env with a generated key and generated passwords. Only you can read it; keep a copy in a safe place."
echo
echo "  First administrator: admin"
echo "  Password:            $administrator_password"
echo
