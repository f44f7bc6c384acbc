#!/bin/sh
# Starts holdfastd as the household's user, so that the plain files on the volume belong to that user.
# Started as root: gives up root for PUID:PGID. Started as somebody else (docker run --user): stays who it is.
set -eu

umask "$UMASK"

if [ "$(id -u)" != 0 ]; then
    exec holdfastd "$@"
fi

for number in "$PUID" "$PGID"; do
    case $number in
        '' | *[!0-9]*) echo "PUID and PGID must be numbers, for example those that 'id' prints" >&2; exit 64 ;;
    esac
done
if [ "$PUID" = 0 ]; then
    echo "PUID=0 would run Holdfast as root: choose the user whom the files shall belong to" >&2
    exit 64
fi

# A fresh volume belongs to root. Only its top is given away: what lies deeper was written by Holdfast itself, and going
# through a million files at each start would take minutes.
mkdir -p "$HOLDFAST_DATA_DIR"
owner=$(stat -c %u:%g "$HOLDFAST_DATA_DIR")
if [ "$owner" != "$PUID:$PGID" ]; then
    if [ "$owner" != 0:0 ]; then
        echo "$HOLDFAST_DATA_DIR belonged to $owner; if older files below it do too, run once on the host: chown -R $PUID:$PGID" >&2
    fi
    chown "$PUID:$PGID" "$HOLDFAST_DATA_DIR"
fi

exec setpriv --reuid "$PUID" --regid "$PGID" --clear-groups --no-new-privs --inh-caps=-all -- holdfastd "$@"
