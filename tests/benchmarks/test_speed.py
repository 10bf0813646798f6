"""The frame of the speed benchmark: turns, ratios, targets, the table, JSON and exit status."""

import itertools
import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.speed import frame, growth, materials, overhead
from benchmarks.speed.__main__ import ROWS, measure, measures
from benchmarks.speed.bars import Bar, bars_file
from benchmarks.speed.frame import LIMIT, OURS, Check, Row, Series, Turns, Way
from benchmarks.speed.materials import Bench
from components.common.base.errors import InputError
from components.common.photos import images

pytestmark = pytest.mark.long

SVG = "{http://www.w3.org/2000/svg}"


def way(name: str, seconds: float, log: list[str], **more: Any) -> Way:
    def run() -> float:
        log.append(name)
        return seconds

    return Way(name, run, **more)


def test_ways_take_turns_and_are_compared_round_by_round() -> None:
    log: list[str] = []
    ways = [
        way("ours", 2.0, log, role=OURS),
        way("peer", 5.0, log, least=3.0),
        way("limit", 1.5, log, role=LIMIT, least=0.7, rounds=1),
    ]
    ours, peer, limit = Turns(2).measure(ways, warm_up=True)
    assert log[:3] == ["ours", "peer", "limit"]  # to warm up
    assert log[3:] == ["ours", "peer", "limit", "peer", "ours"]
    assert ours.seconds == (2.0, 2.0)
    assert (peer.ratio, peer.met) == (2.5, False)
    assert (limit.ratio, limit.met, len(limit.seconds)) == (0.75, True, 1)


def row(ratio: float = 4.0, value: float = 1.0) -> Row:
    return Row(
        "work · 100 photos",
        100,
        "photos/s",
        (
            Series("ours", OURS, (1.0, 2.0, 4.0)),
            Series("a peer", "peer", (4.0, 8.0), least=3.0, ratio=ratio),
        ),
        (Check("seconds", value, 2.0, "s"),),
        ("a note",),
        (0.5, 1.25),
    )


def test_table_shows_median_spread_ratio_target_and_load() -> None:
    lines = list(frame.table(row()))
    assert "[load 0.5 → 1.2]" in lines[1]
    shown = [" ".join(line.split()) for line in lines]
    assert shown[2] == "ours 50.0 photos/s 25.0 – 100 (3)"
    assert shown[3] == "a peer 18.8 photos/s 12.5 – 25.0 (2) 4.00 × ≥ 3 × met"
    assert shown[4] == "seconds 1.00 s ≤ 2 s met"
    assert lines[5].strip() == "a note"
    assert "MISSED" in list(frame.table(row(ratio=2.0)))[3]


@pytest.mark.parametrize(
    ("given", "status", "missed"),
    [
        (row(), 0, []),
        (row(ratio=2.0), 1, ["work · 100 photos: a peer"]),
        (row(value=3.0), 1, ["work · 100 photos: seconds"]),
    ],
)
def test_a_missed_target_is_said_written_and_the_exit_status(
    given: Row, status: int, missed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def some_row(_: Bench) -> Iterator[Row]:
        yield given

    assert measure(Bench(tmp_path), {"work": some_row}, tmp_path / "out") == status
    content = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert content["missed"] == missed
    assert content["machine"]["cores"] == os.cpu_count()
    assert content["rows"][0]["series"][1]["met"] is (status == 0 or given.checks[0].met is False)
    assert (tmp_path / "out" / "bench.svg").read_text().startswith("<svg")
    said = capsys.readouterr().out
    assert all(name in said for name in missed or ["every target is met"])


def test_a_peer_that_is_not_there_has_no_target_to_miss() -> None:
    assert Series("peer", "peer", (1.0,)).met is None
    assert Row("work", series=(Series("ours", OURS, (1.0,)),)).missed == []


def test_every_row_can_be_run_alone() -> None:
    assert list(measures(ROWS)) == list(ROWS)
    assert list(measures(["label", "clean"])) == ["clean", "label"]
    with pytest.raises(InputError, match="no rows called nothing"):
        measures(["nothing"])


def test_run_measures_a_process_and_shows_why_it_failed() -> None:
    done = frame.run(sys.executable, "-c", "print('{\"a\": 1}')")
    assert frame.last_json(done.output) == {"a": 1}
    assert done.seconds > 0
    with pytest.raises(RuntimeError, match="no such thing"):
        frame.run(sys.executable, "-c", "raise SystemExit('no such thing')")


def test_peak_memory_is_that_of_the_process_alone() -> None:
    large = bytearray(os.urandom(1024)) * (200 << 10)  # 200 MB of this process
    work = "import time; a = bytearray(b'x') * (40 << 20); time.sleep(0.5)"
    done = frame.run(sys.executable, "-c", work)
    assert 40 <= done.peak_mb < len(large) >> 20


def pictures() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.integers(0, 255, (30, 40, 3), dtype=np.uint8) for _ in range(3)]


def test_made_photos_are_different_and_sound() -> None:
    made = [*materials.joined(pictures(), 7, (80, 60)), *materials.cuts(pictures(), 7, (80, 60))]
    assert len(set(made)) == 14
    assert {images.jpeg_size(jpeg) for jpeg in made} == {(80, 60)}


def test_numbered_photos_have_other_bytes_and_nearly_the_same_pixels() -> None:
    jpeg = next(materials.joined(pictures(), 1, (80, 60)))
    made = [growth.numbered(jpeg, number) for number in (0, 1, 99_999)]
    clean = {images.to_clean_jpeg(one).data for one in made}
    assert len(clean) == 3
    pixels = [images.decode(one).astype(int) for one in made]
    assert np.abs(pixels[0] - pixels[2]).mean() < 8


def test_growth_is_told_from_points() -> None:
    points = [growth.Point(1_000, 2.0, 100), growth.Point(100_000, 200.0, 110)]
    assert growth.exponent(points) == pytest.approx(1.0)
    drawn = growth.picture({"clean": [(1_000, 2.0), (100_000, 200.0)]}, "seconds")
    assert drawn.startswith("<svg")
    assert "100,000" in drawn


def test_bars_are_as_long_as_they_say_and_lie_below_one_another() -> None:
    bars = [Bar("<ours>", 1.0, "fast", "ours"), Bar("peer", 0.25, "", "peer")]
    root = ET.fromstring(bars_file("speed", [("work & play", bars), ("more", bars[:1])]))
    assert root.get("aria-label") == "speed"
    texts = [text.text for text in root.findall(f".//{SVG}text")]
    assert texts == ["work & play", "<ours>", "fast", "peer", None, "more", "<ours>", "fast"]
    drawn = [path.get("d", "") for path in root.findall(f".//{SVG}path")]
    numbers = [[float(one) for one in re.findall(r"[\d.]+", path)] for path in drawn]
    lengths = [right - left for left, _, right, *_ in numbers]
    assert lengths[1] == pytest.approx(lengths[0] / 4)
    assert all(above[3] < below[1] for above, below in itertools.pairwise(numbers))
    assert numbers[-1][3] < float(root.get("height", "0"))


def test_steps_run_in_one_process_as_in_the_pipeline(shared_photos: Path) -> None:
    with Bench(shared_photos / "flowers", 1, 0.5, None) as bench:
        (row,) = overhead.measure(bench)
    assert [len(one.seconds) for one in row.series] == [1, 1]
    assert "retrain" in row.notes[0]
