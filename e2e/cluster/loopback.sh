# A cluster without a real node: the control plane as plain processes on loopback and, at level kwok, simulated nodes. Sourced by `up`.

# Requests per second that the controllers and the scheduler may send at level kwok. Their defaults are so low that a measurement would find
# these limits instead of the operator's.
rate=1000

loopback_up() {
  local port etcd_port peer_port manager_port scheduler_port kwok_port audit_flags=()
  read -r port etcd_port peer_port manager_port scheduler_port kwok_port < <(python3 - <<'PY'
import socket
held = [socket.socket() for _ in range(6)]
for s in held: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))
PY
  )
  PATH=$("$e2e/tools/build" --print kubernetes):$("$e2e/tools/build" --print etcd):$PATH
  # Certificates and kubeconfigs are made anew: the kubeconfigs contain the port, which differs at each start.
  rm -rf "$state/pki" "$state/etcd"
  "$here/pki" "$state/pki" 127.0.0.1 "$port" "$api_service_ip"
  start() { local log=$1; shift; "$@" >"$state/log/$log.log" 2>&1 </dev/null & remember $!; }
  [ -z "$audit" ] || audit_policy
  control_plane 127.0.0.1 "$port" "$etcd_port" "$peer_port" "$state/pki" "$state" "$state/log" "$service_range,$service_range6" \
    start "${audit_flags[@]}"
  wait_for 90 "API server ready" api_ready "$state/pki" 127.0.0.1 "$port"
  if [ "$level" = kwok ]; then
    controllers "$state/pki" start "$manager_port" $rate
    scheduler "$state/pki" start "$scheduler_port" $rate
    kwok_up
  else
    controllers "$state/pki" start "$manager_port"
  fi
  wait_for 60 "controllers at work" kubectl --kubeconfig "$kubeconfig" get serviceaccount default
}

# A request is logged when it is answered. A watch is also logged when it begins, because it is answered only when it ends.
audit_policy() {
  mkdir -p "$(dirname "$audit")"
  cat >"$state/audit-policy.yaml" <<YAML
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
YAML
  audit_flags=(--audit-policy-file="$state/audit-policy.yaml" --audit-log-path="$audit" --audit-log-maxsize=10000)
}

kwok_up() {
  local source stages=$state/kwok.yaml file node room='{cpu: 1k, memory: 1Ti, pods: 1M}'
  PATH=$("$e2e/tools/build" --print kwok):$PATH
  source=$("$e2e/tools/build" --source kwok)/kustomize/stage
  # kwok has no built-in stages and exits if it gets none.
  for file in "$source"/node/fast/node-initialize.yaml "$source"/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml \
    "$source"/pod/fast/pod-*.yaml "$source"/volume/fast/{pv,pvc}-*.yaml; do
    echo ---
    cat "$file"
  done >"$stages"
  start kwok kwok --config "$stages" --kubeconfig "$state/pki/kwok.kubeconfig" --manage-all-nodes=true --node-lease-duration-seconds 40 \
    --server-address "127.0.0.1:$kwok_port"
  export KUBECONFIG=$kubeconfig
  kubectl apply -f "$source/volume/fast/storage-class.yaml" >/dev/null
  for node in $(seq -f kwok-%g "$nodes"); do
    cat <<YAML
---
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node, kubernetes.io/os: linux}}
status: {capacity: $room, allocatable: $room}
YAML
  done | kubectl create -f - >/dev/null
  wait_for 60 "$nodes nodes ready" nodes_ready
}
nodes_ready() {
  [ "$(kubectl get nodes -o jsonpath='{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True)" = "$nodes" ]
}
