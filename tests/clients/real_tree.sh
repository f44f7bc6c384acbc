#!/usr/bin/env bash
# Two devices and the drive's plain folder hold the same real tree, through the example client and the HTTP API alone.
#
# usage: HOLDFASTD_BIN=... tests/clients/real_tree.sh        (TREE_FILES, TREE_BYTES: how much, at least)
#
# A pushes 10,000 files and 500 MB of this machine, B pulls them. Both edit, delete, rename and make files and folders,
# a few of them the same ones. After a resolution and one more run of each, A, B and the plain folder are what a tree is
# to which both sides' changes were made by hand.
source "$(dirname "$0")/lib.sh"

A=$work/A B=$work/B expected=$work/expected
sync() { # sync DEVICE ARGS..: run the example client on that device's folder
    local device=$1
    shift
    HOLDFAST_PASSWORD=$password python3 "$top/docs/examples/holdfast_sync.py" "$url" "$work/$device" \
        --user "$user" --device "$device" --state "$work/state-$device" "$@"
}

# The changes of one side, to files picked by their number so that the two sides' differ.
change() { # change SIDE DIR
    local side=$1 dir=$2 offset=0
    [ "$side" = A ] || offset=10
    (
        cd "$dir"
        picked() { awk -v n="$(($1 + offset))" 'NR % 60 == n' "$work/files"; }
        while IFS= read -r file; do printf 'edited by %s\n' "$side" >>"$file"; done < <(picked 1)
        while IFS= read -r file; do rm "$file"; done < <(picked 2)
        while IFS= read -r file; do mv "$file" "$file.renamed by $side"; done < <(picked 3)
        while IFS= read -r file; do printf 'by %s, beside %s\n' "$side" "$file" >"$file.new from $side"; done < <(picked 4)
        mkdir -p "empty from $side/within" "usr/new from $side"
        mv "usr/share/$(folder_for "$side")" "usr/new from $side/moved"
        rm -r "usr/share/$(folder_for "${side}2")"
    )
}
# Four folders of a handful of files that no other change touches, one for each name.
folder_for() { awk -v who="$1" '$1 == who { print $2 }' "$work/folders"; }

step "building a tree of at least $TREE_FILES files and $TREE_BYTES bytes"
real_tree "$A"
mkdir "$B"
# Folders that the sides move or remove whole: the first four of /usr/share with 3 to 40 files and no blanks in their name.
(cd "$A/usr/share" && for folder in */; do
    count=$(find "$folder" -type f | wc -l)
    case $folder in *' '*) continue ;; esac
    [ "$count" -lt 3 ] || [ "$count" -gt 40 ] || printf '%s\n' "${folder%/}"
done | sed -n 1,4p) | paste -d' ' <(printf 'A\nA2\nB\nB2\n') - >"$work/folders"
[ "$(awk 'NF == 2' "$work/folders" | wc -l)" = 4 ] || fail "too few folders in /usr/share"
awk '{ print "usr/share/" $2 "/" }' "$work/folders" >"$work/kept-apart"
(cd "$A" && find . -type f ! -name $'*\n*' -printf '%P\n' | sort | grep -vFf "$work/kept-apart") >"$work/files"
cp -a "$A" "$expected"
step "$(find "$A" -type f | wc -l) files, $(find "$A" -mindepth 1 -type d | wc -l) folders, $(du -sb --apparent-size "$A" | cut -f1) bytes"

start_server
step "A pushes"
sync A || fail "A could not push"
step "B pulls"
sync B || fail "B could not pull"
home=$(home_folder)
same_tree "$A" "$B"
same_tree "$A" "$home"
diff <(cd "$A" && find . -type f -printf '%P %T@\n' | sort) <(cd "$B" && find . -type f -printf '%P %T@\n' | sort) >"$work/times" \
    || fail "modification times were lost:"$'\n'"$(head "$work/times")"

step "both sides change, some of it the same files"
change A "$A"
change B "$B"
change A "$expected"
change B "$expected"
awk 'NR % 1500 == 25' "$work/files" >"$work/disputed"
disputed=$(wc -l <"$work/disputed")
while IFS= read -r file; do
    printf 'A was here\n' >>"$A/$file"
    printf 'A was here\n' >>"$expected/$file"
    printf 'B was here\n' >>"$B/$file"
    mkdir -p "$work/disputed-B/$(dirname "$file")"
    cp "$B/$file" "$work/disputed-B/$file"
done <"$work/disputed"
# One file that A removes while B edits it, one the other way round: an edit is never lost to a deletion.
edited=$(awk 'NR == 30' "$work/files") removed=$(awk 'NR == 90' "$work/files")
rm "$A/$edited"
printf 'B still needs this\n' | tee -a "$B/$edited" >>"$expected/$edited"
rm "$B/$removed"
printf 'A still needs this\n' | tee -a "$A/$removed" >>"$expected/$removed"

step "A syncs, then B, which finds $((disputed + 1)) conflicts"
sync A || fail "A could not sync its changes"
sync B >"$work/out" && fail "B met conflicts and said nothing" || [ $? -eq 1 ] || fail "B could not sync its changes:"$'\n'"$(cat "$work/out")"
[ "$(grep -c ': conflict: ' "$work/out")" = $((disputed + 1)) ] || fail "wrong conflicts:"$'\n'"$(cat "$work/out")"
while IFS= read -r file; do
    cmp -s "$B/$file" "$work/disputed-B/$file" || fail "a file in conflict was touched before anybody decided: $file"
done <"$work/disputed"
step "B keeps both, A follows"
sync B --resolve keep_both || fail "B could not resolve"
sync A || fail "A could not follow"
sync B || fail "B is not at rest"
same_tree "$A" "$B"
same_tree "$A" "$home"

step "the result is what both sides' changes make by hand"
# The contents that lost their name stand beside it, under a name that tells where they come from.
(cd "$A" && find . -type f -name '*conflict from B*' -printf '%P\n') >"$work/siblings"
while IFS= read -r file; do
    found=
    while IFS= read -r sibling; do
        if [ "$(dirname "$sibling")" = "$(dirname "$file")" ] && cmp -s "$A/$sibling" "$work/disputed-B/$file"; then found=$sibling; fi
    done <"$work/siblings"
    [ -n "$found" ] || fail "B's content of $file is not in the tree"
    cp "$A/$found" "$expected/$found"
done <"$work/disputed"
# The edited file that A had removed comes back under its own name or beside it.
sibling=$(cd "$A" && grep -Fx -f <(find "$(dirname "$edited")" -maxdepth 1 -name '*conflict from B*') "$work/siblings" | while IFS= read -r s; do
    if cmp -s "$s" "$expected/$edited"; then printf '%s\n' "$s"; fi
done)
if [ ! -e "$A/$edited" ] && [ -n "$sibling" ]; then mv "$expected/$edited" "$expected/$sibling"; fi
same_tree "$expected" "$A"
step "passed: A, B and the plain folder agree on $(find "$A" -type f | wc -l) files"
