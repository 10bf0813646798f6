"""Runs on this machine that go on: with nothing new, with new photos, with what was decided."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import SMALL_ARCHITECTURE, Run, run_pipeline
from test_run import write_class

from components.common.dataset import decisions, ledger, memory
from components.common.dataset.dataset import Dataset
from components.common.dataset.decisions import DROP, Decisions
from programs.review import next_run

pytestmark = pytest.mark.long
LABELS = ("earthstar", "fly agaric")


def test_runs_that_go_on(tmp_path: Path, backbone_cache: Path) -> None:
    photos = tmp_path / "photos"

    def run(*options: str) -> Run:
        asked = ("--image_dir", str(photos), "--architecture", SMALL_ARCHITECTURE)
        more = ("--how_many_training_steps", "100", "--min_accuracy", "0", "--continue", "fungi")
        return run_pipeline(tmp_path / "runs", backbone_cache, *asked, *more, *options)

    for label in LABELS:
        write_class(photos / label, label, 24)
    first = run()
    assert first.returncode == 0, first.stdout + first.stderr
    latest = (tmp_path / "runs" / "latest").resolve()
    quiet = run()
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    assert "Nothing new: the same " in quiet.stdout
    assert not (quiet.directory / "model").exists()
    assert (tmp_path / "runs" / "latest").resolve() == latest
    # A person decides, and there are new photos.
    dropped = Dataset(first.directory / "demo").photos[0]
    file = tmp_path / "decisions.json"
    by_hand = Decisions({(dropped.label, dropped.source_sha256): DROP})
    file.write_text(json.dumps(by_hand.to_json()))
    for label in LABELS:
        shutil.rmtree(photos / label)
        write_class(photos / label, label, 30)
    more = run("--decisions", str(file), "--max_regression", "1")
    assert more.returncode == 0, more.stdout + more.stderr
    before = ledger.read(str(first.directory / "ledger"))
    after = ledger.read(str(more.directory / "ledger"))
    assert {group: after[group] for group in before if group in after} == {
        group: part for group, part in before.items() if group in after
    }
    known = memory.read(str(tmp_path / "runs" / "published" / "fungi"))
    assert set(before) | set(after) <= set(ledger.read(known.ledger))
    assert decisions.read(known.decisions).decided == by_hand.decided
    # What was decided stays decided without being handed over again.
    assert "Nothing new" in run("--max_regression", "1").stdout
    assert "--continue fungi" in next_run.command(more.directory, file, by_hand)
    assert "LEDGER" not in next_run.command(more.directory, file, by_hand)
