"""Learning curves: what is drawn from what, and the command as a person runs it."""

import csv
import dataclasses
import shutil
import sys
import xml.etree.ElementTree as ET
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from conftest import ROOT, SMALL_ARCHITECTURE, Run, run_captured
from html_page import Page
from retrain_items import clusters

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.download.sources import sample
from components.retrain.head import Examples
from components.retrain.options import PIPELINE
from programs.learning_curve import points as curve
from programs.learning_curve.points import CurvePhotos, Point
from programs.learning_curve.report import Curve, files, lasting_name, run_page, text

pytestmark = pytest.mark.long

LABELS = ("fly agaric", "earthstar")
QUICK = dataclasses.replace(PIPELINE, how_many_training_steps=60, learning_rate=0.01)


def material(per_class: int = 40, group_size: int = 1, *, spread: float = 2.0) -> CurvePhotos:
    pool = clusters(per_class, seed=1, spread=spread)
    groups = [f"{label}-{row // group_size}" for row, label in enumerate(pool.labels)]
    return CurvePhotos(["a", "b", "c"], pool, groups, clusters(30, seed=2, spread=spread), False)


def test_more_photos_are_measured_more_accurate_on_the_same_photos() -> None:
    points = curve.measure(material(), [2, 10], 5, QUICK)
    assert [point.name for point in points] == ["2", "10", "all"]
    assert [point.photos for point in points] == [6, 30, 120]
    assert [point.per_class for point in points] == [2, 10, 40]
    assert {point.measured for point in points} == {90}
    assert points[0].median < points[-1].median
    assert all(len(point.right) == 5 for point in points)
    # Two photos a class are chosen differently in each draw; all photos are all photos.
    assert len(set(points[0].right)) > 1
    for point in points:
        assert point.low < point.median < point.high


def test_same_seed_same_curve_other_seed_other_draws() -> None:
    first = curve.measure(material(), [2], 4, QUICK)
    assert curve.measure(material(), [2], 4, QUICK) == first
    assert curve.measure(material(), [2], 4, dataclasses.replace(QUICK, seed=9)) != first


def test_draws_follow_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, ...]] = []

    def record(_: CurvePhotos, rows: np.ndarray, recipe: object) -> int:
        drawn.append(tuple(rows.tolist()))
        return 0

    monkeypatch.setattr(curve, "_right", record)
    for seed in (0, 9):
        curve.measure(material(), [5], 2, dataclasses.replace(QUICK, seed=seed))
    assert len({rows for rows in drawn if len(rows) == 15}) == 4


def test_what_is_measured_are_the_held_out_photos_alone() -> None:
    some = material(spread=0.5)
    turned = Examples(some.held_out.vectors, (some.held_out.labels + 1) % 3)
    (few, everything) = curve.measure(dataclasses.replace(some, held_out=turned), [9], 1, QUICK)
    assert few.median < 0.1
    assert everything.median < 0.1


def test_interval_is_wilson_s_of_the_median() -> None:
    point = curve._point("5", [10], [40, 45, 50], 60, 2)
    # Wilson 1927 for 45 of 60 at 95 %.
    assert (point.low, point.high) == pytest.approx((0.6277, 0.8422), abs=1e-4)
    assert point.median == 0.75
    # With an even number of draws the median may lie between two counts, and the interval with it.
    lows = [curve._point("5", [10], right, 50, 2).low for right in ([45], [45, 46], [46])]
    assert lows[0] < lows[1] < lows[2]


def test_groups_are_learned_from_as_a_whole() -> None:
    some = material(group_size=4)
    ranked = curve._ranked_groups(some, np.random.default_rng(0))
    rows = curve._first(ranked, 10)
    taken = [some.groups[row] for row in rows]
    assert {taken.count(group) for group in taken} == {4}
    assert len(rows) == 24  # two groups of four fit into ten photos of each of three classes
    # A class whose groups are all too large is not left without any photo.
    assert len(curve._first(ranked, 1)) == 12


def test_larger_numbers_hold_the_smaller_ones() -> None:
    ranked = curve._ranked_groups(material(), np.random.default_rng(0))
    assert set(curve._first(ranked, 5)) < set(curve._first(ranked, 20))


def test_sizes_that_a_class_does_not_have_are_left_out() -> None:
    some = material(20)
    keep = np.r_[0:12, 20:60]  # the first class has 12 photos, the others 20
    pool = Examples(some.pool.vectors[keep], some.pool.labels[keep])
    uneven = dataclasses.replace(some, pool=pool, groups=[some.groups[row] for row in keep])
    names = [point.name for point in curve.measure(uneven, [5, 12, 15, 200], 1, QUICK)]
    assert names == ["5", "12", "all"]
    with pytest.raises(InputError, match=r"class 'a' has 12 training photos.* begins with 15: add"):
        curve.measure(uneven, [15, 20], 1, QUICK)


@pytest.mark.parametrize(("sizes", "draws"), [([], 3), ([0, 5], 3), ([5], 0), ([-1], 1)])
def test_senseless_numbers_are_refused(sizes: list[int], draws: int) -> None:
    with pytest.raises(InputError, match="expected numbers above 0"):
        curve.measure(material(), sizes, draws, QUICK)


