# shellcheck shell=bash
# What kind.sh and minikube.sh share. They set NAME (of the cluster), CONTEXT (kubectl's), OVERLAY,
# and the functions check_tools, create_cluster, write_kubeconfig, load_image and delete_cluster.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR source=versions.sh
source "$ROOT/k8s/versions.sh"

NAMESPACE=kubeflow
KFP=github.com/kubeflow/pipelines/manifests/kustomize
DATASETS=s3://mlpipeline/mushrooms/datasets
LOOK_AGAIN=2s
CLAIM=wild-mushrooms-checkpoints
# Seconds. KFP's images are about 3 GB: on a slow line the first start takes its time.
CRD_TIMEOUT_S=120
KFP_TIMEOUT_S=${KFP_TIMEOUT_S:-1200}
OURS_TIMEOUT_S=${OURS_TIMEOUT_S:-300}
FORWARD_TIMEOUT_S=${FORWARD_TIMEOUT_S:-30}
# A step asks for up to 0.5 CPU and 2 GB and takes what is left, KFP itself asks for about 1 CPU and 4 GB.
WANTED_CPUS=4
WANTED_GB=12
SCRATCH=
FORWARDS=  # process ids

say() { printf '== %s\n' "$*"; }

# fail STATUS MESSAGE…: 2 for what the person must change first, 1 for work that failed.
fail() {
  local status=$1
  shift
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit "$status"
}

# run MESSAGE COMMAND…: the command's own words go on; where it fails, so does the script.
run() {
  local message=$1
  shift
  "$@" || fail 1 "$message"
}

# need TOOL HOW: names every tool that is missing, not only the first.
MISSING=()
need() { command -v "$1" >/dev/null || MISSING+=("$1: $2"); }

check_missing() {
  [ "${#MISSING[@]}" -eq 0 ] && return
  printf '%s: not installed:\n' "$(basename "$0")" >&2
  printf '  %s\n' "${MISSING[@]}" >&2
  exit 2
}

PYTHON=${MUSHROOM_PYTHON:-$ROOT/.venv/bin/python}
need_python() { [ -x "$PYTHON" ] || MISSING+=("$PYTHON: run \`make setup\`"); }

# Never the context that a person works with: a file of our own, and in it our cluster alone.
KUBECONFIG_FILE=
k() { kubectl --kubeconfig "$KUBECONFIG_FILE" --context "$CONTEXT" "$@"; }

use_own_kubeconfig() {
  local folder=${MUSHROOM_KUBECONFIG_DIR:-$ROOT/build}
  mkdir -p "$folder"
  KUBECONFIG_FILE=$folder/$OVERLAY.kubeconfig
}

check_context() {
  [ -f "$KUBECONFIG_FILE" ] || fail 2 "there is no cluster yet: $0 up"
  local found
  found=$(kubectl --kubeconfig "$KUBECONFIG_FILE" config get-contexts --output=name) ||
    fail 1 "$KUBECONFIG_FILE cannot be read, see above"
  [ "$found" = "$CONTEXT" ] || fail 2 "$KUBECONFIG_FILE holds the contexts '${found//$'\n'/ }': expected $CONTEXT alone." \
    "This script touches no other cluster. Move the file away and run: $0 up"
}

# warn_if_small CPUS BYTES
warn_if_small() {
  local gb=$(($2 / 1000000000))
  if [ "$1" -lt "$WANTED_CPUS" ] || [ "$gb" -lt "$WANTED_GB" ]; then
    say "warning: $1 CPUs and $gb GB are here; a run needs about $WANTED_CPUS and $WANTED_GB, with less its pods stay Pending"
  fi
}

install_kfp() {
  say "Kubeflow Pipelines $KFP_VERSION into the namespace $NAMESPACE (the first time it downloads about 3 GB)"
  run "KFP's cluster-wide part could not be applied, see above; it is read from github.com" \
    k apply -k "$KFP/cluster-scoped-resources?ref=$KFP_VERSION"
  run "KFP's resource definitions were not ready after $CRD_TIMEOUT_S s" \
    k wait --for=condition=established --timeout="${CRD_TIMEOUT_S}s" crd/applications.app.k8s.io
  run "KFP could not be applied, see above; it is read from github.com" \
    k apply -k "$KFP/env/platform-agnostic?ref=$KFP_VERSION"
  run "KFP's defaults of workflows could not be changed, see above" \
    k --namespace "$NAMESPACE" patch configmap workflow-controller-configmap \
    --patch-file "$ROOT/k8s/workflow-defaults.yaml"
  # By itself Argo looks at a workflow every ten seconds, and a step takes two looks.
  run "Argo's pause between two looks could not be changed, see above" \
    k --namespace "$NAMESPACE" set env deployment/workflow-controller "DEFAULT_REQUEUE_TIME=$LOOK_AGAIN"
  say "waiting for it, at most $KFP_TIMEOUT_S s"
  if ! k --namespace "$NAMESPACE" wait --for=condition=available --timeout="${KFP_TIMEOUT_S}s" \
    deployment --selector=application-crd-id=kubeflow-pipelines; then
    k --namespace "$NAMESPACE" get pods >&2 || true
    fail 1 "KFP was not ready after $KFP_TIMEOUT_S s; the pods above that are not Running say why:" \
      "kubectl --kubeconfig $KUBECONFIG_FILE -n $NAMESPACE describe pod NAME. Then the same command again (KFP_TIMEOUT_S=… waits longer)"
  fi
}

