#!/usr/bin/env bash
# The server's memory does not grow with the size of a file: its high-water mark after a PUT and a GET of a small and of a
# large file differs by noise alone.
#
# usage: HOLDFASTD_BIN=... tests/clients/memory.sh        (MEMORY_LARGE: bytes of the large file, default 1 GiB)
source "$(dirname "$0")/lib.sh"
SMALL=$((10 * 1024 * 1024))
LARGE=${MEMORY_LARGE:-$((1024 * 1024 * 1024))}
NOISE=$((16 * 1024)) # KiB; far below what holding even a part of the large file would take

free=$(($(df -P -k "$work" | awk 'NR == 2 { print $4 }') * 1024))
[ "$free" -gt $((LARGE * 2 + 1024 * 1024 * 1024)) ] || skip "less than $((LARGE * 2)) bytes free for the large file"

# The same pseudo-random bytes each time, never on disk at the client's side.
bytes() { head -c "$1" /dev/zero | openssl enc -aes-128-ctr -nosalt -K 00 -iv 00 2>/dev/null || true; }
command -v openssl >/dev/null || skip "openssl is missing (apt-get install openssl)"

high_water() { # high_water BYTES: start a server, PUT and GET that much, print its VmHWM in KiB
    local size=$1 token sent received
    rm -rf "$work/data"
    start_server
    token=$(curl -fsS "$url/api/auth/login" -H 'Content-Type: application/json' -d "{\"username\": \"$user\", \"password\": \"$password\"}" \
        | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
    sent=$(bytes "$size" | tee >(sha256sum >"$work/sent") | curl -fsS -T - \
        -H "Authorization: Bearer $token" "$url/api/drives/home/files/big.bin" | python3 -c 'import json, sys; print(json.load(sys.stdin)["hash"])')
    received=$(curl -fsS -H "Authorization: Bearer $token" "$url/api/drives/home/files/big.bin" | sha256sum | cut -d' ' -f1)
    [ "$received" = "$sent" ] && [ "$received" = "$(cut -d' ' -f1 "$work/sent")" ] || fail "$size bytes came back as something else"
    high=$(awk '/^VmHWM/ { print $2 }' "/proc/$server_pid/status")
    kill "$server_pid"
    wait "$server_pid" || true
    server_pid=
}

high_water "$SMALL"
small=$high
high_water "$LARGE"
large=$high
step "VmHWM: $small KiB after $SMALL bytes, $large KiB after $LARGE bytes"
[ $((large - small)) -lt $NOISE ] || fail "memory grew by $((large - small)) KiB with the size of the file"
step "passed"