def test_report_says_how_sure_it_is_and_what_changed() -> None:
    points = [
        Point("5", 15, 5, (30, 33, 36), 60, 0.42, 0.67),
        Point("all", 60, 20, (45, 45, 45), 60, 0.628, 0.842),
    ]
    drawn = Curve("photos & <more>", "mobilenet_1.0_224", ["a", "b"], points, rendered=True)
    said = " ".join(text(drawn).split())
    assert "all (20) 60 0.750 0.750 to 0.750 0.628 to 0.842" in said
    assert (
        "From 5 to 20 photos a class: 0.550 → 0.750: 12 photos of 60 more were right. "
        "The curve still rises: more photos of each class are likely to help."
    ) in said
    assert "the same 60 photos, which no head had seen; one photo is 1.7 points" in said
    assert "With 60 test photos the last accuracy is uncertain by 21 points (95 % interval" in said
    assert "says nothing about real mushrooms" in said
    written = files(drawn)
    assert "photos &amp; &lt;more&gt;" in written["html"]
    rows = list(csv.DictReader(written["csv"].splitlines()))
    assert [row["median"] for row in rows] == ["0.5500", "0.7500"]
    assert {row["test_photos"] for row in rows} == {"60"}
    page = Page(written["html"])
    assert "From 5 to 20 photos a class" in page.text
    assert not [element for element, marks in page.elements if "style" in marks]
    real = text(dataclasses.replace(drawn, rendered=False))
    assert "real mushrooms" not in real


@pytest.mark.parametrize(
    ("before", "last", "measured", "changed", "verdict"),
    [
        (
            [28, 30],
            [31, 31],
            42,
            "0.690 → 0.738: 2 photos of 42 more were right",
            "That is too few to tell",
        ),
        ([20], [19], 28, "0.714 → 0.679: 1 photo of 28 fewer was right", "That is too few to tell"),
        (
            [29, 30],
            [31],
            42,
            "0.702 → 0.738: 1.5 photos of 42 more were right",
            "That is too few to tell",
        ),
        (
            [31],
            [31],
            42,
            "0.738 → 0.738: as many of the 42 photos were right",
            "That is too few to tell",
        ),
        ([36], [41], 60, "5 photos of 60 more were right", "That is too few to tell"),
        ([36], [42], 60, "6 photos of 60 more were right", "Perhaps the curve still rises"),
        ([42], [36], 60, "6 photos of 60 fewer were right", "Perhaps the curve falls"),
        ([30], [45], 60, "15 photos of 60 more were right", "The curve still rises"),
        ([45], [30], 60, "15 photos of 60 fewer were right", "The curve falls at its end"),
    ],
)
def test_last_step_is_judged_by_its_test_photos(
    before: list[int], last: list[int], measured: int, changed: str, verdict: str
) -> None:
    points = [
        curve._point("5", [10], before, measured, 2),
        curve._point("all", [20], last, measured, 2),
    ]
    drawn = Curve("photos", "mobilenet_1.0_224", ["a", "b"], points, rendered=False)
    page = Page(files(drawn)["html"]).text
    for written in (page, text(drawn)):
        said = " ".join(written.split())
        assert f"{changed}. " in said
        assert said.partition(f"{changed}. ")[2].startswith(verdict)


