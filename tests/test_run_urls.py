"""One whole run on photos fetched over HTTP from a server that misbehaves."""

import csv
import hashlib
from pathlib import Path

import pytest
from conftest import SMALL_ARCHITECTURE, Run, run_pipeline
from photo_server import Answer, PhotoServer, redirect, serve

from components.common.dataset.dataset import Dataset
from components.download.sources import sample

LABELS = ("earthstar", "fly agaric")
PER_CLASS = 20
FAULTS = (
    Answer(status=500),
    Answer(status=503, headers={"Retry-After": "0"}),
    Answer(reset=True),
    Answer(b"\xff\xd8\xff\xe0", headers={"Content-Length": "20000"}, cut_at=4),
)


@pytest.fixture(scope="module")
def fetched_run(
    tmp_path_factory: pytest.TempPathFactory, backbone_cache: Path
) -> tuple[Run, PhotoServer]:
    """A list of two classes; 30 % of requests misbehave, and some photos are not there at all."""
    folder = tmp_path_factory.mktemp("urls")
    pictures = {
        f"/{label.replace(' ', '_')}/{number}.jpg": picture.data
        for label in LABELS
        for number, picture in enumerate(sample.render_class(label, PER_CLASS))
        if picture.fault is None
    }

    def behave(path: str, count: int) -> Answer:
        draw = hashlib.sha256(f"{path} {count}".encode()).digest()
        if draw[0] < 0.3 * 256:
            return FAULTS[draw[1] % len(FAULTS)]
        if path.startswith("/gone"):
            return redirect("/unavailable/photo_unavailable.png")
        if path.endswith("photo_unavailable.png"):
            return Answer(next(iter(pictures.values())))
        return Answer(pictures[path]) if path in pictures else Answer(status=404)

    with serve(behave) as server:
        with open(folder / "list.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["url", "label", "license", "author", "source_page"])
            for path in pictures:
                label = path.split("/")[1].replace("_", " ")
                page = f"https://example.org{path}"
                row = [label, "CC BY-SA 4.0", "Ada [L](x)", page]
                writer.writerow([f"{server.address}{path}", *row])
            for path in ("/gone/1.jpg", "/missing/2.jpg"):
                writer.writerow([f"{server.address}{path}", LABELS[0], "CC0", "Bo", ""])
            forbidden = [f"{server.address}/nd.jpg", LABELS[1], "CC BY-ND 4.0", "Eve", ""]
            writer.writerow(forbidden)
        run = run_pipeline(
            folder / "runs",
            backbone_cache,
            *("--url_list", str(folder / "list.csv"), "--allow_private_hosts", "localhost"),
            *("--architecture", SMALL_ARCHITECTURE, "--how_many_training_steps", "200"),
            *("--min_accuracy", "0", "--name", "fetched"),
        )
    assert run.returncode == 0, run.stdout + run.stderr
    return run, server


def test_every_photo_that_can_be_had_is_had(fetched_run: tuple[Run, PhotoServer]) -> None:
    run, server = fetched_run
    counts = run.summary["photos"]
    assert sorted(counts) == sorted(LABELS)
    kept = [
        photo for part in ("training", "demo") for photo in Dataset(run.directory / part).photos
    ]
    # Near copies and blank backgrounds are curate's to drop; nothing is lost on the way.
    assert len(kept) >= 2 * PER_CLASS - 2, run.summary["warnings"]
    assert all(photo.source == "urls" and photo.licence == "CC-BY-SA-4.0" for photo in kept)
    assert "/nd.jpg" not in server.paths()


def test_what_could_not_be_had_is_told_with_the_reason(
    fetched_run: tuple[Run, PhotoServer],
) -> None:
    run, _ = fetched_run
    told = " ".join(run.summary["warnings"])
    assert "1  placeholder" in told
    assert "1  http 404" in told
    assert "licence cc-by-nd" in told
    assert "earthstar: 20 photos; photos not taken, and why" in told


def test_credits_go_with_the_datasets_and_the_published_model(
    fetched_run: tuple[Run, PhotoServer],
) -> None:
    run, _ = fetched_run
    published = Path(run.summary["published"])
    for folder in (run.directory / "training", run.directory / "demo", published):
        text = (folder / "ATTRIBUTION.md").read_text()
        assert "[CC BY-SA 4.0](<https://creativecommons.org/licenses/by-sa/4.0/>)" in text
        assert "https://example.org/" in text
        assert "Ada \\[L\\]\\(x\\)" in text
    assert "ATTRIBUTION.md" in run.stdout


def test_without_internet_the_run_says_so_and_how_to_go_on(
    tmp_path: Path, backbone_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy that is not there keeps this test off the real service, wherever it runs.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    run = run_pipeline(tmp_path / "runs", backbone_cache, "--source", "inaturalist")
    assert run.returncode == 1
    assert "api.inaturalist.org cannot be reached" in run.stderr
    for way in ("SOURCE=sample", "IMAGES=folder", "URLS=file"):
        assert way in run.stderr
    assert "Traceback" not in run.stderr
    # The first class's failure ends the run: the other four are not tried.
    events = (run.directory / "events.jsonl").read_text()
    assert events.count('"failed"') <= 2
