#!/usr/bin/env bash
# A cluster with Kubeflow Pipelines in containers on this machine: kind.sh up | load | submit [OPTIONS] | down
#   up      make the cluster, install KFP and k8s/overlays/kind; again: bring it up to date
#   load    hand it the images that `make images` built
#   submit  run the pipeline there, and wait; OPTIONS are those of `pipeline.py submit`
#   down    remove the cluster
set -euo pipefail

NAME=wild-mushrooms
# shellcheck disable=SC2034  # lib.sh goes by these two
CONTEXT=kind-$NAME OVERLAY=kind
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

check_tools() {
  need docker "https://docs.docker.com/engine/install/"
  need kind "version $KIND_VERSION: https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
  need git "https://git-scm.com/downloads (kubectl reads KFP's manifests with it)"
  need kubectl "https://kubernetes.io/docs/tasks/tools/"
  need_python
  check_missing
  docker info >/dev/null 2>&1 || fail 2 "the Docker daemon does not answer: start it (docker info says why)"
}

exists() { kind get clusters 2>/dev/null | grep -x "$NAME" >/dev/null; }

create_cluster() {
  if exists; then
    say "the kind cluster $NAME is there already"
    return
  fi
  case $(kind version) in
    "kind v$KIND_VERSION "*) ;;
    *) say "warning: this is $(kind version); the node image is of kind $KIND_VERSION" ;;
  esac
  # shellcheck disable=SC2046
  warn_if_small $(docker info --format '{{.NCPU}} {{.MemTotal}}')
  say "making the kind cluster $NAME (Kubernetes $KUBERNETES_VERSION)"
  run "kind could not make the cluster, see above; \`$0 down\` removes what is left of it" \
    kind create cluster --name "$NAME" --image "$KIND_NODE_IMAGE" --kubeconfig "$KUBECONFIG_FILE" --wait 300s
}

write_kubeconfig() {
  exists || fail 2 "there is no kind cluster $NAME: $0 up"
  run "kind cannot say how to reach the cluster" \
    kind export kubeconfig --name "$NAME" --kubeconfig "$KUBECONFIG_FILE"
}

load_image() { kind load docker-image --name "$NAME" "$1"; }

delete_cluster() {
  if ! exists; then
    say "there is no kind cluster $NAME"
    return
  fi
  say "removing the kind cluster $NAME, and what it stored"
  run "kind could not remove the cluster" kind delete cluster --name "$NAME" --kubeconfig "$KUBECONFIG_FILE"
}

main "$@"
