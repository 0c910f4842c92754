#!/bin/sh
# SPDX-FileCopyrightText: 2026 the pqpool authors
# SPDX-License-Identifier: PostgreSQL
#
# The role that demo and tests connect as: an ordinary one, no superuser,
# that owns the database $POSTGRES_DB and may use what the files after this
# one create in it.  Its password is the superuser's.
psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --username "$POSTGRES_USER" \
    --dbname "$POSTGRES_DB" <<'SQL'
\set password `printenv POSTGRES_PASSWORD`
CREATE ROLE pqpool LOGIN PASSWORD :'password';
ALTER DATABASE :"DBNAME" OWNER TO pqpool;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO pqpool;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO pqpool;
SQL
