# Starts the programs of the control plane. Sourced by `up`, which runs them on loopback, and by `node-init`, which runs them in the node.
#
# control_plane ADDRESS PORT ETCD_PORT ETCD_PEER_PORT PKI DATA LOG SERVICE_RANGE START [FLAG...], where START NAME COMMAND... runs in the
# background. The flags go to the API server.

control_plane() {
  local address=$1 port=$2 etcd_port=$3 peer_port=$4 pki=$5 data=$6 log=$7 service_range=$8 start=$9; shift 9
  local etcd=http://127.0.0.1:$etcd_port peer=http://127.0.0.1:$peer_port
  # No test checks the durability of etcd, and a test cluster does not have to survive a crash of the machine.
  $start etcd etcd --name node1 --data-dir "$data/etcd" --unsafe-no-fsync \
    --listen-client-urls "$etcd" --advertise-client-urls "$etcd" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "node1=$peer"
  $start kube-apiserver kube-apiserver --etcd-servers="$etcd" --secure-port="$port" --bind-address="$address" --advertise-address="$address" \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-cluster-ip-range="$service_range" --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$pki/service-accounts.pub" --service-account-signing-key-file="$pki/service-accounts.key" \
    --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged "$@"
}

# controllers PKI START [PORT [REQUESTS_PER_SECOND]]. To be called once the API server answers, because the controllers need it.
controllers() {
  local pki=$1 start=$2 port=${3:-10257} rate=${4:-200}
  $start kube-controller-manager kube-controller-manager --kubeconfig="$pki/controller-manager.kubeconfig" \
    --authentication-kubeconfig="$pki/controller-manager.kubeconfig" --authorization-kubeconfig="$pki/controller-manager.kubeconfig" \
    --service-account-private-key-file="$pki/service-accounts.key" --root-ca-file="$pki/ca.crt" --use-service-account-credentials \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
    --kube-api-qps="$rate" --kube-api-burst=$((2 * rate)) --leader-elect=false --allocate-node-cidrs=false --secure-port="$port"
}

# scheduler PKI START [PORT [REQUESTS_PER_SECOND]]
scheduler() {
  local pki=$1 start=$2 port=${3:-10259} rate=${4:-50}
  $start kube-scheduler kube-scheduler --kubeconfig="$pki/scheduler.kubeconfig" --authentication-kubeconfig="$pki/scheduler.kubeconfig" \
    --authorization-kubeconfig="$pki/scheduler.kubeconfig" --leader-elect=false --kube-api-qps="$rate" --kube-api-burst=$((2 * rate)) --secure-port="$port"
}

api_ready() { # PKI ADDRESS PORT
  [ "$(curl -s --cacert "$1/ca.crt" --cert "$1/admin.crt" --key "$1/admin.key" "https://$2:$3/readyz")" = ok ]
}
