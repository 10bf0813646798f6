"""Write options.md, the reference of all options, from their declarations: `make options`."""

from collections.abc import Iterator
from pathlib import Path

from components.bottleneck import options as bottleneck_options
from components.clean.options import CleanOptions
from components.common.base import options
from components.common.base.wording import joined
from components.curate.options import CurateOptions
from components.download.options import DownloadOptions
from components.label_image.options import LabelOptions
from components.publish.options import PublishOptions
from components.retrain.command import CommandOptions
from components.retrain.options import (
    PIPELINE,
    PIPELINE_MEASURING,
    Distortions,
    Extras,
    FineTuning,
    Measuring,
    Recipe,
    RetrainOptions,
)
from components.settings import ClusterOptions
from programs.learning_curve.__main__ import CurveOptions
from programs.models.options import PruneOptions, RollbackOptions
from programs.review.options import ReviewOptions
from programs.run.options import STEPS, RunOptions
from programs.select.options import SelectOptions
from programs.serve.options import ServeOptions
from programs.submit.submit import SubmitOptions
from programs.submit.target import Place
from programs.tidy.options import TidyOptions

PAGE = Path(__file__).with_name("options.md")
HEAD = """\
# Options

Every option, as it is declared in the code; `make options` writes this page. `--help` of each
command says the same. On a command line an option is `--name value`; one that is on or off is
`--name` or `--no-name`; dashes and underscores are the same. Each command is also
one of `mushrooms` (`.venv/bin/mushrooms --help`). `make run`, `make submit` and `make compile` hand
over the options in `ARGS`: `make run ARGS='--min_accuracy 0.8'`.
"""
# Sections: their title, what takes the options, and the dataclasses that declare them.
SECTIONS: tuple[tuple[str, str, tuple[options.Kind, ...]], ...] = (
    ("A run: photos", "`make run`, `make submit`", (DownloadOptions,)),
    ("A run: cleaning and division", "`make run`, `make submit`", (CleanOptions, CurateOptions)),
    ("A run: the pretrained network", "`make run`, `make submit`", (bottleneck_options.PIPELINE,)),
    (
        "A run: training",
        "`make run`, `make submit`, `python -m components.retrain`",
        (Recipe, Distortions, FineTuning, RetrainOptions, Measuring),
    ),
    ("A run: publishing", "`make run`, `make submit`", (PublishOptions,)),
    ("A run on this machine", "`make run`", (RunOptions,)),
    ("Training by hand", "`python -m components.retrain`", (CommandOptions, Extras)),
    ("Submitting to a cluster", "`make submit`", (Place, SubmitOptions)),
    ("Compiling for a cluster", "`make compile`, `make submit`", (ClusterOptions,)),
    (
        "Labelling a bucket",
        "`make submit ARGS='--pipeline label'`, and most by `mushrooms label --output`",
        (LabelOptions,),
    ),
    ("The review page", "`make review`", (ReviewOptions,)),
    ("Which photos to label next", "`mushrooms select`", (SelectOptions,)),
    ("The page to try a model", "`make serve`", (ServeOptions,)),
    ("Published models: going back", "`mushrooms models rollback`", (RollbackOptions,)),
    ("Published models: removing", "`mushrooms models prune`", (PruneOptions,)),
    ("Tidying up", "`mushrooms tidy`", (TidyOptions,)),
    ("Learning curve", "`make learning-curve`", (CurveOptions,)),
)


def render() -> str:
    """The content of the page."""
    parts = [HEAD.rstrip()]
    for title, takers, kinds in SECTIONS:
        told = f"Taken by {takers}.{in_kubeflow(*kinds)}"
        parts += ["", f"## {title}", "", told, "", *table(*kinds)]
    return "\n".join(parts) + "\n"


def in_kubeflow(*kinds: options.Kind) -> str:
    """Where these options are among the parameters of a run that is started on Kubeflow's page."""
    steps = [
        step
        for step, of_step in STEPS.items()
        if {one if isinstance(one, type) else type(one) for one in of_step} & set(kinds)
    ]
    if not steps:
        return ""
    alone = [f"`{field.name}`" for field, about in options.declarations(*kinds) if about.in_form]
    dictionaries = joined([f"`{options.PREFIX}{step}`" for step in steps], "or")
    others = f"the others are entries of {dictionaries}"
    return f" Parameters on Kubeflow's page: {joined(alone)}; {others}."


def table(*kinds: options.Kind) -> Iterator[str]:
    """The rows of options; the training's have the pipeline's defaults beside retrain.py's."""
    training = Recipe in kinds
    yield "| option | default |" + (" in the pipeline |" if training else "") + " meaning |"
    yield "|---|---|---|" + ("---|" if training else "")
    defaults, pipeline = options.defaults(*kinds), options.defaults(PIPELINE, PIPELINE_MEASURING)
    for field, declared in options.declarations(*kinds):
        default = as_cell(defaults[field.name])
        cells = [f"`{options.written(field.name)}`", default]
        if training:
            own = as_cell(pipeline.get(field.name, defaults[field.name]))
            cells.append("the same" if own == default else own)
        remarks = [] if declared.choices else [declared.expected()]
        remarks += [] if declared.in_pipeline else ["of the step's own command only"]
        remarks += [] if declared.in_commands else ["in KFP only"]
        remark = "; ".join(filter(None, remarks))
        cells.append(declared.text().replace("|", "\\|") + (f" ({remark})" if remark else ""))
        yield f"| {' | '.join(cells)} |"


def as_cell(default: object) -> str:
    """A default as the table shows it."""
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"`{default}`" if default not in ("", ()) else ""


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
