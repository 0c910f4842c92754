#!/bin/sh
# SPDX-FileCopyrightText: 2026 the pqpool authors
# SPDX-License-Identifier: PostgreSQL
#
# Turns TLS on in the new cluster in $PGDATA: a private authority (ca.crt)
# that is thrown away, and a certificate of it for localhost.  Runs as the
# server's user, before the first real start.  The postgres image may source
# this file instead of running it, hence the subshell.
(
    set -eu
    umask 077
    cd "$PGDATA"
    if ! command -v openssl >/dev/null; then
        echo "00-tls.sh: no openssl in this image, so no certificate" >&2
        exit 1
    fi

    new_key() {
        openssl ecparam -name prime256v1 -genkey -noout -out "$1"
    }
    new_key ca.key
    openssl req -x509 -new -key ca.key -days 3650 -subj "/CN=pqpool test CA" \
        -out ca.crt
    new_key server.key
    openssl req -new -key server.key -subj "/CN=localhost" -out server.csr
    printf '%s\n' "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" \
        "extendedKeyUsage=serverAuth" >server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key \
        -set_serial 1 -days 3650 -extfile server.ext -out server.crt 2>/dev/null
    rm -f ca.key server.csr server.ext
    cat >>postgresql.conf <<'CONF'
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
CONF
)
