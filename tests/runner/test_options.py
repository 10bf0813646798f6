"""What a run is asked for: classes from the data, and the species file."""

from pathlib import Path

import pytest

from components.common.errors import InputError
from components.download import sample
from components.runner.options import SPECIES_FILE, Request, read_species


def test_species_file_lists_the_five_species_that_the_sample_renders() -> None:
    assert sorted(read_species(SPECIES_FILE)) == sorted(sample.LABELS)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "species: []",
        "species: [{label: one}]",
        "species: [{label: one}, {label: one}]",
        "species: [{name: one}, {name: two}]",
        "species: [{label: ../up}, {label: two}]",
        "species: !!python/object/apply:os.system ['true']",
        "[unclosed",
    ],
)
def test_file_that_is_no_species_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "species.yaml"
    path.write_text(content)
    with pytest.raises(InputError):
        read_species(path)


def test_request_survives_its_file(tmp_path: Path) -> None:
    request = Request(tmp_path / "run", {"classes": ["ä", "b"], "seed": 3}, parallelism=1)
    request.write(tmp_path / "request.json")
    assert Request.read(tmp_path / "request.json") == request
