#!/usr/bin/env bash
# rclone, one command for each thing, with the vendor that is named: `other` knows WebDAV and nothing more, `owncloud`
# sends and asks for times and checksums too.
#
# usage: HOLDFASTD_BIN=... tests/clients/rclone_tour.sh other|owncloud
source "$(dirname "$0")/lib.sh"
source "$here/tour.sh"
command -v rclone >/dev/null || skip "rclone is missing (apt-get install rclone)"
vendor=${1:?which vendor}
script="$script $vendor"
start_server
use_app_password

export RCLONE_CONFIG=$work/rclone.conf
: >"$RCLONE_CONFIG"
rclone config create drive webdav url "$url/dav/home/" vendor "$vendor" user "$user" pass "$password" --obscure >"$work/config.log" \
    || fail "rclone cannot be configured: $(cat "$work/config.log")"
rc() { rclone "$@" --stats 0 --log-level ERROR --log-file "$work/rclone.log" --retries 1 || fail "rclone $1:"$'\n'"$(tail -n 20 "$work/rclone.log")"; }

c_mkdir() { rc mkdir "drive:$1"; }
# --ignore-times: with the vendor `other` rclone compares sizes alone, and would not send what has the same size.
c_put() { rc copyto "$1" "drive:$2" --ignore-times; }
c_put_folder() { rc copy "$1" "drive:$2" --transfers 8 --checkers 8; }
c_get() { rc copyto "drive:$1" "$2"; }
c_remove() { rc deletefile "drive:$1"; }
c_move() { rc moveto "drive:$1" "drive:$2"; }

tour
step "passed"