def test_each_point_of_the_picture_is_named() -> None:
    points = [curve._point(str(size), [2 * size], [12], 28, 2) for size in (5, 10, 12)]
    points.append(curve._point("all", [25], [14], 28, 2))  # 12.5 of each: "12" a second time
    drawn = Curve("photos", "mobilenet_1.0_224", ["a", "b"], points, rendered=False)
    root = ET.fromstring(files(drawn)["svg"])
    named = [text.text for text in root.iter() if (text.text or "").isdigit()]
    assert named == ["5", "10", "12"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of fourteen rendered pictures, as files without any mark of that."""
    root = tmp_path_factory.mktemp("photos")
    for label in LABELS:
        (root / label).mkdir()
        for number, picture in enumerate(islice(sample.render_class(label, 14), 14)):
            (root / label / f"{number}.jpg").write_bytes(picture.data)
    return root


def run(*options: str, cache: Path, directory: Path = ROOT) -> "tuple[int, str, str]":
    command = (sys.executable, "-m", "programs.learning_curve", "--cache_dir", str(cache))
    command += ("--architecture", SMALL_ARCHITECTURE, *options)
    done = run_captured(*command, timeout_s=120, directory=directory)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_folder_of_photos_gives_a_page_a_picture_and_figures(
    photos: Path, backbone_cache: Path, tmp_path: Path
) -> None:
    options = ("--image_dir", str(photos), "--runs_dir", str(tmp_path), "--draws", "2")
    status, stdout, stderr = run(*options, "--sizes", "3,6", cache=backbone_cache)
    assert status == 0, stderr
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("-learning-curve")
    assert {path.name for path in folder.iterdir()} == {
        f"learning-curve.{suffix}" for suffix in ("html", "svg", "csv")
    }
    assert str(folder / "learning-curve.html") in stdout
    rows = list(csv.DictReader((folder / "learning-curve.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["3", "6", "all"]
    # 30 % of 14 photos a class, of two classes, were kept to measure on.
    assert {row["test_photos"] for row in rows} == {"8"}
    assert float(rows[-1]["photos"]) == 20
    assert "only 8 test photos" in stderr


def test_photos_of_a_run_keep_their_parts(sample_run: Run, backbone_cache: Path) -> None:
    found = curve.read(
        sample_run.directory / "training", architecture=SMALL_ARCHITECTURE, cache=backbone_cache
    )
    splits = [photo.split for photo in Dataset(sample_run.directory / "training").photos]
    assert found.rendered
    assert len(found.classes) == 5
    assert len(found.pool) == splits.count("training") > 0
    assert len(found.held_out) == splits.count("validation") + splits.count("test") > 0


def test_page_names_the_run_itself_and_links_to_its_page(
    sample_run: Run, backbone_cache: Path, tmp_path: Path
) -> None:
    """runs/latest is another run tomorrow."""
    runs = tmp_path / "runs"
    named = runs / "20261127-1 & %41"
    named.mkdir(parents=True)
    for name in ("training", "index.html"):
        (named / name).symlink_to((sample_run.directory / name).resolve())
    (runs / "latest").symlink_to(named.name)
    options = ("--image_dir", "runs/latest/training", "--sizes", "3", "--draws", "1")
    status, _, stderr = run(*options, cache=backbone_cache, directory=tmp_path)
    assert status == 0, stderr
    (folder,) = runs.glob("*-learning-curve")
    page = Page((folder / "learning-curve.html").read_text())
    assert "Photos: runs/20261127-1 & %41/training, of this run." in page.text
    assert "latest" not in page.text
    (link,) = page.all("a")
    assert (folder / unquote(str(link["href"]))).resolve() == (named / "index.html").resolve()


def test_folder_of_photos_has_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "photos").mkdir(parents=True)
    (tmp_path / "here" / "index.html").write_text("of somebody's web site")
    monkeypatch.chdir(tmp_path / "here")
    assert run_page(Path("photos"), tmp_path / "curve") == ""
    named = ("photos", tmp_path / "here" / "photos", "../there/photos", "/no/where", ".")
    expected = ["photos", "photos", "../there/photos", "/no/where", "."]
    assert [str(lasting_name(Path(name))) for name in named] == expected


def test_tensorflow_is_not_loaded(photos: Path, backbone_cache: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from programs.learning_curve import __main__ as c\n"
        f"sys.argv = ['x', '--image_dir', {str(photos)!r}, '--output_dir', {str(tmp_path / 'c')!r},"
        f" '--cache_dir', {str(backbone_cache)!r}, '--architecture', {SMALL_ARCHITECTURE!r},"
        " '--sizes', '3', '--draws', '1']\n"
        "try: c.main()\n"
        "finally: print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = run_captured(sys.executable, "-c", script, timeout_s=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False False"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: shutil.rmtree(root / "earthstar"), "needs at least two folders of photos"),
        (lambda root: shutil.rmtree(root), "does not exist"),
        (lambda root: [p.unlink() for p in (root / "earthstar").iterdir()], "holds no photos"),
        (
            lambda root: [p.unlink() for p in sorted((root / "earthstar").iterdir())[6:]],
            "has 4 training photos, but the curve begins with 5",
        ),
        (
            lambda root: [p.unlink() for p in sorted((root / "earthstar").iterdir())[1:]],
            "class 'earthstar' has 1 different photo; ",
        ),
    ],
)
def test_unusable_folder_is_named_with_what_to_do(
    change: object, message: str, photos: Path, backbone_cache: Path, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos, root)
    change(root)  # type: ignore[operator]
    status, _, stderr = run(
        "--image_dir", str(root), "--output_dir", str(tmp_path / "curve"), cache=backbone_cache
    )
    assert status == 2
    assert message in stderr
    assert not (tmp_path / "curve").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--sizes", "five"), "expected numbers of photos a class, such as 5,10"),
        (("--testing_percentage", "0"), "expected 1 to 99"),
        (("--draws", "0"), "expected numbers above 0"),
        (("--seed", "-1"), "--seed is -1"),
    ],
)
def test_senseless_options_are_named(
    option: tuple[str, str], message: str, photos: Path, backbone_cache: Path
) -> None:
    status, _, stderr = run("--image_dir", str(photos), *option, cache=backbone_cache)
    assert status == 2
    assert message in stderr


def test_folder_of_something_else_is_not_overwritten(
    photos: Path, backbone_cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("notes")
    options = ("--image_dir", str(photos), "--sizes", "3", "--draws", "1")
    status, _, stderr = run(*options, "--output_dir", str(tmp_path), cache=backbone_cache)
    assert status == 2
    assert "is not an earlier output of this step" in stderr
    assert (tmp_path / "mine").read_text() == "notes"
