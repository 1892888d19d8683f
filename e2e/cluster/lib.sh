# Functions that the scripts of this folder share: the state folder and the addresses of a cluster, and the list of its processes.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
e2e=$(dirname "$here")

# cluster NAME [STATE]: sets the variables of a cluster. Bridge and address ranges are computed from the name, so that two clusters can run
# beside each other.
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
  service_range6=fd31:a:$number::/112  # without a node, where nothing has to route it
  pod_range=$range.128.0/24
  api_service_ip=$range.0.1
  dns_ip=$range.0.10
  kubeconfig=$state/pki/admin.kubeconfig
}

say() { printf '  %6.1f s  %s\n' "$(awk "BEGIN { print ($(date +%s%N) - ${began:=$(date +%s%N)}) / 1e9 }")" "$*"; }
fail() { echo "$*" >&2; exit 1; }

# A process is recorded by pid and start time. A later process with the same pid is therefore never killed by mistake.
remember() { echo "$1 $(cut -d' ' -f22 "/proc/$1/stat")" >>"$state/pids"; }
same() { # PID START_TIME: whether the process still runs; a zombie does not
  local facts
  facts=$(cut -d' ' -f3,22 "/proc/$1/stat" 2>/dev/null) || return 1
  [ "${facts#* }" = "$2" ] && [ "${facts% *}" != Z ]
}

# wait_for SECONDS WHAT COMMAND...: repeats the command until it succeeds.
wait_for() {
  local limit=$1 what=$2 deadline; shift 2
  deadline=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "$what: not reached within $limit s; the logs are in $state/log"
    sleep 0.1
  done
  say "$what"
}
