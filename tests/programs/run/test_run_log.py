"""log.txt of a run has what the steps said, and neither kfp's JSON nor commands of terminals."""

import re
from pathlib import Path

import pytest
from conftest import Run

from programs.run import run_log
from programs.run.run_log import LogWriter

# As two tasks at once leave it: kfp's own indentation differs from line to line.
WRITTEN = """\
21:52:34.443 - INFO - Executing task \x1b[96m'clean'\x1b[0m
21:52:34.444 - INFO - Streamed logs:

            Found image 'wild-mushrooms/data:1-2'
            [KFP Executor 2026-11-27 21:52:34,569 INFO]: Looking for component `clean` in --x `/y`
            [KFP Executor 2026-11-27 21:52:34,570 INFO]: Got executor_input:
            {
                "inputs": {
                    "parameterValues": {
    clean daisy: 2 of 3 photos kept
    warning: daisy: 1 of 3 files rejected (1 damaged); REASONS.csv says why
                        "contact": "",
                        "say \\"hello\\"": -0.5,
                        "strict": false,
                        "nothing": {},
                        "species": [
                            "a, b",
                            12
                        ]
                    }
                }
            }
Traceback (most recent call last):
  File "x.py", line 3, in bake
    values = {"a": 1}
            [KFP Executor 2026-11-27 21:52:34,593 INFO]: Wrote executor output file to /z.
            [KFP Executor 2026-11-27 21:52:34,593 ERROR]: something is wrong
21:52:42.556 - INFO - Task \x1b[96m'clean'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m
21:52:42.556 - INFO - Task \x1b[96m'clean'\x1b[0m outputs:
    Output: 'publish'
    counts: Metrics( name='counts',
                     uri='/runs/counts',
                     metadata={'found': 3.0, 'of': {'x': [1]}} )
    --------------------------------------------------------------------------------
\x1b]0;a title\x07Schüler\x00 \x1b[2K\rdone
"""
READ = """\
21:52:34.443 - INFO - Executing task 'clean'
    clean daisy: 2 of 3 photos kept
    warning: daisy: 1 of 3 files rejected (1 damaged); REASONS.csv says why
Traceback (most recent call last):
  File "x.py", line 3, in bake
    values = {"a": 1}
            [KFP Executor 2026-11-27 21:52:34,593 ERROR]: something is wrong
21:52:42.556 - INFO - Task 'clean' finished with status SUCCESS
    Output: 'publish'
Schüler done
"""


@pytest.mark.parametrize("size", [7, 10_000])
def test_words_of_the_steps_stay_and_what_kfp_says_around_them_goes(
    tmp_path: Path, size: int
) -> None:
    full, readable = tmp_path / run_log.FULL, tmp_path / "log.txt"
    full.touch()
    writer = LogWriter(full, readable)
    data = WRITTEN.encode()
    for start in range(0, len(data), size):
        with open(full, "ab") as file:
            file.write(data[start : start + size])
        writer.advance()
    assert readable.read_text(encoding="utf-8") == READ
    assert full.read_bytes() == data


def test_last_line_without_an_end_and_bytes_that_are_no_text_are_kept(tmp_path: Path) -> None:
    full = tmp_path / run_log.FULL
    full.write_bytes(b"first \xff\nKilled")
    writer = LogWriter(full, tmp_path / "log.txt")
    writer.advance()
    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "first \ufffd\n"
    writer.advance(last=True)
    writer.advance(last=True)
    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "first \ufffd\nKilled\n"


def test_line_without_end_is_written_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "MAX_LINE", 100)
    full = tmp_path / run_log.FULL
    full.write_bytes(b"x" * 1000)
    LogWriter(full, tmp_path / "log.txt").advance()
    pieces = (tmp_path / "log.txt").read_text().split()
    assert len(pieces) > 3
    assert "".join(pieces) == "x" * sum(map(len, pieces))


def test_log_of_a_run_is_readable_and_the_full_one_is_beside_it(sample_run: Run) -> None:
    log = (sample_run.directory / "log.txt").read_text(encoding="utf-8")
    full = (sample_run.directory / run_log.FULL).read_text(encoding="utf-8")
    assert "\x1b" not in log
    assert "\x1b" in full
    assert "executor_input" not in log
    assert "executor_input" in full
    assert re.search(r"clean \w[\w ]+: \d+ of \d+ photos kept", log)
    assert all(warning.splitlines()[0] in log for warning in sample_run.summary["warnings"])
    assert log.count("finished with status SUCCESS") == full.count("SUCCESS")
    assert max(map(len, log.splitlines())) < 1000
