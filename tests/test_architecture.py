"""The import rules, and the shape of the repository that a newcomer relies on."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPONENTS = ROOT / "components"
COMMON = COMPONENTS / "common"
PROGRAMS = ROOT / "programs"
STEPS = [
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
# Which rooms of components/common/ each may import; a room that is not listed may not exist.
ROOMS = {
    "base": set(),
    "photos": set(),
    "untrusted": {"base"},
    "store": {"base"},
    "web": {"base", "untrusted", "photos"},
    "dataset": {"base", "untrusted", "photos", "store"},
    "network": {"base", "untrusted", "photos", "dataset"},
    "model": {"base", "untrusted", "photos", "store", "dataset", "network"},
    "pages": {"base", "dataset"},
}
# Programs that need no more than the steps' common ground.
PLAIN_PROGRAMS = ["serve", "verify"]
PAGES = COMMON / "pages"
API = "wild_mushrooms"  # the package that users import
TAG = re.compile(
    r"</?(a|b|body|button|code|div|figure|h[1-6]|head|html|img|input|li|link|main|meta|nav|ol|option|"
    r"p|path|pre|rect|script|section|select|span|strong|style|svg|table|td|text|th|tr|ul)"
    r"(\s[^<>]*)?/?>|<(a|div|img|li|p|path|rect|section|span|svg|td|text|ul) |<!doctype",
    re.IGNORECASE,
)
CLIENTS = ("boto3", "botocore", "google.cloud", "google.auth", "google.api_core")


def names(folder: Path) -> list[str]:
    """The entries of a folder that git would keep, sorted."""
    return sorted(entry.name for entry in folder.iterdir() if entry.name != "__pycache__")


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at any depth; `from a import b` counts as a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def words(path: Path) -> list[str]:
    """The strings of a file, and the written parts of formatted ones, without docstrings."""
    tree = ast.parse(path.read_text())
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    alone = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [node.value for node in strings if isinstance(node.value, str) and node not in alone]


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_components_holds_the_steps_and_nothing_else() -> None:
    # py.typed: the types of what wild_mushrooms exports.
    assert names(COMPONENTS) == sorted([*STEPS, "__init__.py", "common", "py.typed", "settings.py"])


@pytest.mark.parametrize("step", STEPS)
def test_step_has_its_files_and_an_empty_init(step: str) -> None:
    for name in ("component.py", f"{step}.py", "__main__.py"):
        assert (COMPONENTS / step / name).is_file()
    assert (COMPONENTS / step / "__init__.py").read_text() == ""


@pytest.mark.parametrize("place", [*STEPS, *PLAIN_PROGRAMS])
def test_step_imports_neither_kfp_nor_another_step(place: str) -> None:
    folder = COMPONENTS / place if place in STEPS else PROGRAMS / place
    own = f"programs.{place}"
    others = [f"components.{other}" for other in STEPS if other != place]
    forbidden = ["kfp", "kubernetes", "components.settings", *others]
    for path in modules(folder):
        if path.name == "component.py":
            continue
        wrong = {
            name
            for name in imported(path)
            if within(name, *forbidden) or (within(name, "programs") and not within(name, own))
        }
        assert not wrong, f"{path} imports {wrong}"


@pytest.mark.parametrize("step", STEPS)
def test_component_imports_its_step_settings_and_kfp_only(step: str) -> None:
    for name in imported(COMPONENTS / step / "component.py"):
        options = ("components.common.base.options", "components.common.base.step_options")
        artifacts = (
            "components.common.model.artifact_metadata",
            "components.common.dataset.listing",
        )
        allowed = within(
            name, "kfp", "components.settings", *options, *artifacts, f"components.{step}"
        )
        assert allowed or name.partition(".")[0] in sys.stdlib_module_names, name


def test_common_is_rooms_without_a_loose_file() -> None:
    assert names(COMMON) == sorted([*ROOMS, "__init__.py"])
    assert (COMMON / "__init__.py").read_text() == ""


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_no_other_room_than_it_may(room: str) -> None:
    allowed = [f"components.common.{other}" for other in (room, *ROOMS[room])]
    # The package itself: its version.
    allowed.append("components.__version__")
    for path in modules(COMMON / room):
        ours = {name for name in imported(path) if within(name, "components", "programs")}
        wrong = {name for name in ours if not within(name, *allowed)}
        assert not wrong, f"{path} imports {wrong}"
        assert not any(within(name, "kfp", "kubernetes") for name in imported(path)), path


@pytest.mark.parametrize("room", ROOMS)
def test_room_says_what_belongs_there_and_what_it_may_import(room: str) -> None:
    said = ast.get_docstring(ast.parse((COMMON / room / "__init__.py").read_text()))
    assert said
    last = said.splitlines()[-1]
    assert last.startswith("Imports from `common`: ")
    listed = last.removeprefix("Imports from `common`: ").removesuffix(".")
    assert set(listed.replace(" and ", ", ").split(", ")) == (ROOMS[room] or {"no other room"})


def test_contributing_draws_the_rooms_as_they_are() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    arrows = set(re.findall(r"^  (\w+) --> (\w+)$", text, re.MULTILINE))
    assert arrows == {(room, needed) for room, others in ROOMS.items() for needed in others}


def test_contributing_names_files_that_there_are() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:components|programs|tests|docker|docs|k8s|build)/[\w/.-]+)`", text)
    assert len(paths) > 30
    made = ("build/k8s/", "build/sbom/")
    assert [path for path in paths if path not in made and not (ROOT / path).exists()] == []


def test_contributing_names_what_those_files_have() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`(\w+)` in `([\w/.]+)`", text)
    assert len(named) > 10
    for name, path in named:
        defined = rf"^(def |class |    )?{name}\b"
        assert re.search(defined, (ROOT / path).read_text(), re.MULTILINE), f"{name} in {path}"


def test_rooms_have_no_circle() -> None:
    left = dict(ROOMS)
    while left:
        free = [room for room, needs in left.items() if not needs & set(left)]
        assert free, f"a circle among {sorted(left)}"
        for room in free:
            del left[room]


def test_only_the_store_knows_its_clients() -> None:
    for path in [*modules(COMPONENTS), *modules(PROGRAMS), ROOT / "pipeline.py"]:
        if not path.is_relative_to(COMMON / "store"):
            wrong = {name for name in imported(path) if within(name, *CLIENTS)}
            assert not wrong, f"{path} imports {wrong}"


def python_files() -> list[Path]:
    """All that is run, in whatever folder."""
    folders = (
        COMPONENTS,
        PROGRAMS,
        *(ROOT / name for name in ("benchmarks", "docker", "docs", API)),
    )
    return [ROOT / "pipeline.py", *(path for folder in folders for path in modules(folder))]


def test_only_pages_make_html_and_svg() -> None:
    for path in python_files():
        if not path.is_relative_to(PAGES):
            assert not [text for text in words(path) if TAG.search(text)], path
            wrong = {
                name for name in imported(path) if within(name, "jinja2", "markupsafe", "html")
            }
            assert wrong <= {"html.parser.HTMLParser"}, f"{path} imports {wrong}"


def test_html_in_a_string_would_be_seen(tmp_path: Path) -> None:
    written = tmp_path / "a.py"
    for text in ("f'<p class={x}>'", "'<br><svg width=\"1\">'", "'</td>'", "f'<td{x}>a</td>'"):
        written.write_text(f'"""About <p>."""\nx = 1\ny = {text}\n')
        assert [one for one in words(written) if TAG.search(one)]
    written.write_text('"""About <p>."""\ny = "<label>/<sha256 prefix>.<type>, a < b > c"\n')
    assert not [one for one in words(written) if TAG.search(one)]


def test_pages_lie_beside_their_modules() -> None:
    templates = [path for folder in (COMPONENTS, PROGRAMS) for path in folder.rglob("*.html")]
    own = [path.with_suffix("") for path in templates if path.parent != PAGES]
    # A part of a page is named after it: report_tables.html of report.html.
    pages = [path for path in own if not any(str(path).startswith(f"{other}_") for other in own)]
    assert len(pages) > 5
    for path in pages:
        assert path.with_suffix(".py").is_file(), path
        assert path.with_suffix(".css").is_file(), path
    for suffix in ("css", "js"):
        for folder in (COMPONENTS, PROGRAMS):
            loose = {path for path in folder.rglob(f"*.{suffix}") if path.parent != PAGES}
            # A script that comes before a page's own is named after it too: page_parts.js.
            named = {path.with_suffix(f".{suffix}") for path in pages}
            parts = {
                path for path in loose if any(str(path).startswith(f"{page}_") for page in pages)
            }
            assert loose <= named | (parts if suffix == "js" else set())


def test_what_pages_are_made_of_is_installed_with_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    for folder in (COMPONENTS, PROGRAMS):
        for path in folder.rglob("*.*"):
            if path.suffix not in (".py", ".pyc"):
                assert any(path.match(pattern) for pattern in patterns), path
                assert (path.parent / "__init__.py").is_file(), path


def test_templates_escape_everything() -> None:
    for folder in (COMPONENTS, PROGRAMS):
        for path in folder.rglob("*.html"):
            assert not re.search(r"\|\s*safe\b|autoescape|Markup", path.read_text()), path


def test_every_program_has_a_folder() -> None:
    loose = [name for name in names(PROGRAMS) if not (PROGRAMS / name).is_dir()]
    assert loose == ["__init__.py"]


def test_steps_and_common_import_no_program() -> None:
    for path in modules(COMPONENTS):
        assert not any(within(name, "programs") for name in imported(path)), path


def test_nothing_of_ours_imports_the_python_api() -> None:
    for path in python_files():
        if not path.is_relative_to(ROOT / API):
            assert not any(within(name, API) for name in imported(path)), path


def test_pipeline_imports_components_programs_the_standard_library_and_kfp_only() -> None:
    for name in imported(ROOT / "pipeline.py"):
        top = name.partition(".")[0]
        assert top in {"components", "programs", "kfp"} or top in sys.stdlib_module_names, name


def test_tests_mirror_the_rooms() -> None:
    for room in ROOMS:
        assert any((ROOT / "tests" / "common" / room).glob("test_*.py")), room
    loose = [path.name for path in (ROOT / "tests" / "common").iterdir() if path.is_file()]
    assert loose == []


def test_files_stay_short() -> None:
    for path in [ROOT / "pipeline.py", *modules(COMPONENTS), *modules(PROGRAMS)]:
        assert len(path.read_text().splitlines()) <= 420, path
