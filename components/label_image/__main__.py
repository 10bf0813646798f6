"""The step `label_image` as a command: the likeliest classes of photos, or of the demo photos."""

import argparse
import io
import sys
from pathlib import Path

from components.common.base import options as declared
from components.common.base.command_line import LAST_RUN, CommandParser
from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.base.step import run_command
from components.common.base.worker_threads import cores
from components.common.model.model import Model
from components.common.model.model_place import local_model, pinned
from components.label_image.answers import FORMATS, ONE_TOP_K
from components.label_image.graph import Graph
from components.label_image.label_image import label_demo, label_photos
from components.label_image.options import PART_FORMATS, AnswerOptions
from components.label_image.parts import Counts
from components.label_image.photos import Reader
from components.label_image.preprocessing import USUAL_SIDE, Preprocessing
from components.label_image.watch import ALARM_STATUS, Watcher
from components.label_image.whole import Asked, label_place

INPUT_LAYER, OUTPUT_LAYER = "input", "final_result"
USUAL = Preprocessing()
# Without defaults, so that one that is given beside --model_dir is noticed.
GRAPH_OPTIONS = {
    "labels": (Path, "class names, one a line (default: retrained_labels.txt beside it)"),
    "input_height": (int, f"pixels (default: the graph's own, else {USUAL_SIDE})"),
    "input_width": (int, f"pixels (default: the graph's own, else {USUAL_SIDE})"),
    "input_mean": (float, f"subtracted from pixel values, 0 to 255 (default: {USUAL.mean})"),
    "input_std": (float, f"divisor of the result (default: {USUAL.std})"),
    "input_layer": (str, f"name of the input (default: {INPUT_LAYER})"),
    "output_layer": (str, f"name of the output (default: {OUTPUT_LAYER})"),
}
EXAMPLES = (
    "--model_dir runs/latest/model --image photo.jpg",
    "--model_dir gs://bucket/mushrooms --format csv photos/ > answers.csv",
    "--model_dir runs/latest/model 'photos/**/*.png' https://example.org/1.jpg",
    "--model_dir runs/latest/model - < photo.jpg",
    "--model_dir gs://bucket/mushrooms gs://bucket/photos --output gs://bucket/answers",
    "--model_dir runs/latest/model photos/ --format csv --watch report > answers.csv",
    "--graph retrained_graph.pb --labels retrained_labels.txt --image photo.jpg",
)
NOTES = (
    "exit status: 0 each photo has an answer, 1 some failed, 2 wrong usage, no model,\n"
    "  or no photo, 3 --watch raised an alarm: the photos are unlike the demo photos;\n"
    "  with --output of all runs together\n"
    "after a kill, the same command with --output goes on where it ended"
)


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.label_image",
        description="Classify photos. Never eat anything because of the answer.",
        examples=EXAMPLES,
        notes=NOTES,
    )
    parser.add_argument(
        "photos",
        nargs="*",
        help="photos: files, folders, patterns, addresses (http, https), buckets (gs, s3), - for "
        "standard input",
    )
    parser.add_argument(
        "--image", nargs="+", action="extend", default=[], metavar="PHOTO", help="the same"
    )
    parser.add_argument(
        "--model_dir",
        help="the model, or the folder that it is published in: a folder, gs://… or s3://… "
        f"(default: that of the last run, {LAST_RUN}/model, without --graph)",
    )
    parser.add_argument(
        "--format",
        choices=(*FORMATS, "parquet"),
        help=f"default: text; with --output csv, and one of {', '.join(PART_FORMATS)}",
    )
    parser.add_argument(
        "--top_k",
        type=int,
        help=f"how many classes to name (default: {ONE_TOP_K}; 1 for many photos as text)",
    )
    _add_output(parser)
    parser.add_argument(
        "--int8",
        action="store_true",
        help="use the int8 model, if there is one: many photos in half the time, with slightly "
        "different answers",
    )
    parser.add_argument(
        "--allow_private_hosts",
        default="",
        help="private hosts that may be fetched from, separated by commas",
    )
    parser.add_argument(
        "--cache_dir",
        type=Path,
        default=default_cache_dir(),
        help="where fetched photos and models from gs:// and s3:// are kept (default: %(default)s)",
    )
    _add_groups(parser)
    run_command("label_image", parser, _command)


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "all photos of one bucket or folder, into files that a killed run goes on from"
    )
    group.add_argument("--output", help="folder for the answers: gs://…, s3://… or on this machine")
    declared.add_to(group, AnswerOptions, without=("format", "top_k", "int8"))
    group.add_argument(
        "--share", default="", help="such as 2/4: a quarter, for the second of four processes"
    )
    group = parser.add_argument_group("whether the photos are like those of the training")
    group.add_argument(
        "--watch",
        default="",
        metavar="PLACE",
        help="compare the answers with those to the demo photos, and write drift.html and "
        "drift.json there: a folder, gs://… or s3://…; exit status 3 where they differ by more "
        "than chance",
    )
    group.add_argument(
        "--earlier_batch",
        default="",
        metavar="PLACE",
        help="with --watch: compare the classes with those of an earlier batch: the place that its "
        "--watch or --output named",
    )


