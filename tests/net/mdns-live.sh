#!/bin/bash
# Two hosts of their own on two links, in network namespaces without a route to anywhere.
# Usage: unshare --net --mount mdns-live.sh <folder> <bun> <tests/net> [avahi]
set -eu
work=$1 bun=$2 here=$3 avahi=${4:-}
ip link set lo up
unshare --net sleep 120 & peer=$!
trap 'kill $(jobs -p) $(cat "$work/bus.pid" 2>/dev/null) 2>/dev/null || true' EXIT
sleep 0.2
there() { nsenter --target "$peer" --net "$@"; }
for enter in '' there; do
  $enter sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad' 2>/dev/null || true
done
for n in 0 1; do
  ip link add "a$n" type veth peer name "b$n"
  ip link set "b$n" netns "$peer"
  ip addr add "10.99.$n.1/24" dev "a$n"; ip link set "a$n" up
  there ip addr add "10.99.$n.2/24" dev "b$n"; there ip link set "b$n" up
done
there ip link set lo up
# IPv6 addresses are tentative for a second or two.
for _ in $(seq 40); do ip -6 addr show tentative | grep -q inet6 || break; sleep 0.1; done

announce() { "$bun" "$here/mdns-live-host.ts" den "$2" >"$work/host.$1" & }
wait_for() { for _ in $(seq 100); do grep -q "$2" "$1" 2>/dev/null && return 0; sleep 0.05; done; echo "no '$2' in $1"; return 1; }

if [ -z "$avahi" ]; then
  announce 1 punktfunk-0123456789ab; first=$!
  wait_for "$work/host.1" '^names'
  # The second announcement, and the second in which nothing is said twice.
  sleep 2.2
  there "$bun" "$here/mdns-live-peer.ts" 10.99.1.2 \
    'legacy,PTR,_nvstream._tcp.local' 'legacy,A,punktfunk-0123456789ab.local' \
    'full,PTR,_nvstream._tcp.local,den._nvstream._tcp.local' 'full,PTR,_nvstream._tcp.local' \
    'full,PTR,_services._dns-sd._udp.local' 'full,TXT,den._example._udp.local' 'full,PTR,_other._tcp.local'
  there "$bun" "$here/mdns-live-peer.ts" 10.99.0.2 'full,A,punktfunk-0123456789ab.local'
  kill "$first"
  wait_for "$work/host.1" '^closed'
  exit 0
fi

mkdir -p /run/avahi-daemon; mount -t tmpfs none /run/avahi-daemon
cat >"$work/bus.conf" <<X
<busconfig><type>system</type><listen>unix:path=$work/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>
X
dbus-daemon --config-file="$work/bus.conf" --fork --print-pid >"$work/bus.pid"
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
printf '[server]\nhost-name=peer\n' >"$work/avahi.conf"
there avahi-daemon -f "$work/avahi.conf" --no-drop-root --no-chroot --no-rlimits >"$work/avahi.log" 2>&1 &
wait_for "$work/avahi.log" 'Server startup complete'

announce 1 punktfunk-0123456789ab; first=$!
wait_for "$work/host.1" '^names'
nsenter --target "$peer" --net avahi-browse -rp _nvstream._tcp >"$work/browse" & browse=$!
there avahi-browse -rpt _example._udp >"$work/example"
there avahi-resolve -4 -n punktfunk-0123456789ab.local >"$work/resolve" 2>&1 || true
there avahi-publish -s den _nvstream._tcp 4711 >"$work/publish" 2>&1 &
wait_for "$work/publish" 'Established'
announce 2 punktfunk-ba9876543210; second=$!
wait_for "$work/host.2" '^names'
kill "$first"
wait_for "$work/host.1" '^closed'
# Records with no life left are kept for a second (RFC 6762 §10.1).
sleep 1.3; kill "$browse"; wait "$browse" || true
kill "$second"
wait_for "$work/host.2" '^closed'
