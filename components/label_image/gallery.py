"""gallery.html: the demo photos with the model's answers, for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.common import thumbnails as page_thumbnails
from components.common.model import ModelDescription
from components.common.photo import Photo
from components.common.report import (
    attribution,
    bars,
    escape,
    notices,
    page,
    percent,
    picture,
    verdict,
)

TOP_K = 3

SCRIPT = """
const filter = document.getElementById("filter");
const groups = Array.from(document.querySelectorAll(".group"));
function apply() {
  const answer = filter.querySelector("input:checked").value;
  const chosen = filter.querySelector("select").value;
  let total = 0, shown = 0;
  for (const group of groups) {
    let visible = 0;
    for (const card of group.querySelectorAll(".card")) {
      const fits = answer === "all" || card.classList.contains(answer);
      card.hidden = !(fits && (chosen === "all" || chosen === group.id));
      visible += card.hidden ? 0 : 1;
      total += 1;
    }
    group.hidden = visible === 0;
    shown += visible;
  }
  document.getElementById("count").textContent = shown + " of " + total + " photos shown";
}
filter.addEventListener("change", apply);
filter.hidden = false;
apply();
"""


@dataclass(frozen=True)
class Labelled:
    """One photo with the answer.

    Attributes:
        photo: its row of the manifest, with the true class.
        top: likeliest classes with probabilities, likeliest first.
        thumbnail: JPEG.
    """

    photo: Photo
    top: tuple[tuple[str, float], ...]
    thumbnail: bytes

    @property
    def label(self) -> str:
        """The true class."""
        return self.photo.label

    @property
    def predicted(self) -> str:
        """The likeliest class."""
        return self.top[0][0]

    @property
    def right(self) -> bool:
        """True where the likeliest class is the true one."""
        return self.predicted == self.label


@dataclass(frozen=True)
class Gallery:
    """What gallery.html shows."""

    model: ModelDescription
    photos: tuple[Labelled, ...]


def render(gallery: Gallery) -> str:
    """The gallery as one self-contained HTML file."""
    photos = gallery.photos
    top = notices(rendered=gallery.model.rendered)
    title = "What does the model see?"
    subtitle = "The demo photos, kept from the training, with the model's answers."
    if not photos:
        return page(title, subtitle, f'{top}<p class="panel">There are no demo photos.</p>')
    given = [photo.thumbnail for photo in photos]
    thumbnails = page_thumbnails.fit(given)
    layout = "cards tiles" if thumbnails is given else "cards tiles dense"
    by_class: dict[str, list[tuple[Labelled, bytes]]] = {}
    for photo, thumbnail in zip(photos, thumbnails, strict=True):
        by_class.setdefault(photo.label, []).append((photo, thumbnail))
    labels = sorted(by_class)
    groups = (
        f'<section class="group" id="class-{index}">\n'
        f"{_heading(label, by_class[label], known=label in gallery.model.classes)}\n"
        f'<ul class="{layout}">\n{_cards(by_class[label])}\n</ul>\n</section>'
        for index, label in enumerate(labels)
    )
    body = [top, _headline(photos), _filter(labels), *groups]
    return page(title, subtitle, "\n".join(body), script=SCRIPT)


def _headline(photos: Sequence[Labelled]) -> str:
    right = sum(photo.right for photo in photos)
    return f"""<section class="panel hero" aria-label="Result">
<p><strong>{right} of {len(photos)} demo photos right: {percent(right / len(photos))}</strong></p>
<p class="scale">How sure one may be of such a figure is in the report of the evaluation.</p>
</section>"""


def _filter(labels: Sequence[str]) -> str:
    """The controls, hidden until the script, which they need, shows them."""
    answers = "".join(
        f'<label><input type="radio" name="answer" value="{value}"{checked}> {text}</label>'
        for value, text, checked in (
            ("all", "All", " checked"),
            ("right", "Right", ""),
            ("wrong", "Wrong", ""),
        )
    )
    options = "".join(
        f'<option value="class-{index}">{escape(label)}</option>'
        for index, label in enumerate(labels)
    )
    return f"""<div class="filter" id="filter" role="search" aria-label="Filter the photos" hidden>
<fieldset><legend>Answers</legend>{answers}</fieldset>
<label>Class <select><option value="all">all</option>{options}</select></label>
<output id="count" aria-live="polite"></output>
</div>"""


def _heading(label: str, photos: Sequence[tuple[Labelled, bytes]], *, known: bool) -> str:
    right = sum(photo.right for photo, _ in photos)
    note = "" if known else ", a class that the model does not know"
    return f"<h2>{escape(label)} <small>{right} of {len(photos)} right{note}</small></h2>"


def _cards(photos: Sequence[tuple[Labelled, bytes]]) -> str:
    return "\n".join(_card(photo, thumbnail) for photo, thumbnail in photos)


def _card(photo: Labelled, thumbnail: bytes) -> str:
    # A right answer is the class that the group is named for.
    answer = "" if photo.right else f": {escape(photo.predicted)}"
    about = attribution(photo.photo)
    return (
        f'<li class="card {"right" if photo.right else "wrong"}">'
        f"{picture(thumbnail, f'Photo of {photo.label}')}<div>"
        f'<h3 class="verdict">{verdict(photo.right)}{answer}, {percent(photo.top[0][1])}</h3>'
        f"{bars(photo.top[:TOP_K], photo.label)}{about}</div></li>"
    )
