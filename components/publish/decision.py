"""Whether a model is to be published: the limits, the figures, and the reason in words."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.wording import mean_amount, named
from components.common.untrusted import sealed
from components.publish import dangers
from components.publish.dangers import Dangers
from components.publish.options import (
    ANY_DANGEROUS,
    ANY_REGRESSION,
    MAX_DANGEROUS,
    MIN_CLASS_RECALL,
    MIN_MACRO_RECALL,
)
from components.publish.paired import Comparison
from components.publish.recalls import Recalls

TOLERANCE = 1e-9  # of rounding, in accuracies
METRICS = "metrics"  # field with the model's figures, where they are beside the decision
PUBLISH, HOLD = "publish", "hold"
MAX_BYTES = 4 * 1024 * 1024  # of a decision; a model.json, whose classes it may name, has 1 MB
MAX_NAMED = 5  # classes named in a reason
MAX_LABEL = 60  # characters of a class name in a reason
# Of the published model: the new one is none that could replace it, whatever is asked.
OTHER_CLASSES = "it has other classes; choose another --name"
ALREADY = "this model is already published"
# The same photos and options make the same model, whatever accuracy is asked of it.
STAYS = "nothing new is published; this same model stays published, from a run "


@dataclass(frozen=True)
class Decision:
    """What was decided, and everything that it was decided by.

    Attributes:
        decision: `PUBLISH` or `HOLD`.
        reason: one line with all figures that counted.
        name: what the model is to be published as.
        version: of the new model.
        accuracy: of the new model on all held-out photos, or of its recipe by cross-validation.
        accuracy_low: lower bound of its 95 % interval.
        cross_validated: whether it is the latter.
        demo_accuracy_high: upper bound of the interval of the model's own accuracy on the demo
            photos; 1 where that is not told.
        recalls: what it recognises of each class, among the same photos; of none where the
            decision is of an earlier version.
        min_accuracy: what that bound must reach.
        min_macro_recall: what the lower bound of the mean over the classes must reach.
        min_class_recall: what the upper bound of each class must reach.
        dangers: how often it takes a dangerous class for an edible one; None where no class's
            edibility is stated, or the decision is of an earlier version.
        max_dangerous: what the upper bound of that share may be.
        max_regression: how much of the accuracy on the demo photos may be lost.
        demo_manifest_sha256: which demo photos.
        champion: version that is published; empty where none is, or none can be told.
        champion_problem: why the published model could not be asked; empty where it could.
        comparison: answers of both; None where there was nothing to compare.
    """

    decision: str
    reason: str
    name: str
    version: str
    accuracy: float
    accuracy_low: float
    min_accuracy: float
    max_regression: float
    demo_manifest_sha256: str
    recalls: Recalls = dataclasses.field(default_factory=lambda: Recalls({}, {}))
    min_macro_recall: float = MIN_MACRO_RECALL
    min_class_recall: float = MIN_CLASS_RECALL
    dangers: Dangers | None = None
    max_dangerous: float = MAX_DANGEROUS
    champion: str = ""
    champion_problem: str = ""
    comparison: Comparison | None = None
    cross_validated: bool = False
    demo_accuracy_high: float = 1.0

    def to_json(self, metrics: Mapping[str, Any] | None = None) -> str:
        """As a file, with the accuracies of the comparison for whoever reads it.

        Args:
            metrics: figures of the new model, to go beside the decision: those of a step that was
                taken from the cache lie in the folder of another run.
        """
        content = {**sealed.DECISION.head, **dataclasses.asdict(self)}
        if metrics:
            content[METRICS] = {name: metrics[name] for name in metrics if name != sealed.SEAL}
        if self.comparison:
            content["comparison"] |= {"figures": comparison_figures(self.comparison)}
        return sealed.text(content)

    @classmethod
    def read(cls, path: Path) -> "Decision":
        """Read what `to_json` made.

        Raises:
            InputError: the file is missing, damaged, of a version that is not read, or no decision.
        """
        content = sealed.read(path, sealed.DECISION, max_bytes=MAX_BYTES)
        for name in (sealed.SEAL, METRICS, *sealed.DECISION.head):
            content.pop(name, None)
        if unknown := sorted(set(content) - {field.name for field in dataclasses.fields(cls)}):
            raise InputError(
                f"{path} has the field {unknown[0]!r:.60}, which this program does not know: if a "
                "newer version wrote it, use that version, or compare again with this one"
            )
        try:
            content["recalls"] = _recalls(content.get("recalls"))
            if content.get("dangers") is not None:
                content["dangers"] = Dangers(**content["dangers"])
            if content["comparison"] is not None:
                content["comparison"] = _comparison(content["comparison"])
            return cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is not a decision of the step compare: {error}") from error


def comparison_figures(comparison: Comparison) -> dict[str, float]:
    """Accuracies of both models, their difference with its interval, and McNemar's p."""
    photos = comparison.photos
    if not photos:
        return {}
    low, high = comparison.interval
    return {
        "champion_accuracy": comparison.champion_right / photos,
        "challenger_accuracy": comparison.challenger_right / photos,
        "difference": comparison.difference,
        "difference_low": low,
        "difference_high": high,
        "p_value": comparison.p_value,
    }


