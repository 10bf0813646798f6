"""The script of the tutorial's pictures, on made-up bottlenecks."""

import importlib.util
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from retrain_items import clusters

from components.common.errors import InputError, WorkError
from components.common.line_chart import svg_file
from components.retrain.head import Recipe
from components.retrain.learning_curve_points import Material


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
def material() -> Material:
    pool = clusters(20, seed=1, spread=3.0)
    groups = [str(row) for row in range(len(pool))]
    return Material(["a", "b", "c"], pool, groups, clusters(10, seed=2, spread=3.0), False)


@pytest.mark.parametrize("name", ["learning_rates", "how_many_steps", "good_and_bad"])
def test_charts_are_drawn_and_say_what_they_show(
    name: str, figures: ModuleType, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "STEPS", 1000)
    root = ET.fromstring(svg_file(getattr(figures, name)(material)))
    assert "nan" not in ET.tostring(root, encoding="unicode")
    assert len(root.get("aria-label") or "") > 60


def test_curves_are_of_all_photos_of_both_parts(figures: ModuleType, material: Material) -> None:
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
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    with pytest.raises(WorkError, match="more than 100000"):
        figures.small(Image.fromarray(noise))
    plain = figures.small(Image.new("RGB", (900, 900), "white"))
    assert len(plain) < 10_000
