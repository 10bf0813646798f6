# shellcheck shell=bash disable=SC2034
# The versions that kind.sh and minikube.sh install: the one place. The scripts source this file.

KFP_VERSION=2.17.0
# kind's node images belong to a release of kind; the digest is of the image that kind 0.33.0 names.
KIND_VERSION=0.33.0
KUBERNETES_VERSION=1.35.8
KIND_NODE_IMAGE="kindest/node:v$KUBERNETES_VERSION@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0"
