"""Model folders of strangers: descriptions that cannot be, networks that are none, odd labels."""

import ast
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from components.common.base.errors import InputError
from components.common.model import layout
from components.common.model.description import ModelDescription, read_description

SOUND: dict[str, Any] = {
    **asdict(ModelDescription(("a", "b"), "mobilenet_1.0_128", 128, "", "", "", "1")),
    "photos": {"training": {"a": 3, "b": 4}},
    "format_version": 2,  # the last one without a seal
}


def written(folder: Path, **changes: Any) -> Path:
    content = {name: SOUND[name] for name in SOUND if name not in ("files", "sha256")}
    (folder / layout.DESCRIPTION).write_text(json.dumps({**content, **changes}))
    return folder


def test_sound_description_is_read(tmp_path: Path) -> None:
    found = read_description(written(tmp_path, temperature=2, recipe={"x": [1]}))
    assert (found.classes, found.temperature) == (("a", "b"), 2)


WRONG: dict[str, dict[str, Any]] = {
    "a text for classes": {"classes": "ab"},
    "an object for classes": {"classes": {"a": 1, "b": 2}},
    "no classes": {"classes": []},
    "a number for a class": {"classes": ["a", 7]},
    "a class twice": {"classes": ["a", "a"]},
    "a class that moves the cursor": {"classes": ["a", "\x1b[2J\x1b]0;title\x07"]},
    "a class in two lines": {"classes": ["a", "b\nc"]},
    "a class of a path": {"classes": ["a", "../b"]},
    "a class of a megabyte": {"classes": ["a", "x" * 900_000]},
    "an input of terabytes": {"input_size": 1_000_000},
    "an input of nothing": {"input_size": 0},
    "an input below zero": {"input_size": -128},
    "a text for the input": {"input_size": "128"},
    "another network's input": {"input_size": 224},
    "a truth for the input": {"input_size": True},
    "no views": {"views": 0},
    "views without end": {"views": 10**9},
    "a truth for the views": {"views": True},
    "a text for the views": {"views": "2"},
    "no network": {"architecture": "resnet; rm -rf x"},
    "a list for the network": {"architecture": ["mobilenet_1.0_128"]},
    "a list for a hash": {"head_sha256": []},
    "a version of lines": {"version": "1\n\n# <script>"},
    "a long version": {"version": "x" * 10_000},
    "a temperature of nothing": {"temperature": 0},
    "a temperature below zero": {"temperature": -1},
    "no number for temperature": {"temperature": math.nan},
    "an endless temperature": {"temperature": math.inf},
    "a text for temperature": {"temperature": "1"},
    "photos for nobody": {"photos": {"training": 3}},
    "photos in words": {"photos": {"training": {"a": "many"}}},
    "photos below zero": {"photos": {"training": {"a": -1}}},
    "a list of photos": {"photos": []},
    "a text for the recipe": {"recipe": "x"},
    "a list for the tuning": {"fine_tuning": [1]},
    "a text for a truth": {"rendered": "yes"},
    "a rule of texts": {"unknown": {"quantiles": "x"}},
    "a rule without numbers": {
        "unknown": {
            "distance_deviation": "1",
            "score_deviation": 1,
            "score_weight": 1,
            "false_rejection_rate": 0,
            "quantiles": [0] * 101,
        }
    },
    "a field more": {"__class__": "x"},
    "a huge number": {"temperature": 10**400},
}


@pytest.mark.parametrize("name", WRONG)
def test_description_that_cannot_be_is_refused_in_a_short_message(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=r"model\.json") as caught:
        read_description(written(tmp_path, **WRONG[name]))
    assert len(str(caught.value)) < 700 + len(str(tmp_path))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    ["[" * 200_000, "{" * 200_000, "[]", "null", '"x"', "9" * 5000, "\x00", "{} {}", ""],
    ids=lambda text: text[:5].encode("unicode_escape").decode(),
)
def test_other_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / layout.DESCRIPTION).write_text(content)
    with pytest.raises(InputError, match=r"model\.json"):
        read_description(tmp_path)


# What runs code of whoever wrote the file: pickles, and Keras models with layers of code.
LOADS_CODE = {
    "load_model",
    "unsafe_load",
    "full_load",
    "Unpickler",
    "enable_unsafe_deserialization",
}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def test_nothing_is_loaded_that_could_run_code() -> None:
    """No model folder, weights file or array of a stranger can bring code: we load none that could.

    A `.keras` file or SavedModel of a stranger is never opened. Predicting takes `model.tflite`.
    """
    read = 0
    for path in [*ROOT.glob("components/**/*.py"), *ROOT.glob("programs/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            read += 1
            named = (
                [alias.name for alias in getattr(node, "names", [])]
                if isinstance(node, ast.Import | ast.ImportFrom)
                else []
            )
            module = getattr(node, "module", None) or ""
            roots = {one.partition(".")[0] for one in (*named, module)} if named else set()
            assert not roots & MODULES, f"{path}:{node.lineno}"  # type: ignore[attr-defined]
            name = getattr(node, "attr", getattr(node, "id", ""))
            assert name not in LOADS_CODE, f"{path}:{node.lineno}"  # type: ignore[attr-defined]
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", f"{path}:{node.value.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
                given = {one.arg for one in node.keywords}
                assert "allow_pickle" in given, f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("eval", "exec", "compile"):
                pytest.fail(f"{path}:{node.lineno}")
    assert read > 10_000
