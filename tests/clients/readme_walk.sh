#!/usr/bin/env bash
# The walk of README.md, line by line against a fresh server: what it says one will see is what one sees.
#
# usage: HOLDFASTD_BIN=... tests/clients/readme_walk.sh
source "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || skip "jq is missing (apt-get install jq)"

# The page's server block, with this binary, a free port and a folder of this run.
here_now() { sed -e "s|/tmp/holdfast-walk|$work/walk|g" -e "s|127\.0\.0\.1:8000|127.0.0.1:$port|g" -e "s|holdfastd serve|exec '$HOLDFASTD_BIN' serve|"; }
port=$(free_port)
url=http://127.0.0.1:$port
python3 "$here/walk_blocks.py" "$top/README.md" "sh server" | sed '/^} > /d; /^{$/d; /^:$/d' | here_now >"$work/server.sh"
HOLDFAST_LISTEN=127.0.0.1:$port bash -e "$work/server.sh" >"$work/server.log" 2>&1 </dev/null &
server_pid=$!
wait_for_server

cat >"$work/walk.sh" <<'END'
same() { # same COMMAND EXPECTED: the output of the last step is what the page promises
    if [ "$(cat "$OUT")" != "${2%$'\n'}" ]; then
        printf 'after: %s\npromised:\n%sprinted:\n' "$1" "$2" >&2
        cat "$OUT" >&2
        exit 1
    fi
    count=$((count + 1))
}
count=0
END
PATH=$(dirname "$HOLDFASTD_BIN"):$PATH
blocks=(sh)
before_end() { ! mountpoint -q "$work/walk/drive" || umount "$work/walk/drive" || umount -l "$work/walk/drive"; }
if [ "$(id -u)" = 0 ] && [ -c /dev/fuse ] && command -v mount.davfs >/dev/null; then
    blocks+=("sh mount")
else
    step "without its mount: that needs root, /dev/fuse and davfs2"
fi
python3 "$here/walk_blocks.py" "$top/README.md" "${blocks[@]}" | here_now >>"$work/walk.sh"
printf 'printf "%%s promises kept\\n" "$count"\n' >>"$work/walk.sh"
OUT=$work/out bash -e "$work/walk.sh" >"$work/walked" || fail "the walk stopped (see above)"
[ "$(cut -d' ' -f1 "$work/walked")" -ge 15 ] || fail "the walk promised too little: $(cat "$work/walked")"
step "passed: $(cat "$work/walked")"
