#!/usr/bin/env bash
# rclone copies a real tree to the network drive, finds it equal by downloading it, and exactly those plain files lie on
# the server's disk.
#
# usage: HOLDFASTD_BIN=... tests/clients/rclone.sh        (TREE_FILES, TREE_BYTES: how much, at least)
source "$(dirname "$0")/lib.sh"
command -v rclone >/dev/null || skip "rclone is missing (apt-get install rclone)"

step "building a tree of at least $TREE_FILES files and $TREE_BYTES bytes"
real_tree "$work/tree"
start_server
home=$(home_folder)

export RCLONE_CONFIG=$work/rclone.conf
rclone config create drive webdav url "$url/dav/home/" vendor owncloud user "$user" pass "$password" --obscure >"$work/config.log" \
    || fail "rclone cannot be configured: $(cat "$work/config.log")"
quiet=(--stats 0 --log-level ERROR --log-file "$work/rclone.log" --transfers 8 --checkers 8)
rclone_or_fail() { rclone "$@" "${quiet[@]}" || fail "rclone $1:"$'\n'"$(tail -n 20 "$work/rclone.log")"; }

step "rclone copy"
rclone_or_fail copy "$work/tree" drive: --create-empty-src-dirs
step "rclone check --download"
rclone check --download "$work/tree" drive: --stats 0 --checkers 8 >"$work/check.log" 2>&1 || fail "rclone check:"$'\n'"$(tail -n 20 "$work/check.log")"
grep -q "0 differences found" "$work/check.log" || fail "rclone check told nothing:"$'\n'"$(tail -n 20 "$work/check.log")"
same_tree "$work/tree" "$home"

step "a second copy sends nothing, an edit, a rename and a deletion arrive"
rclone copy "$work/tree" drive: --stats 0 --checkers 8 -v --create-empty-src-dirs >"$work/again.log" 2>&1 || fail "rclone copy again:"$'\n'"$(tail "$work/again.log")"
sent=$(grep -cE ': (Copied|Updated)' "$work/again.log") || true
[ "$sent" = 0 ] || fail "rclone sent $sent unchanged files again:"$'\n'"$(head -n 5 "$work/again.log")"
folder=$(cd "$work/tree/usr/share" && find . -mindepth 1 -maxdepth 1 -type d -printf '%P\n' | sort | sed -n 1p)
file=$(cd "$work/tree" && find usr/share -type f -size +0 ! -path "usr/share/$folder/*" | sort | sed -n 1p)
tr 'a-z' 'A-Z' <"$work/tree/$file" >"$work/edited"
printf 'x' | dd of="$work/edited" conv=notrunc status=none
mv "$work/edited" "$work/tree/$file"
mv "$work/tree/usr/share/$folder" "$work/tree/usr/moved"
rclone_or_fail moveto "drive:usr/share/$folder" drive:usr/moved
rclone_or_fail sync "$work/tree" drive: --create-empty-src-dirs
same_tree "$work/tree" "$home"
rclone purge drive:usr/moved --stats 0 || fail "rclone purge"
rm -r "$work/tree/usr/moved"
same_tree "$work/tree" "$home"
step "passed: $(find "$home" -type f -not -path '*/.holdfast/*' | wc -l) files"
