#!/usr/bin/env bash
# tuspy, a client of the tus project, uploads with its own defaults, in chunks with checksums, and goes on where an upload
# was interrupted, also over a killed server.
#
# usage: HOLDFASTD_BIN=... tests/clients/tus.sh
source "$(dirname "$0")/lib.sh"

step "installing tuspy"
python3 -m venv "$work/python" >"$work/venv.log" 2>&1 || skip "python3 makes no virtual environment (apt-get install python3-venv)"
"$work/python/bin/pip" install --quiet --disable-pip-version-check tuspy==1.1.0 requests >"$work/pip.log" 2>&1 \
    || skip "tuspy cannot be installed: $(tail -n 1 "$work/pip.log")"

start_server
home=$(home_folder)
use_app_password
head -c 30000000 /dev/urandom >"$work/large.bin"
upload() { # upload STOP_AT [LOCATION]: sends up to there; tells where the upload is
    "$work/python/bin/python" - "$url" "$user" "$password" "$work/large.bin" "$@" <<'PY'
import base64, sys
from tusclient import client
url, user, password, path, stop_at, *location = sys.argv[1:]
secret = base64.b64encode(f"{user}:{password}".encode()).decode()
tus = client.TusClient(url + "/api/uploads", headers={"Authorization": f"Basic {secret}"})
where = {"url": location[0]} if location else {}
uploader = tus.uploader(path, chunk_size=4_000_000, retries=3, retry_delay=1, upload_checksum=True,
                        metadata={"path": "/from/tuspy.bin", "parents": "true"}, **where)
uploader.upload(stop_at=int(stop_at) or None)
print(uploader.url)
PY
}

step "a file as a whole"
"$work/python/bin/python" - "$url" "$user" "$password" "$work/large.bin" <<'PY'
import base64, sys
from tusclient import client
url, user, password, path = sys.argv[1:]
secret = base64.b64encode(f"{user}:{password}".encode()).decode()
tus = client.TusClient(url + "/api/uploads", headers={"Authorization": f"Basic {secret}"})
tus.uploader(path, metadata={"filename": "whole.bin", "filetype": "application/octet-stream"}).upload()
PY
cmp "$work/large.bin" "$home/whole.bin" || fail "it is not the file that was sent"

step "in chunks with checksums, over a killed server"
location=$(upload 12000000)
[ ! -e "$home/from" ] || fail "it is there before it is whole"
kill -9 "$server_pid"
wait "$server_pid" 2>/dev/null || true
HOLDFAST_LISTEN=${url#http://} HOLDFAST_DATA_DIR=$data "$HOLDFASTD_BIN" serve >>"$work/server.log" 2>&1 </dev/null &
server_pid=$!
wait_for_server
offset=$(curl -fsS -I -u "$user:$password" -H 'Tus-Resumable: 1.0.0' "$location" | tr -d '\r' | sed -n 's/^upload-offset: //Ip')
[ "$offset" = 12000000 ] || fail "it stands at $offset, not at 12000000"
upload 0 "$location" >/dev/null
cmp "$work/large.bin" "$home/from/tuspy.bin" || fail "it is not the file that was sent"
[ -z "$(ls -A "$home/.holdfast/uploads")" ] || fail "something of the uploads is left behind"
step "passed"
