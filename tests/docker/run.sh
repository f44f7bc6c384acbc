#!/usr/bin/env bash
# Builds the container image and starts it for real, alone and with Compose, on a Docker daemon of its own.
#
# usage: tests/docker/run.sh        (as root; run by hand, it is no part of tests/run)
#
# Pulls no image: the runtime base is a debootstrap of Debian, the build image that base with gcc and this machine's Rust
# toolchain, the Postgres image that base with Debian's postgresql. HOLDFAST_DOCKER_CACHE names a folder that keeps these
# and the layers of the build between runs.
set -Eeuo pipefail
cd "$(dirname "$0")/../.."
top=$PWD

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
skip() { printf 'skipped: %s\n' "$*" >&2; exit 77; }
trap 'printf "line %s stopped the script: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR

[ "$(id -u)" = 0 ] || skip "only root may start a Docker daemon"
docker=/usr/bin/docker
[ -x "$docker" ] || docker=docker
for tool in dockerd "$docker" docker-compose debootstrap curl mkfs.ext4 python3; do
    command -v "$tool" >/dev/null || skip "$tool is missing (RUNLEVEL=1 apt-get install --no-install-recommends docker.io docker-compose iptables debootstrap curl e2fsprogs python3)"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-docker.XXXXXX")
daemon_pid=
export DOCKER_HOST=unix://$work/docker.sock COMPOSE_PROJECT_NAME=holdfast-test
at_end() {
    local status=$?
    trap - EXIT ERR
    if [ -n "$daemon_pid" ]; then
        if [ "$status" -ne 0 ]; then
            for container in $("$docker" ps -aq); do "$docker" logs --tail 20 "$container" >&2 || true; done
        fi
        "$docker" ps -aq | xargs -r "$docker" rm -f -v >"$work/stop.log" 2>&1 || true
        kill "$daemon_pid" 2>/dev/null || true
        wait "$daemon_pid" 2>/dev/null || true
    fi
    grep -oE " ($work|$cache)/[^ ]*" /proc/self/mounts | sort -r | xargs -r -n 1 umount -l 2>/dev/null || true
    rm -rf --one-file-system "$work"
    exit "$status"
}
trap at_end EXIT
trap 'exit 130' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
until_true() { # until_true SECONDS WHAT COMMAND..
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$what"
        sleep 0.5
    done
}
healthy() { [ "$("$docker" inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; }
password=$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))')
log_in() { # log_in URL: a token
    curl -fsS "$1/api/auth/login" -H 'Content-Type: application/json' -d "{\"username\": \"ada\", \"password\": \"$password\"}" \
        | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'
}
put_and_get() { # put_and_get URL: a file goes in and comes out
    local token
    token=$(log_in "$1")
    curl -fsS -o "$work/put.json" -X PUT --data-binary 'kept' -H "Authorization: Bearer $token" "$1/api/drives/home/files/folder/note.txt?parents=true"
    [ "$(curl -fsS -H "Authorization: Bearer $token" "$1/api/drives/home/files/folder/note.txt")" = kept ] || fail "the file does not come back"
}

step "a Docker daemon of its own"
cache=${HOLDFAST_DOCKER_CACHE:-$work}
mkdir -p "$cache"
dockerd --data-root "$cache/docker" --exec-root "$work/exec" -H "$DOCKER_HOST" -p "$work/docker.pid" --storage-driver overlay2 \
    --iptables=false --ip6tables=false --bip 172.31.250.1/24 --default-address-pool base=172.31.251.0/24,size=28 \
    >"$work/dockerd.log" 2>&1 </dev/null &
daemon_pid=$!
answers() { "$docker" info >"$work/info.log" 2>&1; }
until_true 60 "the daemon does not answer: $(tail -n 5 "$work/dockerd.log")" answers

step "base images from Debian's packages and this machine's toolchain"
base=$cache/bookworm.tar
if ! "$docker" image inspect debian:bookworm-slim >"$work/inspect.log" 2>&1; then
    debootstrap --variant=minbase bookworm "$work/rootfs" >"$work/debootstrap.log" 2>&1 || fail "debootstrap: $(tail -n 3 "$work/debootstrap.log")"
    tar -C "$work/rootfs" --numeric-owner -cf "$base" .
    rm -rf --one-file-system "$work/rootfs"
    "$docker" import "$base" debian:bookworm-slim >"$work/import.log"
    rm "$base"
fi

mkdir -p "$work/rust"
cp -aL "$(rustc --print sysroot)" "$work/rust/toolchain"
rm -rf "$work/rust/toolchain/share/doc"
cp /etc/ssl/certs/ca-certificates.crt "$work/rust/"
cat >"$work/rust/Dockerfile" <<'END'
FROM debian:bookworm-slim
RUN apt-get -q update && apt-get -q install -y --no-install-recommends ca-certificates gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY toolchain /usr/local/
END
"$docker" build --network=host -q -t rust:1.95-bookworm "$work/rust" >"$work/rust.log" 2>&1 || fail "the build image: $(tail -n 5 "$work/rust.log")"
rm -rf "$work/rust"

