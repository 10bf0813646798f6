"""k8s/: what is built, what Kubernetes accepts, and what our pods may do."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from k8s_manifests import (
    BUILT,
    KUBERNETES,
    OVERLAYS,
    PAGE_ALONE,
    Manifest,
    built,
    containers,
    kustomized,
    matches,
    of_kind,
    pods,
)

from components import __version__, settings
from components.publish.options import NAME
from components.settings import ClusterOptions
from components.tensorboard.tensorboard import SECRET_KEYS
from pipeline import PIPELINE_NAME

each_built = pytest.mark.parametrize("folder", BUILT)
each_with_the_page_alone = pytest.mark.parametrize("folder", [*BUILT, PAGE_ALONE])
each_overlay = pytest.mark.parametrize("folder", OVERLAYS)
# Of a step's pod: what programs/compile/scheduling.py adds to each.
STEP_LABELS = [
    dict([settings.PART_OF, (settings.COMPONENT_LABEL, name)]) for name in settings.RESOURCES
]


@each_with_the_page_alone
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_accepts_what_is_built(folder: str, version: str, tmp_path: Path) -> None:
    file = tmp_path / "built.yaml"
    file.write_text(kustomized(folder))
    validator = str(Path(sys.executable).with_name("kubernetes-validate"))
    done = subprocess.run(
        [validator, "--strict", "--kubernetes-version", version, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_overlay_is_built() -> None:
    overlays = {f"overlays/{path.name}" for path in (ROOT / "k8s" / "overlays").iterdir()}
    assert overlays == set(OVERLAYS)


@each_with_the_page_alone
def test_pods_meet_the_restricted_standard(folder: str) -> None:
    found = list(pods(folder))
    assert found
    for name, template in found:
        spec = template["spec"]
        given = spec["securityContext"]
        assert given["runAsNonRoot"] is True, name
        assert given["runAsUser"] == settings.USER, name
        assert given["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for forbidden in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
            assert not spec.get(forbidden), name
        for volume in spec.get("volumes", ()):
            kinds = set(volume) - {"name"}
            assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim"}, name
        for container in containers(template):
            locked = container["securityContext"]
            where = f"{name}/{container['name']}"
            assert locked["allowPrivilegeEscalation"] is False, where
            assert locked["readOnlyRootFilesystem"] is True, where
            assert locked["capabilities"] == {"drop": ["ALL"]}, where
            assert not locked.get("privileged"), where
            assert not {"runAsUser", "runAsNonRoot", "seccompProfile"} & set(locked), where
            assert not any("hostPort" in port for port in container.get("ports", ())), where


@each_with_the_page_alone
def test_no_pod_of_ours_is_given_a_token(folder: str) -> None:
    for name, template in pods(folder):
        assert template["spec"]["automountServiceAccountToken"] is False, name
    for account in of_kind(folder, "ServiceAccount"):
        # Only the steps talk to the API, through Argo's executor and KFP's launcher.
        expected = account["metadata"]["name"] == "wild-mushrooms"
        assert account["automountServiceAccountToken"] is expected


@each_with_the_page_alone
def test_every_container_names_requests_and_limits(folder: str) -> None:
    for name, template in pods(folder):
        for container in containers(template):
            resources = container["resources"]
            for what in ("cpu", "memory"):
                assert what in resources["requests"], (name, container["name"])
                assert what in resources["limits"], (name, container["name"])


@each_with_the_page_alone
def test_images_are_ours_with_the_tag_of_this_version(folder: str) -> None:
    for name, template in pods(folder):
        for container in containers(template):
            repository, _, tag = container["image"].rpartition(":")
            assert tag == __version__, name
            known = [*settings.NAME_VARIABLES]
            assert repository in [f"{settings.REPOSITORY}/{kind}" for kind in known], name


@each_with_the_page_alone
def test_what_a_container_mounts_is_there(folder: str) -> None:
    maps = {one["metadata"]["name"] for one in of_kind(folder, "ConfigMap")}
    claims = {one["metadata"]["name"] for one in of_kind(folder, "PersistentVolumeClaim")}
    for name, template in pods(folder):
        volumes = {volume["name"]: volume for volume in template["spec"].get("volumes", ())}
        for container in containers(template):
            for mount in container.get("volumeMounts", ()):
                assert mount["name"] in volumes, name
            for source in container.get("envFrom", ()):
                assert source["configMapRef"]["name"] in maps, name
        for volume in volumes.values():
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, name
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, name


@each_built
def test_keys_come_from_the_secret_of_kfp_and_from_nowhere_else(folder: str) -> None:
    assert not of_kind(folder, "Secret")
    for name, template in pods(folder):
        for container in containers(template):
            for variable in container.get("env", ()):
                assert "value" not in variable, name
                key = variable["valueFrom"]["secretKeyRef"]
                assert key["name"] == ClusterOptions().store_secret, name
                assert SECRET_KEYS[key["key"]] == variable["name"], name


@each_overlay
def test_services_lead_to_a_port_of_a_pod(folder: str) -> None:
    services = of_kind(folder, "Service")
    assert {one["metadata"]["name"]: one["spec"]["ports"][0]["port"] for one in services} == {
        "wild-mushrooms-tensorboard": 6006,
        "wild-mushrooms-serve": 8080,
    }
    for service in services:
        selected = _selected({"matchLabels": service["spec"]["selector"]}, folder)
        assert len(selected) == 1, service["metadata"]["name"]
        (name,) = selected
        template = dict(pods(folder))[name]
        ports = {port["name"]: port["containerPort"] for port in _ports(template)}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]


@each_overlay
def test_deployments_select_their_own_pods_only(folder: str) -> None:
    for deployment in of_kind(folder, "Deployment"):
        name = deployment["metadata"]["name"]
        assert _selected(deployment["spec"]["selector"], folder) == {name}


@each_with_the_page_alone
def test_every_pod_is_named_as_ours(folder: str) -> None:
    for name, template in pods(folder):
        assert template["metadata"]["labels"].items() >= dict([settings.PART_OF]).items(), name


@each_overlay
def test_the_steps_account_reads_one_secret_and_changes_no_pod(folder: str) -> None:
    (role,) = of_kind(folder, "Role")
    (binding,) = of_kind(folder, "RoleBinding")
    assert [one["name"] for one in binding["subjects"]] == ["wild-mushrooms"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert not of_kind(folder, "ClusterRole", "ClusterRoleBinding")
    for rule in role["rules"]:
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
        if {"secrets", "configmaps"} & set(rule["resources"]):
            assert len(rule["resourceNames"]) == 1
        if "pods" in rule["resources"]:
            assert set(rule["verbs"]) <= {"get", "list", "watch"}
        assert "delete" not in rule["verbs"]


@each_overlay
def test_quota_and_limits_leave_kfp_alone(folder: str) -> None:
    # KFP's pods name no limits: a quota of CPU or memory would refuse them, and default limits
    # would kill them.
    (quota,) = of_kind(folder, "ResourceQuota")
    gpus = {"overlays/kind": "0", "overlays/minikube": "0", "overlays/gpu": "2"}[folder]
    assert quota["spec"]["hard"] == {"requests.nvidia.com/gpu": gpus}
    (limits,) = of_kind(folder, "LimitRange")
    for one in limits["spec"]["limits"]:
        if one["type"] == "Container":
            assert set(one) == {"type", "defaultRequest"}
        else:
            assert one["type"] == "PersistentVolumeClaim"


def test_the_claim_is_made_where_gpus_are() -> None:
    spec = dict(pods("overlays/gpu"))["wild-mushrooms-claim"]["spec"]
    check = dict(pods("gpu-check"))["wild-mushrooms-gpu-check"]["spec"]
    assert spec["nodeSelector"] == check["nodeSelector"]
    assert spec["tolerations"] == check["tolerations"]
    assert check["containers"][0]["resources"]["limits"][ClusterOptions().accelerator] == "1"


def test_everything_is_in_the_namespace_of_kfp() -> None:
    for folder in BUILT:
        for one in built(folder):
            assert one["metadata"]["namespace"] == "kubeflow", one["metadata"]["name"]


def _selected(selector: Manifest, folder: str) -> set[str]:
    return {
        name
        for name, template in pods(folder)
        if matches(selector, template["metadata"].get("labels", {}))
    }


def _ports(template: Manifest) -> list[Manifest]:
    return [port for container in containers(template) for port in container.get("ports", ())]


@each_overlay
def test_page_and_tensorboard_read_where_runs_write(folder: str) -> None:
    (places,) = (
        one["data"]
        for one in of_kind(folder, "ConfigMap")
        if one["metadata"]["name"].startswith("wild-mushrooms-places-")
    )
    cluster = ClusterOptions()
    assert places["MODEL"] == f"{cluster.store_prefix}/published/{NAME}"
    assert places["AWS_ENDPOINT_URL"] == cluster.store_endpoint
    # TensorBoard would take an empty one, which means Amazon's, for an address.
    assert "S3_ENDPOINT" not in places
    # KFP puts a run's artifacts below <pipeline root>/<pipeline's name>/<run>.
    assert places["LOGS"] == f"s3://mlpipeline/v2/artifacts/{PIPELINE_NAME}"
