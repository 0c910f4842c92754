# SPDX-FileCopyrightText: 2026 the pqpool authors
# SPDX-License-Identifier: PostgreSQL
# shellcheck shell=sh
#
# Sourced by the checks of the examples.  Sets PQPOOL_DSN to the tests' server,
# which is the compose file's unless PQPOOL_TEST_DSN names another, and skips
# the check if that does not answer and need not.  $tmp is a folder that goes
# at the end.
set -eu

password=${PQPOOL_TEST_PASSWORD:-pqpool-test-secret}
PQPOOL_DSN=${PQPOOL_TEST_DSN:-host=127.0.0.1 port=${PQPOOL_TEST_PORT:-54329} \
dbname=pqpool user=pqpool password=$password sslmode=require}
export PQPOOL_DSN
password=$(echo "$PQPOOL_DSN" | sed -n 's/.*password=\([^ ]*\).*/\1/p')

fail() {
    echo "$0: $*" >&2
    exit 1
}

# The example's output is to be what this reads.
expect() {
    "$1" >"$tmp/output"
    diff -u - "$tmp/output" >&2 || fail "another output than expected"
}

# eventually COMMAND...: for what takes the server a moment
eventually() {
    tries=100
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "never came true: $*"
        sleep 0.05
    done
}

# answers SQL VALUE
answers() {
    [ "$("$ASK" "$1")" = "$2" ]
}

if ! "$ASK" "SELECT 1" >/dev/null; then
    [ "${PQPOOL_REQUIRE_PG:-}" = 1 ] && fail "no server"
    exit 77
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
