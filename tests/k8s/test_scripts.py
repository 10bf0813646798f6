"""kind.sh and minikube.sh against stubs of their tools, which record every call."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, run_captured
from k8s_manifests import KUBECTL

TAG = "0123456789ab-89abcdef"
CANARY = "canary-of-the-store"
STUBS = {
    # A failure is asked for by a part of the call; what was called is written down before.
    "common": """#!/bin/bash
echo "${0##*/} $*" >>"$STATE/calls"
if [ -n "${STUB_FAIL:-}" ] && [[ "${0##*/} $*" == *"$STUB_FAIL"* ]]; then
  echo "boom of ${0##*/}" >&2
  exit 1
fi
""",
    "kind": """
case "$1 $2" in
  "version ") echo "kind v0.33.0 go1.26 linux/amd64" ;;
  "get clusters") cat "$STATE/clusters" 2>/dev/null ;;
  "create cluster") echo wild-mushrooms >>"$STATE/clusters" ;;
  "export kubeconfig") echo "written by kind" >"${@: -1}" ;;
  "delete cluster") rm "$STATE/clusters" ;;
esac
exit 0
""",
    "minikube": """
case "$*" in
  "profile list"*) [ -f "$STATE/clusters" ] && echo '{"valid":[{"Name":"wild-mushrooms"}]}' ;;
  *" start "*) echo wild-mushrooms >"$STATE/clusters" ;;
  *" update-context") echo "written by minikube" >"$KUBECONFIG" ;;
  *" delete") rm "$STATE/clusters" ;;
esac
exit 0
""",
    "kubectl": """
case "$*" in
  *"config get-contexts"*) cat "$STATE/contexts" ;;
  *port-forward*)
    echo $$ >>"$STATE/forwards"
    [[ "$*" == *pipeline-ui* ]] && port=40001 || port=40002
    echo "Forwarding from 127.0.0.1:$port -> 1234"
    exec sleep 60 ;;
  *"get secret"*) echo "$CANARY" ;;
esac
exit 0
""",
    "docker": """
[ "$1" != info ] || [ $# -eq 1 ] || echo "${STUB_MACHINE:-8 32000000000}"
exit 0
""",
    "python": f"""
case "$*" in
  *"images.py tag") echo {TAG} ;;
  *submit*)
    echo "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" >"$STATE/store"
    exit "${{STUB_SUBMIT:-0}}" ;;
