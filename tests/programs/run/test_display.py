"""The progress display: what a person reads from the steps' events."""

import io
import json
from pathlib import Path

from rich.console import Console

from programs.run.display import Display, EventReader


def play(console: Console, *events: dict[str, object], parts: int = 1) -> Display:
    with Display(console, parts=parts) as display:
        for event in events:
            display.show(event)
    return display


def test_without_a_terminal_each_finished_step_is_one_line() -> None:
    out = io.StringIO()
    finished = {"event": "finished", "step": "download", "seconds": 1.0}
    play(Console(file=out, width=100), finished, {**finished, "step": "bottleneck"})
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["download", "bottleneck"]


def test_loop_is_finished_only_after_every_part() -> None:
    out = io.StringIO()
    finished = {"event": "finished", "step": "clean", "seconds": 1.0}
    play(Console(file=out, width=100), finished, parts=2)
    assert out.getvalue() == ""
    play(Console(file=out, width=100), finished, finished, parts=2)
    assert out.getvalue().split()[0] == "clean"


def test_classes_of_a_download_are_counted_on_its_bar() -> None:
    display = play(
        Console(file=io.StringIO(), force_terminal=True),
        {"event": "started", "step": "download", "pid": 1},
        {"event": "part", "step": "download", "done": 2, "total": 5, "pid": 1},
    )
    (bar,) = display._progress.tasks
    assert (bar.completed, bar.total) == (2, 5)
    display.show({"event": "finished", "step": "download", "pid": 1})
    assert bar.finished


def test_on_a_terminal_the_running_step_and_its_count_are_drawn() -> None:
    out = io.StringIO()
    play(
        Console(file=out, width=100, force_terminal=True),
        {"event": "started", "step": "download", "pid": 1},
        {"event": "started", "step": "clean", "pid": 2},
        {"event": "progress", "what": "download [daisy]", "said": "3 of 10", "pid": 1},
        {"event": "progress", "what": "clean roses", "said": "5 of 9", "pid": 2},
    )
    lines = [line for line in out.getvalue().splitlines() if "━" in line]
    assert any("download" in line and "download [daisy]: 3 of 10" in line for line in lines)
    assert any("clean" in line and "clean roses: 5 of 9" in line for line in lines)
    assert not any("daisy" in line and "roses" in line for line in lines)


def test_step_that_has_not_begun_says_what_is_done_for_it() -> None:
    out = io.StringIO()
    display = play(
        Console(file=out, width=100, force_terminal=True),
        {"event": "started", "step": "download", "pid": 1},
        {"event": "progress", "step": "bottleneck", "what": "load it", "said": "", "pid": 2},
    )
    assert any("bottleneck" in line and "load it" in line for line in out.getvalue().splitlines())
    assert display.running() == ["download"]


def test_step_that_counts_nothing_says_what_it_does_within_80_columns() -> None:
    out = io.StringIO()
    play(
        Console(file=out, width=80, force_terminal=True),
        {"event": "started", "step": "retrain", "pid": 1},
        {"event": "progress", "what": "retrain: write the model", "said": "", "pid": 1},
    )
    (line,) = {line for line in out.getvalue().splitlines() if "write the model" in line}
    assert "…" not in line


def test_log_is_told_of_the_step_that_runs_and_not_of_the_one_before(monkeypatch) -> None:
    out = io.StringIO()
    display = play(
        Console(file=out, width=100),
        {"event": "started", "step": "bottleneck", "pid": 1},
        {"event": "progress", "what": "bottleneck", "said": "5 of 5 photos", "pid": 1},
        {"event": "started", "step": "retrain", "pid": 2},
    )
    display._last_line = float("-inf")
    display.tick()
    assert out.getvalue().strip().endswith(" s, retrain")


def test_first_failure_and_all_warnings_are_kept() -> None:
    display = play(
        Console(file=io.StringIO()),
        {"event": "warning", "message": "one"},
        {"event": "failed", "step": "clean", "message": "first", "exit_status": 2},
        {"event": "failed", "step": "clean", "message": "second", "exit_status": 1},
        {"event": "warning", "message": "one"},
        {"event": "warning", "message": "two"},
    )
    assert display.warnings == ["one", "two"]
    assert display.failure
    assert display.failure["message"] == "first"


def test_steps_that_never_finished_are_known() -> None:
    display = play(
        Console(file=io.StringIO()),
        {"event": "started", "step": "download", "pid": 7, "host": "a"},
        {"event": "started", "step": "clean", "pid": 7, "host": "b"},
        {"event": "finished", "step": "clean", "seconds": 1.0, "pid": 7, "host": "b"},
    )
    assert display.running() == ["download"]
    assert "download" in display.unfinished()
    assert "clean" not in display.unfinished()


def test_reader_waits_for_the_rest_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events"
    reader = EventReader(path)
    assert list(reader.read()) == []
    line = json.dumps({"event": "started", "step": "clean"}) + "\n"
    path.write_text(line + line[:10])
    assert len(list(reader.read())) == 1
    with open(path, "a") as file:
        file.write(line[10:])
    assert [event["step"] for event in reader.read()] == ["clean"]
