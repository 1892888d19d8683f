# Prepares the full node from the machine's side: cgroups, namespaces and network link. Sourced by `up`.

# Creates one cgroup in every hierarchy, below the cgroup of this shell. All cgroups of the node lie below it.
node_cgroups() {
  : >"$state/cgroups"
  unified=/sys/fs/cgroup
  if [ -e $unified/cgroup.controllers ]; then unified_cgroup; return; fi
  local controllers path root group
  while IFS=: read -r _ controllers path; do
    # On a machine with cgroup v1 the unified hierarchy has no controllers.
    [ -n "$controllers" ] || continue
    root=/sys/fs/cgroup/${controllers#name=}
    group=$root${path%/}/aurora-$name
    mkdir -p "$group"
    echo "$group" >>"$state/cgroups"
    if [[ ,$controllers, == *,cpuset,* ]]; then
      cat "$root${path%/}/cpuset.cpus" >"$group/cpuset.cpus"
      cat "$root${path%/}/cpuset.mems" >"$group/cpuset.mems"
    fi
  done </proc/self/cgroup
}

# In cgroup v2 a group that contains processes cannot pass controllers to its children, and the group of this shell contains this shell.
# The root group is exempt from that rule, so the node's group is created there.
unified_cgroup() {
  group=$unified/aurora-$name
  enable_controllers $unified || true
  local controller
  for controller in cpu memory pids; do
    [[ " $(<$unified/cgroup.subtree_control) " == *" $controller "* ]] ||
      fail "$unified does not pass the $controller controller to its children; run this on the machine itself, not in a container"
  done
  mkdir -p "$group/init"
  echo "$group" >>"$state/cgroups"
}
enable_controllers() {
  local controller failed=0
  for controller in $(<"$1/cgroup.controllers"); do echo "+$controller" >"$1/cgroup.subtree_control" || failed=1; done 2>/dev/null
  return $failed
}
# The node's first processes entered the node's group, so that their cgroup namespace begins there. They are moved to a child group, because
# the node's group can pass controllers to the pods only while it contains no process.
settle_unified_cgroup() {
  local pid
  for _ in $(seq 100); do
    for pid in $(<"$group/cgroup.procs"); do echo "$pid" >"$group/init/cgroup.procs" || true; done 2>/dev/null
    ! enable_controllers "$group" || return 0
    sleep 0.05
  done
  fail "$group cannot pass its controllers to its children"
}

node_up() {
  [ "$(id -u)" = 0 ] || fail "a full node needs root: run this as root, or with --level control-plane, or name a context: make demo CONTEXT=..."
  local bin=$state/bin tool init group=
  for tool in buildah curl gcc ip jq nft nsenter openssl pgrep runc; do
    command -v $tool >/dev/null || fail "$tool is needed: run e2e/cluster/packages"
  done
  unshare --mount true 2>/dev/null || fail "a full node needs the right to make namespaces (CAP_SYS_ADMIN): run on the machine itself, or with --level control-plane"
  mkdir -p "$state"/{bin/cni,images,run,sh,volumes}
  rm -f "$state"/run/*
  for tool in kubernetes etcd containerd; do cp -u "$("$e2e/tools/build" --print $tool)"/* "$bin/"; done
  cp -u "$("$e2e/tools/build" --print cni)"/* "$bin/cni/"
  cp "$here"/{node-enter,node-init,control-plane.sh} "$state/sh/"
  "$here/pki" "$state/pki" "$node_ip" 6443 "$api_service_ip"
  "$e2e/images/build" pause coredns postgres
  "$e2e/images/place" "$state/images" pause coredns postgres
  say "programs, certificates and base images are ready"

  # Failures are ignored: a module may be built into the kernel. If a needed one is missing, a later step fails. Without br_netfilter, traffic
  # between two pods of one bridge bypasses kube-proxy's rules.
  modprobe -qa br_netfilter overlay nf_tables 2>/dev/null || true
  [ -d /sys/class/net/"$bridge" ] || [ -z "$(ip route show "172.31.$number.0/24")" ] || fail "172.31.$number.0/24 is in use on this machine: give the cluster another --name"
  ip link add "$bridge" type bridge || fail "cannot make the bridge $bridge; if another cluster uses it, give this one another --name"
  echo "$bridge" >"$state/links"
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
  # Until the subshell has executed `unshare`, its children are short-lived commands and not the node's first process.
  for _ in $(seq 100); do
    if [ "$(cat "/proc/$outer/comm" 2>/dev/null)" = unshare ]; then init=$(pgrep -P $outer | head -1) && break; fi
    sleep 0.05
  done
  [ -n "$init" ] || fail "the node's first process did not start: $(cat "$state/log/node.log")"
  remember "$init"
  [ -z "$group" ] || settle_unified_cgroup
  ip link add "$link" type veth peer name eth0 netns "$init"
  echo "$link" >>"$state/links"
  ip link set "$link" master "$bridge" up
  echo "$init" >"$state/run/init"
  for _ in $(seq 1200); do
    [ ! -e "$state/run/ready" ] || break
    kill -0 "$init" 2>/dev/null || fail "the node stopped: $(tail -5 "$state/log/node.log")"
    sleep 0.1
  done
  [ -e "$state/run/ready" ] || fail "the node is not ready after two minutes; see $state/log"
  say "node ready"
  export KUBECONFIG=$kubeconfig
  PATH=$bin:$PATH
  sed "s|{{dns_ip}}|$dns_ip|; s|{{coredns}}|$("$e2e/images/build" --print coredns)|" "$here/manifests/dns.yaml" | kubectl apply -f - >/dev/null
  kubectl apply -f "$here/manifests/storage.yaml" >/dev/null
  "$here/volumes" --name "$name" --state "$state" >/dev/null
  "$here/volumes" --name "$name" --state "$state" --follow >"$state/log/volumes.log" 2>&1 </dev/null &
  remember $!
  wait_for 60 "DNS answers" kubectl -n kube-system wait --for=condition=Available deployment/coredns --timeout=1s
}