def _add_groups(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a network without a model directory, as for label_image.py")
    group.add_argument("--graph", type=Path, help="frozen graph (.pb) or LiteRT file (.tflite)")
    for name, (kind, text) in GRAPH_OPTIONS.items():
        group.add_argument(f"--{name}", type=kind, help=text)
    group = parser.add_argument_group("as a step of the pipeline, instead of photos")
    group.add_argument("--demo", type=Path, help="a dataset of demo photos")
    group.add_argument("--predictions", type=Path, help="with --demo: parquet file to write")
    group.add_argument("--gallery", type=Path, help="with --demo: gallery.html to write")


def _command(options: argparse.Namespace) -> int:
    if options.earlier_batch and not options.watch:
        raise InputError("--earlier_batch is for --watch: say where the comparison shall go")
    named = [*options.image, *options.photos]
    if "" in named:
        raise InputError("a photo's name is empty: expected a file, folder, pattern or address")
    if options.output:
        return _label_place(options, named)
    if options.format == "parquet" or options.share:
        raise InputError("--format parquet and --share are for --output")
    demo = (options.demo, options.predictions, options.gallery)
    if any(demo):
        if named or not all(demo) or not options.model_dir:
            raise InputError("--demo, --predictions, --gallery and --model_dir go together")
        if options.watch:
            raise InputError("--watch is for other photos than the demo photos themselves")
        label_demo(local_model(options.model_dir, options.cache_dir), *demo)
        return 0
    model = _model(options)
    watcher, counts = _watcher(options, named, model), Counts()
    hosts = [host.strip() for host in options.allow_private_hosts.split(",")]
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may lack a name's letters
        sys.stdout.reconfigure(errors="replace")
    with Reader(options.cache_dir, hosts) as reader:
        failed = label_photos(
            *(model, named, reader, sys.stdout),
            form=options.format or "text",
            count=options.top_k,
            seen=counts.add if watcher else None,
        )
    alarm = watcher is not None and watcher.ends(counts)
    return ALARM_STATUS if alarm else int(failed > 0)


def _watcher(options: argparse.Namespace, named: list[str], model: Model | Graph) -> Watcher | None:
    """Who compares the answers; None where nobody shall.

    Raises:
        InputError: they cannot be compared.
    """
    if not options.watch:
        return None
    if isinstance(model, Graph):
        raise InputError("--watch is for --model_dir: a graph has no demo photos to compare with")
    return Watcher.of(
        model.directory, named, options.watch, options.earlier_batch, int8=options.int8
    )


def _last_model() -> str:
    """The model of the last run here, and a line that says so.

    Raises:
        InputError: there is none.
    """
    last = LAST_RUN / "model"
    if not last.is_dir():
        raise InputError(
            f"no model was named, and {last} does not exist: give --model_dir, or --graph with "
            "--labels"
        )
    print(f"label_image: the model of the last run, {last}", file=sys.stderr)
    return str(last)


def _label_place(options: argparse.Namespace, named: list[str]) -> int:
    """Label all photos of one place into files; 1 where some have no answer."""
    if len(named) != 1:
        raise InputError(f"--output is for one bucket or folder: {len(named)} places are named")
    others = ("graph", *GRAPH_OPTIONS, "demo", "predictions", "gallery", "allow_private_hosts")
    if needless := next((name for name in others if getattr(options, name)), ""):
        raise InputError(f"--output goes with --model_dir, and not with --{needless}")
    told = vars(options) | {"format": options.format or PART_FORMATS[0]}
    chosen = AnswerOptions.of({name: value for name, value in told.items() if value is not None})
    if options.watch and options.share:
        raise InputError(
            "--watch is for a whole batch: leave it out with --share, and when all shares are done "
            "give the same command once more with it and without --share"
        )
    place = pinned(options.model_dir or _last_model())
    watcher = None
    if options.watch:
        folder = local_model(place, options.cache_dir)
        watcher = Watcher.of(folder, named, options.watch, options.earlier_batch, int8=options.int8)
    asked = Asked(named[0], place, options.output, chosen)
    counts = label_place(asked, options.cache_dir, options.share)
    alarm = watcher is not None and watcher.ends(counts)
    return ALARM_STATUS if alarm else int(counts.failed > 0)


def _model(options: argparse.Namespace) -> Model | Graph:
    of_graph = {
        name: getattr(options, name) for name in GRAPH_OPTIONS if getattr(options, name) is not None
    }
    if options.graph and options.model_dir:
        raise InputError("give either --model_dir, or --graph with --labels")
    if not (options.graph or options.model_dir):
        options.model_dir = _last_model()
    if options.model_dir:
        if of_graph:
            raise InputError(
                f"--{next(iter(of_graph))} is for --graph: a model directory states it already"
            )
        folder = local_model(options.model_dir, options.cache_dir)
        return Model(folder, threads=cores(), int8=options.int8)
    if options.int8:
        raise InputError("--int8 is for --model_dir: a graph has no int8 form")
    return Graph(
        options.graph,
        of_graph.pop("labels", None),
        input_layer=of_graph.pop("input_layer", INPUT_LAYER),
        output_layer=of_graph.pop("output_layer", OUTPUT_LAYER),
        preprocessing=Preprocessing(
            **{name.removeprefix("input_"): value for name, value in of_graph.items()}
        ),
        threads=cores(),
    )


if __name__ == "__main__":
    main()
