-- SPDX-FileCopyrightText: 2026 the pqpool authors
-- SPDX-License-Identifier: PostgreSQL
--
-- The tables of demo and tests.  No schema is named: search_path decides.
-- Plain SQL, may be run again, and in one PQexec.

CREATE TABLE IF NOT EXISTS accounts (
    id      integer PRIMARY KEY,
    balance bigint NOT NULL CHECK (balance >= 0)
);

-- One row for each committed transfer.  The client chooses the id, so that it
-- can look for a transfer whose COMMIT was never answered.
CREATE TABLE IF NOT EXISTS ledger (
    id     uuid PRIMARY KEY,
    src    integer NOT NULL REFERENCES accounts,
    dst    integer NOT NULL REFERENCES accounts,
    amount bigint NOT NULL CHECK (amount > 0),
    at     timestamptz NOT NULL DEFAULT now(),
    CHECK (src <> dst)
);

CREATE TABLE IF NOT EXISTS notes (
    id         bigserial PRIMARY KEY,
    body       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
