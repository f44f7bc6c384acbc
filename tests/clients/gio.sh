#!/usr/bin/env bash
# gio over gvfs, which is what GNOME's file manager uses: mounted in a session of its own, driven by `gio`.
#
# usage: HOLDFASTD_BIN=... tests/clients/gio.sh
if [ -z "${GIO_SESSION:-}" ] && command -v dbus-run-session >/dev/null; then
    GIO_SESSION=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-gio.XXXXXX")
    export GIO_SESSION XDG_RUNTIME_DIR=$GIO_SESSION GVFS_DISABLE_FUSE=1 GIO_USE_VOLUME_MONITOR=unix
    status=0
    dbus-run-session -- "$0" "$@" 2> >(grep -vE '^dbus-daemon|^Error creating proxy|connection to the bus|^$' >&2) || status=$?
    rm -rf --one-file-system "$GIO_SESSION"
    exit "$status"
fi
source "$(dirname "$0")/lib.sh"
source "$here/tour.sh"
command -v gio >/dev/null || skip "gio is missing (apt-get install libglib2.0-bin)"
command -v dbus-run-session >/dev/null || skip "dbus-run-session is missing (apt-get install dbus)"
[ -e /usr/share/gvfs/mounts/dav.mount ] || skip "gvfs knows no WebDAV (apt-get install gvfs-backends)"
start_server
use_app_password

export HOME=$work/person
mkdir "$HOME"
top_url=dav://$user@${url#http://}/dav/home
mounted=
before_end() { [ -z "$mounted" ] || gio mount -u "$top_url/" || true; }
mount_drive() {
    before_end
    printf '%s\n%s\n' "$user" "$password" | timeout 60 gio mount "$top_url/" >"$work/mount.log" 2>&1 || fail "gio mount: $(cat "$work/mount.log")"
    mounted=1
}
mount_drive

uri() { printf '%s/%s' "$top_url" "$(encoded "$1")"; }
g() { timeout 100 gio "$@" </dev/null >"$work/gio.log" 2>&1 || fail "gio $*: $(tail -n 5 "$work/gio.log")"; }

c_mkdir() { g mkdir "$(uri "$1")"; }
c_put() { g copy "$1" "$(uri "$2")"; }
c_put_folder() { g copy "$1"/* "$(uri "$2")/"; }
c_get() { g copy "$(uri "$1")" "$2"; }
c_remove() { g remove "$(uri "$1")"; }
# gvfs 1.50 never gives back the connection of a MOVE, and stands still for ever after some thirty: mounted anew before.
moved=0
c_move() {
    g move -T "$(uri "$1")" "$(uri "$2")"
    moved=$((moved + 1))
    [ $((moved % 20)) -ne 0 ] || mount_drive
}

tour
step "passed"
