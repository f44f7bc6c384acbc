# Shared by the client scripts: one real holdfastd in a temporary folder, ended by its pid. To be sourced by bash.
# Needs HOLDFASTD_BIN. Gives: $work (removed at the end), start_server, $url, $user, $password, use_app_password, $data,
# home_folder, real_tree, same_tree, fail, skip (exit 77: the machine cannot, which is not a failure).
set -Eeuo pipefail
export LC_ALL=C.UTF-8

script=$(basename "$0")
fail() { printf '%s: FAILED: %s\n' "$script" "$*" >&2; exit 1; }
skip() { printf '%s: skipped: %s\n' "$script" "$*" >&2; exit 77; }
step() { printf '%s: %s\n' "$script" "$*"; }

[ -n "${HOLDFASTD_BIN:-}" ] || fail "set HOLDFASTD_BIN to the server to test"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-client.XXXXXX")
server_pid=

# A script that mounts something defines `before_end` to take it down again.
before_end() { :; }
at_end() {
    local status=$?
    trap - EXIT
    before_end || true
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ] && [ "$status" -ne 77 ] && [ -f "$work/server.log" ]; then
        printf '%s: the last lines of the server:\n' "$script" >&2
        tail -n 20 "$work/server.log" >&2
    fi
    rm -rf --one-file-system "$work"
    exit "$status"
}
trap at_end EXIT
trap 'printf "%s: line %s stopped the script: %s\n" "$script" "$LINENO" "$BASH_COMMAND" >&2' ERR
trap 'exit 130' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Start the server on a fresh data directory and wait until it answers.
start_server() {
    user=ada
    password=$(head -c 18 /dev/urandom | base64 | tr '+/' '-_')
    data=$work/data
    url=http://127.0.0.1:$(free_port)
    HOLDFAST_LISTEN=${url#http://} HOLDFAST_DATA_DIR=$data HOLDFAST_ADMIN_USERNAME=$user HOLDFAST_ADMIN_PASSWORD=$password \
        "$HOLDFASTD_BIN" serve >"$work/server.log" 2>&1 </dev/null &
    server_pid=$!
    wait_for_server
}
wait_for_server() {
    for _ in $(seq 600); do
        if curl -fsS -o "$work/healthz" "$url/healthz" 2>/dev/null; then
            return
        fi
        kill -0 "$server_pid" 2>/dev/null || fail "the server stopped before it answered"
        sleep 0.1
    done
    fail "the server does not answer at $url/healthz"
}

# From now on $password is an app password, as the page about mounting tells people to make one for each program.
use_app_password() {
    password=$(curl -fsS -u "$user:$password" "$url/api/app-passwords" -H 'Content-Type: application/json' -d "{\"name\": \"$script\"}" \
        | python3 -c 'import json, sys; print(json.load(sys.stdin)["password"])')
}

# The plain folder of the first account's home drive.
home_folder() {
    local found
    found=$(find "$data/drives" -mindepth 2 -maxdepth 2 -type d -name home)
    [ "$(printf '%s\n' "$found" | wc -l)" = 1 ] && [ -n "$found" ] || fail "no single home drive below $data/drives"
    printf '%s\n' "$found"
}

# real_tree DEST: copy at least $TREE_FILES files and $TREE_BYTES bytes of this machine's own files and folders to DEST.
real_tree() {
    mkdir -p "$1"
    python3 "$here/pick_tree.py" "$TREE_FILES" "$TREE_BYTES" >"$work/picked"
    tar -C / --null --no-recursion -T "$work/picked" --no-xattrs -cf - | tar -C "$1" --no-same-owner -xf -
    chmod -R u+rwX "$1"
}
TREE_FILES=${TREE_FILES:-10000}
TREE_BYTES=${TREE_BYTES:-500000000}

# same_tree A B: the same folders, files and contents, the reserved folder apart.
same_tree() {
    local difference
    difference=$(diff -r --no-dereference --exclude=.holdfast "$1" "$2" | head -n 20) || true
    [ -z "$difference" ] || fail "$1 and $2 differ:"$'\n'"$difference"
}
