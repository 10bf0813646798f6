"""The three import rules, and the shape of the repository that a newcomer relies on."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPONENTS = ROOT / "components"
STEPS = sorted(
    folder.name for folder in COMPONENTS.iterdir() if (folder / "component.py").is_file()
)


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at any depth; `from a import b` counts as a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_every_step_of_the_design_is_there() -> None:
    assert STEPS == [
        "bottleneck",
        "clean",
        "curate",
        "download",
        "evaluate",
        "label_image",
        "publish",
        "retrain",
        "summarize",
        "tensorboard",
    ]


@pytest.mark.parametrize("step", STEPS)
def test_step_has_its_files_and_an_empty_init(step: str) -> None:
    for name in ("component.py", f"{step}.py", "__main__.py"):
        assert (COMPONENTS / step / name).is_file()
    assert (COMPONENTS / step / "__init__.py").read_text() == ""


@pytest.mark.parametrize("step", [*STEPS, "serve", "verify"])
def test_step_imports_neither_kfp_nor_another_step(step: str) -> None:
    others = [f"components.{other}" for other in STEPS if other != step]
    for path in sorted((COMPONENTS / step).glob("*.py")):
        if path.name == "component.py":
            continue
        names = imported(path)
        forbidden = {name for name in names if within(name, "kfp", "kubernetes", *others)}
        assert not forbidden, f"{path.name} imports {forbidden}"
        assert not any(
            within(name, "components.settings", "components.runner", "components.submit")
            for name in names
        )


@pytest.mark.parametrize("step", STEPS)
def test_component_imports_its_step_settings_and_kfp_only(step: str) -> None:
    for name in imported(COMPONENTS / step / "component.py"):
        allowed = within(name, "kfp", "components.settings", f"components.{step}")
        assert allowed or name.partition(".")[0] in sys.stdlib_module_names, name


def test_common_imports_no_step_and_no_kfp() -> None:
    forbidden = [
        "kfp",
        "components.runner",
        "components.submit",
        *(f"components.{step}" for step in STEPS),
    ]
    for path in sorted((COMPONENTS / "common").glob("*.py")):
        assert not {name for name in imported(path) if within(name, *forbidden)}, path.name


def test_pipeline_imports_components_the_standard_library_and_kfp_only() -> None:
    for name in imported(ROOT / "pipeline.py"):
        top = name.partition(".")[0]
        assert top in {"components", "kfp"} or top in sys.stdlib_module_names, name


def test_files_stay_short() -> None:
    for path in [ROOT / "pipeline.py", *COMPONENTS.rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 420, path
