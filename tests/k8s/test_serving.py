"""k8s/serving/: the page in a namespace of its own, and the published model in KServe."""

import re
from typing import Any

from conftest import ROOT
from k8s_manifests import PAGE_ALONE, built, matches, of_kind, pods

from components.publish.options import NAME
from components.publish.serving import FOLDER
from programs.serve.options import ServeOptions

KSERVE = "serving/kserve"
SECRET = "wild-mushrooms-store"


def page() -> dict[str, Any]:
    ((_, template),) = pods(PAGE_ALONE)
    (container,) = template["spec"]["containers"]
    return container


def options() -> dict[str, str]:
    return dict(re.findall(r"--(\w+)=(\S+)", " ".join(page()["command"])))


def test_page_alone_is_in_a_namespace_that_lets_restricted_pods_in_only() -> None:
    (namespace,) = of_kind(PAGE_ALONE, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for folder in (PAGE_ALONE, KSERVE):
        for one in built(folder):
            if one["kind"] != "Namespace":
                assert one["metadata"]["namespace"] == namespace["metadata"]["name"]


def test_options_of_the_page_are_understood_and_fit_its_ports() -> None:
    given = options()
    own = {"model_dir": given.pop("model_dir")}
    assert own == {"model_dir": "$(MODEL)"}
    numbers = {name: int(value) if value.isdecimal() else value for name, value in given.items()}
    ServeOptions.of(numbers).check()
    assert set(given) <= set(ServeOptions.__dataclass_fields__)
    ports = {port["name"]: str(port["containerPort"]) for port in page()["ports"]}
    assert ports == {"http": given["port"], "metrics": given["prometheus_port"]}


def test_page_is_probed_and_answers_to_the_name_of_its_service() -> None:
    container = page()
    paths = {
        name: container[name]["httpGet"]["path"]
        for name in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert paths == {
        "startupProbe": "/readyz",
        "readinessProbe": "/readyz",
        "livenessProbe": "/healthz",
    }
    (service,) = of_kind(PAGE_ALONE, "Service")
    assert service["metadata"]["name"] in options()["allowed_hosts"].split(",")
    ((_, template),) = pods(PAGE_ALONE)
    assert matches({"matchLabels": service["spec"]["selector"]}, template["metadata"]["labels"])
    # The counts are no port of the Service: an ingress does not lead there.
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]


def test_counts_are_open_to_marked_namespaces_only() -> None:
    (policy,) = of_kind(PAGE_ALONE, "NetworkPolicy")
    ((_, template),) = pods(PAGE_ALONE)
    assert matches(policy["spec"]["podSelector"], template["metadata"]["labels"])
    rules = {rule["ports"][0]["port"]: rule["from"] for rule in policy["spec"]["ingress"]}
    assert rules == {
        port: [{"namespaceSelector": {"matchLabels": {f"wild-mushrooms/{label}": "allowed"}}}]
        for port, label in (("http", "page"), ("metrics", "metrics"))
    }


def test_keys_are_named_and_not_written() -> None:
    for folder in (PAGE_ALONE, KSERVE):
        assert not of_kind(folder, "Secret")
    for variable in page()["env"]:
        assert "value" not in variable
        key = variable["valueFrom"]["secretKeyRef"]
        assert (key["name"], key["key"], key["optional"]) == (SECRET, variable["name"], True)
    (account,) = of_kind(KSERVE, "ServiceAccount")
    assert account["secrets"] == [{"name": SECRET}]
    assert account["automountServiceAccountToken"] is False


def test_kserve_fetches_the_numbered_models_of_what_the_page_serves() -> None:
    # The form of the whole was compared once with the CRD of KServe, which is not kept here.
    (service,) = of_kind(KSERVE, "InferenceService")
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    predictor = service["spec"]["predictor"]
    (places,) = of_kind(PAGE_ALONE, "ConfigMap")
    model = places["data"]["MODEL"]
    assert model.rpartition("/")[2] == NAME
    assert predictor["model"]["storageUri"] == f"{model}/{FOLDER}"
    assert predictor["model"]["modelFormat"]["name"] == "tensorflow"
    (account,) = of_kind(KSERVE, "ServiceAccount")
    assert predictor["serviceAccountName"] == account["metadata"]["name"]
    assert predictor["automountServiceAccountToken"] is False
    assert predictor["securityContext"]["runAsNonRoot"] is True
    assert predictor["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for amounts in (predictor["model"]["resources"][kind] for kind in ("requests", "limits")):
        assert set(amounts) == {"cpu", "memory"}


def test_every_folder_of_serving_is_tested() -> None:
    folders = {f"serving/{path.name}" for path in (ROOT / "k8s" / "serving").iterdir()}
    assert folders == {PAGE_ALONE, KSERVE}
