# Shared by the scripts of this folder: where a cluster's state lives, how its addresses follow from its name, how processes are remembered.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
e2e=$(dirname "$here")

# cluster NAME [STATE]: sets the facts of a cluster. Two clusters of different names get different bridges and address ranges.
cluster() {
  name=$1
  state=${2:-${XDG_STATE_HOME:-$HOME/.local/state}/aurora-locus/$name}
  number=$(($(cksum <<<"$name" | cut -d' ' -f1) % 100))
  bridge=aurora$number
  link=aurora${number}n
  host_ip=172.31.$number.1
  node_ip=172.31.$number.11
  range=10.$((100 + number))       # services in .0.0/20, pods in .128.0/24
  service_range=$range.0.0/20
  pod_range=$range.128.0/24
  api_service_ip=$range.0.1
  dns_ip=$range.0.10
  kubeconfig=$state/pki/admin.kubeconfig
}

say() { printf '  %6.1f s  %s\n' "$(awk "BEGIN { print ($(date +%s%N) - ${began:=$(date +%s%N)}) / 1e9 }")" "$*"; }
fail() { echo "$*" >&2; exit 1; }

# A process is remembered by pid and start time, so that nothing else is ever ended in its place.
remember() { echo "$1 $(cut -d' ' -f22 "/proc/$1/stat")" >>"$state/pids"; }
same() { # a zombie has ended
  local facts
  facts=$(cut -d' ' -f3,22 "/proc/$1/stat" 2>/dev/null) || return 1
  [ "${facts#* }" = "$2" ] && [ "${facts% *}" != Z ]
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local limit=$1 what=$2 deadline; shift 2
  deadline=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "$what: not within $limit s; see $state/log"
    sleep 0.1
  done
  say "$what"
}
