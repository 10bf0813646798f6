"""TensorBoard and the page as overlays/kind has them, in our namespace, on models of these runs."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from cluster.conftest import STARTED_S
from cluster.kube import BUCKET, SECRET, Cluster, Way, ready, until
from cluster.runs import Kfp
from k8s_manifests import Manifest, built, containers

from components import settings
from components.download.sample.render import LABELS, render_class
from programs.compile.graph import PIPELINE_NAME

TENSORBOARD, PAGE = "wild-mushrooms-tensorboard", "wild-mushrooms-serve"
AWAY_S = 60.0
# Between two looks of TensorBoard at the store are 30 s, and reading takes its time.
SHOWN_S = 300.0
IMAGES = {"data": settings.DATA_IMAGE, "tensorboard": settings.TENSORBOARD_IMAGE}


def parts_of(name: str, **places: str) -> list[Manifest]:
    """What an overlay has for one Deployment, with images of this working tree and other places."""
    kinds = ("ConfigMap", "ServiceAccount", "Deployment", "Service", "NetworkPolicy")
    parts: list[Manifest] = []
    for one in yaml.safe_load_all(yaml.safe_dump_all(built("overlays/kind"))):
        workload = one["kind"] in ("Deployment", "Service")
        if one["kind"] not in kinds or (workload and one["metadata"]["name"] != name):
            continue
        if one["metadata"]["name"].startswith("wild-mushrooms-places"):
            one["data"].update(places)
        if one["kind"] == "Deployment":
            for container in containers(one["spec"]["template"]):
                kind = container["image"].split("/")[1].split(":")[0]
                container["image"] = IMAGES[kind]
        parts.append(one)
    return parts


def give_keys(kfp: Kfp) -> None:
    """The store's secret under the name that the overlay looks for, for our namespace."""
    data = dict(zip(("accesskey", "secretkey"), kfp.store.keys, strict=True))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}}
    kfp.cluster.apply({**secret, "stringData": data})


def test_the_page(kfp: Kfp, cluster: Cluster, tmp_path: Path, record_property: Any) -> None:
    """It waits for a model, takes the published one, and names what is on a photo."""
    published = f"mushrooms/published/sample-{kfp.mark}"
    if not kfp.store.names(published):
        kfp.run(tmp_path, name="sample").check(0)
    give_keys(kfp)
    cluster.apply(*parts_of(PAGE, MODEL=f"s3://{BUCKET}/{published}"))
    ready(cluster, f"deployment/{PAGE}", STARTED_S)
    label = LABELS[0]
    photo = next(iter(render_class(label, 1, seed=99))).data
    with Way(PAGE, 8080, cluster.namespace) as way:
        with urllib.request.urlopen(way.address, timeout=60) as answer:
            assert b"<html" in answer.read().lower()
        request = urllib.request.Request(
            f"{way.address}/v1/predict", photo, {"Content-Type": "image/jpeg"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
    assert label in json.dumps(told)
    record_property("measured", f"{label}: {json.dumps(told)[:80]}")


def runs_shown(address: str) -> list[str]:
    try:
        with urllib.request.urlopen(f"{address}/data/runs", timeout=30) as answer:
            return list(json.load(answer))
    except OSError:
        return []


def test_tensorboard_outlives_its_store(
    kfp: Kfp, cluster: Cluster, disturbing: None, record_property: Any
) -> None:
    """Away for a minute at its start, and again later: each time it goes on by itself."""
    logs = f"mushrooms-{kfp.mark}/logs"
    events = next(
        name
        for name in kfp.store.names(f"v2/artifacts/{PIPELINE_NAME}/")
        if "events.out.tfevents" in name
    )
    content = kfp.store.read(events)

    def put(run: str) -> None:
        name = f"{logs}/{run}/{events.rpartition('/')[2]}"
        kfp.store.client().put_object(Bucket=BUCKET, Key=name, Body=content)

    put("first")
    give_keys(kfp)
    with kfp.store.away():
        cluster.apply(*parts_of(TENSORBOARD, LOGS=f"s3://{BUCKET}/{logs}"))
        ready(cluster, f"deployment/{TENSORBOARD}", STARTED_S)
        time.sleep(AWAY_S)
    with Way(TENSORBOARD, 6006, cluster.namespace) as way:
        began = time.monotonic()
        until("the first curves", lambda: "first" in runs_shown(way.address), SHOWN_S, 5)
        first = time.monotonic() - began
        with kfp.store.away():
            time.sleep(AWAY_S)
            assert runs_shown(way.address) == ["first"]
        put("second")
        began = time.monotonic()
        until("the second curves", lambda: "second" in runs_shown(way.address), SHOWN_S, 5)
        second = time.monotonic() - began
    (pod,) = cluster.get("pods", f"--selector=app.kubernetes.io/name={TENSORBOARD}")["items"]
    restarts = sum(status["restartCount"] for status in pod["status"]["containerStatuses"])
    record_property(
        "measured",
        f"curves {first:.0f} s and {second:.0f} s after it was back, {restarts} restarts",
    )
