"""`mushrooms tidy`: what may be deleted when, on real folders and real stores."""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import ROOT, Run, run_captured
from label_job_items import options
from object_stores import Store
from publish_items import publish_as

from components.common.base.errors import InputError
from components.common.dataset import ledger, memory
from components.common.dataset.decisions import DROP, Decisions
from components.common.model.description import read_description
from components.common.model.model_place import version_of
from components.common.store import google, s3, storage
from components.label_image import job
from components.publish.memory import Learned, remember
from programs.tidy import roots
from programs.tidy.entries import Entry, judge
from programs.tidy.kinds import KINDS, LONGEST_RUN, kind_of

TIDY = (sys.executable, "-m", "programs.command", "tidy")
DAY_S = 86400.0
AGE = timedelta(days=30)


def tidy(*words: object, status: int = 0) -> str:
    done = run_captured(*TIDY, *map(str, words))
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if status == 2 else done.stdout + done.stderr


def judged(place: str, *, days: float = 0, keep: int = 0) -> dict[str, str]:
    """Why each entry of a place stays, so many days from now; empty for those that may go."""
    kind = kind_of(place)
    now = datetime.now(UTC) + timedelta(days=days)
    return {
        one.entry.name: one.stays
        for one in judge(kind.entries(place), AGE, keep, now, kind.youngest)
    }


def aged(place: Path, days: float) -> None:
    """Make a folder and everything in it so old."""
    then = time.time() - days * DAY_S
    for path in (*place.rglob("*"), place):
        if not path.is_symlink():
            os.utime(path, (then, then))


# Runs of this machine.


def made_run(runs: Path, name: str, *, days: float, finished: bool = True, **asked: str) -> Path:
    run = runs / name
    run.mkdir(parents=True)
    (run / "log.txt").write_text("x" * 1000)
    arguments = {"publish_dir": str(runs / "published"), "name": "m", **asked}
    (run / "request.json").write_text(json.dumps({"arguments": arguments}))
    if finished:
        (run / "summary.json").write_text("{}")
    aged(run, days)
    return run


