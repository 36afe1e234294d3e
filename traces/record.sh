#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
#   [colo-rec-c]  10.9.0.1 ── veth ── 10.9.0.2  [colo-rec-s]
#       client                                    server, tcpdump
#
# Records http.pcap, smtp.pcap or redis.pcap anew: record.sh http|smtp|redis [FILE]
# Runs as root; needs tcpdump, curl, iproute2 and the server's package
# (nginx-light; exim4-daemon-light; redis-server, redis-tools). No packet leaves the namespaces.
set -euo pipefail

client=colo-rec-c server=colo-rec-s address=10.9.0.2
work=$(mktemp -d) daemons=()

cleanup() {
    for pid in "${daemons[@]}"; do
        kill "$pid" 2>/dev/null || continue
        wait "$pid" 2>/dev/null || true
    done
    ip netns delete $client 2>/dev/null || true
    ip netns delete $server 2>/dev/null || true
    rm -rf "$work"
}

prepare() {
    trap cleanup EXIT
    chmod 755 "$work"
    ip netns add $client
    ip netns add $server
    ip -n $client link add eth0 type veth peer name eth0 netns $server
    local i=1
    for ns in $client $server; do
        ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
        ip -n "$ns" address add 10.9.0.$i/24 dev eth0
        # Else one captured packet holds many segments.
        ip -n "$ns" link set dev eth0 gso_max_segs 1
        ip -n "$ns" link set lo up
        ip -n "$ns" link set eth0 up
        i=$((i + 1))
    done
}

in_client() { ip netns exec $client env -i PATH="$PATH" HOME=/nonexistent "$@"; }

daemon() {
    ip netns exec $server env -i PATH="$PATH" "$@" >/dev/null 2>&1 &
    daemons+=($!)
}

wait_for_port() {
    for _ in $(seq 100); do
        ip netns exec $server ss -Hltn "sport = :$1" | grep -q . && return
        sleep 0.05
    done
    echo "record.sh: nothing listens on port $1" >&2
    exit 1
}

start_capture() {
    ip netns exec $server tcpdump -i eth0 -B 65536 -s 0 -U --immediate-mode -Z root -w "$work/out.pcap" tcp 2>/dev/null &
    daemons+=($!)
    while [ ! -s "$work/out.pcap" ]; do sleep 0.05; done
}

# Lines that differ, so that nothing can take one for another.
text() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) printf "line %05d %08x\n", i, i * 40503 }'; }

record_http() {
    mkdir "$work/www"
    text 40 >"$work/www/index.html"
    text 15 >"$work/www/style.css"
    text 90 >"$work/www/news.html"
    text 8000 >"$work/www/bulk.txt"
    cat >"$work/nginx.conf" <<END
daemon off; worker_processes 1; pid $work/pid; error_log /dev/null; user root;
events {}
http { access_log off; server { listen 80; server_name www.example.org; root $work/www; } }
END
    daemon nginx -e /dev/null -c "$work/nginx.conf"
    wait_for_port 80
    start_capture
    get() { in_client curl -sS -H 'Host: www.example.org' "$@"; }
    get -o /dev/null "http://$address/index.html" -o /dev/null "http://$address/style.css"
    sleep 0.1
    get -o /dev/null "http://$address/news.html" -o /dev/null "http://$address/missing.html" \
        -o /dev/null "http://$address/bulk.txt"
    sleep 0.05
    get -o /dev/null -I "http://$address/bulk.txt"
}

record_smtp() {
    cat >"$work/exim.conf" <<END
primary_hostname = mail.example.org
spool_directory = $work/spool
log_file_path = $work/%slog
exim_user = root
exim_group = root
host_lookup =
rfc1413_query_timeout = 0s
helo_allow_chars = _
tls_advertise_hosts =
queue_only
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny message = no such user
       local_parts = nobody
  accept
data:
  accept
END
    mkdir "$work/spool"
    daemon exim4 -bdf -oX 25 -C "$work/exim.conf"
    wait_for_port 25
    mail() { printf 'From: ann@example.net\nTo: bob@example.org\nSubject: %s\n\n' "$1"; text "$2"; }
    mail 'A short note' 5 >"$work/short"
    mail 'A long report' 900 >"$work/long"
    start_capture
    send() { in_client curl -sS --crlf --mail-from ann@example.net "$@"; }
    send --mail-rcpt bob@example.org -T "$work/short" "smtp://$address/client.example.net" --next \
        -sS --crlf --mail-from ann@example.net --mail-rcpt bob@example.org \
        --mail-rcpt eve@example.org -T "$work/long" "smtp://$address/client.example.net"
    sleep 0.1
    send --mail-rcpt nobody@example.org -T "$work/short" "smtp://$address/client.example.net" \
        2>/dev/null || true
}

record_redis() {
    daemon redis-server --port 6379 --bind $address --save '' --dir "$work" --protected-mode no
    wait_for_port 6379
    start_capture
    in_client redis-benchmark -h $address -c 4 -n 60 -r 100 -d 400 -t set,get,lpush,lpop -q >/dev/null
}

case "${1:-}" in
http | smtp | redis) ;;
*)
    echo "usage: record.sh http|smtp|redis [FILE]" >&2
    exit 2
    ;;
esac
target=${2:-$(dirname "$0")/$1.pcap}
prepare
"record_$1"
sleep 0.3
# A capture that is stopped writes out what it has.
kill -INT "${daemons[-1]}"
wait "${daemons[-1]}" || true
install -m 644 "$work/out.pcap" "$target"