def weigh(decision: Decision) -> Decision:
    """Decide by the figures that `decision` holds; returns it with the word and the reason.

    The lower bound of the accuracy must reach `min_accuracy`: 9 right of 10 is no proof of 80 %.
    Where that is the recipe's, the model itself must not surely fall short on the demo photos.
    That of the macro recall must reach `min_macro_recall`, and be more than always giving one
    answer would reach, however often that answer is right; no class may be surely unrecognised.
    The upper bound of the share of dangerous confusions may be `max_dangerous`, if that is below 1.
    Where a model is published, the new one may be worse than it by `max_regression` at most, on the
    same photos. A published model that cannot be asked, or knows none of the classes, holds the new
    one back, as do photos of which none is left: a gate that opens where it sees nothing is none.
    """
    accurate = decision.accuracy_low >= decision.min_accuracy
    reached = "reaches" if accurate else "is below"
    measured = "its cross-validated accuracy" if decision.cross_validated else "its accuracy"
    figure = (
        f"the lower bound {decision.accuracy_low:.3f} of {measured} {reached} "
        f"{decision.min_accuracy:g} (--min_accuracy)"
    )
    harmless, dangerous = _dangerous(decision)
    # What holds the model back comes first.
    against = [] if accurate else [figure]
    against += [*_short_on_demo(decision), *_overlooked(decision), *([] if harmless else dangerous)]
    for_it = [*([figure] if accurate else []), *(dangerous if harmless else [])]
    enough = not against
    not_worse, beside = _beside_champion(decision, enough=enough)
    reasons = [*against, *for_it, *_measured_on_few(decision.recalls), *beside]
    word = PUBLISH if enough and not_worse else HOLD
    return dataclasses.replace(decision, decision=word, reason="; ".join(reasons))


def _short_on_demo(decision: Decision) -> list[str]:
    """Why the model's own answers to the demo photos hold it back; empty where they do not."""
    high = decision.demo_accuracy_high
    if not decision.cross_validated or high >= decision.min_accuracy:
        return []
    return [
        f"the model itself falls short on the demo photos: the upper bound {high:.3f} of its "
        f"accuracy is below {decision.min_accuracy:g} (--min_accuracy)"
    ]


def _overlooked(decision: Decision) -> list[str]:
    """Why the recall of the classes holds a model back; empty where it does not."""
    recalls, reasons = decision.recalls, []
    if not recalls.measured:
        return []
    mean, low, high = recalls.macro
    figure = f"its macro recall {mean:.3f} (95 % interval {low:.3f} to {high:.3f})"
    if low <= recalls.by_one_answer:
        least = recalls.by_one_answer
        reasons.append(
            f"{figure} is too low: its lower bound is not above {least:.3f}, which always giving "
            "one answer reaches"
        )
    elif low < decision.min_macro_recall - TOLERANCE:
        reasons.append(
            f"{figure} is too low: its lower bound is below {decision.min_macro_recall:g} "
            "(--min_macro_recall)"
        )
    missed = recalls.below(decision.min_class_recall)
    if missed:
        reasons.append(
            f"too few photos of some classes are recognised ({_counted(recalls, missed)}): the "
            f"upper bound of their recall is below {decision.min_class_recall:g} "
            "(--min_class_recall)"
        )
    return reasons


