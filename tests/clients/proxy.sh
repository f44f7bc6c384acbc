#!/usr/bin/env bash
# The nginx of docker/proxy/nginx.conf in front of a real server: everything WebDAV goes through it as if it were not there,
# and wrong passwords are counted for whoever sent them.
#
# usage: HOLDFASTD_BIN=... tests/clients/proxy.sh
source "$(dirname "$0")/lib.sh"
nginx=$(command -v nginx || command -v /usr/sbin/nginx) || skip "nginx is missing (apt-get install nginx-light)"
command -v openssl >/dev/null || skip "openssl is missing"

export HOLDFAST_TRUSTED_PROXIES=127.0.0.1 HOLDFAST_LIMITS_LOGIN_ATTEMPTS_PER_ADDRESS=5
start_server
home=$(home_folder)
nginx_pid=
before_end() { [ -z "$nginx_pid" ] || { kill "$nginx_pid" && wait "$nginx_pid"; } 2>/dev/null || true; }

# --- the example as it is, with this test's own addresses --------------------------------------------------------------
secure=$(free_port) plain=$(free_port)
mkdir -p "$work/nginx"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/nginx/key.pem" -out "$work/nginx/cert.pem" 2>"$work/openssl.log"
sed -e "s|listen 443 ssl http2;|listen 127.0.0.1:$secure ssl http2; listen 127.0.0.1:$plain;|" \
    -e "s|server 127.0.0.1:8000;|server ${url#http://};|" -e 's|server_name .*;|server_name localhost;|' \
    -e "s|ssl_certificate .*;|ssl_certificate $work/nginx/cert.pem;|" \
    -e "s|ssl_certificate_key .*;|ssl_certificate_key $work/nginx/key.pem;|" "$top/docker/proxy/nginx.conf" >"$work/nginx/site.conf"
for expected in "127.0.0.1:$secure" "${url#http://}" "$work/nginx/cert.pem" "$work/nginx/key.pem"; do
    grep -qF "$expected" "$work/nginx/site.conf" || fail "the example has changed, $expected found no place in it"
done
cat >"$work/nginx/nginx.conf" <<CONF
daemon off;
pid $work/nginx/pid;
worker_processes 1;
error_log $work/nginx/error.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    include $work/nginx/site.conf;
}
CONF
"$nginx" -p "$work/nginx" -e "$work/nginx/error.log" -c "$work/nginx/nginx.conf" >"$work/nginx/out.log" 2>&1 </dev/null &
nginx_pid=$!
front=https://localhost:$secure
ask() { curl -sS --cacert "$work/nginx/cert.pem" "$@"; }
for _ in $(seq 100); do
    ask -o "$work/answer" "$front/healthz" 2>"$work/curl.log" && break
    kill -0 "$nginx_pid" 2>/dev/null || fail "nginx stopped: $(cat "$work/nginx/out.log" "$work/nginx/error.log")"
    sleep 0.1
done
status() { # status EXPECTED CURL-ARGUMENTS..
    local expected=$1 got
    shift
    got=$(ask -o "$work/answer" -w '%{http_code}' -u "$user:$password" "$@") || true
    [ "$got" = "$expected" ] || fail "$* answered $got, not $expected: $(head -c 500 "$work/answer")"
}

# --- what clients do ---------------------------------------------------------------------------------------------------
for version in --http1.1 --http2; do
    step "a conversation over https, $version"
    d=$front/dav/home/p$version
    status 201 $version -X MKCOL "$d"
    head -c 20000000 /dev/urandom >"$work/large"
    status 201 $version -T "$work/large" "$d/large.bin"
    cmp "$work/large" "$home/p$version/large.bin" || fail "the large file is not what was sent"
    status 201 $version -H 'Expect:' -T - "$d/from%20a%20pipe.txt" <"$work/large"
    cmp "$work/large" "$home/p$version/from a pipe.txt" || fail "what came without a length is not what was sent"
    status 207 $version -X PROPFIND -H 'Depth: 1' "$d/"
    grep -q 'from%20a%20pipe.txt' "$work/answer" || fail "the listing lacks a file"
    status 201 $version -X MOVE -H "Destination: $d/50%25%20%23%2B%20%C3%A9.txt" "$d/from%20a%20pipe.txt"
    [ -f "$home/p$version/50% #+ é.txt" ] || fail "the moved file is not there"
    status 201 $version -X COPY -H "Destination: $d/copy.bin" "$d/large.bin"
    status 204 $version -X MOVE -H "Destination: $d/copy.bin" -H 'Overwrite: T' "$d/large.bin"
    status 502 $version -X MOVE -H "Destination: https://elsewhere.example/dav/home/x" "$d/copy.bin"
    status 206 $version -r 1000-1999 "$d/copy.bin"
    cmp "$work/answer" <(tail -c +1001 "$work/large" | head -c 1000) || fail "a range is not what it should be"
    status 204 $version -X DELETE "$d/copy.bin"
    [ ! -e "$home/p$version/copy.bin" ] || fail "the deleted file is there"
done

step "an upload is not collected in nginx first"
large=$work/nginx/body
[ -z "$(find "$large" -type f 2>/dev/null)" ] || fail "nginx kept a body"

if command -v litmus >/dev/null; then
    step "litmus through nginx"
    mkdir -p "$work/litmus"
    (cd "$work/litmus" && litmus -k "http://localhost:$plain/dav/home/" "$user" "$password") >"$work/litmus.log" 2>&1 || true
    passed=$(grep -oE 'of [0-9]+ tests run: [0-9]+ passed' "$work/litmus.log" | awk '{ run += $2; passed += $5 } END { print run, passed }')
    [ "$passed" = "104 104" ] || fail "litmus ran and passed $passed, not 104 104:"$'\n'"$(grep -E 'WARNING|FAIL' "$work/litmus.log" | head -n 20)"
fi

step "the server knows by which address it was reached"
status 200 -H 'Accept: text/plain' "$front/api/connect"
grep -q "^Holdfast at $front, for $user" "$work/answer" || fail "not told its address: $(head -n 1 "$work/answer")"

step "wrong passwords are counted for who sent them"
wrong() { ask --interface "$1" -o "$work/answer" -w '%{http_code}' -u "nobody:$RANDOM" -H "X-Forwarded-For: 192.0.2.$RANDOM" "$front/api/me"; }
for _ in 1 2 3 4 5; do
    [ "$(wrong 127.0.0.2)" = 401 ] || fail "refused too early"
done
[ "$(wrong 127.0.0.2)" = 429 ] || fail "one address may try without end by saying that it is another"
[ "$(wrong 127.0.0.3)" = 401 ] || fail "an address was closed for what another did"
step "passed"
