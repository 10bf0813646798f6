"""change.html: what has changed since the published model."""

from components.common.model.model_place import version_of
from components.common.pages import page
from components.common.pages.text import percent
from components.publish.changes import LEVEL, Changes, ClassFigures, ClassPhotos
from components.publish.decision import PUBLISH, Decision
from components.publish.paired import Answer

MOST_CLASSES = 200  # rows of a table


def render(changes: Changes, decided: Decision) -> str:
    """The page as one self-contained HTML file."""
    compared = changes.compared
    return page.render(
        __file__,
        changes=changes,
        problem="",
        model=changes.challenger,
        version=version_of(changes.challenger),
        before=version_of(changes.champion),
        name=decided.name,
        published=decided.decision == PUBLISH,
        reason=decided.reason,
        difference=f"{_points(compared.difference)} points",
        interval=" to ".join(map(_points, compared.interval)),
        photos=[_photo_row(one) for one in changes.photos[:MOST_CLASSES]],
        total=_total(changes),
        classes=[_class_row(one) for one in changes.classes[:MOST_CLASSES]],
        left_out=max(0, max(len(changes.photos), len(changes.classes)) - MOST_CLASSES),
        said=said,
        level=LEVEL,
    )


def render_nothing(reason: str) -> str:
    """The page where nothing is compared, and why."""
    return page.render(__file__, changes=None, problem=reason, model=None)


def said(answer: Answer) -> str:
    """What a model says of a photo, in words."""
    if not answer.closest:
        return "cannot be decoded"
    sure = f"{answer.closest}, {percent(answer.probability)}"
    return f"None of these; closest: {sure}" if answer.unknown else sure


def _points(difference: float) -> str:
    """A difference of shares, in points of percent."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def _photo_row(one: ClassPhotos) -> tuple[str, ...]:
    counts = (one.before, one.now, one.new, one.gone, one.moved_in, one.moved_out)
    return one.label, *map(str, counts)


def _total(changes: Changes) -> dict[str, int]:
    """The photos of all classes together."""
    names = ("before", "now", "new", "gone", "moved_in")
    return {name: sum(getattr(one, name) for one in changes.photos) for name in names}


def _class_row(one: ClassFigures) -> tuple[str, ...]:
    compared = one.compared
    change = compared.challenger_right - compared.champion_right
    verdict = "no change" if change == 0 else "better" if change > 0 else "worse"
    if change and one.surely:
        verdict = f"surely {verdict}"
    return (
        one.label,
        str(compared.photos),
        str(compared.champion_right),
        str(compared.challenger_right),
        str(compared.only_champion),
        str(compared.only_challenger),
        f"{one.adjusted:.3f}",
        verdict,
    )
