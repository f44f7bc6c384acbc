#!/usr/bin/env bash
# A davfs2 mount of the network drive: make, edit, rename and delete as a person would, then the tour of tour.sh; after
# the unmount exactly that lies on the server's disk.
#
# usage: HOLDFASTD_BIN=... tests/clients/davfs2.sh
source "$(dirname "$0")/lib.sh"
source "$here/tour.sh"
command -v mount.davfs >/dev/null || skip "mount.davfs is missing (apt-get install davfs2)"
[ "$(id -u)" = 0 ] || skip "only root may mount"
[ -c /dev/fuse ] || skip "no /dev/fuse on this machine"

start_server
home=$(home_folder)
mount=$work/mount
mkdir "$mount" "$expected"
before_end() { ! mountpoint -q "$mount" || umount "$mount" || umount -l "$mount"; }

printf '%s/dav/home/ %s %s\n' "$url" "$user" "$password" >"$work/secrets"
chmod 600 "$work/secrets"
# buf_size: newer kernels ask for folders in larger pieces than davfs2's default can answer, and readdir fails (EINVAL).
printf 'use_locks 1\nask_auth 0\ndelay_upload 0\nbuf_size 256\nsecrets %s\n' "$work/secrets" >"$work/davfs2.conf"
mount_drive() {
    mount -t davfs "$url/dav/home/" "$mount" -o conf="$work/davfs2.conf",uid=0,gid=0 >"$work/mount.log" 2>&1 </dev/null \
        || fail "cannot mount: $(cat "$work/mount.log")"
    mountpoint -q "$mount" || fail "mount.davfs said nothing and mounted nothing"
}

# What a person does, on the mount and, for comparison, in an ordinary folder.
first_visit() {
    cd "$1"
    mkdir -p "Fotos 2024/Ferien" empty
    printf 'Milch\n' >list.txt
    printf 'will go\n' >gone.txt
    printf 'a name with signs: 100%% & more\n' >'Ärger & "Spaß" #1?.txt'
    head -c 3000000 "$work/random" >"Fotos 2024/Ferien/big.bin"
    : >nothing.txt
    mkdir "many files"
    for n in $(seq 40); do printf 'file %s\n' "$n" >"many files/$n.txt"; done
}
second_visit() {
    cd "$1"
    printf 'Brot\n' >>list.txt
    printf 'EDIT' | dd of="Fotos 2024/Ferien/big.bin" bs=1 seek=1000 conv=notrunc status=none
    rm gone.txt
    mv list.txt "Fotos 2024/Einkauf.txt"
    mv "Fotos 2024" Fotos
    printf 'new content\n' >nothing.new
    mv -f nothing.new nothing.txt
    rmdir empty
    rm "many files"/*.txt
    rmdir "many files"
}
head -c 3000000 /dev/urandom >"$work/random"
for visit in first_visit second_visit; do
    step "$visit"
    mount_drive
    ($visit "$mount") || fail "$visit failed on the mount"
    umount "$mount" || fail "cannot unmount"
    ($visit "$expected")
    same_tree "$expected" "$home"
done

step "the drive still shows it when mounted again"
mount_drive
difference=$(diff -r --exclude=lost+found "$expected" "$mount" | head) || true
[ -z "$difference" ] || fail "the mount shows something else:"$'\n'"$difference"
umount "$mount"

# From here on both have the tour beside what the visits left.
c_mkdir() { mkdir "$mount/$1"; }
c_put() { cp "$1" "$mount/$2"; }
c_put_folder() { cp "$1"/* "$mount/$2/"; }
c_get() { cp "$mount/$1" "$2"; }
c_move() { mv -T "$mount/$1" "$mount/$2"; }
c_remove() { rm "$mount/$1"; }
# davfs2 sends the last of it when it is unmounted.
c_flush() { umount "$mount" && mount_drive; }
use_app_password
printf '%s/dav/home/ %s %s\n' "$url" "$user" "$password" >"$work/secrets"
mount_drive
tour
umount "$mount"
step "passed"