step "the image"
started=$SECONDS
"$docker" build --network=host -f docker/Dockerfile -t holdfast:local . >"$work/build.log" 2>&1 || fail "docker build:"$'\n'"$(tail -n 30 "$work/build.log")"
printf 'built in %s s, %s\n' "$((SECONDS - started))" "$("$docker" image inspect -f '{{.Size}} bytes' holdfast:local)"

step "started with a read-only root, for the user 1234:2345 with umask 027"
port=$(free_port)
url=http://127.0.0.1:$port
"$docker" run -d --name alone -p "127.0.0.1:$port:8000" -v "$work/alone:/data" -e PUID=1234 -e PGID=2345 -e UMASK=027 \
    -e HOLDFAST_ADMIN_USERNAME=ada -e HOLDFAST_ADMIN_PASSWORD="$password" --read-only --tmpfs /tmp \
    --cap-drop ALL --cap-add CHOWN --cap-add SETUID --cap-add SETGID --security-opt no-new-privileges holdfast:local >"$work/run.log"
until_true 150 "never healthy" healthy alone
put_and_get "$url"
note=$(find "$work/alone/drives" -name note.txt -not -path '*/.holdfast/*')
[ -n "$note" ] || fail "the file is not on the volume under its own name"
[ "$(stat -c '%u:%g %a' "$note")" = "1234:2345 640" ] || fail "the file is $(stat -c '%u:%g %a' "$note"), not 1234:2345 640"
[ "$(stat -c '%u:%g %a' "$(dirname "$note")")" = "1234:2345 750" ] || fail "its folder is $(stat -c '%u:%g %a' "$(dirname "$note")"), not 1234:2345 750"
others=$(find "$work/alone" ! -user 1234)
[ -z "$others" ] || fail "not everything on the volume belongs to 1234: $others"
who=$(awk '/^Uid/ { print $2 }' "/proc/$("$docker" inspect -f '{{.State.Pid}}' alone)/status")
[ "$who" = 1234 ] || fail "the server runs as $who, not as 1234"
[ "$("$docker" exec alone sh -c 'grep CapEff /proc/1/status' | awk '{print $2}')" = 0000000000000000 ] || fail "the server kept capabilities"
! "$docker" exec alone touch /usr/written 2>"$work/touch.log" || fail "the root file system can be written"

step "restarted, everything is still there"
"$docker" restart -t 30 alone >"$work/restart.log"
until_true 150 "not healthy after the restart" healthy alone
token=$(log_in "$url")
[ "$(curl -fsS -H "Authorization: Bearer $token" "$url/api/drives/home/files/folder/note.txt")" = kept ] || fail "the file is lost after a restart"
"$docker" stop -t 30 alone >"$work/stop.log"
[ "$("$docker" inspect -f '{{.State.ExitCode}}' alone)" = 0 ] || fail "it did not stop cleanly on SIGTERM"

step "started as an ordinary user from the outside"
"$docker" run -d --name rootless -p "127.0.0.1:$port:8000" -v "$work/alone:/data" --user 1234:2345 --read-only --tmpfs /tmp --cap-drop ALL holdfast:local >"$work/run.log"
until_true 150 "never healthy as --user" healthy rootless
put_and_get "$url"
"$docker" rm -f rootless alone >"$work/rm.log"

step "a disk that is plugged in while the container runs, pulled out, and plugged in elsewhere"
disks=$work/disks
mkdir "$disks"
mount --bind "$disks" "$disks"
mount --make-rshared "$disks"
truncate -s 64M "$work/disk.img"
mkfs.ext4 -q -L Photos "$work/disk.img"
"$docker" run -d --name disks -p "127.0.0.1:$port:8000" -v "$work/alone:/data" -v "$disks:/disks:rslave" --user 1234:2345 \
    --read-only --tmpfs /tmp --cap-drop ALL holdfast:local >"$work/run.log"
until_true 150 "never healthy with the disks' folder" healthy disks
plug_in() { mkdir -p "$disks/$1" && mount -o loop "$work/disk.img" "$disks/$1" && chown 1234:2345 "$disks/$1"; }
token=$(log_in "$url")
ask() { curl -sS -H "Authorization: Bearer $token" "$@"; }
is_seen_at() { ask "$url/api/volumes" | grep -qF "\"mount_point\":\"$1\""; }
answers_for_the_file() { [ "$(ask -o "$work/got" -w '%{http_code}' "$url/api/drives/Photos/files/kept.txt")" = "$1" ]; }
plug_in one
until_true 60 "the disk is not seen: $(ask "$url/api/volumes")" is_seen_at /disks/one
ask --fail-with-body "$url/api/drives" --json '{"name": "Photos", "root": "/disks/one", "adopt": true}' >"$work/drive.json" || fail "$(cat "$work/drive.json")"
ask --fail-with-body -X PUT --data-binary 'on the disk' "$url/api/drives/Photos/files/kept.txt" >"$work/kept.json" || fail "$(cat "$work/kept.json")"
[ "$(cat "$disks/one/kept.txt")" = 'on the disk' ] || fail "the file is not on the disk"
umount -l "$disks/one"
until_true 60 "a disk that is gone is not offline" answers_for_the_file 503
plug_in two
until_true 60 "the disk is not known again elsewhere" answers_for_the_file 200
[ "$(cat "$work/got")" = 'on the disk' ] || fail "the file came back as something else"
ask "$url/api/volumes" | python3 -m json.tool >"$work/volumes.json"
grep -A12 '/disks/two' "$work/volumes.json" || true
"$docker" rm -f disks >"$work/rm.log"
umount -l "$disks/two" "$disks"

