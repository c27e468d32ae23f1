#!/usr/bin/env bash
# machines.sh DIR WORK CHECKOUT NAME...: makes machines, each with an address 10.20.0.N on one network, a host name, and files of its
# own above those of this machine. Run it in new network, mount and UTS namespaces: nothing is left when they end.
#
# For each it writes DIR/NAME/pid, a process in the machine's namespaces, and mounts its files at DIR/NAME/root, with the
# folders WORK and CHECKOUT in common, wherever these are. It prints "ready" then and stays until its input ends.
set -euo pipefail
dir=$1 work=$2 checkout=$3
shift 3
mount --make-rprivate /
mount -t tmpfs machines "$dir"
ip link set lo up
ip link add br0 type bridge
ip link set br0 up
number=0
for name in "$@"; do
  number=$((number + 1))
  machine=$dir/$name
  mkdir -p "$machine/changed" "$machine/work" "$machine/root"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$machine/changed,workdir=$machine/work" "$machine/root"
  for folder in /proc /sys /dev; do mount --rbind "$folder" "$machine/root$folder"; done
  for folder in /run /tmp /var/tmp; do mount -t tmpfs tmpfs "$machine/root$folder"; done
  for folder in "$work" "$checkout"; do
    mkdir -p "$machine/root$folder"
    mount --bind "$folder" "$machine/root$folder"
  done
  unshare --net --uts sh -c "hostname $name; ip link set lo up; echo \$\$ >'$machine/pid'; exec sleep infinity" &
  until [ -s "$machine/pid" ]; do sleep 0.02; done
  pid=$(cat "$machine/pid")
  ip link add "veth$number" type veth peer name eth0 netns "$pid"
  ip link set "veth$number" master br0 up
  nsenter -t "$pid" -n ip address add "10.20.0.$number/24" dev eth0
  nsenter -t "$pid" -n ip link set eth0 up
  cp /etc/hosts "$machine/root/etc/hosts.new" && mv "$machine/root/etc/hosts.new" "$machine/root/etc/hosts"
done
echo ready
cat >/dev/null
kill $(jobs -p)
