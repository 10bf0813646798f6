"""The subcommands of `mushrooms`: what each is called, where it is, and what it does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Attributes:
        name: as people type it; dashes and underscores are the same.
        module: whose `main()` is the command; it is imported when it is asked for.
        meaning: a phrase for the list of commands.
        is_part: it is a subcommand of the module's own parser as well.
    """

    name: str
    module: str
    meaning: str
    is_part: bool = False


_PIPELINE = "pipeline"
PEOPLE = (
    Command("run", _PIPELINE, "photos to a trained, measured and published model", True),
    Command("label", "components.label_image.__main__", "classify photos of your own"),
    Command("select", "programs.select.__main__", "which photos to label next"),
    Command("serve", "programs.serve.__main__", "a page to try a model"),
    Command("review", "programs.review.__main__", "a page to check and decide about photos"),
    Command("report", "programs.report.__main__", "the result of a finished run, once more"),
    Command("verify", "programs.verify.__main__", "check that a finished run is unmodified"),
    Command("models", "programs.models.__main__", "list, roll back, prune published models"),
    Command("tidy", "programs.tidy.__main__", "what may be deleted; delete what is old"),
    Command("learning-curve", "programs.learning_curve.__main__", "accuracy by number of photos"),
    Command("check-sources", "programs.check_sources.__main__", "do the photo services answer?"),
)
CLUSTER = (
    Command("compile", _PIPELINE, "write the pipeline as YAML", True),
    Command("submit", _PIPELINE, "run it on a cluster", True),
)
STEPS = (
    Command("download", "components.download.__main__", "gather the photos of classes"),
    Command("clean", "components.clean.__main__", "sort out what is no usable photo"),
    Command("bottleneck", "components.bottleneck.__main__", "compute the photos' features"),
    Command("curate", "components.curate.__main__", "find copies, divide into parts"),
    Command("retrain", "components.retrain.__main__", "train, also on a plain folder of photos"),
    Command("evaluate", "components.evaluate.__main__", "measure a model, also on other photos"),
    Command("publish", "components.publish.__main__", "publish a model that is good enough"),
    Command("tensorboard", "components.tensorboard.__main__", "the training's curves as a page"),
    Command("summarize", "components.summarize.__main__", "the summary of a run on a cluster"),
)
GROUPS = {
    "on this machine": PEOPLE,
    "on a cluster": CLUSTER,
    "one step alone": STEPS,
}
COMMANDS = {command.name: command for commands in GROUPS.values() for command in commands}
