"""Options of the step `retrain`; those of retrain.py have its names and defaults."""

import math
from dataclasses import dataclass, replace

from components.common.base.errors import InputError
from components.common.base.options import Options, cache_dir_option, option, seed_option
from components.common.dataset.vocabulary import TRAINING
from components.common.model import layout
from components.common.network.architecture import weights_option
from components.common.store import storage

ONNX = "onnx"  # export


@dataclass(frozen=True)
class Recipe(Options):
    """How the head is trained; the first seven options are retrain.py's.

    Cosine is the schedule of Loshchilov & Hutter 2016, arXiv:1608.03983, without restarts; label
    smoothing that of Szegedy et al. 2015, arXiv:1512.00567.
    """

    how_many_training_steps: int = option(4000, "steps of training", minimum=1)
    learning_rate: float = option(0.01, "learning rate at the first step", above=0)
    train_batch_size: int = option(
        100, "photos per training step, drawn with replacement", minimum=1
    )
    validation_batch_size: int = option(
        100, "photos per evaluation on the validation part; -1 for all"
    )
    test_batch_size: int = option(-1, "photos tested at the end of training; -1 for all")
    eval_step_interval: int = option(
        10, "steps between two evaluations; the last step is always evaluated", minimum=1
    )
    seed: int = seed_option()
    optimizer: str = option(
        "sgd", "sgd is plain gradient descent", choices=("sgd", "momentum", "adam")
    )
    learning_rate_schedule: str = option(
        "constant", "cosine falls to 0 at the last step", choices=("constant", "cosine")
    )
    l2: float = option(
        0.0,
        "penalty: l2 / 2 times the sum of the squared weights, without the biases, is added to the "
        "mean cross entropy",
        minimum=0,
    )
    scale_bottlenecks: bool = option(
        False,
        "train on bottlenecks divided by one number, so that the mean of their squared lengths is "
        "1000, about MobileNet's: learning_rate and l2 then mean the same for every network; the "
        "model takes bottlenecks as they are",
    )
    label_smoothing: float = option(
        0.0, "share of each label that is spread over all classes", minimum=0, below=1
    )
    class_weights: str = option(
        "balanced",
        "balanced draws every class equally often, as retrain.py does; none draws all photos alike",
        choices=("balanced", "none"),
    )
    early_stopping_patience: int = option(
        0,
        "training ends with the best weights after this many evaluations without a better "
        "validation cross entropy; 0 for never",
        minimum=0,
    )

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if self.learning_rate_schedule == "constant":
            return self.learning_rate
        progress = step / self.how_many_training_steps
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


# What the pipeline trains with: chosen on photos of flowers (benchmarks/accuracy.py). The penalty
# makes the optimum finite, and Adam with a falling rate is there in 1,000 steps; of penalties from
# 0 to 0.05 this one has the least log loss out of fold. Every look is at all validation photos: at
# 100 drawn from 14 the curve jumps by 5 points of its own making.
PIPELINE = replace(
    Recipe(),
    how_many_training_steps=1000,
    validation_batch_size=-1,
    learning_rate=0.001,
    optimizer="adam",
    learning_rate_schedule="cosine",
    l2=0.02,
    scale_bottlenecks=True,
)


@dataclass(frozen=True)
class Distortions(Options):
    """How copies of the training photos are distorted; but for their number, as in retrain.py."""

    flip_left_right: bool = option(False, "also learn from mirrored photos")
    random_crop: int = option(
        0, "also learn from photos cropped by this margin at a random side, in percent", minimum=0
    )
    random_scale: int = option(
        0, "also learn from photos enlarged by up to this much, in percent", minimum=0
    )
    random_brightness: int = option(
        0,
        "also learn from photos brightened or darkened by up to this much, in percent",
        minimum=0,
        maximum=99,
    )
    distorted_copies: int = option(
        4, "distorted copies of each photo, besides the photo itself", minimum=1, maximum=100
    )

    def __bool__(self) -> bool:
        return self.flip_left_right or self.by_amounts

    @property
    def by_amounts(self) -> bool:
        """Whether photos are cropped, enlarged or brightened: hardly any two copies are alike."""
        return any((self.random_crop, self.random_scale, self.random_brightness))


