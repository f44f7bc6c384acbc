#!/usr/bin/env bash
# litmus, the conformance suite of WebDAV: every test passes, without a warning, with the account's password and with an
# app password, on SQLite and on Postgres.
#
# usage: HOLDFASTD_BIN=... tests/clients/litmus.sh
source "$(dirname "$0")/lib.sh"
command -v litmus >/dev/null || skip "litmus is missing (apt-get install litmus)"

check() { # check WHO PASSWORD: all of it, as that user
    step "litmus with $1"
    mkdir -p "$work/litmus"
    (cd "$work/litmus" && litmus -k "$url/dav/home/" "$user" "$2") >"$work/litmus.log" 2>&1 || true
    grep -E 'WARNING|FAIL' "$work/litmus.log" && fail "litmus with $1 (see above)"
    passed=$(grep -oE 'of [0-9]+ tests run: [0-9]+ passed' "$work/litmus.log" | awk '{ run += $2; passed += $5 } END { print run, passed }')
    [ "$passed" = "104 104" ] || fail "litmus ran and passed $passed, not 104 104:"$'\n'"$(tail -n 20 "$work/litmus.log")"
}

rounds=(sqlite)
[ -z "${HOLDFAST_TEST_POSTGRES:-}" ] || rounds+=(postgres)
for engine in "${rounds[@]}"; do
    rm -rf "$work/data"
    if [ "$engine" = postgres ]; then
        database=litmus_$(python3 -c 'import secrets; print(secrets.token_hex(8))')
        bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -n 1)
        "$bin/psql" -q "$HOLDFAST_TEST_POSTGRES" -c "CREATE DATABASE $database"
        export HOLDFAST_DATABASE_URL=${HOLDFAST_TEST_POSTGRES%/*}/$database
    fi
    start_server
    check "the account's password on $engine" "$password"
    app=$(curl -fsS -u "$user:$password" "$url/api/app-passwords" -H 'Content-Type: application/json' -d '{"name": "litmus"}' \
        | python3 -c 'import json, sys; print(json.load(sys.stdin)["password"])')
    check "an app password on $engine" "$app"
    kill "$server_pid"
    wait "$server_pid" || fail "the server did not stop in order"
    server_pid=
done
step "passed: 104 tests, no warning, ${#rounds[@]} engines"
