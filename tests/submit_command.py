"""`pipeline.py submit` as a person runs it, with a secret that must never be seen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import preloaded
from conftest import ROOT
from kfp_server import Kfp

CANARY = "canary-4711-secret"


def command(address: str, *options: str) -> list[str]:
    return [sys.executable, str(ROOT / "pipeline.py"), "submit", "--host", address, *options]


def environment(**more: str) -> dict[str, str]:
    without = ("KF_PIPELINES_", "MUSHROOM_KFP_", "KUBE", "AWS_", "STORAGE_EMULATOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return {**kept, "MUSHROOM_KFP_TOKEN": CANARY, "COLUMNS": "100", **more}


def kubeconfig(kfp: Kfp, folder: Path) -> dict[str, str]:
    """Variables by which kubeconfig alone leads to a server."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": kfp.address}}],
        "users": [{"name": "me", "user": {"token": CANARY}}],
    }
    (folder / "config").write_text(json.dumps(config))
    return {"KUBECONFIG": str(folder / "config"), "MUSHROOM_KFP_TOKEN": ""}


def submit(address: str, *options: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run it to its end; `more` are variables of its environment."""
    done = preloaded.run(command(address, *options), environment=environment(**more), timeout_s=120)
    assert CANARY not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done
