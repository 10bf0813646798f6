"""The ledger: what it keeps of a run, and which files are refused."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common.base.errors import InputError
from components.common.dataset import ledger
from components.common.dataset.vocabulary import DEMO, SURPLUS, TRAINING, VALIDATION

ROWS = [
    ("roses", "b" * 40, DEMO),
    ("daisy", "a" * 40, TRAINING),
    ("daisy", "c" * 40, VALIDATION),
    ("蘑菇", "a" * 40, SURPLUS),
]


def test_ledger_comes_back_and_its_surplus_is_free_again(tmp_path: Path) -> None:
    assert any(part == SURPLUS for _, _, part in ROWS)
    for rows in (ROWS, []):
        ledger.write(rows, tmp_path / "split.parquet")
        expected = {(label, group): part for label, group, part in rows if part != SURPLUS}
        assert ledger.read(str(tmp_path)) == expected


def test_ledger_does_not_depend_on_the_order_of_its_rows(tmp_path: Path) -> None:
    ledger.write(ROWS, tmp_path / "a")
    ledger.write(ROWS[::-1], tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_unknown_part_in_a_ledger_is_refused(tmp_path: Path) -> None:
    ledger.write([("daisy", "a" * 40, "holdout")], tmp_path / "l")
    with pytest.raises(InputError, match="names the part 'holdout'"):
        ledger.read(str(tmp_path / "l"))


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("label,group,split\n")
    pq.write_table(pa.table({"label": ["x"], "split": ["test"]}), tmp_path / "columns")
    for name in ("missing", "text", "columns"):
        with pytest.raises(InputError, match=r"no ledger|no file"):
            ledger.read(str(tmp_path / name))