@dataclass(frozen=True)
class FineTuning(Options):
    """How the top of the backbone is trained after the head."""

    fine_tune_steps: int = option(
        0,
        "steps that train the top of the backbone too, after the head; 0: none",
        minimum=0,
        in_form=True,
    )
    fine_tune_layers: int = option(
        10,
        "layers to fine-tune, counted from the top of the backbone; BatchNorm stays frozen",
        minimum=1,
    )
    fine_tune_learning_rate: float = option(
        1e-5,
        "Adam's learning rate in fine-tuning; low, because the weights are nearly right",
        above=0,
    )
    fine_tune_batch_size: int = option(32, "photos per fine-tuning step", minimum=1)
    checkpoint_interval: int = option(50, "fine-tuning steps between two checkpoints", minimum=1)
    require_gpu: bool = option(False, "fail at once if TensorFlow sees no GPU")

    def __bool__(self) -> bool:
        return self.fine_tune_steps > 0


@dataclass(frozen=True)
class RetrainOptions(Options):
    """What else a training is told, in the pipeline and without it."""

    sweep: bool = option(
        False,
        "train with the best of twelve pairs of learning rate and penalty, by cross-validation",
    )
    checkpoint_path: str = option(
        "",
        "folder, gs://… or s3://… for checkpoints of fine-tuning, from which the same command "
        "continues; empty: the cache folder, for python -m components.retrain OUTPUT_DIR",
        on_cluster="gs:// or s3:// place for checkpoints of fine-tuning (default: on the volume of "
        "--cache_claim, else below --store_prefix)",
        pattern=rf"(?s)(?!.*://).*|{storage.ANY_SCHEME}.*",
        form="a folder, gs://… or s3://…",
        place="written",
    )
    export: str = option(
        "none",
        "a form of the model besides those that are always written: onnx is model.onnx, which "
        "needs the packages of the extra onnx",
        choices=("none", ONNX),
    )
    weights: str = weights_option()
    cache_dir: str = cache_dir_option()


ALL = "all"  # final_fit


@dataclass(frozen=True)
class Measuring(Options):
    """How good models of the recipe are, and what the final head learns from once that is known."""

    cross_validation_rounds: int = option(
        0,
        "rounds of cross-validation, each classifying every photo but the demo ones by a head "
        "that did not see it; no more rounds than 1,000 answers need, none above 3,000 "
        "photos; 0 for none",
        minimum=0,
        maximum=20,
    )
    final_fit: str = option(
        TRAINING,
        f"what the final head learns from: {ALL} adds the validation and test photos once the "
        "recipe is measured by cross-validation; without that, and after fine-tuning, it learns "
        "from the training part",
        choices=(TRAINING, ALL),
    )


# What the pipeline does. Of a hundred photos, 40 would teach nothing, and 42 say little.
PIPELINE_MEASURING = Measuring(cross_validation_rounds=3, final_fit=ALL)


@dataclass(frozen=True)
class Extras(Options):
    """What else is written or printed: options of retrain.py that the pipeline does not have."""

    final_tensor_name: str = option(layout.SCORES, "name of the frozen graph's output")
    intermediate_output_graphs_dir: str = option(
        "",
        "folder of the frozen graphs that are written during training (default: "
        "OUTPUT_DIR/intermediate_graph)",
    )
    intermediate_store_frequency: int = option(
        0, "steps between two intermediate graphs; 0 for none", minimum=0
    )
    print_misclassified_test_images: bool = option(
        False, "list the test photos that the model gets wrong"
    )
    int8: bool = option(True, "also make and measure an int8 model")

    def check(self) -> None:
        """Raise `InputError` where an option makes no sense."""
        super().check()
        if not self.final_tensor_name.replace("_", "").isalnum():
            raise InputError(
                f"--final_tensor_name is {self.final_tensor_name!r}: expected letters, digits and _"
            )


# What a component is told.
KINDS = (Recipe, Distortions, FineTuning, RetrainOptions, Measuring)
