#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: timeout_s=300
#
# coloctl and the plugins of iptables against the real modules, on one host with no traffic: what
# they say and leave, and that setup is all or nothing. Traffic is the other checks' part.
set -euo pipefail
trap 'echo "failed: $BASH_COMMAND"' ERR

say() { echo "--- $*"; }
# Python is slow here, so it looks at all JSON in the end.
has() { tee -a all.json | grep -qF -e "$1"; }
# refused STATUS TEXT COMMAND...: it ends so, and says so in a line
refused() {
    local status=$1 text=$2 said got=0
    shift 2
    said=$("$@" 2>&1 >/dev/null) || got=$?
    [[ $got == "$status" && $said == *"$text"* && $(wc -l <<<"$said") == 1 ]] || {
        echo "$* ended with $got and said: $said"
        return 1
    }
}
rules() {
    for tool in iptables ip6tables; do "$tool-$1-save" -t mangle 2>/dev/null | grep COLO || true; done
}
state() {
    ip -o link | sed -E 's/^[0-9]*: //; s/ link.*//; s/ qdisc [a-z]+//' | sort
    sysctl net.bridge | grep -E 'call-ip6?tables|vlan-tagged'
    rules legacy
    rules nft
    coloctl node list --json
}

modprobe -q br_netfilter || true
# Other checks in this guest go by what was.
kept=$(sysctl kernel.modprobe net.bridge | grep -E 'modprobe|call-ip6?tables|vlan-tagged')
trap 'sysctl -qp - <<<"$kept"' EXIT
modprobe xt_PMYCOLO
modprobe xt_SECCOLO
ip link add tap0 type veth peer name tap0-far
ip link add eth1 type veth peer name eth1-far
ip link add eth0 type veth peer name eth0-far

say "a node: made, shown, refused, removed"
[[ $(coloctl node list --json) == '[]' ]]
coloctl node add 1 --role primary --guest-dev tap0 --compare-timeout 1.5s --reorder-window 7 \
    --ack clamp --interval-min 5ms
coloctl node list 1 --json | has '"role":"primary"'
coloctl node list --json | has '"compare_timeout_ns":1500000000'
coloctl node list --json | has '"interval_min_ns":5000000'
coloctl node list --json | has '"reorder_window":7'
coloctl node list --json | has '"ack":"clamp"'
coloctl node list --json | has '"armed":false'
coloctl node list --json | has '"state":"running"'
coloctl stats 1 --json | has '"released_packets":0'
[[ $(coloctl flows 1 --json) == '[]' ]]
coloctl node list | grep -q '^1: primary guest-dev tap0 sec-dev none, no rule names it'
coloctl stats | grep -q 'released_packets  *0'
refused 1 "node 1: " coloctl node add 1 --role primary --guest-dev tap0
refused 1 "node 2: " coloctl node add 2 --role primary --guest-dev no-such-dev
refused 1 "node 7: " coloctl node del 7
refused 1 "node 7: " coloctl stats 7
refused 1 "node 7: " coloctl flows 7 --json
refused 1 "node 1: " coloctl protocol 1 loaded --epoch 9
coloctl node del 7 --if-exists
coloctl node list --json | has '"index":1'

say "monitor: a checkpoint, a node that goes"
coloctl monitor 1 --json --count 4 >events &
monitor=$!
until grep -q listening events; do sleep 0.1; done
coloctl protocol 1 request
sleep 0.2
coloctl node list 1 --json | has '"state":"requested"'
coloctl checkpoint 1 --json | has '{"index":1,"epoch":1}'
coloctl node del 1
wait $monitor || [[ $? == 143 ]]
cat events
grep -q '"event":"checkpoint-requested"' events
grep -q '"event":"committed"' events

say "an owner's node goes with it"
coloctl node add 3 --role secondary --guest-dev tap0 --owned >owned &
owner=$!
until grep -q "node 3" owned; do sleep 0.1; done
coloctl node list 3 | grep -q owned
kill $owner
wait $owner || true
[[ $(coloctl node list --json) == '[]' ]]

say "rules come back as they were saved, from both programs of both kinds"
coloctl node add 1 --role primary --guest-dev tap0
ip link set eth1 mtu 1600 up
for kind in legacy nft; do
    for tool in iptables ip6tables; do
        $tool-$kind -t mangle -A PREROUTING -m physdev --physdev-in tap0 -j PMYCOLO --index 1 \
            --forward-dev eth1
        $tool-$kind -t mangle -C PREROUTING -m physdev --physdev-in tap0 -j PMYCOLO --index 1 \
            --forward-dev eth1
        $tool-$kind -t mangle -nL PREROUTING | grep -q 'PMYCOLO.*colo index 1 forward-dev eth1'
    done
    rules $kind >before
    [[ $(wc -l <before) == 2 ]]
    for tool in iptables ip6tables; do
        $tool-$kind-save -t mangle >saved
        $tool-$kind -t mangle -F
        $tool-$kind-restore <saved
    done
    rules $kind >after
    diff before after
    coloctl node list --json | has '"sec_dev":"eth1"'
    for tool in iptables ip6tables; do $tool-$kind -t mangle -F; done
