#!/usr/bin/env bash
# Runs once, when the cluster is made: a role and a database each for Portcullis and for the backend, neither a superuser.
# The passwords are only today's: `portcullis database adopt` and the first rotation replace them.
set -euo pipefail
# \getenv keeps the passwords out of the command line; they reach the server as verifiers of its own making.
PORTCULLIS_PASSWORD=$(cat /first/portcullis.password) BACKEND_PASSWORD=$(cat /first/backend.password)
export PORTCULLIS_PASSWORD BACKEND_PASSWORD
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\getenv portcullis_password PORTCULLIS_PASSWORD
\getenv backend_password BACKEND_PASSWORD
set log_statement = none;
create role portcullis login password :'portcullis_password';
create role backend login password :'backend_password';
alter database portcullis owner to portcullis;
create database backend owner backend;
revoke all on database portcullis, backend, postgres from public;
SQL
