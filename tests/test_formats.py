"""Documents of older and newer versions: each kind is read, or refused with what to do."""

import dataclasses
import importlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Run
from sealing import reseal, unseal

from components.common.base.errors import InputError
from components.common.dataset import decisions, ledger, memory
from components.common.model import predictions
from components.common.model.answer_counts import AnswerCounts
from components.common.untrusted import sealed
from components.common.untrusted.sealed import Kind
from components.label_image import job, watch
from components.publish import serving
from components.publish.decision import Decision

# Every kind of document that there is: its module, its name there, and what is told of one that is
# not read.
KINDS = {
    ("components.common.dataset.dataset", "KIND"): "make the dataset again with this version",
    ("components.common.dataset.decisions", "KIND"): "decide anew on the review page",
    ("components.common.dataset.ledger", "KIND"): "give no ledger, and photos may change their",
    ("components.common.dataset.memory", "KIND"): "remove it, and the next run begins without",
    ("components.common.model.description", "KIND"): "make the model again with this version",
    ("components.common.untrusted.sealed", "METRICS"): "make the metrics again with this",
    ("components.common.model.predictions", "KIND"): "run again with this version",
    ("components.common.network.bottlenecks", "KIND"): "make the bottlenecks again with this",
    ("components.common.untrusted.sealed", "CURVES"): "make the training again with this version",
    ("components.common.untrusted.sealed", "DECISION"): "make the decision again with this version",
    ("components.label_image.job", "JOB_KIND"): "name a new --output",
    ("components.label_image.job", "SUMMARY_KIND"): "label that batch again, into another --output",
    ("components.label_image.watch", "KIND"): "label that batch again with this version",
    ("programs.select.labelled", "KIND"): "make the copies again with this version",
    ("programs.select.selection", "KIND"): "make the selection again with this version",
}
NEWER = "a newer version of this program wrote it: use that version, or"


def test_every_kind_is_in_the_table() -> None:
    made = re.compile(r"^(\w+) = (?:sealed\.)?Kind\(", re.MULTILINE)
    found = {
        (".".join(path.relative_to(ROOT).with_suffix("").parts), name)
        for folder in ("components", "programs")
        for path in (ROOT / folder).rglob("*.py")
        for name in made.findall(path.read_text())
    }
    assert found == KINDS.keys()


@pytest.mark.parametrize(("place", "way_out"), KINDS.items(), ids=lambda one: str(one)[:60])
def test_each_version_is_read_or_refused_with_what_to_do(
    place: tuple[str, str], way_out: str
) -> None:
    kind: Kind = getattr(importlib.import_module(place[0]), place[1])
    for version in kind.versions:
        head = {**kind.head, sealed.VERSION: version} if version else {}
        assert kind.check(head, "it") == version
        assert kind.check_texts({name: str(value) for name, value in head.items()}, "it") == version
        if version >= kind.sealed_since > 0:
            with pytest.raises(InputError, match="it lacks its seal"):
                sealed.parse(json.dumps(head).encode(), "it", kind)
    newer = {**kind.head, sealed.VERSION: kind.newest + 1}
    with pytest.raises(InputError, match=f"{NEWER} {way_out}"):
        sealed.parse(sealed.text(newer).encode(), "it", kind)
    older = {**kind.head, sealed.VERSION: -1}
    with pytest.raises(InputError, match=f"this program reads [^:]*: {way_out}"):
        sealed.parse(sealed.text(older).encode(), "it", kind)


def read_memory(path: Path) -> object:
    return memory.read(str(path.parent))


def read_job(path: Path) -> object:
    return job.open_job(job.Answers(str(path.parent)))


def read_batch(path: Path) -> object:
    return watch.earlier_batch(str(path.parent), "0" * 64)


def written(path: Path, content: Mapping[str, Any]) -> Path:
    path.write_text(sealed.text(content))
    return path


MEMORY = {**memory.KIND.head, "ledger": "", "decisions": "", "seen": None}
BATCH = {"model": "m", "model_sha256": "0" * 64, "answers": AnswerCounts().to_json()}


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        (memory.FILE_NAME, MEMORY, read_memory),
        (job.SUMMARY, {**job.SUMMARY_KIND.head, **BATCH}, read_batch),
        (watch.DOCUMENT, {**watch.KIND.head, **BATCH}, read_batch),
    ],
)
def test_newer_document_is_refused_where_it_is_read(
    tmp_path: Path, name: str, content: dict[str, Any], read: Callable[[Path], object]
) -> None:
    path = written(tmp_path / name, content)
    read(path)
    newer = content[sealed.VERSION] + 1
    reseal(path, format_version=newer)
    with pytest.raises(InputError, match=rf"{name} has .* version {newer}; .*{NEWER}"):
        read(path)


def test_newer_job_is_not_gone_on_with(tmp_path: Path) -> None:
    path = written(tmp_path / job.JOB, {**job.JOB_KIND.head, "format_version": 2})
    with pytest.raises(InputError, match=f"{NEWER} name a new --output"):
        read_job(path)


