"""All photos of a bucket or folder, into parts of answers: from options to a finished job.

On a command line one process does all of it. In a pipeline the first task lists the photos, tasks
side by side label a share each, and the last one sums up; what they share is the answers' place.
"""

from dataclasses import dataclass
from pathlib import Path

from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir, write_file
from components.common.base.step import log, step, warn
from components.common.model.description import read_description
from components.common.model.model_place import local_model, pinned, version_of
from components.common.store import storage
from components.label_image import job as jobs
from components.label_image import parts, totals, watch
from components.label_image.job import Answers, Job, Model
from components.label_image.options import AnswerOptions
from components.label_image.parts import Counts
from components.label_image.watch import Comparison


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        photos: a folder, gs://bucket/photos or s3://bucket/photos.
        model: where the model is, or the folder that it is published in.
        output: where the answers go.
        options: how they are written.
    """

    photos: str
    model: str
    output: str
    options: AnswerOptions


def label_place(asked: Asked, cache_dir: Path, share: str = "") -> Counts:
    """Label all photos of a place, or go on with what an earlier run has left.

    Args:
        asked: what is to be labelled, and how.
        cache_dir: where models of buckets are kept.
        share: such as "2/4", for one of four processes; empty for all.

    Returns:
        What became of the share's photos.

    Raises:
        InputError: a place or an option makes no sense, or the answers' place holds another job.
        WorkError: a store cannot be reached, or the disk is full.
    """
    job, answers, model_dir = _open_or_begin(asked, cache_dir)
    counts = parts.label(job, answers, model_dir, share)
    if parts.sum_up(job, answers) is None:
        done = len(jobs.done_parts(job, answers))
        log.info(
            "label photos: other shares are not done yet: %s", jobs.told_of(job, answers, done)
        )
    else:
        log.info("label photos: all %s", jobs.told_of(job, answers, job.parts))
    return counts


@step("list_photos")
def list_photos(asked: Asked, count: int) -> list[str]:
    """Begin a job in a pipeline, or find the one that was begun; its shares, such as "2/4".

    Args:
        asked: what is to be labelled, and how.
        count: of the shares; there are never more than parts of the answers.

    Raises:
        InputError, WorkError: as `label_place`.
    """
    if count < 1:
        raise InputError(f"parts is {count}: expected 1 or more")
    job, answers, _ = _open_or_begin(asked, default_cache_dir())
    log.info("listed: %s", jobs.told_of(job, answers, len(jobs.done_parts(job, answers))))
    shares = min(count, job.parts)
    return [f"{number}/{shares}" for number in range(1, shares + 1)]


@step("label_part")
def label_share(output: str, share: str) -> Counts:
    """Label one share of a job, as `list_photos` began it.

    Raises:
        InputError, WorkError: as `label_place`, and that no job was begun.
    """
    job, answers = _begun(output)
    model_dir = local_model(job.model.place, default_cache_dir())
    _check_model(job, model_dir)
    return parts.label(job, answers, model_dir, share)


@step("sum_answers")
def sum_answers(output: str, page: Path) -> Counts:
    """Write the summary of a job beside its answers, and the same as a page.

    Raises:
        InputError, WorkError: as `label_place`, and that parts are missing.
    """
    job, answers = _begun(output)
    counts = parts.sum_up(job, answers)
    if counts is None:
        done = len(jobs.done_parts(job, answers))
        raise InputError(f"parts are missing: {jobs.told_of(job, answers, done)}: run it again")
    write_file(page, totals.render(job, answers.place, counts), what="the summary's page")
    return counts


@step("watch_answers")
def watch_answers(output: str, earlier: str, page: Path) -> dict[str, float]:
    """Compare a job's answers with those to the demo photos; drift.html and drift.json beside them.

    Args:
        output: the answers' place.
        earlier: that of an earlier batch; empty for none.
        page: HTML file to write, the same page.

    Returns:
        What runs are compared by; empty where the model does not say what it answered to its demo
        photos, or the batch is of an earlier version: the page says so.

    Raises:
        InputError, WorkError: as `label_place`, and that parts are missing.
    """
    from components.label_image import watch_page

    job, answers = _begun(output)
    counts = parts.total(answers, range(job.parts))
    model_dir = local_model(job.model.place, default_cache_dir())
    _check_model(job, model_dir)
    try:
        reference = watch.reference_of(model_dir, job.model.place)
        compared = _compare_job(job, counts, reference, earlier)
    except InputError as error:  # labelling has succeeded whatever is known of the model
        warn(f"the answers were not compared: {error}")
        write_file(page, watch_page.render_problem(str(error)), what="the comparison's page")
        return {}
    watch.write(answers.place, compared)
    write_file(page, watch_page.render(compared), what="the comparison's page")
    return compared.figures()


def _compare_job(job: Job, counts: Counts, reference: watch.Reference, earlier: str) -> Comparison:
    """Compare the answers of a job that is done.

    Raises:
        InputError: a part was labelled by an earlier version, or there is no such earlier batch.
        WorkError: the store cannot be reached.
    """
    before = watch.earlier_batch(earlier, reference.sha256) if earlier else None
    batch = watch.batch_of(counts, job.photos, int8=job.options.int8)
    return watch.compare(batch, reference, before)


def _open_or_begin(asked: Asked, cache_dir: Path) -> tuple[Job, Answers, Path]:
    asked.options.check()
    place, answers = jobs.as_place(asked.photos), Answers(asked.output)
    if answers.place == place:
        raise InputError(f"--output is {asked.output}, where the photos are: name another place")
    model_place = pinned(asked.model)
    model_dir = local_model(model_place, cache_dir)
    if not storage.is_uri(model_place):
        model_place = str(model_dir.absolute())
    model = _model_of(model_dir, model_place)
    job = jobs.open_job(answers)
    if job is None:
        job = jobs.begin(answers, place, model, asked.options)
    else:
        jobs.check_same(job, answers, place, model, asked.options)
    return job, answers, model_dir


def _begun(output: str) -> tuple[Job, Answers]:
    answers = Answers(output)
    job = jobs.open_job(answers)
    if job is None:
        raise InputError(f"{answers.place} holds no {jobs.JOB}: list the photos first")
    return job, answers


def _check_model(job: Job, model_dir: Path) -> None:
    found = _model_of(model_dir, job.model.place)
    if found.sha256 != job.model.sha256:
        raise InputError(
            f"{job.model.place} is another model than when the photos were listed: "
            f"{found.version}, and not {job.model.version}"
        )


def _model_of(model_dir: Path, place: str) -> Model:
    description = read_description(model_dir)
    return Model(place, version_of(description), watch.sha256_of(description))
