# The full node, seen from the machine: cgroups, namespaces, the link into them. Sourced by `up`.

# One cgroup in every hierarchy, below wherever this shell already is; everything the node makes stays below it.
node_cgroups() {
  : >"$state/cgroups"
  local id controllers path root group
  while IFS=: read -r id controllers path; do
    if [ -z "$controllers" ]; then
      # The unified hierarchy carries controllers only where cgroup v1 is not in use.
      [ -e /sys/fs/cgroup/cgroup.controllers ] || continue
      root=/sys/fs/cgroup
    else
      root=/sys/fs/cgroup/${controllers#name=}
    fi
    group=$root${path%/}/aurora-$name
    mkdir -p "$group"
    echo "$group" >>"$state/cgroups"
    if [[ ,$controllers, == *,cpuset,* ]]; then
      cat "$root${path%/}/cpuset.cpus" >"$group/cpuset.cpus"
      cat "$root${path%/}/cpuset.mems" >"$group/cpuset.mems"
    fi
  done </proc/self/cgroup
}

node_up() {
  [ "$(id -u)" = 0 ] || fail "a full node needs root: run this as root, or with --level control-plane, or name a context: make demo CONTEXT=..."
  command -v runc nft ip openssl curl >/dev/null || fail "runc, nftables, iproute2, openssl and curl are needed: run e2e/cluster/packages"
  local bin=$state/bin tool init group
  mkdir -p "$state"/{bin/cni,images,run,sh,volumes}
  rm -f "$state"/run/*
  for tool in kubernetes etcd containerd; do cp -u "$("$e2e/tools/build" --print $tool)"/* "$bin/"; done
  cp -u "$("$e2e/tools/build" --print cni)"/* "$bin/cni/"
  cp "$here"/{node-enter,node-init,control-plane.sh} "$state/sh/"
  "$here/pki" "$state/pki" "$node_ip" 6443 "$api_service_ip"
  "$e2e/images/build" pause coredns postgres
  "$e2e/images/place" "$state/images" pause coredns postgres
  say "programs, certificates and base images at hand"

  ip link add "$bridge" type bridge
  ip addr add "$host_ip/24" dev "$bridge"
  ip link set "$bridge" up
  ip route replace "$range.0.0/16" via "$node_ip"
  node_cgroups
  cat >"$state/sh/facts" <<FACTS
node_ip=$node_ip host_ip=$host_ip service_range=$service_range pod_range=$pod_range dns_ip=$dns_ip
FACTS
  (
    while read -r group; do echo $BASHPID >"$group/cgroup.procs"; done <"$state/cgroups"
    ulimit -n "$(ulimit -Hn)"
    exec setsid unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child --propagation private \
      bash "$state/sh/node-enter" "$state"
  ) >"$state/log/node.log" 2>&1 </dev/null &
  local outer=$!
  remember $outer
  for _ in $(seq 100); do
    init=$(pgrep -P $outer | head -1) && break
    sleep 0.05
  done
  [ -n "$init" ] || fail "the node's first process did not start: $(cat "$state/log/node.log")"
  remember "$init"
  ip link add "$link" type veth peer name eth0 netns "$init"
  ip link set "$link" master "$bridge" up
  echo "$init" >"$state/run/init"
  for _ in $(seq 1200); do
    [ ! -e "$state/run/ready" ] || break
    kill -0 "$init" 2>/dev/null || fail "the node ended: $(tail -5 "$state/log/node.log")"
    sleep 0.1
  done
  [ -e "$state/run/ready" ] || fail "the node is not ready after two minutes; see $state/log"
  say "node ready"
  export KUBECONFIG=$kubeconfig
  PATH=$bin:$PATH
  sed "s|{{dns_ip}}|$dns_ip|; s|{{coredns}}|$("$e2e/images/build" --print coredns)|" "$here/manifests/dns.yaml" | kubectl apply -f - >/dev/null
  kubectl apply -f "$here/manifests/storage.yaml" >/dev/null
  "$here/volumes" --name "$name" --state "$state" >/dev/null
  wait_for 60 "DNS answers" kubectl -n kube-system wait --for=condition=Available deployment/coredns --timeout=1s
}
