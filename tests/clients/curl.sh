#!/usr/bin/env bash
# curl, as scripts and backup programs use a network drive: plain requests, one connection for many files.
#
# usage: HOLDFASTD_BIN=... tests/clients/curl.sh
source "$(dirname "$0")/lib.sh"
source "$here/tour.sh"
start_server
use_app_password

address() { printf '%s/dav/home/%s' "$url" "$(encoded "$1")"; }
# --globoff: brackets and braces in a URL are themselves.
curly() { curl -fsS --globoff -u "$user:$password" "$@" || fail "curl ${*: -1}"; }

c_mkdir() { curly -X MKCOL "$(address "$1")/"; }
c_put() { curly -T "$1" "$(address "$2")"; }
c_get() { curly -o "$2" "$(address "$1")"; }
c_move() { curly -X MOVE -H "Destination: $(address "$2")" -H 'Overwrite: F' "$(address "$1")"; }
c_remove() { curly -X DELETE "$(address "$1")"; }
c_put_folder() { # all of them in one call, over one connection
    local file
    for file in "$1"/*; do
        printf 'upload-file = "%s"\nurl = "%s"\n' "$file" "$(address "$2/${file##*/}")"
    done >"$work/transfers"
    curly -K "$work/transfers"
}

tour
step "passed"