# Our overlay with the images' names of this working tree instead of a release's.
apply_ours() {
  local tag folder=$ROOT/build/k8s/$OVERLAY
  tag=$("$PYTHON" "$ROOT/docker/images.py" tag) || fail 1 "the images' tag cannot be told, see above"
  mkdir -p "$folder"
  cat >"$folder/kustomization.yaml" <<EOF
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../../k8s/overlays/$OVERLAY]
images:
  - name: wild-mushrooms/data
    newTag: "$tag"
  - name: wild-mushrooms/tensorboard
    newTag: "$tag"
EOF
  say "k8s/overlays/$OVERLAY with images tagged $tag"
  # A Job cannot be changed, only made anew.
  run "the Job of an earlier start could not be removed" \
    k --namespace "$NAMESPACE" delete job wild-mushrooms-claim --ignore-not-found
  run "k8s/overlays/$OVERLAY could not be applied, see above" k apply -k "$folder"
}

up() {
  check_tools
  create_cluster
  write_kubeconfig
  check_context
  install_kfp
  apply_ours
  say "the cluster is there. Next: \`make images\`, then: $0 load"
  say "to look around: export KUBECONFIG=$KUBECONFIG_FILE"
}

load() {
  check_tools
  write_kubeconfig
  check_context
  local tag kind name
  tag=$("$PYTHON" "$ROOT/docker/images.py" tag) || fail 1 "the images' tag cannot be told, see above"
  for kind in data train tensorboard; do
    name=wild-mushrooms/$kind:$tag
    docker image inspect "$name" >/dev/null 2>&1 ||
      fail 2 "there is no image $name: run \`make images\` first (again after each change)"
  done
  for kind in data train tensorboard; do
    name=wild-mushrooms/$kind:$tag
    say "$name into the cluster (train has 2 GB: a minute or two)"
    load_image "$name" || fail 1 "$name could not be loaded, see above"
  done
  apply_ours
  say "waiting for TensorBoard, at most $OURS_TIMEOUT_S s"
  run "TensorBoard was not ready after $OURS_TIMEOUT_S s: kubectl --kubeconfig $KUBECONFIG_FILE -n $NAMESPACE describe pod -l app.kubernetes.io/name=wild-mushrooms-tensorboard" \
    k --namespace "$NAMESPACE" rollout status deployment/wild-mushrooms-tensorboard --timeout="${OURS_TIMEOUT_S}s"
  say "loaded. Next: $0 submit. The page waits until a run has published its first model"
}

# forward SERVICE PORT: opens a way to it and sets FORWARDED to the local port, which is any that is free.
FORWARDED=
forward() {
  local log=$SCRATCH/$1.log line='' waited=0
  : >"$log"
  # Not k: the process to end is kubectl's own.
  kubectl --kubeconfig "$KUBECONFIG_FILE" --context "$CONTEXT" --namespace "$NAMESPACE" \
    port-forward --address=127.0.0.1 "service/$1" ":$2" >"$log" 2>&1 &
  local pid=$!
  FORWARDS="$FORWARDS $pid"
  while :; do
    while IFS= read -r line; do
      if [[ $line =~ ^Forwarding\ from\ 127\.0\.0\.1:([0-9]+)\  ]]; then
        FORWARDED=${BASH_REMATCH[1]}
        return
      fi
    done <"$log"
    kill -0 "$pid" 2>/dev/null || fail 1 "no way to the service $1: $(tail -n 1 "$log")"
    [ "$waited" -lt $((FORWARD_TIMEOUT_S * 5)) ] || fail 1 "no way to the service $1 after $FORWARD_TIMEOUT_S s"
    sleep 0.2
    waited=$((waited + 1))
  done
}

leave() {
  local pid
  for pid in $FORWARDS; do
    kill "$pid" 2>/dev/null || true
  done
  [ -z "$SCRATCH" ] || rm -rf "$SCRATCH"
}

secret() {
  k --namespace "$NAMESPACE" get secret mlpipeline-minio-artifact \
    --output=go-template="{{ .data.$1 | base64decode }}" || fail 1 "the key of KFP's object store cannot be read"
}

submit() {
  check_tools
  write_kubeconfig
  check_context
  SCRATCH=$(mktemp -d)
  trap leave EXIT
  say "opening ways to KFP's page and its object store"
  forward ml-pipeline-ui 80
  local host=http://127.0.0.1:$FORWARDED
  forward seaweedfs 9000
  AWS_ACCESS_KEY_ID=$(secret accesskey)
  AWS_SECRET_ACCESS_KEY=$(secret secretkey)
  AWS_ENDPOINT_URL=http://127.0.0.1:$FORWARDED
  AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL AWS_DEFAULT_REGION
  say "KFP's page, while this runs: $host"
  "$PYTHON" "$ROOT/docker/images.py" with-names "$PYTHON" "$ROOT/pipeline.py" submit \
    --host "$host" --namespace "$NAMESPACE" --upload_to "$DATASETS" \
    --cache_claim "$CLAIM" --wait "$@"
}

down() {
  check_tools
  delete_cluster
  rm -f "$KUBECONFIG_FILE"
}

main() {
  local command=${1:-}
  shift || true
  use_own_kubeconfig
  case $command in
    up | load | submit | down) "$command" "$@" ;;
    *) fail 2 "expected up, load, submit or down: $0 up" ;;
  esac
}