def test_old_runs_go_and_those_that_something_depends_on_stay(
    light_run: Run, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    model = light_run.directory / "model"
    version = version_of(read_description(model))
    place = publish_as(light_run, model, runs)
    assert place.name == version

    old = made_run(runs, "20260101-000000", days=90)
    failed = made_run(runs, "20260102-000000", days=80, finished=False)
    published = made_run(runs, "20260103-000000", days=70)
    shutil.copytree(model, published / "model")
    aged(published, 70)
    by_hand = made_run(runs, "20260104-000000", days=60)
    decided = Decisions({("daisy", "1" * 64): DROP})
    (by_hand / "decisions.json").write_text(json.dumps(decided.to_json()))
    aged(by_hand, 60)
    used = made_run(runs, "20260105-000000", days=50)
    running = made_run(
        *(runs, "20260201-000000"), days=0.1, finished=False, earlier_ledger=str(used / "ledger")
    )
    latest = made_run(runs, "20260106-000000", days=45)
    (runs / "latest").symlink_to(latest.name)
    young = made_run(runs, "20260107-000000", days=20)
    mine = runs / "my notes"
    mine.mkdir()
    (runs / "20260101-000000 copy").mkdir()

    found = judged(str(runs))
    assert {name for name, why in found.items() if not why} == {old.name, failed.name}
    assert found[published.name].startswith(f"its model is published as {version}")
    assert "decisions by hand that no memory keeps" in found[by_hand.name]
    assert found[used.name] == "a run that may be running uses it"
    assert found[running.name].startswith("it may be running")
    assert found[latest.name] == "latest leads to it"
    assert found[young.name] == "younger than --older_than"
    assert mine.name not in found

    before = sorted(path.name for path in runs.iterdir())
    said = tidy(runs)
    assert "2 of 8 may go" in said
    assert "--yes deletes" in said
    assert sorted(path.name for path in runs.iterdir()) == before
    assert "deleted 2 of 2" in tidy(runs, "--yes")
    assert sorted(path.name for path in runs.iterdir()) == sorted(
        set(before) - {old.name, failed.name}
    )

    # What the memory keeps need not be kept by the run, and what is no longer published neither.
    root = str(runs / "published" / "m")
    memory_ledger = tmp_path / "1"
    memory_ledger.mkdir()
    ledger.write([("daisy", "a", "demo")], memory_ledger / ledger.FILE_NAME)
    remember(root, Learned(str(memory_ledger), str(by_hand / "decisions.json")))
    shutil.rmtree(place)
    found = judged(str(runs))
    assert {name for name, why in found.items() if not why} == {published.name, by_hand.name}
    assert judged(str(runs), keep=9)[by_hand.name] == "one of the newest (--keep)"


def test_run_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    old = made_run(runs, "20260101-000000", days=90)
    kind = kind_of(str(runs))
    (entry,) = kind.entries(str(runs))
    (old / "decisions.json").write_text("{}")
    assert kind.remove(str(runs), entry) == "it changed meanwhile"
    (entry,) = kind.entries(str(runs))
    assert entry.stays
    assert old.is_dir()


# What is published, and remembered.


def remembered(root: str, folder: Path, count: int) -> list[str]:
    """Let runs end one after another; the ledger that each leaves."""
    names = []
    for number in range(count):
        here = folder / str(number)
        here.mkdir(parents=True)
        ledger.write([("daisy", str(number), "training")], here / ledger.FILE_NAME)
        remember(root, Learned(str(here)))
        names.append(memory.read(root).ledger.rpartition("/")[2])
        time.sleep(1.1)  # stores tell times to the second
    return names


def test_files_of_the_memory_go_long_after_they_were_replaced(tmp_path: Path) -> None:
    check_memory(str(tmp_path / "published" / "m"), tmp_path / "ledgers")


def test_files_of_the_memory_go_in_a_bucket_too(store: Store, tmp_path: Path) -> None:
    check_memory(f"{store.prefix}/tidy/m", tmp_path / "ledgers")


def check_memory(root: str, folder: Path) -> None:
    first, second, third = (f"memory/{name}" for name in remembered(root, folder, 3))
    assert kind_of(root) is KINDS[0]
    assert set(judged(root).values()) == {
        "younger than --older_than",
        "memory.json names it: the next run reads it",
    }
    found = judged(root, days=31)
    assert [name for name, why in found.items() if not why] == [first, second]
    assert "names it" in found[third]
    kind = kind_of(root)
    by_name = {one.name: one for one in kind.entries(root)}
    # A run writes the oldest again, and names it.
    earlier = ledger.read_rows(f"{root}/{first}")
    time.sleep(1.1)
    kept = memory.keep_ledger(root, earlier)
    assert kept == f"{root}/{first}"
    assert "written or named it meanwhile" in kind.remove(root, by_name[first])
    assert kind.remove(root, by_name[second]) == ""
    assert kind.remove(root, by_name[second]) == ""  # somebody else was faster
    assert "written or named it meanwhile" in kind.remove(root, by_name[third])
    assert ledger.read_rows(memory.read(root).ledger)
    assert sorted(one.name for one in kind.entries(root)) == sorted([first, third])


def test_nothing_a_cluster_run_was_told_goes_however_short_the_rule(tmp_path: Path) -> None:
    root = str(tmp_path / "m")
    remembered(root, tmp_path / "ledgers", 2)
    kind = kind_of(root)
    soon = datetime.now(UTC) + LONGEST_RUN - timedelta(hours=1)
    found = judge(kind.entries(root), timedelta(), 0, soon, kind.youngest)
    assert [one.stays for one in found if one.stays.startswith("it may be in use")]
    assert all(one.stays for one in found)


def test_memory_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    remembered(str(tmp_path / "m"), tmp_path / "ledgers", 1)
    text = (tmp_path / "m" / "memory.json").read_text()
    (tmp_path / "m" / "memory.json").write_text(text.replace('"ledger-', '"lodger-'))
    said = tidy(tmp_path / "m", "--yes", status=2)
    assert "memory.json is damaged or was edited" in said
    assert list((tmp_path / "m" / "memory").iterdir())


def test_published_versions_are_told_and_left_to_another_command(
    light_run: Run, tmp_path: Path
) -> None:
    place = publish_as(light_run, light_run.directory / "model", tmp_path)
    aged(place, 400)
    said = tidy(place.parent, "--older_than", "1d", "--yes")
    assert f"{place.name}" in said
    assert "stays: served" in said
    assert (place / "model.json").is_file()


# Answers of a bucket or folder.


def test_listings_of_killed_processes_go_and_nothing_else_of_a_job(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.jpg").write_bytes(b"x")
    answers = job.Answers(str(tmp_path / "answers"))
    orphan = f"{job.LISTING}{'0' * 64}.jsonl"
    answers.write(orphan, b"[]\n", what="the listing")
    job.begin(answers, str(photos), job.Model("m", "v", "0" * 64), options())
    answers.write("part-00000.csv", b"file\n", what="the answers")
    aged(tmp_path / "answers", 100)
    found = judged(answers.place)
    assert [name for name, why in found.items() if not why] == [orphan]
    assert len(found) == 4
    assert "deleted 1 of 1" in tidy(answers.place, "--yes")
    assert job.open_job(answers) is not None
    assert sorted(judged(answers.place)) == sorted(set(found) - {orphan})


# The cache.


def test_cache_keeps_weights_and_what_was_read_lately(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    old = [
        f"fetched/objects/00/{'0' * 64}",
        f"bottlenecks/{'1' * 64}/{'2' * 16}.npz",
        f"backbones/mobilenet_1.0_224-{'3' * 16}/backbone.tflite",
        f"models/{'4' * 32}/model.json",
        "fetched/.x.partial-00000000",
    ]
    others = [
        "weights/mobilenet_1.0_224.npz",
        "fetched/usage/today",
        "my own file",
        "models/mine/model.json",
        f"fetched/urls/aa/{'a' * 64}",
    ]
    for name in (*old, *others):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(b"x" * 1000)
    aged(cache, 100)
    os.utime(cache / others[-1], (time.time(), time.time() - 100 * DAY_S))  # read today
    found = judged(str(cache))
    gone = {name.removesuffix("/backbone.tflite").removesuffix("/model.json") for name in old}
    assert {name for name, why in found.items() if not why} == gone
    assert found["weights/mobilenet_1.0_224.npz"] == "pretrained weights"
    assert found[others[-1]] == "younger than --older_than"
    assert set(found) == gone | {others[0], others[-1]}
    assert "deleted 5 of 5: 5.0 KB" in tidy(cache, "--yes")
    left = {path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file()}
    assert left == set(others)


def test_what_another_process_is_writing_into_the_cache_stays(tmp_path: Path) -> None:
    made = tmp_path / "fetched" / f".{'x'}.partial-00000000"
    (tmp_path / "bottlenecks" / ("1" * 64)).mkdir(parents=True)
    (tmp_path / "bottlenecks" / ("1" * 64) / f"{'2' * 16}.npz").touch()
    made.parent.mkdir()
    made.touch()
    code = (
        f"import fcntl, os; fcntl.flock(os.open({str(made)!r}, 0), 2); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        aged(tmp_path, 100)
        assert judged(str(tmp_path))[f"fetched/{made.name}"] == "a process is writing it"
        writer.communicate(b"\n")
    assert judged(str(tmp_path))[f"fetched/{made.name}"] == ""


# A pipeline root.


def test_pipeline_root_is_told_by_run_and_left_to_a_rule_of_the_bucket(store: Store) -> None:
    ids = [str(uuid.uuid4()) for _ in range(2)]
    for name in (f"{ids[0]}/clean/images.tar", f"{ids[0]}/retrain/model", f"{ids[1]}/clean/x"):
        store.put(f"v2/artifacts/wild-mushrooms/{name}", b"x" * 500)
    place = f"{store.prefix}/v2/artifacts"
    found = {one.name: one for one in kind_of(place).entries(place)}
    assert set(found) == {f"wild-mushrooms/{one}" for one in ids}
    first = found[f"wild-mushrooms/{ids[0]}"]
    assert first.size == 1000
    assert first.since is not None
    assert abs((datetime.now(UTC) - first.since).total_seconds()) < 120
    assert all("KFP's cache" in why for why in judged(place, days=400).values())
    assert "nothing is deleted there" in tidy(place, "--yes", status=2)

    rule = json.loads(tidy(place, "--rule", "--older_than", "36h"))
    if store.prefix.startswith("gs://"):
        (one,) = rule["rule"]
        assert one["condition"] == {"age": 2, "matchesPrefix": ["v2/artifacts/"]}
        bucket = google.client().bucket("photos")
        bucket.lifecycle_rules = rule["rule"]
        bucket.patch()
    else:
        assert rule["Rules"][0]["Filter"] == {"Prefix": "v2/artifacts/"}
        s3.client().put_bucket_lifecycle_configuration(Bucket="photos", LifecycleConfiguration=rule)
        known = s3.client().get_bucket_lifecycle_configuration(Bucket="photos")
        assert known["Rules"][0]["Expiration"]["Days"] == 2

    # A rule for a place with published models in it would delete them.
    store.put("v2/artifacts/published/m/latest.json", b"{}")
    with pytest.raises(InputError, match="name a folder that holds runs only"):
        roots.rule(place, AGE)
    assert roots.rule(f"{place}/wild-mushrooms", AGE)
    with pytest.raises(InputError, match=r"that holds runs only|a whole bucket"):
        roots.rule(store.prefix, AGE)
    assert list(storage.list_objects(place))


# Any place.


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((".",), "is none of the places that this project fills: expected a folder of published"),
        (("no such folder",), "is none of the places"),
        ((".", "--older_than", "soon"), "--older_than is 'soon': expected a number with h, d or w"),
        ((".", "--keep", "-1"), "--keep is -1: expected 0 or more"),
        (("runs", "--rule"), "is no pipeline root of Kubeflow"),
        (("gs:/x",), "expected a folder, gs://bucket/folder or s3://"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(words: tuple[str, ...], said: str) -> None:
    assert said in " ".join(tidy(*words, status=2).split())


def test_projects_own_folder_and_the_home_are_no_place_to_tidy(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "weights").mkdir()
    for folder in (ROOT, tmp_path, ROOT / "tests"):
        with pytest.raises(InputError, match="none of the places"):
            kind_of(str(folder))


def test_rules_both_let_go_and_the_oldest_are_first() -> None:
    now = datetime.now(UTC)
    entries = [Entry(str(days), 1, now - timedelta(days=days)) for days in (40, 50, 60, 10)]
    entries.append(Entry("unknown", 1, None))
    found = judge(entries, AGE, 3, now, timedelta())
    assert [(one.entry.name, bool(one.stays)) for one in found] == [
        ("60", False),
        ("50", False),
        ("40", True),
        ("10", True),
        ("unknown", True),
    ]


def test_decisions_of_a_damaged_file_are_no_reason_to_delete_it(tmp_path: Path) -> None:
    run = made_run(tmp_path / "runs", "20260101-000000", days=90)
    (run / "decisions.json").write_text("{")
    aged(run, 90)
    assert "cannot be compared" in judged(str(tmp_path / "runs"))[run.name]
