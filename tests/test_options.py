"""What KFP wants written out, and what the docs show, against the declarations of the options."""

import importlib.util
import inspect
from pathlib import Path
from typing import Any, get_origin

import pytest

from components.bottleneck import component as bottleneck
from components.bottleneck.options import BottleneckOptions
from components.clean import component as clean
from components.clean.options import CleanOptions
from components.common.base import options
from components.common.base.step_options import in_dictionary
from components.curate import component as curate
from components.curate.options import CurateOptions
from components.download import component as download
from components.download.options import DownloadOptions
from components.publish import component as publish
from components.publish.options import PublishOptions
from components.retrain import component as retrain
from components.retrain import options as retrain_options
from components.retrain.command import KINDS as COMMAND_KINDS
from programs.run.options import DEFAULTS, KINDS, STEPS
from programs.run.parameters import of_options

ROOT = Path(__file__).parents[1]
# Each component that takes options, and the dataclasses that declare them.
COMPONENTS: dict[str, tuple[Any, tuple[type[options.Options], ...]]] = {
    "download": (download.download, (DownloadOptions,)),
    "download_if_new": (download.download_if_new, (DownloadOptions,)),
    "clean": (clean.clean, (CleanOptions,)),
    "bottleneck": (bottleneck.bottleneck, (BottleneckOptions,)),
    "curate": (curate.curate, (CurateOptions,)),
    "curate_parts": (curate.curate_parts, (CurateOptions,)),
    "retrain": (retrain.retrain, retrain_options.KINDS),
    "publish": (publish.publish, (PublishOptions,)),
}


@pytest.mark.parametrize("name", COMPONENTS)
def test_component_takes_the_options_of_kfp_s_form_with_the_declared_type(name: str) -> None:
    component, kinds = COMPONENTS[name]
    written = inspect.signature(component.python_func).parameters
    defaults = options.defaults(*kinds)
    declared = {
        field.name: type(defaults[field.name])
        for field, about in options.declarations(*kinds)
        if about.in_pipeline
    }
    in_form = {field.name for field, about in options.declarations(*kinds) if about.in_form}
    found = {key: written[key].annotation for key in declared if key in written}
    assert found == {key: declared[key] for key in in_form}


@pytest.mark.parametrize("name", COMPONENTS)
def test_component_takes_all_other_options_in_its_dictionary(name: str) -> None:
    component, kinds = COMPONENTS[name]
    written = inspect.signature(component.python_func).parameters
    for given in (options.OPTIONS, options.DEFAULTS):
        assert get_origin(written[given].annotation) is dict
    for key, kind in in_dictionary(*kinds).items():
        assert kind in (bool, int, float, str), key  # what JSON and `given` know


@pytest.mark.parametrize("name", COMPONENTS)
def test_kfp_describes_every_option_as_it_is_declared(name: str) -> None:
    component, kinds = COMPONENTS[name]
    inputs = component.component_spec.inputs
    for field, about in options.declarations(*kinds):
        if field.name in inputs:
            text = about.text()
            assert inputs[field.name].description == f"{text[0].upper()}{text[1:]}.", field.name


def test_every_input_of_a_component_is_described() -> None:
    for component, _ in COMPONENTS.values():
        for name, spec in component.component_spec.inputs.items():
            assert spec.description, f"{component.name}: {name}"


def test_every_option_is_a_parameter_or_an_entry_of_each_step_that_takes_it() -> None:
    made = of_options(DEFAULTS)
    for step, kinds in STEPS.items():
        own = made[f"{options.PREFIX}{step}"]
        for field, about in options.declarations(*kinds):
            name = field.name
            if name == "subject":  # comes with the classes
                assert name not in made
                assert name not in own
            else:
                assert (name in made) is about.in_form, name
                assert (name in own) is (about.in_pipeline and not about.in_form), name


def test_one_name_has_one_meaning() -> None:
    """An option that several steps take means the same in all of them."""
    meanings: dict[str, set[str]] = {}
    for kind in (*KINDS, *retrain_options.KINDS, *COMMAND_KINDS[3:]):
        for field, about in options.declarations(kind):
            meanings.setdefault(field.name, set()).add(about.text())
    assert {name: texts for name, texts in meanings.items() if len(texts) > 1} == {}


def test_reference_of_the_docs_is_of_today() -> None:
    specification = importlib.util.spec_from_file_location("options_page", ROOT / "docs/options.py")
    assert specification
    assert specification.loader
    page = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(page)
    assert page.render() == page.PAGE.read_text(encoding="utf-8"), "run: make options"


def test_every_meaning_is_a_phrase_of_its_own() -> None:
    """Not "of the first step": what is of the first step is to be said."""
    for kind in (*KINDS, *COMMAND_KINDS):
        for field, about in options.declarations(kind):
            first = about.meaning.split()[0].lower()
            assert first not in {"of", "for", "that", "to"}, field.name
            assert not about.meaning.endswith("."), field.name
