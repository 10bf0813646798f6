"""The script of the tutorial's pictures, on made-up bottlenecks."""

import importlib.util
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from retrain_items import clusters

from components.common.base.errors import InputError, WorkError
from components.common.pages.plot import svg_file
from components.retrain.options import Recipe
from programs.learning_curve.points import CurvePhotos


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = ROOT / "docs" / "figures" / "make.py"
    spec = importlib.util.spec_from_file_location("docs_figures", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def material() -> CurvePhotos:
    pool = clusters(20, seed=1, spread=3.0)
    groups = [str(row) for row in range(len(pool))]
    return CurvePhotos(["a", "b", "c"], pool, groups, clusters(10, seed=2, spread=3.0), False)


@pytest.mark.parametrize("name", ["learning_rates", "how_many_steps", "good_and_bad"])
def test_charts_are_drawn_and_say_what_they_show(
    name: str, figures: ModuleType, material: CurvePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "STEPS", 1000)
    root = ET.fromstring(svg_file(getattr(figures, name)(material)))
    assert "nan" not in ET.tostring(root, encoding="unicode")
    assert len(root.get("aria-label") or "") > 60


def test_curves_are_of_all_photos_of_both_parts(figures: ModuleType, material: CurvePhotos) -> None:
    seen = figures.curves(material, Recipe(how_many_training_steps=100, learning_rate=0.003))
    assert [step for step, _ in seen["validation accuracy"]][:3] == [1, 10, 19]
    assert seen["train cross entropy"][0][1] > seen["train cross entropy"][-1][1]
    # Thirds of 30 and of 60 photos: shares of a batch of one would be 0 or 1.
    assert {round(value * 30, 6) % 1 for _, value in seen["validation accuracy"]} == {0}
    assert len({value for _, value in seen["validation accuracy"]}) > 2


def test_pages_of_a_run_on_real_photos_are_not_shown(figures: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text(json.dumps({"rendered": False}))
    figures.shutil = type("Shutil", (), {"which": staticmethod(lambda name: name)})
    with pytest.raises(InputError, match="with credits only"):
        figures.pages(tmp_path)


def test_large_picture_is_refused(figures: ModuleType) -> None:
    # Of 512 colours: choosing among as many as there are pixels takes a minute.
    noise = 32 * np.random.default_rng(0).integers(0, 8, (900, 900, 3), dtype=np.uint8)
    with pytest.raises(WorkError, match="more than 250000"):
        figures.small(Image.fromarray(noise))
    plain = figures.small(Image.new("RGB", (900, 900), "white"))
    assert len(plain) < 10_000


def test_picture_keeps_its_size_and_a_rare_colour_beside_many_others(figures: ModuleType) -> None:
    shades = np.indices((64, 64)).sum(axis=0) * 2
    page = np.stack([shades, shades[::-1], np.full_like(shades, 90)], axis=-1).astype(np.uint8)
    page = np.kron(page, np.ones((12, 12, 1), np.uint8))
    rare = np.array([165, 60, 20], np.uint8)
    page[5:25, 5:25] = rare
    shown = Image.open(io.BytesIO(figures.small(Image.fromarray(page)))).convert("RGB")
    found = np.asarray(shown).astype(int)
    assert found.shape == page.shape
    assert np.abs(found[10, 10] - rare).max() <= 4
    assert np.abs(found - page).max() < 24


@pytest.mark.parametrize("name", ["gallery", "curation", "report"])
def test_pictures_of_pages_are_of_many_colours_and_small(name: str, figures: ModuleType) -> None:
    path = ROOT / "docs" / "figures" / f"{name}.png"
    assert path.stat().st_size <= figures.MAX_BYTES
    colours = Image.open(path).convert("RGB").getcolors()
    assert colours is not None
    assert len(colours) > 200
