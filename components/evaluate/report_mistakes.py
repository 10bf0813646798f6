"""The report's gallery of misclassified photos: what the model saw in them, the worst first."""

from collections.abc import Sequence

from components.common.pages.report import attribution, bars, class_name, escape, percent, picture
from components.common.photos import thumbnails
from components.evaluate.evaluation import Answer, Evaluation, Mistake
from components.evaluate.measure import TOP_K

CSS = """
.mistakes { grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }
.mistakes .card { flex-direction: column; gap: .6rem; }
.views { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .5rem; }
.views figure { margin: 0; min-width: 0; }
.views img, .views .nothing { width: 100%; height: auto; aspect-ratio: 1; }
.views img { display: block; object-fit: contain; background: var(--page); }
.views figcaption { font-size: .75rem; line-height: 1.3; color: var(--muted); margin-top: .25rem; }
.strange { border-left: 4px solid var(--muted); padding-left: .6rem; }
@media (max-width: 30rem) {
  .mistakes .card .views img, .mistakes .card .views .nothing { width: 100%; height: auto; }
}
"""


def mistakes(evaluation: Evaluation) -> str:
    """The misclassified photos as a section."""
    accuracy = evaluation.overall.accuracy
    wrong, shown = accuracy.total - accuracy.count, len(evaluation.mistakes)
    if not wrong:
        return "<h2>Mistakes</h2><p>None of these photos was misclassified.</p>"
    which = "All of them" if shown >= wrong else f"The {shown} worst of them"
    fitted = _fitted(evaluation.mistakes)
    cards = "\n".join(_card(mistake, evaluation.model.classes) for mistake in fitted)
    return f"""<h2>Mistakes <small>{wrong} of {accuracy.total} photos</small></h2>
<p class="muted">{which}, the worst first: the photo whose true class got the least probability.
What is in colour speaks for the class that is named below it, most of all within the yellow line
(class activation map).</p>
<ul class="cards mistakes">
{cards}
</ul>"""


def _fitted(given: Sequence[Mistake]) -> list[Mistake]:
    """The mistakes with pictures small enough for one page."""
    pictures = [
        one
        for mistake in given
        for one in (mistake.thumbnail, mistake.for_predicted, mistake.for_true)
    ]
    small = thumbnails.fit(pictures)
    return [
        Mistake(mistake.answer, *small[3 * place : 3 * place + 3])
        for place, mistake in enumerate(given)
    ]


def _card(mistake: Mistake, classes: tuple[str, ...]) -> str:
    answer = mistake.answer
    true, predicted = answer.photo.label, answer.predicted
    views = (
        (mistake.thumbnail, f"Photo of {true}", "The photo"),
        (
            mistake.for_predicted,
            f"What speaks for {predicted}",
            f"Speaks for {class_name(predicted)}",
        ),
        (
            mistake.for_true,
            f"What speaks for {true}",
            f"Speaks for {class_name(true)}, the true class",
        ),
    )
    pictures = "".join(
        f"<figure>{picture(jpeg, alt)}<figcaption>{caption}</figcaption></figure>"
        for jpeg, alt, caption in views
    )
    return (
        f'<li class="card"><div class="views">{pictures}</div><div>'
        f"<h3>{class_name(true)}, taken for {class_name(predicted)}</h3>"
        f"{_scores(answer, classes)}{_strange(answer)}"
        f'<p class="source">Part: {escape(answer.part)}</p>{attribution(answer.photo)}</div></li>'
    )


def _scores(answer: Answer, classes: tuple[str, ...]) -> str:
    """The likeliest classes as bars, and the true one's probability where it is not among them."""
    scores = dict(zip(classes, answer.probabilities, strict=True))
    top = sorted(scores.items(), key=lambda item: -item[1])[:TOP_K]
    below = ""
    if answer.photo.label not in dict(top):
        below = f"<p>The true class got {percent(scores[answer.photo.label])}.</p>"
    return f"{bars(top, answer.photo.label)}{below}"


def _strange(answer: Answer) -> str:
    """A line where the model said that the photo is none of the classes."""
    if not answer.unknown or answer.familiarity is None:
        return ""
    return (
        '<p class="strange">Called “none of these”: stranger than '
        f"{percent(1 - answer.familiarity)} of the photos of the classes.</p>"
    )