done
coloctl node list --json | has '"armed":false'
coloctl node del 1
ip link set eth1 mtu 1500 down

primary=(setup primary --index 1 --bridge br0 --guest-dev tap0 --sec-dev eth1 --uplink eth0)
secondary=(setup secondary --index 1 --bridge br1 --guest-dev tap0 --sec-dev eth1
    --lan-bridge br0 --uplink eth0)
declare -A kinds=([primary]=legacy [secondary]=nft)
for role in primary secondary; do
    kind=${kinds[$role]}
    say "setup and teardown of a $role, $kind"
    declare -n words=$role
    sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=1
    state >before
    coloctl "${words[@]}" --iptables $kind --dry-run >plan
    state | diff before -
    coloctl "${words[@]}" --iptables $kind --compare-timeout 2s
    coloctl node list --json | has '"armed":true'
    coloctl node list --json | has "\"role\":\"$role\""
    [[ $(</sys/class/net/eth1/mtu) == 1518 ]]
    [[ $(rules $kind | wc -l) == 2 ]]
    refused 1 "node 1 is set up already" coloctl "${words[@]}"
    coloctl teardown --index 1
    state | diff before -
    coloctl teardown --index 1

    say "all or nothing: the last rule cannot be added"
    mkdir -p faults
    printf '#!/bin/sh\nexit 3\n' >faults/ip6tables-$kind
    chmod +x faults/ip6tables-$kind
    ! PATH=$PWD/faults:$PATH coloctl "${words[@]}" --iptables $kind 2>said
    grep -q 'what had been done is undone' said
    state | diff before -

    say "the plan can be pasted"
    bash -eu plan
    coloctl node list --json | has '"armed":true'
    for tool in iptables ip6tables; do $tool-$kind -t mangle -F; done
    coloctl node del 1
    ip link del br0
    ip link del br1 2>/dev/null || true
    for device in tap0 eth0 eth1; do ip link set $device down mtu 1500; done
    sysctl -qw net.bridge.bridge-nf-filter-vlan-tagged=0
done

say "failover moves the tap and announces"
coloctl "${secondary[@]}"
ip link set eth0-far up
tcpdump -Z root -i eth0-far -w announced.pcap -U 2>/dev/null &
capture=$!
sleep 1
refused 1 "no such bridge" coloctl failover 1 --bridge br7 --mac 52:54:00:00:00:01
coloctl failover 1 --bridge br0 --mac 52:54:00:00:00:01 --address 10.0.0.2 --address fd00::2 \
    --dry-run
[[ $(readlink /sys/class/net/tap0/brport/bridge) == */br1 ]]
coloctl failover 1 --bridge br0 --mac 52:54:00:00:00:01 --address 10.0.0.2 --address fd00::2
[[ $(readlink /sys/class/net/tap0/brport/bridge) == */br0 ]]
coloctl node list --json | has '"failed_over":true'
sleep 1
kill $capture
wait $capture || true
tcpdump -nevr announced.pcap ether src 52:54:00:00:00:01 2>/dev/null | tee announced
(($(grep -c 'Announcement 10.0.0.2\|who-has 10.0.0.2.*tell 10.0.0.2' announced) == 3))
(($(grep -c 'neighbor advertisement, .*tgt is fd00::2' announced) == 3))
! grep -q 'bad icmp6 cksum' announced
coloctl teardown --index 1
[[ $(coloctl node list --json) == '[]' && ! -e /sys/class/net/br1 ]]

say "the module goes, and coloctl says so"
modprobe -r xt_PMYCOLO xt_SECCOLO
modprobe -r nf_conntrack_colo 2>/dev/null || true
coloctl node list # which has the kernel load it again
modprobe -r nf_conntrack_colo
sysctl -qw kernel.modprobe=/bin/false
refused 1 'modprobe nf_conntrack_colo' coloctl node list

say "all of it was JSON"
/usr/bin/python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' <events
/usr/bin/python3 -c '
import json, sys
text, decoder = sys.stdin.read().strip(), json.JSONDecoder()
while text:
    value, end = decoder.raw_decode(text)
    text = text[end:].strip()' <all.json
