"""`label_image --watch`: is this batch of photos like the demo photos? drift.html and drift.json.

What the model answered to its demo photos is in the metrics.json that lies beside it, as counts. So
a published model can be watched wherever it is, without a photo of its training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.shares import Share
from components.common.base.step import log, warn
from components.common.base.wording import as_text, counted, named
from components.common.model import answer_counts
from components.common.model.answer_counts import AnswerCounts
from components.common.model.description import ModelDescription, read_description
from components.common.model.model_place import METRICS, version_of
from components.common.store import storage
from components.common.untrusted import sealed
from components.common.untrusted.redact import without_secrets
from components.label_image import drift, job, parts
from components.label_image.drift import Finding

PAGE, DOCUMENT = "drift.html", "drift.json"
KIND = sealed.Kind(
    *("the comparison", "wild-mushrooms-drift", (1,)),
    sealed_since=1,
    again="label that batch again with this version",
)
ALARM_STATUS = 3  # of the command
MOST_NAMED, LONGEST_NAME = 3, 300  # of the places that photos come from; characters of each


@dataclass(frozen=True)
class Reference:
    """What a batch is compared with.

    Attributes:
        counts: the model's answers to the demo photos of its training.
        rejected_below: a photo that is less familiar than this is none of the classes, 0 to 1.
        model: its description.
    """

    counts: AnswerCounts
    rejected_below: float
    model: ModelDescription

    @property
    def sha256(self) -> str:
        """Of all that makes the model."""
        return sha256_of(self.model)


@dataclass(frozen=True)
class Earlier:
    """A batch of earlier.

    Attributes:
        place: of its answers, or of its comparison.
        counts: its answers; None where they cannot be compared.
        problem: why they cannot be; empty where they can.
    """

    place: str
    counts: AnswerCounts | None
    problem: str = ""


@dataclass(frozen=True)
class Batch:
    """A batch of answers.

    Attributes:
        photos: where they come from, in words.
        counts: the answers to those that the model did not learn from.
        failed: photos without an answer.
        learned_from: photos that the model learned from.
        int8: the int8 form of the model answered.
    """

    photos: str
    counts: AnswerCounts
    failed: int = 0
    learned_from: int = 0
    int8: bool = False


@dataclass(frozen=True)
class Comparison:
    """A batch beside the demo photos, and beside an earlier batch where one was named."""

    batch: Batch
    reference: Reference
    earlier: Earlier | None
    findings: tuple[Finding, ...]

    @property
    def alarm(self) -> bool:
        """Whether the batch differs by more than chance."""
        return any(finding.alarm for finding in self.findings)

    @property
    def too_few(self) -> bool:
        """Whether there are too few photos to ask how familiar they look."""
        return all(finding.what == drift.CLASSES for finding in self.findings)

    def finding(self, what: str) -> Finding | None:
        """What one of the tests found; None where it was not made."""
        return next((one for one in self.findings if one.what == what), None)

    @property
    def medians(self) -> tuple[float, float]:
        """Of the familiarity, 0 to 1: of the batch and of the demo photos."""
        batch, demo = self.batch.counts, self.reference.counts
        return median(batch.familiarity), median(demo.familiarity)

    @property
    def none(self) -> tuple[Share, Share]:
        """The photos that are none of the classes: of the batch and of the demo photos."""
        batch, demo = self.batch.counts, self.reference.counts
        return Share.of(batch.none, batch.photos), Share.of(demo.none, demo.photos)

    def figures(self) -> dict[str, float]:
        """What runs are compared by."""
        tested = {f"drift_{one.what}_p_value": one.adjusted for one in self.findings}
        return {
            "drift_alarm": int(self.alarm),
            "photos_compared": self.batch.counts.photos,
            **({"none_of_these_rate": self.none[0].value} if self.batch.counts.photos else {}),
            **({"familiarity_median": self.medians[0]} if self.batch.counts.photos else {}),
            **tested,
        }

    def to_json(self) -> str:
        """drift.json."""
        content: dict[str, Any] = {
            **KIND.head,
            "photos_at": as_text(self.batch.photos),
            "model": version_of(self.reference.model),
            "model_sha256": self.reference.sha256,
            "int8": self.batch.int8,
            "failed": self.batch.failed,
            "learned_from": self.batch.learned_from,
            "alarm": self.alarm,
            "level": drift.LEVEL,
            "shuffles": drift.SHUFFLES,
            "findings": {
                one.what: {"p_value": one.p_value, "adjusted": one.adjusted, "alarm": one.alarm}
                for one in self.findings
            },
            "figures": self.figures(),
            parts.ANSWERS: self.batch.counts.to_json(),
            answer_counts.FIELD: self.reference.counts.to_json(),
        }
        if self.earlier:
            counts = self.earlier.counts
            content["earlier"] = {
                "place": as_text(self.earlier.place),
                "problem": self.earlier.problem,
                parts.ANSWERS: counts.to_json() if counts else None,
            }
        return sealed.text(content)


@dataclass(frozen=True)
class Watcher:
    """Who compares a batch when its last photo is answered.

    Attributes:
        reference: what it is compared with.
        photos: where the batch comes from, in words.
        place: that the comparison is written to.
        earlier: a batch of earlier; None for none.
        int8: the int8 form of the model answers.
    """

    reference: Reference
    photos: str
    place: str
    earlier: Earlier | None
    int8: bool

    @classmethod
    def of(
        cls, model_dir: Path, photos: Sequence[str], place: str, earlier: str, *, int8: bool = False
    ) -> "Watcher":
        """Read what a batch is compared with, before its first photo is answered.

        Args:
            model_dir: the model that answers.
            photos: files, folders, patterns and addresses, as they were named.
            place: that the comparison is written to.
            earlier: place of an earlier batch; empty for none.
            int8: the int8 form of the model answers.

        Raises:
            InputError: the model does not say what it answered to its demo photos, there is no such
                earlier batch, or the place is a file.
            WorkError: the store cannot be reached.
        """
        if not storage.is_uri(place) and Path(place).expanduser().is_file():
            raise InputError(f"--watch is {place}, a file: name a folder for {PAGE} and {DOCUMENT}")
        reference = reference_of(model_dir)
        before = earlier_batch(earlier, reference.sha256) if earlier else None
        return cls(reference, told_of(photos), place, before, int8)

    def ends(self, counts: parts.Counts) -> bool:
        """Compare, write what came of it, and say whether there is an alarm.

        Raises:
            InputError: an earlier version answered some of the photos, or the place cannot be
                written to.
            WorkError: the store cannot be reached, or the disk is full.
        """
        compared = compare(
            batch_of(counts, self.photos, int8=self.int8), self.reference, self.earlier
        )
        write(self.place, compared)
        return compared.alarm


def told_of(photos: Sequence[str]) -> str:
    """The first few of the places that photos come from, without passwords and signatures."""
    plain = [as_text(without_secrets(place)) for place in photos]
    return named(plain, most=MOST_NAMED, longest=LONGEST_NAME)


def batch_of(counts: parts.Counts, photos: str, *, int8: bool) -> Batch:
    """The answers of a batch.

    Raises:
        InputError: an earlier version answered some of the photos, or there are more than can be
            compared.
    """
    if counts.answers is None:
        raise InputError(
            f"an earlier version labelled some of {photos}, without what batches are compared by: "
            "label them again, into another --output"
        )
    counts.answers.check(photos)
    return Batch(photos, counts.answers, counts.failed, counts.learned_from, int8)


def sha256_of(description: ModelDescription) -> str:
    """Of all that makes a model; of one from before models had a seal, of its head."""
    return description.identity or description.head_sha256


def median(familiarity: list[int]) -> float:
    """The middle one of photos counted by hundredths, 0 to 1; 0 without photos."""
    left = (sum(familiarity) + 1) // 2
    for step, count in enumerate(familiarity):
        left -= count
        if left <= 0:
            return step / 100
    return 0.0


def reference_of(model_dir: Path, place: str = "") -> Reference:
    """What batches of a model's answers are compared with.

    Args:
        model_dir: the model; its metrics.json is in it where it was published, and beside it in the
            folder of a run.
        place: where a person finds the model, if `model_dir` is a copy of it.

    Raises:
        InputError: its figures are missing, damaged or of another model, or were measured before
            there were counts of answers among them.
    """
    named = place or str(model_dir)
    description = read_description(model_dir)
    if description.unknown is None:
        raise InputError(
            f"{named} has no rule for photos of none of its classes, so nothing tells how "
            "familiar photos look to it: train it again with this version"
        )
    again = (
        "train and publish a new one with this version, or measure it: python -m "
        f"components.evaluate --model_dir {named} --training … --demo … --metrics {METRICS} "
        f"--report report.html, and put {METRICS} where the old one is"
    )
    path = next(
        (one for one in (model_dir / METRICS, model_dir.parent / METRICS) if one.is_file()), None
    )
    if path is None:
        raise InputError(
            f"{METRICS} of {named} is missing, so nothing is known of the model's answers to its "
            f"demo photos: {again}"
        )
    content = sealed.read(path, sealed.METRICS)
    if content.get("head_sha256") != description.head_sha256:
        raise InputError(f"{METRICS} of {named} holds the figures of another model: {again}")
    if answer_counts.FIELD not in content:
        raise InputError(
            f"{METRICS} of {named} does not say what the model answered to its demo photos, which "
            f"an earlier version did not write there: {again}"
        )
    counts = AnswerCounts.parse(content[answer_counts.FIELD], f"{METRICS} of {named}", again)
    return Reference(counts, description.unknown.false_rejection_rate, description)


def earlier_batch(place: str, sha256: str) -> Earlier:
    """The counts of an earlier batch; without them where another model has answered it.

    Args:
        place: what its `--watch` or `--output` named: a folder, gs://… or s3://….
        sha256: of the model that answers now.

    Raises:
        InputError: there is no such batch, or it is damaged.
        WorkError: the store cannot be reached.
    """
    found = job.Answers(place)
    for name in (DOCUMENT, job.SUMMARY):
        data = found.find(name)
        if data is None:
            continue
        whole = f"{found.place}/{name}"
        if name == DOCUMENT:
            content: Mapping[str, Any] = sealed.parse(data, whole, KIND)
        else:
            content = parts.parse_summary(data, whole)
        if parts.ANSWERS not in content:
            raise InputError(
                f"{whole} was written by an earlier version, without what batches are compared by: "
                "label that batch again, into another --output"
            )
        if content.get("model_sha256") != sha256:
            version = content.get("model")
            return Earlier(place, None, f"the model {version!s:.20} answered it, not this one")
        return Earlier(place, AnswerCounts.parse(content[parts.ANSWERS], whole))
    raise InputError(
        f"{place} holds neither {DOCUMENT} nor {job.SUMMARY}: name the folder that --watch or "
        "--output of the earlier batch named"
    )


def compare(batch: Batch, reference: Reference, earlier: Earlier | None = None) -> Comparison:
    """Compare a batch, and say in a line of the log what came of it."""
    found = drift.find(
        batch.counts,
        reference.counts,
        reference.rejected_below,
        earlier.counts if earlier else None,
    )
    compared = Comparison(batch, reference, earlier, found)
    if earlier and earlier.problem:
        warn(f"the classes were not compared with {as_text(earlier.place)}: {earlier.problem}")
    (warn if compared.alarm else log.info)(told(compared))
    return compared


def told(compared: Comparison) -> str:
    """What came of it, in one line."""
    batch, demo = compared.batch.counts, compared.reference.counts
    if compared.too_few and not compared.alarm:
        return (
            f"drift: too few photos to tell: {counted(batch.photos, 'photo')} that the model did "
            f"not learn from, {demo.photos} of the demo; {drift.FEWEST} of each are needed"
        )
    words = "drift: alarm" if compared.alarm else "drift: no alarm"
    middle, of_demo = compared.medians
    none, demo_none = compared.none
    said = {
        drift.FAMILIARITY: f"median familiarity {middle:.2f}, of the demo photos {of_demo:.2f}",
        drift.NONE: f"none of these {none.count:.0f} of {none.total:.0f}, of the demo photos "
        f"{demo_none.count:.0f} of {demo_none.total:.0f}",
        drift.CLASSES: "classes compared with the earlier batch",
    }
    found = [
        f"{said[one.what]} (p {one.adjusted:.4f}{', ALARM' if one.alarm else ''})"
        for one in compared.findings
    ]
    return f"{words}: {'; '.join(found)}"


def write(place: str, compared: Comparison) -> None:
    """Write the page and the figures to a folder, gs://… or s3://….

    Raises:
        InputError, WorkError: the place cannot be written to.
    """
    from components.label_image import watch_page

    target = job.Answers(place)
    target.write(PAGE, watch_page.render(compared).encode(), what="the comparison's page")
    target.write(DOCUMENT, compared.to_json().encode(), what="the comparison")
    log.info("drift: %s/%s", target.place, PAGE)