def test_summary_from_before_there_were_versions_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / job.SUMMARY, {**job.SUMMARY_KIND.head, **BATCH})
    unseal(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: content[name] for name in BATCH}))
    found = read_batch(path)
    assert isinstance(found, watch.Earlier)
    assert not found.problem


def test_counts_of_answers_of_another_version_say_what_to_do(
    sample_run: Run, tmp_path: Path
) -> None:
    newer = {**AnswerCounts().to_json(), "version": 2}
    path = written(tmp_path / watch.DOCUMENT, {**watch.KIND.head, **BATCH, "answers": newer})
    with pytest.raises(InputError, match=r"a newer version .*: use that version, or label again"):
        read_batch(path)
    model = tmp_path / "run" / "model"
    model.parent.mkdir()
    model.symlink_to((sample_run.directory / "model").resolve())
    metrics = model.parent / "metrics.json"
    metrics.write_bytes((sample_run.directory / "metrics.json").read_bytes())
    assert watch.reference_of(model).counts.photos
    reseal(metrics, demo_answers=newer)
    with pytest.raises(InputError, match="use that version, or train and publish a new one"):
        watch.reference_of(model)


def test_memory_and_decision_with_fields_of_a_newer_version_say_so(
    sample_run: Run, tmp_path: Path
) -> None:
    seen = {**dataclasses.asdict(memory.Seen()), "weather": "rain"}
    written(tmp_path / memory.FILE_NAME, {**MEMORY, "seen": seen})
    with pytest.raises(InputError, match=r"'weather', .* use that version; or remove it, and the"):
        memory.read(str(tmp_path))
    outputs = json.loads((sample_run.directory / "outputs.json").read_text())
    decided = Path(outputs["comparison"])
    path = tmp_path / "decision.json"
    path.write_bytes(decided.read_bytes())
    Decision.read(path)
    reseal(path, weather="rain")
    with pytest.raises(InputError, match=r"'weather', .* use that version, or compare again"):
        Decision.read(path)


def table_of(path: Path, table: pa.Table, **metadata: str) -> str:
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return str(path)


def test_ledger_without_a_version_is_read_and_a_newer_one_is_not(tmp_path: Path) -> None:
    rows = [("daisy", "a", "demo")]
    ledger.write(rows, tmp_path / ledger.FILE_NAME)
    assert ledger.read_rows(str(tmp_path)) == rows
    table = pq.read_table(tmp_path / ledger.FILE_NAME)
    assert table.schema.metadata[b"format_version"] == b"1"
    old = table_of(tmp_path / "old.parquet", table)
    assert ledger.read_rows(old) == rows
    head = {"format": "wild-mushrooms-ledger", "format_version": "2"}
    newer = table_of(tmp_path / "new.parquet", table, **head)
    with pytest.raises(InputError, match=f"{NEWER} give no ledger"):
        ledger.read_rows(newer)


def test_predictions_without_a_version_are_read_and_newer_ones_are_not(tmp_path: Path) -> None:
    row = dict.fromkeys(predictions.SCHEMA.names, "")
    row |= {"unknown": False, "right": True, "probability": 0.5, "probabilities": [0.5]}
    row |= {"familiarity": 0.5}
    table = pa.Table.from_pylist([row], schema=predictions.SCHEMA)
    path = Path(table_of(tmp_path / "new.parquet", table, format_version="2"))
    assert predictions.read(path, most_rows=1).num_rows == 1
    old = Path(table_of(tmp_path / "old.parquet", table.drop_columns("caution")))
    assert predictions.read(old, most_rows=1).num_rows == 1
    table_of(path, table, format_version="3")
    with pytest.raises(InputError, match=f"{NEWER} run again"):
        predictions.read(path, most_rows=1)


@pytest.mark.parametrize(
    ("version", "said"),
    [("1", ""), ("2", ""), ("3", f"{NEWER} decide anew on the review page")],
)
def test_decisions_by_hand(tmp_path: Path, version: str, said: str) -> None:
    path = tmp_path / "decisions.json"
    content = {"format": decisions.FORMAT, "format_version": version, "decisions": []}
    path.write_text(json.dumps(content))
    if not said:
        assert not decisions.read(str(path)).decided
        return
    with pytest.raises(InputError, match=said):
        decisions.read(str(path))


def test_number_for_servers_whose_record_cannot_be_read_is_counted_and_left_alone(
    tmp_path: Path,
) -> None:
    record = tmp_path / "serving" / "7" / serving.RECORD
    record.parent.mkdir(parents=True)
    told = {"version": "0" * 12, "first_published": "2026-01-01T00:00:00+00:00", "later": 1}
    record.write_text(json.dumps(told))
    assert serving.numbered(str(tmp_path))[0].version == "0" * 12  # fields may be added
    record.write_text(json.dumps({"another": "form"}))
    (one,) = serving.numbered(str(tmp_path))
    assert (one.number, one.version) == (7, "")  # the next number is 8; nothing removes this one
