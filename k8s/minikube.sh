#!/usr/bin/env bash
# A cluster with Kubeflow Pipelines in minikube: minikube.sh up | load | submit [OPTIONS] | down
#   up      make the cluster, install KFP and k8s/overlays/minikube; again: bring it up to date
#   load    hand it the images that `make images` built
#   submit  run the pipeline there, and wait; OPTIONS are those of `pipeline.py submit`
#   down    remove the cluster
# CPUS and MEMORY (4 and 12g) are what a new cluster gets; DRIVER is minikube's, docker by default.
set -euo pipefail

NAME=wild-mushrooms
# minikube calls the context like the profile.
# shellcheck disable=SC2034  # lib.sh goes by these two
CONTEXT=$NAME OVERLAY=minikube
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

check_tools() {
  need docker "https://docs.docker.com/engine/install/"
  need minikube "https://minikube.sigs.k8s.io/docs/start/"
  need git "https://git-scm.com/downloads (kubectl reads KFP's manifests with it)"
  need kubectl "https://kubernetes.io/docs/tasks/tools/"
  need_python
  check_missing
  docker info >/dev/null 2>&1 || fail 2 "the Docker daemon does not answer: start it (docker info says why)"
}

# minikube knows its kubeconfig by the variable alone.
mini() { KUBECONFIG=$KUBECONFIG_FILE minikube --profile "$NAME" "$@"; }

exists() { minikube profile list --output=json 2>/dev/null | grep "\"Name\": *\"$NAME\"" >/dev/null; }

# A cluster that was stopped is started again; one that runs stays as it is.
create_cluster() {
  if ! exists; then
    # shellcheck disable=SC2046
    warn_if_small $(docker info --format '{{.NCPU}} {{.MemTotal}}')
  fi
  say "starting the minikube cluster $NAME (Kubernetes $KUBERNETES_VERSION)"
  # Its own network enforces no policies: Calico does.
  run "minikube could not start the cluster, see above; \`$0 down\` removes what is left of it" \
    mini start --kubernetes-version="v$KUBERNETES_VERSION" --cni=calico \
    --driver="${DRIVER:-docker}" --cpus="${CPUS:-$WANTED_CPUS}" --memory="${MEMORY:-${WANTED_GB}g}"
}

write_kubeconfig() {
  exists || fail 2 "there is no minikube cluster $NAME: $0 up"
  run "minikube cannot say how to reach the cluster; is it running? $0 up" mini update-context
}

load_image() { mini image load "$1"; }

delete_cluster() {
  if ! exists; then
    say "there is no minikube cluster $NAME"
    return
  fi
  say "removing the minikube cluster $NAME, and what it stored"
  run "minikube could not remove the cluster" mini delete
}

main "$@"