def _dangerous(decision: Decision) -> tuple[bool, list[str]]:
    """Whether dangerous confusions let the model pass, and what to say of them."""
    known, most = decision.dangers, decision.max_dangerous
    if most >= ANY_DANGEROUS:
        return True, []
    refused = dangers.refused(known, most)
    if refused or known is None:
        return False, [refused]
    if not known.edible:
        return True, ["no class is stated to be edible, so no dangerous one can be taken for one"]
    return True, [f"{dangers.in_words(known)} is at most {most:g} (--max_dangerous)"]


def _measured_on_few(recalls: Recalls) -> list[str]:
    if not recalls.few:
        return []
    counts = _counted(recalls, recalls.few)
    return [f"some classes have too few held-out photos ({counts} recognised): add photos of them"]


def _counted(recalls: Recalls, labels: Sequence[str]) -> str:
    """Classes with how many of their photos are recognised."""
    counts = [
        f"{label[:MAX_LABEL]} {mean_amount(recalls.right[label])} of {recalls.photos[label]}"
        for label in labels
    ]
    return named(counts, most=MAX_NAMED, longest=MAX_LABEL + 30)


def _beside_champion(decision: Decision, *, enough: bool) -> tuple[bool, list[str]]:
    """Whether the published model is no reason to hold the new one back, and what to say of it.

    Args:
        decision: the figures.
        enough: whether the accuracy is.
    """
    compared, any_will_do = decision.comparison, decision.max_regression >= ANY_REGRESSION
    way_out = "" if any_will_do else "; --max_regression 1 publishes without comparing"
    if decision.champion_problem:
        if OTHER_CLASSES in decision.champion_problem:
            way_out = ""  # one that nobody should be led to
        problem = f"not comparable with the published model: {decision.champion_problem}"
        return any_will_do, [problem + way_out]
    if not decision.champion:
        return True, [f"no model was published as {decision.name} before"]
    if decision.champion == decision.version:
        if enough:
            return True, [ALREADY]
        inaccurate = decision.accuracy_low < decision.min_accuracy
        return True, [
            f"{STAYS}{'with a lower --min_accuracy' if inaccurate else 'with lower limits'}"
        ]
    if compared is None or not compared.photos:
        left = compared.left_out if compared else 0
        why = f"all {left} were used to train one of the models" if left else "there are none"
        return any_will_do, [f"no demo photo is left to compare the models on: {why}" + way_out]
    not_worse = compared.difference >= -decision.max_regression - TOLERANCE
    reasons = [_figures_in_words(decision.champion, compared)]
    if not not_worse:
        reasons.append(
            f"the accuracy may drop by at most {decision.max_regression:g} (--max_regression)"
        )
    return not_worse, reasons + _remarks(compared)


def _figures_in_words(champion: str, compared: Comparison) -> str:
    low, high = compared.interval
    photos, new, old = compared.photos, compared.challenger_right, compared.champion_right
    return (
        f"on the same {photos} demo photos it gets {new} right ({new / photos:.3f}) and the "
        f"published {champion} gets {old} ({old / photos:.3f}): {compared.difference:+.3f}, "
        f"95 % interval {low:+.3f} to {high:+.3f}, p = {compared.p_value:.2g}"
    )


def _remarks(compared: Comparison) -> list[str]:
    """What else the reader of a comparison must know."""
    remarks = []
    if compared.left_out:
        remarks.append(f"{compared.left_out} photos that one of them was trained on were left out")
    if compared.champion_lacks:
        remarks.append(f"the published model does not know {_named(compared.champion_lacks)}")
    if compared.challenger_lacks:
        remarks.append(f"the new one no longer knows {_named(compared.challenger_lacks)}")
    return remarks


def _named(labels: Iterable[str]) -> str:
    """Class names of a stranger's model, in one short line."""
    return named(sorted(labels), most=MAX_NAMED, longest=MAX_LABEL)


def _recalls(content: Any) -> Recalls:
    if content is None:  # of an earlier version
        return Recalls({}, {})
    recalls = Recalls(**content)
    recalls.check()
    return recalls


def _comparison(content: dict[str, Any]) -> Comparison:
    lacks = {key: tuple(content[key]) for key in ("champion_lacks", "challenger_lacks")}
    fields = {field.name: content[field.name] for field in dataclasses.fields(Comparison)}
    comparison = Comparison(**{**fields, **lacks})
    counts = (
        comparison.photos,
        comparison.both,
        comparison.only_champion,
        comparison.only_challenger,
    )
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError(f"the counts {counts} make no sense")
    return comparison
