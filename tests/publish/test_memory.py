"""What a run leaves for the next one under its name: in a folder and on real stores."""

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from object_stores import Store
from publish_items import write_metrics

from components.common.base.errors import InputError
from components.common.base.step import log
from components.common.dataset import decisions, ledger, memory
from components.common.dataset.decisions import DROP, KEEP, MOVE, Decisions
from components.common.dataset.memory import Seen
from components.common.model import published
from components.common.untrusted import sealed
from components.publish.memory import Learned, remember
from components.publish.options import PublishOptions
from components.publish.publish import publish_if_good

SEEN = Seen("photos", "settings", "", 3)


def rows(folder: Path, *given: tuple[str, str, str]) -> str:
    folder.mkdir()
    ledger.write(given, folder / ledger.FILE_NAME)
    return str(folder)


def test_what_was_placed_and_decided_is_never_forgotten(tmp_path: Path) -> None:
    check_nothing_is_forgotten(str(tmp_path / "published" / "m"), tmp_path)


def test_nothing_is_forgotten_in_a_bucket_either(store: Store, tmp_path: Path) -> None:
    check_nothing_is_forgotten(f"{store.prefix}/published/m", tmp_path)


def check_nothing_is_forgotten(root: str, tmp_path: Path) -> None:
    first = rows(tmp_path / "1", ("daisy", "a", "demo"), ("daisy", "b", "training"))
    by_hand = Decisions(
        {("daisy", "1" * 64): KEEP, ("daisy", "2" * 64): MOVE}, {("daisy", "2" * 64): "rose"}
    )
    remember(root, Learned(first, memory.keep_decisions(str(tmp_path / "other"), by_hand), SEEN))
    # The next run found other photos, and a person has decided otherwise of one.
    second = rows(tmp_path / "2", ("daisy", "b", "test"), ("rose", "c", "training"))
    later = Decisions({("daisy", "2" * 64): DROP})
    remember(root, Learned(second, memory.keep_decisions(str(tmp_path / "other"), later)))
    known = memory.read(root)
    assert sorted(ledger.read_rows(known.ledger)) == [
        ("daisy", "a", "demo"),
        ("daisy", "b", "test"),
        ("rose", "c", "training"),
    ]
    found = decisions.read(known.decisions)
    assert found.decided == {("daisy", "1" * 64): KEEP, ("daisy", "2" * 64): DROP}
    assert found.targets == {}
    # A run by itself does not say what a later one has to do; the version that it publishes is not
    # the one that is noted here, and so the next run that goes on is not "nothing new".
    assert known.seen == SEEN
    # What an earlier run was told by name stays what it was.
    assert known.ledger.rpartition("/")[2].startswith("ledger-")


@pytest.mark.parametrize(
    ("low", "seen", "kept"), [(0.8, "", True), (0.1, "", False), (0.1, SEEN.to_text(), True)]
)
def test_run_that_is_held_back_is_remembered_if_it_went_on(
    light_run: Run, tmp_path: Path, low: float, seen: str, kept: bool
) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model, low=low)
    asked = PublishOptions(publish_dir=str(tmp_path / "out"), name="m")
    learned = Learned.of(str(light_run.directory / "ledger"), "", seen)
    demo = light_run.directory / "demo"
    decided, place = publish_if_good(model, demo, metrics, asked, learned=learned)
    assert bool(place) == (low == 0.8), decided.reason
    known = memory.read(str(tmp_path / "out" / "m"))
    assert bool(known.ledger) == kept
    root = str(tmp_path / "out" / "m")
    assert known.seen == (replace(SEEN, published=published.mark(root)) if seen else None)
    if kept:
        assert ledger.read(known.ledger) == ledger.read(str(light_run.directory / "ledger"))


def test_run_by_itself_that_publishes_is_seen_by_the_next_that_goes_on(
    light_run: Run, tmp_path: Path
) -> None:
    model, demo = light_run.directory / "model", light_run.directory / "demo"
    root = str(tmp_path / "out" / "m")
    asked = PublishOptions(publish_dir=str(tmp_path / "out"), name="m")
    placed = str(light_run.directory / "ledger")
    for low, seen in ((0.1, SEEN.to_text()), (0.8, "")):
        metrics = write_metrics(tmp_path / f"metrics-{low}", model, low=low)
        publish_if_good(model, demo, metrics, asked, learned=Learned.of(placed, "", seen))
    known = memory.read(root).seen
    assert known == SEEN  # nothing was published after that run
    assert known.published != published.mark(root)


def test_damaged_memory_fails_no_run_whose_model_is_published(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "m")
    placed = rows(tmp_path / "1", ("daisy", "a", "demo"))
    remember(root, Learned(placed))
    file = Path(root, memory.FILE_NAME)
    file.write_text(file.read_text().replace("ledger-", "ledger+"))
    damaged = file.read_text()
    monkeypatch.setattr(log, "propagate", True)
    remember(root, Learned(placed))
    assert "are not kept for the next one" in caplog.text
    assert str(file) in caplog.text
    assert file.read_text() == damaged
    with pytest.raises(InputError, match=r"memory\.json"):  # whoever goes on has read it before
        remember(root, Learned(placed, "", SEEN))


def test_memory_of_the_first_format_is_read(tmp_path: Path) -> None:
    content = {"format": "wild-mushrooms-memory", "format_version": 1}
    seen = {"photos": "p", "settings": "s", "listing": "", "count": 3}
    text = sealed.text({**content, "ledger": "", "decisions": "", "seen": seen})
    (tmp_path / memory.FILE_NAME).write_text(text)
    assert memory.read(str(tmp_path)).seen == Seen("p", "s", "", 3, "")
