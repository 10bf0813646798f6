"""`mushrooms`: every command under one name, from a checkout and from an installed wheel."""

import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, Run

from components import __version__
from components.common.base import command_line
from programs.command.table import COMMANDS, GROUPS

COMMAND = (sys.executable, "-m", "programs.command")


def mushrooms(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def help_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The help of a command, made in this process: eighteen starts would take a minute."""

    def shown(name: str) -> str:
        from programs.command.__main__ import main

        monkeypatch.setattr(sys, "argv", ["mushrooms", name, "--help"])
        monkeypatch.setattr(command_line, "_started_as", [])
        monkeypatch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    return shown


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_has_its_name_and_an_example_and_fits_80_columns(
    name: str, help_of
) -> None:
    text = help_of(name)
    assert text.startswith(f"usage: mushrooms {name} ")
    _, found, examples = text.partition("\nexample")
    assert found, f"mushrooms {name} --help has no example"
    assert f"  mushrooms {name}" in examples
    commands = ("curl", "'https:")  # to be pasted; an address that is a word
    too_long = [line for line in text.splitlines() if len(line) > 80]
    assert [line for line in too_long if not line.strip().startswith(commands)] == []


def test_every_step_and_every_program_with_a_command_is_listed() -> None:
    folders = {
        path.parent.name
        for place in ("components", "programs")
        for path in (ROOT / place).glob("*/__main__.py")
    }
    listed = {
        command.module.split(".")[-2] for command in COMMANDS.values() if "." in command.module
    }
    assert listed == folders - {"command"}
    for command in COMMANDS.values():
        assert callable(importlib.import_module(command.module).main)


def test_help_lists_every_command_with_its_meaning() -> None:
    done = mushrooms("--help")
    assert done.returncode == 0, done.stderr
    for commands in GROUPS.values():
        for command in commands:
            assert f"  {command.name:<15} {command.meaning}\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert mushrooms().stdout == done.stdout


def test_version_is_that_of_the_package() -> None:
    assert mushrooms("--version").stdout == f"wild-mushrooms {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trian",), "there is no command 'trian': did you mean retrain?"),
        (("verify", "--nothing"), "mushrooms verify: error: there is no option --nothing"),
        (("run", "--min-acuracy", "1"), "there is no option --min-acuracy: did you mean"),
        (("run", "--min-accuracy", "2"), "mushrooms: error: --min_accuracy is 2.0: expected 0"),
        (("learning_curve", "--draws", "x"), "--draws is 'x': expected a whole number"),
        (("report", "nowhere"), "no finished run at nowhere"),
        (("label", ""), "a photo's name is empty"),
    ],
)
def test_mistake_is_exit_2_and_one_line(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = mushrooms(*words, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_labels_and_verifies_as_the_modules_do(sample_run: Run) -> None:
    model = str(sample_run.directory / "model")
    photo = next((ROOT / "tests").rglob("odd_subsampling.jpg"))
    done = mushrooms("label", "--model-dir", model, str(photo), "--top-k", "2")
    assert done.returncode == 0, done.stderr
    assert mushrooms("verify", str(sample_run.directory)).returncode == 0


def test_report_says_again_what_the_run_said(sample_run: Run) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "programs.report", str(sample_run.directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = sample_run.stdout[sample_run.stdout.index("\nNOTE") :].partition("\nNext:")[0]
    assert result in done.stdout


@pytest.mark.parametrize("content", ["", "[]", '{"metrics": 1}'])
def test_report_of_a_damaged_run_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(content)
    done = mushrooms("report", str(tmp_path))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of what is committed or changed here, as `uv build` makes it: by way of an sdist."""
    uv = Path(sys.prefix, "bin", "uv")
    if not uv.is_file():
        pytest.skip("needs uv")
    place = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [uv, "build", "--quiet", "--offline", "--no-build-isolation", "-o", place, ROOT],
        cwd=place,
        env={**os.environ, "VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = place.glob("*.whl")
    return built


def test_wheel_has_every_file_of_the_programs_and_steps(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    expected = {"pipeline.py", "programs/run/species.yaml"}
    for place in ("components", "programs", "wild_mushrooms"):
        for path in (ROOT / place).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(path.relative_to(ROOT).as_posix())
    assert expected <= packed
    assert {name for name in packed if "tests/" in name or "docker/" in name} == set()
    own = zipfile.ZipFile(wheel).read("programs/run/species.yaml")
    assert own == (ROOT / "species.yaml").read_bytes()


def test_installed_command_works_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """The wheel in a folder of its own, with this environment's packages behind it."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    uv = Path(sys.prefix, "bin", "uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--target", site, wheel],
        check=True,
        env={**os.environ, "VIRTUAL_ENV": sys.prefix},
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, site / "bin" / "mushrooms", *words],
            cwd=empty,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )

    where = (
        "import components, pipeline, wild_mushrooms as api; from wild_mushrooms import Model; "
        "print(components.__file__, pipeline.__file__, api.__file__)"
    )
    found = subprocess.run(
        [sys.executable, "-c", where],
        cwd=empty,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.count(str(site)) == 3, found.stdout
    assert run("--version").stdout == f"wild-mushrooms {__version__}\n"
    done = run("compile", "--output-dir", "compiled")
    assert done.returncode == 0, done.stderr
    assert "fly agaric" in (empty / "compiled" / "pipeline-cpu.yaml").read_text()
    refused = run("run", "--image_dir", "nowhere")
    assert refused.returncode == 2
    assert "nowhere" in refused.stderr
    assert sorted(path.name for path in empty.iterdir()) == ["compiled"]
