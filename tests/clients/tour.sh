# What every client is asked to do, and what must lie in the plain folder after each part of it. To be sourced after
# lib.sh by a script that says in five functions how its client does a thing (paths are relative to the drive):
#
#   c_mkdir FOLDER           c_put LOCAL FILE         c_put_folder LOCAL FOLDER (only files in it)
#   c_move FROM TO           c_remove FILE            c_get FILE LOCAL
#   c_flush                  (if it has them do it later, all at once; it is called before each look at the folder)
#
# and calls `tour`. What a client cannot do is said with `cannot NAME WHY`: it is left out, told and counted.
c_flush() { :; }

# Names that some program somewhere gets wrong. The two of é and Å are spelled in NFC and in NFD.
NAMES=(
    'two  spaces and more.txt'
    '100% done %41 %25 %2F.txt'
    'number # sign #1.txt'
    'a + b ++.txt'
    "it's a single quote.txt"
    'she said "double".txt'
    $'emoji \U1F980 \U1F469\u200D\U1F469\u200D\U1F467.txt'
    $'nfc Caf\u00E9 \u00C5.txt'
    $'nfd Cafe\u0301 A\u030A.txt'
    $'\u65E5\u672C\u8A9E \u00C4rger.txt'
    '[brackets] {braces} & a; semicolon, = $HOME ~ `tick`.txt'
    'who? me! <no> | yes: *.txt'
)
declare -A unable=()
cannot() { unable[$1]=$2; }

encoded() { # encoded PATH: as it is written in a URL
    local LC_ALL=C text=$1 out='' at sign
    for ((at = 0; at < ${#text}; at++)); do
        sign=${text:at:1}
        case $sign in
            [a-zA-Z0-9/._-]) out+=$sign ;;
            *) printf -v sign '%%%02X' "'$sign"; out+=%${sign: -2} ;;
        esac
    done
    printf '%s' "$out"
}

# How many files the large folder has, and how large the large file is. A try may do with less.
TOUR_FILES=${TOUR_FILES:-1000} TOUR_MEGABYTES=${TOUR_MEGABYTES:-200}
source=$work/source expected=$work/expected
fill() { printf '%s of %s, %s\n' "$2" "$script" "$1"; } # fill NAME WORD: a content that no other file has

make_source() {
    local name kept=()
    for name in "${NAMES[@]}"; do
        if [ -n "${unable[$name]:-}" ]; then
            step "left out, it cannot: $name (${unable[$name]})"
        else
            kept+=("$name")
        fi
    done
    left_out=$((${#NAMES[@]} - ${#kept[@]}))
    NAMES=("${kept[@]}")
    mkdir -p "$source/names" "$source/again" "$source/many"
    for name in "${NAMES[@]}"; do
        fill "$name" first >"$source/names/$name"
        fill "$name" 'again, which is longer' >"$source/again/$name"
    done
    # One new content has the size of the old one: nothing but the bytes tells them apart.
    fill "${NAMES[0]}" FIRST >"$source/again/${NAMES[0]}"
    python3 - "$source" "$TOUR_FILES" "$TOUR_MEGABYTES" <<'END'
import os, sys
for number in range(int(sys.argv[2])):
    with open(f"{sys.argv[1]}/many/file {number:04} & more.txt", "w") as out:
        out.write(f"{number}\n" * (number % 7))
with open(f"{sys.argv[1]}/big.bin", "wb") as out:
    for _ in range(int(sys.argv[3])):
        out.write(os.urandom(1_000_000))
END
}

# Everything is done twice: by the client, and in the folder of what is expected.
t_mkdir() { c_mkdir "$1" && mkdir "$expected/$1"; }
t_put() { c_put "$1" "$2" && cp "$1" "$expected/$2"; }
t_move() { c_move "$1" "$2" && mv -T "$expected/$1" "$expected/$2"; }
t_remove() { c_remove "$1" && rm "$expected/$1"; }
looked() { c_flush && same_tree "$expected" "$home"; }

tour() {
    local name number
    make_source
    mkdir -p "$expected"
    home=$(home_folder)
    same_tree "$expected" "$home"

    step "creates folders, ${#NAMES[@]} names, $TOUR_FILES files and $TOUR_MEGABYTES MB"
    for name in tour tour/names 'tour/a folder' tour/empty tour/folders; do t_mkdir "$name"; done
    for name in "${NAMES[@]}"; do
        t_put "$source/names/$name" "tour/names/$name"
        t_mkdir "tour/folders/$name"
        t_put "$source/names/$name" "tour/folders/$name/$name"
    done
    c_mkdir tour/many
    c_put_folder "$source/many" tour/many
    cp -r "$source/many" "$expected/tour/many"
    t_put "$source/big.bin" tour/big.bin
    looked

    step "overwrites"
    for name in "${NAMES[@]}"; do t_put "$source/again/$name" "tour/names/$name"; done
    t_put "$source/big.bin" "tour/many/file 0001 & more.txt"
    t_put "$source/again/${NAMES[0]}" tour/big.bin
    looked

    step "renames"
    for name in "${NAMES[@]}"; do
        t_move "tour/names/$name" "tour/names/new $name"
        t_move "tour/folders/$name" "tour/folders/new $name"
    done
    t_move tour/many 'tour/many & renamed'
    looked

    step "moves across folders"
    for name in "${NAMES[@]}"; do t_move "tour/names/new $name" "tour/a folder/$name"; done
    t_move 'tour/many & renamed/file 0001 & more.txt' 'tour/a folder/big again.bin'
    t_move tour/folders 'tour/a folder/folders'
    looked

    step "reads what is there"
    number=0
    for name in "${NAMES[@]}"; do
        number=$((number + 1))
        c_get "tour/a folder/$name" "$work/got-$number"
    done
    c_get 'tour/a folder/big again.bin' "$work/got-big"
    c_flush
    number=0
    for name in "${NAMES[@]}"; do
        number=$((number + 1))
        cmp "$work/got-$number" "$expected/tour/a folder/$name" || fail "$name was read as something else"
    done
    cmp "$work/got-big" "$source/big.bin" || fail "the large file was read as something else"
    rm "$work"/got-*

    step "deletes"
    t_remove 'tour/a folder/big again.bin'
    t_remove tour/big.bin
    for name in "${NAMES[@]}"; do
        t_remove "tour/a folder/$name"
        t_remove "tour/a folder/folders/new $name/$name"
    done
    looked
    step "the tour: $(find "$home" -type f -not -path '*/.holdfast/*' | wc -l) files left as meant, $left_out names left out"
}
