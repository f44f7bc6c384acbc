#!/usr/bin/env bash
# cadaver, the command line client of the neon library: a script of its commands on standard input.
#
# usage: HOLDFASTD_BIN=... tests/clients/cadaver.sh
source "$(dirname "$0")/lib.sh"
source "$here/tour.sh"
command -v cadaver >/dev/null || skip "cadaver is missing (apt-get install cadaver)"
start_server
use_app_password

export HOME=$work/person
mkdir "$HOME"
printf 'machine 127.0.0.1 login %s password %s\n' "$user" "$password" >"$HOME/.netrc"
chmod 600 "$HOME/.netrc"

commands=$work/commands
: >"$commands"
quoted() { # in double quotes, and a backslash before what would end or escape them
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}
say() { local IFS=' '; printf '%s\n' "$*" >>"$commands"; }

c_mkdir() { say mkcol "$(quoted "$1")"; }
c_put() { say put "$(quoted "$1")" "$(quoted "$2")"; }
c_get() { say get "$(quoted "$1")" "$(quoted "$2")"; }
c_move() { say move "$(quoted "$1")" "$(quoted "$2")"; }
c_remove() { say delete "$(quoted "$1")"; }
c_put_folder() {
    local file
    for file in "$1"/*; do c_put "$file" "$2/${file##*/}"; done
}
# It ends with success whatever happened; what went wrong is in what it prints.
c_flush() {
    cadaver "$url/dav/home/" <"$commands" >"$work/cadaver.log" 2>&1 || fail "cadaver: $(tail -n 20 "$work/cadaver.log")"
    ! grep -inE 'failed|error|could not|not found|unrecognised|no such' "$work/cadaver.log" || fail "cadaver says so (see above)"
    : >"$commands"
}

tour
step "passed"
