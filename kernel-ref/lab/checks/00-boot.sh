#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: reduced
#
# The guest is what the other checks take for granted.
set -euo pipefail
trap 'echo "failed: $BASH_COMMAND"' ERR

[[ $(uname -r) == "$COLO_LAB_RELEASE" ]]

# Files: this machine's can be read, and written over in the guest's memory only.
[[ $(findmnt -no FSTYPE /) == overlay ]]
echo changed >/etc/hostname
[[ $(</etc/hostname) == changed ]]
/usr/bin/python3 -c 'import json, socket, struct'

# Two namespaces on a bridge, with a delay that ping can see.
ip link add br0 type bridge
ip link set br0 up
for side in a b; do
    ip netns add $side
    ip link add tap-$side type veth peer name eth0 netns $side
    ip link set tap-$side master br0 up
    ip -n $side link set eth0 up
done
ip -n a address add 10.0.0.1/24 dev eth0
ip -n b address add 10.0.0.2/24 dev eth0
ip -n a address add fd00::1/64 dev eth0 nodad
ip -n b address add fd00::2/64 dev eth0 nodad
tc qdisc add dev tap-b root netem delay 20ms
ip netns exec a busybox ping -c 1 -W 5 10.0.0.2
ip netns exec a busybox ping -6 -c 1 -W 5 fd00::2

# Both kinds of rules see what crosses the bridge.
modprobe -q br_netfilter || true # a debug kernel has it built in
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
for iptables in iptables-legacy iptables-nft; do
    $iptables -t mangle -A PREROUTING -m physdev --physdev-in tap-a -p icmp
    ip netns exec a busybox ping -c 1 -W 5 10.0.0.2
    $iptables -t mangle -vnxL PREROUTING | awk '/PHYSDEV/ { exit !$1 } END { print }'
    $iptables -t mangle -F
done
