"""`submit --schedule` as a person runs it: recurring runs made, listed, paused and deleted."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ROOT
from kfp_server import DROP, Answer, Kfp, Look, pod_of, serve
from kfp_server_api import ApiClient, V2beta1Run
from submit_command import CANARY, submit

from components.common.base.errors import InputError
from programs.submit.when import When

RECURRING = "/apis/v2beta1/recurringruns"
WEEKLY = ("--schedule", "0 3 * * 0")


@pytest.fixture
def kfp() -> Iterator[Kfp]:
    with serve(Kfp(token=CANARY)) as server:
        yield server
        assert server.violations == []


def test_schedule_is_a_recurring_run_of_a_version_that_may_end_early(kfp: Kfp) -> None:
    done = submit(kfp.address, "--name", "mushrooms", "--wait", *WEEKLY)
    assert done.returncode == 0, done.stderr
    (schedule,) = kfp.schedules
    assert schedule.trigger.cron_schedule.cron == "0 0 3 * * 0"
    assert (schedule.max_concurrency, schedule.no_catchup, schedule.mode) == ("1", True, "ENABLE")
    assert schedule.display_name.startswith("mushrooms: rendered pictures of 5 classes, CPU, ")
    assert f"{kfp.address}/#/recurringrun/details/{schedule.recurring_run_id}" in done.stdout
    assert "cron 0 3 * * 0" in done.stdout
    assert kfp.runs == []  # the server starts them
    (version,), (specification,) = kfp.versions, kfp.specifications
    assert version.display_name.startswith("cpu-download-continued-")
    parts = specification["components"].values()
    tasks = {
        name: task for part in parts for name, task in part.get("dag", {}).get("tasks", {}).items()
    }
    assert "cachingOptions" in tasks["download-if-new"]
    assert not tasks["download-if-new"]["cachingOptions"]
    asked_at = tasks["download-if-new"]["inputs"]["parameters"]["asked_at"]
    # KFP's driver replaces it where it is the whole of a constant of a task.
    assert asked_at["runtimeValue"]["constant"] == "{{$.pipeline_job_schedule_time_utc}}"
    (condition,) = [task for task in tasks.values() if "condition" in task.get("triggerPolicy", {})]
    assert "is_new" in condition["triggerPolicy"]["condition"]


def test_interval_and_catching_up(kfp: Kfp) -> None:
    done = submit(kfp.address, "--schedule", "12h", "--catch_up")
    assert done.returncode == 0, done.stderr
    (schedule,) = kfp.schedules
    assert schedule.trigger.periodic_schedule.interval_second == "43200"
    assert schedule.no_catchup is False
    assert "every 12 hours" in done.stdout


def test_schedules_are_listed_paused_resumed_replaced_and_deleted(kfp: Kfp) -> None:
    names = ("mushrooms", "mushrooms-2", "flowers")
    for name in names:
        assert submit(kfp.address, "--name", name, *WEEKLY).returncode == 0
    listed = submit(kfp.address, "--schedule", "list")
    assert listed.returncode == 0, listed.stderr
    shown = [line for line in listed.stdout.splitlines() if line.startswith("on ")]
    assert [line.split()[1] for line in shown] == [f"{name}:" for name in names]

    def act(action: str) -> str:
        done = submit(kfp.address, "--name", "mushrooms", "--schedule", action)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert act("pause").startswith("paused mushrooms: ")
    assert [one.status for one in kfp.schedules] == ["DISABLED", "ENABLED", "ENABLED"]
    assert act("list").startswith("paused mushrooms: ")
    assert act("resume").startswith("resumed mushrooms: ")
    assert {one.status for one in kfp.schedules} == {"ENABLED"}
    # Another one of the same model takes its place.
    again = submit(kfp.address, "--name", "mushrooms", "--schedule", "1d")
    assert again.returncode == 0, again.stderr
    assert "deleted mushrooms: " in again.stdout
    assert len(kfp.schedules) == 3
    assert act("delete").startswith("deleted mushrooms: ")
    assert {one.display_name.split(":")[0] for one in kfp.schedules} == set(names[1:])
    done = submit(kfp.address, "--name", "mushrooms", "--schedule", "pause")
    assert done.returncode == 2
    assert "there is no schedule of mushrooms" in done.stderr


@pytest.mark.parametrize("again", [("--schedule", "delete"), ("--schedule", "1d")])
def test_run_that_is_at_work_is_ended_before_its_schedule_goes(
    kfp: Kfp, again: tuple[str, str]
) -> None:
    assert submit(kfp.address, "--name", "mushrooms", *WEEKLY).returncode == 0
    (schedule,) = kfp.schedules
    of_it = {"experiment_id": schedule.experiment_id, "display_name": "a run"}
    for number, (run_of, state) in enumerate(
        (
            (schedule.recurring_run_id, "RUNNING"),
            (schedule.recurring_run_id, "FAILED"),
            (None, "RUNNING"),
        )
    ):
        run = V2beta1Run(run_id=str(number), recurring_run_id=run_of, state=state, **of_it)
        kfp.runs.append(run)
    done = submit(kfp.address, "--name", "mushrooms", *again)
    assert done.returncode == 0, done.stderr
    assert "ending the run that is at work, a run\n" in done.stdout
    assert schedule not in kfp.schedules
    ended = [path for _, path, _, _ in kfp.requests if path.endswith(":terminate")]
    assert ended == ["/apis/v2beta1/runs/0:terminate"]
    assert [run.state for run in kfp.runs] == ["FAILED", "FAILED", "RUNNING"]


def test_without_schedules_the_list_is_empty(kfp: Kfp) -> None:
    done = submit(kfp.address, "--schedule", "list")
    assert (done.returncode, done.stdout) == (0, "no schedules\n")


@pytest.mark.parametrize("fault", [DROP, 500])
def test_lost_answer_makes_no_second_schedule(kfp: Kfp, fault: Any) -> None:
    kfp.faults = {f"POST {RECURRING}": [fault]}
    done = submit(kfp.address, *WEEKLY)
    assert done.returncode == 0, done.stderr
    assert len(kfp.schedules) == 1


def test_dry_run_shows_the_schedule_and_sends_nothing(kfp: Kfp) -> None:
    done = submit(kfp.address, "--dry_run", *WEEKLY)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["recurring_run"]
    assert told["trigger"] == {"cron": "0 0 3 * * 0"}
    assert (told["max_concurrency"], told["no_catchup"]) == (1, True)
    assert kfp.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--schedule", "0 3 * *"), "expected a cron line such as '0 3 * * 0'"),
        (("--schedule", "0 25 * * 0"), "the hour is '25', expected 0 to 23"),
        (("--schedule", "0 3 * * 7"), "the day of the week is '7', expected 0 to 6"),
        (("--schedule", "0s"), "expected a cron line"),
        (("--schedule", "0 3 30 2 *"), "it is never due"),
        (("--schedule", "pause"), "of which model? Give --name"),
        (("--catch_up",), "--catch_up is for --schedule"),
        (("--continue", "a", "--name", "b"), "--continue is 'a' and --name 'b'"),
        (("--continue", "a/b"), "--continue is 'a/b'"),
        (("--continue", "a", "--earlier_ledger", "s3://b/l"), "--earlier_ledger is 's3://b/l'"),
        (("--earlier_ledger", "s3://b/l", *WEEKLY), "a run that goes on keeps to the ledger"),
    ],
)
def test_senseless_schedules_end_before_anything_is_sent(
    kfp: Kfp, options: tuple[str, ...], said: str
) -> None:
    done = submit(kfp.address, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert kfp.requests == []


def test_schedule_cannot_see_this_machine_s_photos_nor_later_decisions(
    kfp: Kfp, tmp_path: Any
) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.jpg").write_bytes(b"photo")
    place = ("--upload_to", "s3://bucket/photos")
    done = submit(kfp.address, "--image_dir", str(tmp_path), *place, *WEEKLY)
    assert done.returncode == 2
    assert "a schedule cannot see what is new on this machine" in done.stderr
    done = submit(kfp.address, "--decisions", "s3://bucket/decisions.json", *WEEKLY)
    assert done.returncode == 2
    assert "run once with --continue and --decisions" in done.stderr
    assert kfp.requests == []


@pytest.mark.parametrize(
    ("text", "cron", "every_s", "words"),
    [
        ("*/15 8-18 * jan-mar MON-FRI", "*/15 8-18 * jan-mar mon-fri", 0, ""),
        ("0,30 3 1 * *", "0,30 3 1 * *", 0, "cron 0,30 3 1 * *"),
        ("90m", "", 5400, "every 90 minutes"),
        ("1d", "", 86400, "every day"),
        ("2w", "", 1209600, "every 2 weeks"),
    ],
)
def test_times_are_read(text: str, cron: str, every_s: int, words: str) -> None:
    found = When.parse(text)
    assert (found.cron, found.every_s) == (cron, every_s)
    assert words in found.in_words()


@pytest.mark.parametrize(
    "text", ["60 * * * *", "5-3 * * * *", "* * 0 * *", "* * * 13 *", "a * * * *", "*/0 * * * *", ""]
)
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--schedule is"):
        When.parse(text)


@pytest.mark.parametrize("days", ["30 2 *", "31 feb,4,jun *", "31 2-4/2 *", "30/1 2 *", "30 2 */2"])
def test_days_that_never_come_are_refused(days: str) -> None:
    with pytest.raises(InputError, match="it is never due"):
        When.parse(f"0 3 {days}")


@pytest.mark.parametrize(
    "days", ["29 2 *", "31 2-3 *", "30 2 mon", "*/30 2 *", "30,1 2 *", "31 */4 *", "20/5 2 *"]
)
def test_days_that_come_are_taken(days: str) -> None:
    assert When.parse(f"0 3 {days}").cron == f"0 3 {days}"


@pytest.mark.parametrize("text", ["\u0663 3 * * 0", "0 3 * * \uff10", "\u0661d", "1\u0662h"])
def test_digits_that_kfp_does_not_read_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--schedule is"):
        When.parse(text)


def test_run_that_found_nothing_new_says_so(kfp: Kfp) -> None:
    tasks = {"download-if-new-driver": "SUCCEEDED", "download-if-new": "SUCCEEDED"}
    kfp.walk = [Look("SUCCEEDED", tasks)]
    done = submit(kfp.address, "--wait", "--poll_s", "0.1", "--continue", "mushrooms")
    assert done.returncode == 0, done.stderr
    assert "  download     done after" in done.stdout
    assert "nothing new: the steps after the first were left out\nsucceeded after" in done.stdout


@pytest.mark.parametrize("task", ["download-if-new", "compare-photos"])
def test_first_step_of_a_run_that_goes_on_is_named_where_it_failed(kfp: Kfp, task: str) -> None:
    tasks = {f"{task}-driver": "SUCCEEDED", task: "FAILED"}
    kfp.walk = [Look("FAILED", tasks)]
    kfp.logs = {pod_of(task, tasks): "download: error: memory.json is damaged\n"}
    done = submit(kfp.address, "--wait", "--poll_s", "0.1", "--continue", "mushrooms")
    assert done.returncode == 1
    assert "step download failed" in done.stderr
    assert "    download: error: memory.json is damaged\n" in done.stderr


def test_further_labels_of_pods_are_counted_in_the_name_of_the_failed_pod(kfp: Kfp) -> None:
    tasks = {"retrain-driver": "SUCCEEDED", "retrain": "FAILED"}
    kfp.walk = [Look("FAILED", tasks)]
    name = pod_of("retrain", tasks).replace("metadata-0-2", "metadata-1-4")
    kfp.logs = {name: "retrain: error: what it said\n"}
    options = ("--pod_labels", "team=fungi,retrain:kueue.x-k8s.io/queue-name=gpus")
    options += ("--pod_annotations", "retrain:example.org/a=b")
    done = submit(kfp.address, "--wait", "--poll_s", "0.1", *options)
    assert done.returncode == 1
    assert "    retrain: error: what it said\n" in done.stderr


RECORDED = ROOT / "tests" / "fixtures" / "kfp_2.17.0"


def test_tests_server_answers_as_a_real_one_did(kfp: Kfp) -> None:
    assert submit(kfp.address, "--name", "mushrooms", "--schedule", "2m").returncode == 0
    request = urllib.request.Request(f"{kfp.address}{RECURRING}")
    request.add_header("Authorization", f"Bearer {CANARY}")
    with urllib.request.urlopen(request) as answer:
        told = json.load(answer)
    real = json.loads((RECORDED / "recurring_runs.json").read_text())
    assert {name: type(value) for name, value in told.items()} == {
        name: type(value) for name, value in real.items()
    }
    (ours,), (theirs,) = told["recurringRuns"], real["recurringRuns"]
    # What the tests' server leaves out is nothing that we read.
    assert set(theirs) - set(ours) == {"updated_at", "namespace", "service_account"}
    for name in set(ours) & set(theirs):
        assert type(ours[name]) is type(theirs[name]), name
    assert (ours["trigger"], ours["max_concurrency"]) == (
        {"periodic_schedule": {"interval_second": "120"}},
        "1",
    )
    assert ours["trigger"] == theirs["trigger"]


def test_recorded_schedules_are_listed(kfp: Kfp) -> None:
    enabled = json.loads((RECORDED / "recurring_runs.json").read_text())["recurringRuns"][0]
    paused = json.loads((RECORDED / "recurring_run_paused.json").read_text())
    assert submit(kfp.address, "--name", "mushrooms", "--schedule", "2m").returncode == 0
    reference = {"pipeline_version_reference": {"pipeline_id": kfp.pipelines[0].pipeline_id}}
    kfp.schedules[:] = [
        ApiClient().deserialize(
            Answer(json.dumps({**one, **reference})),
            "V2beta1RecurringRun",
        )
        for one in (enabled, paused)
    ]
    listed = submit(kfp.address, "--schedule", "list")
    assert listed.returncode == 0, listed.stderr
    states = [line.split()[0] for line in listed.stdout.splitlines() if not line.startswith(" ")]
    assert states == ["on", "paused"]
    assert listed.stdout.count("(every 2 minutes), made 2026-11-30 08:25 UTC") == 2