esac
exit 0
""",
}
TOOLS = ("kind", "minikube", "kubectl", "docker")
SHELL_TOOLS = (
    *("bash", "basename", "cat", "dirname", "env", "git", "grep"),
    *("mkdir", "mktemp", "rm", "sleep", "tail"),
)


@dataclass
class Desk:
    """A copy of k8s/ with stub tools, and what they were called with."""

    folder: Path
    script: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "build" / f"{self.script}.kubeconfig"

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        (self.state / "calls").write_text("")
        return subprocess.run(
            [str(self.folder / "k8s" / f"{self.script}.sh"), *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def calls(self) -> list[str]:
        written = (self.state / "calls").read_text().replace(str(self.folder), "ROOT")
        config = f"--kubeconfig ROOT/build/{self.script}.kubeconfig"
        return [line.replace(config, "OURS") for line in written.splitlines()]

    def acted(self) -> list[str]:
        """The calls without those that only ask."""
        asking = ("docker info", "docker image inspect", "kind version", "kind get", "profile list")
        return [
            call
            for call in self.calls()
            if not any(word in call for word in (*asking, "get-contexts", "images.py tag"))
        ]


@pytest.fixture(params=["kind", "minikube"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    tools, state = tmp_path / "bin", tmp_path / "state"
    tools.mkdir()
    state.mkdir()
    for name in (*TOOLS, "python"):
        path = tools / name
        path.write_text(STUBS["common"] + STUBS[name])
        path.chmod(0o755)
    # The shell's own tools, and git; none of the real ones.
    for name in SHELL_TOOLS:
        found = shutil.which(name)
        assert found, name
        (tools / name).symlink_to(found)
    context = {"kind": "kind-wild-mushrooms", "minikube": "wild-mushrooms"}[request.param]
    (state / "contexts").write_text(f"{context}\n")
    environment = {
        "PATH": str(tools),
        "HOME": str(tmp_path / "home"),
        "STATE": str(state),
        "CANARY": CANARY,
        "MUSHROOM_PYTHON": str(tools / "python"),
        "KUBECONFIG": str(tmp_path / "home" / "theirs"),
    }
    return Desk(tmp_path, request.param, environment)


def context(desk: Desk) -> str:
    return f"OURS --context {(desk.state / 'contexts').read_text().strip()}"


def test_the_scripts_pass_shellcheck() -> None:
    scripts = sorted((ROOT / "k8s").glob("*.sh"))
    assert [path.name for path in scripts] == ["kind.sh", "lib.sh", "minikube.sh", "versions.sh"]
    tool = str(Path(sys.executable).with_name("shellcheck"))
    done = subprocess.run(
        [tool, "--external-sources", *map(str, scripts)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_up_makes_the_cluster_then_kfp_then_what_is_ours(desk: Desk) -> None:
    done = desk.run("up")
    assert done.returncode == 0, done.stderr
    ours = context(desk)
    kfp = "github.com/kubeflow/pipelines/manifests/kustomize"
    acted = desk.acted()
    if desk.script == "kind":
        made, reached = acted.pop(0), acted.pop(0)
        assert made.startswith("kind create cluster --name wild-mushrooms --image kindest/node:v1")
        assert "@sha256:" in made
        assert "OURS" in made
        assert reached == "kind export kubeconfig --name wild-mushrooms OURS"
    else:
        made, reached = acted.pop(0), acted.pop(0)
        assert made.startswith("minikube --profile wild-mushrooms start --kubernetes-version=v1.")
        assert "--cni=calico" in made
        assert reached == "minikube --profile wild-mushrooms update-context"
    assert acted == [
        f"kubectl {ours} apply -k {kfp}/cluster-scoped-resources?ref=2.17.0",
        f"kubectl {ours} wait --for=condition=established --timeout=120s "
        "crd/applications.app.k8s.io",
        f"kubectl {ours} apply -k {kfp}/env/platform-agnostic?ref=2.17.0",
        f"kubectl {ours} --namespace kubeflow patch configmap workflow-controller-configmap "
        "--patch-file ROOT/k8s/workflow-defaults.yaml",
        f"kubectl {ours} --namespace kubeflow set env deployment/workflow-controller "
        "DEFAULT_REQUEUE_TIME=2s",
        f"kubectl {ours} --namespace kubeflow wait --for=condition=available --timeout=1200s "
        "deployment --selector=application-crd-id=kubeflow-pipelines",
        f"kubectl {ours} --namespace kubeflow delete job wild-mushrooms-claim --ignore-not-found",
        f"kubectl {ours} apply -k ROOT/build/k8s/{desk.script}",
    ]


def test_what_is_applied_has_the_tags_of_this_working_tree(desk: Desk) -> None:
    assert desk.run("up").returncode == 0
    folder = desk.folder / "build" / "k8s" / desk.script
    done = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    images = {
        one["image"]
        for manifest in yaml.safe_load_all(done.stdout)
        if manifest["kind"] in ("Deployment", "Job")
        for one in manifest["spec"]["template"]["spec"]["containers"]
    }
    assert images == {f"wild-mushrooms/data:{TAG}", f"wild-mushrooms/tensorboard:{TAG}"}


def test_a_second_up_makes_no_second_cluster(desk: Desk) -> None:
    assert desk.run("up").returncode == 0
    first = desk.acted()
    done = desk.run("up")
    assert done.returncode == 0, done.stderr
    # minikube's own start is what brings a stopped cluster back, and leaves a running one.
    expected = [call for call in first if not call.startswith("kind create")]
    assert desk.acted() == expected


def test_load_hands_over_each_image_and_then_applies(desk: Desk) -> None:
    assert desk.run("up").returncode == 0
    done = desk.run("load")
    assert done.returncode == 0, done.stderr
    loading = {
        "kind": "kind load docker-image --name wild-mushrooms",
        "minikube": "minikube --profile wild-mushrooms image load",
    }[desk.script]
    assert desk.acted()[1:] == [
        *(f"{loading} wild-mushrooms/{kind}:{TAG}" for kind in ("data", "train", "tensorboard")),
        f"kubectl {context(desk)} --namespace kubeflow delete job wild-mushrooms-claim "
        "--ignore-not-found",
        f"kubectl {context(desk)} apply -k ROOT/build/k8s/{desk.script}",
        f"kubectl {context(desk)} --namespace kubeflow rollout status "
        "deployment/wild-mushrooms-tensorboard --timeout=300s",
    ]


def test_load_without_images_loads_nothing(desk: Desk) -> None:
    assert desk.run("up").returncode == 0
    done = desk.run("load", STUB_FAIL="docker image inspect wild-mushrooms/train")
    assert done.returncode == 2
    assert f"there is no image wild-mushrooms/train:{TAG}: run `make images`" in done.stderr
    assert not any(" load " in call for call in desk.acted())


def test_submit_opens_ways_submits_and_closes_them(desk: Desk) -> None:
    assert desk.run("up").returncode == 0
    done = desk.run("submit", "--source", "sample")
    assert done.returncode == 0, done.stderr
    (submitted,) = (call for call in desk.calls() if "pipeline.py submit" in call)
    assert submitted.endswith(
        "submit --host http://127.0.0.1:40001 --namespace kubeflow "
        "--upload_to s3://mlpipeline/mushrooms/datasets "
        "--cache_claim wild-mushrooms-checkpoints --wait --source sample"
    )
    # The keys travel in the environment: in no argument, and in nothing that is printed.
    assert (desk.state / "store").read_text() == f"http://127.0.0.1:40002 {CANARY} {CANARY}\n"
    assert CANARY not in done.stdout + done.stderr + "".join(desk.calls())
    forwards = (desk.state / "forwards").read_text().split()
    assert len(forwards) == 2
    assert all(_ends(int(pid)) for pid in forwards)


def test_the_real_submit_takes_what_the_scripts_say(desk: Desk) -> None:
    assert desk.run("up").returncode == 0
    assert desk.run("submit", "--source", "sample").returncode == 0
    (submitted,) = (call for call in desk.calls() if "pipeline.py submit" in call)
    options = submitted.partition("pipeline.py ")[2].split()
    done = run_captured(sys.executable, "pipeline.py", *options, "--dry_run")
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)
    assert (request["host"], request["namespace"]) == ("http://127.0.0.1:40001", "kubeflow")


@pytest.mark.parametrize("status", [1, 2, 130])
def test_submit_s_exit_status_is_that_of_the_run(desk: Desk, status: int) -> None:
    assert desk.run("up").returncode == 0
    assert desk.run("submit", STUB_SUBMIT=str(status)).returncode == status


def test_a_way_that_cannot_be_opened_is_told(desk: Desk) -> None:
    assert desk.run("up").returncode == 0
    done = desk.run("submit", STUB_FAIL="port-forward")
    assert done.returncode == 1
    assert "no way to the service ml-pipeline-ui: boom of kubectl" in done.stderr
    assert not any("pipeline.py submit" in call for call in desk.calls())


def test_down_removes_the_cluster_and_its_kubeconfig(desk: Desk) -> None:
    assert desk.run("up").returncode == 0
    assert desk.kubeconfig.exists()
    done = desk.run("down")
    assert done.returncode == 0, done.stderr
    assert not desk.kubeconfig.exists()
    again = desk.run("down")
    assert again.returncode == 0
    assert f"there is no {desk.script} cluster wild-mushrooms" in again.stdout
    assert desk.acted() == []


@pytest.mark.parametrize("command", ["load", "submit"])
def test_without_a_cluster_the_first_command_is_named(desk: Desk, command: str) -> None:
    done = desk.run(command)
    assert done.returncode == 2
    assert f"{desk.script}.sh up" in done.stderr
    assert not any(call.startswith("kubectl") for call in desk.calls())


def test_missing_tools_are_all_named_before_anything_is_done(desk: Desk) -> None:
    for tool in (desk.script, "kubectl", "docker"):
        (desk.folder / "bin" / tool).unlink()
    done = desk.run("up")
    assert done.returncode == 2
    for tool in (desk.script, "kubectl", "docker"):
        assert f"  {tool}: " in done.stderr
    assert "https://" in done.stderr
    assert desk.calls() == []


def test_a_docker_daemon_that_is_not_there_is_told(desk: Desk) -> None:
    done = desk.run("up", STUB_FAIL="docker info")
    assert done.returncode == 2
    assert "the Docker daemon does not answer" in done.stderr
    assert desk.acted() == []


@pytest.mark.parametrize("command", ["up", "load", "submit"])
def test_a_kubeconfig_with_another_cluster_is_refused(desk: Desk, command: str) -> None:
    assert desk.run("up").returncode == 0
    (desk.state / "contexts").write_text("production\nkind-wild-mushrooms\n")
    done = desk.run(command)
    assert done.returncode == 2
    assert "production" in done.stderr
    assert "touches no other cluster" in done.stderr
    assert not any("apply" in call or "port-forward" in call for call in desk.calls())


def test_the_kubeconfig_of_the_person_is_never_named(desk: Desk) -> None:
    for command in ("up", "load", "submit", "down"):
        assert desk.run(command).returncode == 0
        for call in desk.calls():
            assert "theirs" not in call
            if call.startswith("kubectl"):
                assert "OURS" in call
    assert not (desk.folder / "home").exists()


@pytest.mark.parametrize(
    ("fail", "told"),
    [
        ("cluster-scoped-resources", "KFP's cluster-wide part could not be applied"),
        ("--for=condition=established", "were not ready after 120 s"),
        ("env/platform-agnostic", "KFP could not be applied"),
        ("patch configmap", "KFP's defaults of workflows could not be changed"),
        ("--for=condition=available", "KFP was not ready after 1200 s"),
        ("apply -k ROOT", ""),
        ("images.py tag", "the images' tag cannot be told"),
    ],
)
def test_a_tool_that_fails_ends_up_with_its_words_and_ours(
    desk: Desk, fail: str, told: str
) -> None:
    fail = fail.replace("ROOT", str(desk.folder))
    told = told or f"k8s/overlays/{desk.script} could not be applied"
    done = desk.run("up", STUB_FAIL=fail)
    assert done.returncode == 1
    assert "boom of" in done.stderr
    assert told in done.stderr
    # What was asked for last is what failed: nothing follows but a look at the pods.
    assert fail in [call for call in desk.calls() if "get pods" not in call][-1].replace(
        "ROOT", str(desk.folder)
    )


def test_a_small_machine_is_warned_of(desk: Desk) -> None:
    done = desk.run("up", STUB_MACHINE="2 4000000000")
    assert done.returncode == 0, done.stderr
    assert "warning: 2 CPUs and 4 GB" in done.stdout


def test_an_unknown_command_is_refused(desk: Desk) -> None:
    for arguments in ((), ("start",)):
        done = desk.run(*arguments)
        assert done.returncode == 2
        assert "expected up, load, submit or down" in done.stderr


def _ends(pid: int) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
