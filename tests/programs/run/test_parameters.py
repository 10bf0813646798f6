"""What a command line asks for, as parameters of the pipeline."""

import argparse
import json
from pathlib import Path

from components.common.base.options import PREFIX
from components.common.dataset.species import Species, parse_document
from programs.run import options, parameters


def test_command_line_and_parameters_say_the_same(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label in ("zinnia", "Fly_Agaric"):
        (photos / label).mkdir(parents=True)
        (photos / label / "1.jpg").write_bytes(b"x")
    listed = [{"label": "fly agaric", "latin": "Amanita muscaria", "edibility": "poisonous"}]
    species = tmp_path / "mine.yaml"
    species.write_text(json.dumps({"subject": "things", "species": [*listed, {"label": "zinnia"}]}))
    parser = argparse.ArgumentParser()
    options.add_parameters(parser)
    words = ["--image_dir", str(photos), "--species", str(species), "--l2", "0.5", "--seed", "7"]
    arguments = options.checked(parser.parse_args(words))
    made = parameters.of_run(arguments)

    # The classes are spelt and ordered as the folders are, with what the file says of each.
    found = parse_document(json.loads(json.dumps(made.pop("classes"), sort_keys=True)), "classes")
    assert found.subject == "things"
    known = Species("Fly_Agaric", latin="Amanita muscaria", edibility="poisonous")
    assert list(found.species) == [known, Species("zinnia")]
    # Every other option is somewhere, with its value, in each step that takes it.
    told = [(name, value) for name, value in made.items() if not name.startswith(PREFIX)]
    told += [entry for name in made if name.startswith(PREFIX) for entry in made[name].items()]
    assert {name for name, _ in told} == set(options.DEFAULTS) - {"subject"}
    assert all(value == arguments[name] for name, value in told)
    assert dict(told)["l2"] == 0.5
    assert made["seed"] == 7