step "PUID=0 and words are refused"
for wrong in 0 ada; do
    ! "$docker" run --rm -e PUID=$wrong holdfast:local >"$work/wrong.log" 2>&1 || fail "PUID=$wrong was accepted"
done

step "Compose, default: SQLite"
mkdir "$work/compose"
cp docker-compose.yml "$work/compose/"
export HOLDFAST_ADDRESS=127.0.0.1 HOLDFAST_PORT=$port PUID=1234 PGID=2345
export HOLDFAST_ADMIN_USERNAME=ada HOLDFAST_ADMIN_PASSWORD=$password HOLDFAST_DATA=$work/compose/data
compose() { (cd "$work/compose" && docker-compose "$@") >"$work/compose.log" 2>&1 || fail "docker-compose $*: $(tail -n 20 "$work/compose.log")"; }
container() { (cd "$work/compose" && docker-compose ps -q "$1"); }
compose config -q
compose up -d --no-build
[ "$(cd "$work/compose" && docker-compose ps --services --filter status=running)" = holdfast ] || fail "the default is more than one service"
until_true 150 "Compose: never healthy" healthy "$(container holdfast)"
put_and_get "$url"
[ -f "$work/compose/data/catalog.db" ] || fail "no SQLite catalogue in the data folder"
compose down -v

step "Compose, profile postgres"
mkdir -p "$work/postgres"
cat >"$work/postgres/Dockerfile" <<'END'
FROM debian:bookworm-slim
RUN apt-get -q update && apt-get -q install -y --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/*
COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]
END
cat >"$work/postgres/docker-entrypoint.sh" <<'END'
#!/bin/sh
# As much of the official image's way to start as this test needs.
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin) data=/var/lib/postgresql/data
[ -n "${POSTGRES_PASSWORD:-}" ] || { echo "POSTGRES_PASSWORD is empty" >&2; exit 1; }
ln -sf "$bin"/* /usr/local/bin/
if [ ! -s "$data/PG_VERSION" ]; then
    chown postgres: "$data"
    echo "$POSTGRES_PASSWORD" >/tmp/password && chown postgres: /tmp/password
    su postgres -c "$bin/initdb -D $data -A scram-sha-256 -U $POSTGRES_USER --pwfile=/tmp/password $POSTGRES_INITDB_ARGS"
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    su postgres -c "$bin/pg_ctl -D $data -w -o '-c listen_addresses=' start"
    PGPASSWORD=$POSTGRES_PASSWORD "$bin/createdb" -h /var/run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
    su postgres -c "$bin/pg_ctl -D $data -w stop"
fi
exec setpriv --reuid postgres --regid postgres --init-groups "$bin/postgres" -D "$data" -c "listen_addresses=*"
END
chmod +x "$work/postgres/docker-entrypoint.sh"
"$docker" build --network=host -q -t postgres:17-bookworm "$work/postgres" >"$work/postgres.log" 2>&1 || fail "the Postgres image: $(tail -n 5 "$work/postgres.log")"
POSTGRES_PASSWORD=$(python3 -c 'import secrets; print(secrets.token_hex(24))')
export POSTGRES_PASSWORD COMPOSE_PROFILES=postgres HOLDFAST_DATA=$work/compose/data-postgres
export HOLDFAST_DATABASE_URL=postgres://holdfast:$POSTGRES_PASSWORD@postgres:5432/holdfast
compose config -q
compose up -d --no-build
until_true 240 "Compose with Postgres: never healthy" healthy "$(container holdfast)"
put_and_get "$url"
[ ! -e "$work/compose/data-postgres/catalog.db" ] || fail "a SQLite catalogue appeared beside Postgres"
rows=$("$docker" exec -e PGPASSWORD="$POSTGRES_PASSWORD" "$(container postgres)" psql -h 127.0.0.1 -U holdfast -At -c "select count(*) from nodes where name = 'note.txt'" holdfast)
[ "$rows" = 1 ] || fail "the file is not in the Postgres catalogue"
compose restart holdfast
until_true 240 "Compose with Postgres: not healthy after a restart" healthy "$(container holdfast)"
put_and_get "$url"
compose down -v

step "passed: the image, alone and with Compose, SQLite and Postgres"
