#!/usr/bin/env bash
# rclone with vendor owncloud keeps times and sees every edit, and two folders stay the same by `rclone bisync` against
# the drive.
#
# usage: HOLDFASTD_BIN=... tests/clients/rclone_bisync.sh
source "$(dirname "$0")/lib.sh"
source "$here/tour.sh"
command -v rclone >/dev/null || skip "rclone is missing (apt-get install rclone)"
start_server
use_app_password
home=$(home_folder)
A=$work/A B=$work/B
mkdir "$A" "$B"

export RCLONE_CONFIG=$work/rclone.conf RCLONE_LOG_FILE=$work/rclone.log RCLONE_LOG_LEVEL=INFO RCLONE_STATS=0
: >"$RCLONE_CONFIG"
rclone config create drive webdav url "$url/dav/home/" vendor owncloud user "$user" pass "$password" --obscure >"$work/config.log" \
    || fail "rclone cannot be configured: $(cat "$work/config.log")"
log() { tail -n 20 "$work/rclone.log"; }
rc() { : >"$work/rclone.log"; rclone "$@" || fail "rclone $1:"$'\n'"$(log)"; }
sent() { grep -cE ': (Copied|Updated)' "$work/rclone.log" || true; }

# Paths with sizes and times, to the second: finer ones are not in X-OC-Mtime.
times() { rclone lsl "$1" | sed -E 's/(:[0-9]{2})\.[0-9]+/\1/' | sort -k 4; }
same_times() {
    times "$1" >"$work/times-1"
    times "$2" >"$work/times-2"
    diff "$work/times-1" "$work/times-2" >"$work/times" || fail "$1 and $2 have other times:"$'\n'"$(head "$work/times")"
}
same() { # same FOLDER..: what is in the drive, and when it was made
    local folder
    for folder in "$@"; do
        same_tree "$folder" "$home/both"
        same_times "$folder" drive:both
    done
    same_times "$1" "$home/both"
}

step "times are kept: on the drive, as rclone lists it, and in the plain folder"
mkdir -p "$A/names" "$A/deep/er"
for name in "${NAMES[@]}"; do fill "$name" first >"$A/names/$name"; done
for n in $(seq 60); do printf 'file %s\n' "$n" >"$A/deep/er/$n.txt"; done
printf 'one\n' >"$A/one.txt"
printf 'two\n' >"$A/two.txt"
touch -d '1999-12-31 23:59:58' "$A/one.txt"
touch -d '2038-01-20 01:02:03' "$A/two.txt"
touch -d '2011-11-11 11:11:11.5' "$A"/names/*
rc copy "$A" drive:both
same "$A"
rc sync "$A" drive:both
[ "$(sent)" = 0 ] || fail "rclone sent again what is there:"$'\n'"$(log)"

step "an edit of the same size is seen, whether by its time or by its checksum"
printf 'ONE\n' >"$A/one.txt"
rc sync "$A" drive:both
[ "$(sent)" = 1 ] || fail "$(sent) files were sent for one edit:"$'\n'"$(log)"
same "$A"
# rclone sends SHA1 with a file and compares by MD5: without an MD5 in oc:checksums it takes the same size for the same file.
cp -p "$A/two.txt" "$work/as-before"
printf 'TWO\n' >"$A/two.txt"
touch -r "$work/as-before" "$A/two.txt"
: >"$work/rclone.log"
! rclone check "$A" drive:both || fail "rclone check takes two contents for the same"
grep -q 'two.txt.*differ' "$work/rclone.log" || fail "rclone check failed for another reason:"$'\n'"$(log)"
grep -q ' 1 differences found' "$work/rclone.log" || fail "rclone check found something else:"$'\n'"$(log)"
rc sync --checksum "$A" drive:both
[ "$(sent)" = 1 ] || fail "$(sent) files were sent for one edit:"$'\n'"$(log)"
rc check "$A" drive:both
grep -q ' 0 differences found' "$work/rclone.log" || fail "rclone check told nothing:"$'\n'"$(log)"
! grep -q 'hashes could not be checked' "$work/rclone.log" || fail "rclone found files without a checksum:"$'\n'"$(log)"
same "$A"

bisync() { # bisync FOLDER [ARGS..]
    local folder=$1
    shift
    rc bisync "$folder" drive:both --workdir "$work/state-${folder##*/}" "$@"
}
step "bisync: a second folder gets what the drive has"
bisync "$A" --resync
bisync "$B" --resync
same "$A" "$B"

step "bisync: edits, new files, renames and deletions go both ways"
sleep 1.1 # the clock of the listings is whole seconds
printf 'ONE of A\n' >"$A/one.txt"
printf 'TWI\n' >"$A/two.txt"
rm "$A/deep/er/1.txt"
mv "$A/deep/er/2.txt" "$A/deep/2 & moved.txt"
fill "${NAMES[4]}" edited >"$A/names/${NAMES[4]}"
printf 'new\n' >"$A/new + from A.txt"
printf 'edit of B\n' >"$B/deep/er/10.txt"
rm "$B/deep/er/11.txt"
mv "$B/names/${NAMES[1]}" "$B/deep/${NAMES[1]}"
head -c 3000000 /dev/urandom >"$B/new # from B.bin"
cp -rp "$A" "$work/meant"
printf 'edit of B\n' >"$work/meant/deep/er/10.txt"
rm "$work/meant/deep/er/11.txt"
mv "$work/meant/names/${NAMES[1]}" "$work/meant/deep/${NAMES[1]}"
cp "$B/new # from B.bin" "$work/meant/new # from B.bin"
bisync "$A"
bisync "$B"
bisync "$A"
same "$A" "$B"
same_tree "$work/meant" "$A"
bisync "$A"
[ "$(sent)" = 0 ] || fail "bisync sent again what is there:"$'\n'"$(log)"

step "bisync: what both sides changed is kept twice"
sleep 1.1
printf 'by A, long\n' >"$A/one.txt"
printf 'by B\n' >"$B/one.txt"
bisync "$A"
bisync "$B"
bisync "$A"
same "$A" "$B"
[ "$(cat "$A"/one.txt* | sort)" = $'by A, long\nby B' ] || fail "one of both contents is gone: $(head "$A"/one.txt*)"

step "passed"
