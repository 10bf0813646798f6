"""gallery.html: the demo photos with the model's answers, for people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from components.common.dataset.photo import Photo
from components.common.model.description import ModelDescription
from components.common.model.model_place import version_of
from components.common.pages.report import (
    attribution,
    bars,
    class_name,
    escape,
    identity,
    notices,
    page,
    percent,
    picture,
    verdict,
)
from components.common.photos import thumbnails as page_thumbnails

TOP_K = 3
# A page of 1,500 photos stays below 5 MB; twice as many pictures would be too small to be seen.
MAX_WITH_MAPS = 400
MAX_WIDE = 250  # more photos, smaller cards
# The cards of so many photos take 0.6 MB; their pictures grow by a third in base64.
PICTURES_MAX_BYTES = 3_200_000

# A photo's state: the answer "none of these" is neither right nor wrong.
RIGHT, WRONG, UNKNOWN = "right", "wrong", "unknown"
WORDS = {RIGHT: "Right", WRONG: "Wrong", UNKNOWN: "None of these"}

MAPS = (
    "Why an answer? Point at a photo, or use the switch. What spoke for the likeliest class stays "
    "lit, most of it within the yellow line; the rest is dark. This is a class activation map, "
    "exact for this network."
)
NO_MAPS = (
    f"Of more than {MAX_WITH_MAPS} photos, the pictures of what spoke for each answer are left "
    "out, so that the page stays small."
)

# The two pictures of a card lie upon each other. The switch works without the script.
CSS = """
.tiles .card .pair { display: grid; flex: none; padding: 0; overflow: hidden; }
.tiles .pair img { grid-area: 1 / 1; width: 100%; height: 100%; min-width: 0; min-height: 0; }
.tiles .pair img { border-radius: 0; }
.pair img + img { visibility: hidden; }
.pair:hover img + img { visibility: visible; }
main:has(#why:checked) .pair img + img { visibility: visible; }
.tiles .unknown { border: 1px dashed var(--muted); border-top: 4px dashed var(--muted); }
.counts { display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; margin: .5rem 0; padding: 0; }
.counts { list-style: none; }
.counts svg { width: 1.1em; height: 1.1em; margin-right: .4em; vertical-align: -.18em; }
.counts .right { color: var(--right); }
.counts .wrong { color: var(--wrong); }
.filter .switch { font-weight: 600; }
@media print { .pair img + img { visibility: hidden !important; } }
"""
_ICON = (
    '<svg width="0" height="0" aria-hidden="true"><defs><symbol id="unknown" viewBox="0 0 20 20">'
    '<circle cx="10" cy="10" r="9" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-dasharray="3.5 2"/><path d="M7.4 8a2.6 2.6 0 1 1 3.9 2.2c-.9.5-1.3.9-1.3 1.9" '
    'fill="none" stroke="currentColor" stroke-width="2"/>'
    '<circle cx="10" cy="14.6" r="1.2" fill="currentColor"/></symbol></defs></svg>'
)

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
for (const part of filter.querySelectorAll("[hidden]")) part.hidden = false;
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
        why: JPEG, the same with what spoke for the likeliest class; empty without.
        unknown: True where the model says that it is probably none of the classes.
        familiarity: which share of photos of the classes looks stranger, 0 to 1; None if not known.
        probabilities: of all classes, in the model's order.
    """

    photo: Photo
    top: tuple[tuple[str, float], ...]
    thumbnail: bytes
    why: bytes = b""
    unknown: bool = False
    familiarity: float | None = None
    probabilities: tuple[float, ...] = ()

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
        """True where the likeliest class is the true one, whatever the rule for unknown says."""
        return self.predicted == self.label

    @property
    def state(self) -> str:
        """What the answer is: `UNKNOWN` where it is "none of these", else `RIGHT` or `WRONG`."""
        if self.unknown:
            return UNKNOWN
        return RIGHT if self.right else WRONG


@dataclass(frozen=True)
class Gallery:
    """What gallery.html shows."""

    model: ModelDescription
    photos: tuple[Labelled, ...]


@dataclass(frozen=True)
class _Card:
    """A photo with its pictures, made to fit the page."""

    labelled: Labelled
    thumbnail: bytes
    why: bytes


def render(gallery: Gallery) -> str:
    """The gallery as one self-contained HTML file."""
    photos = gallery.photos
    top = notices(rendered=gallery.model.rendered)
    title = "What does the model see?"
    model = gallery.model
    subtitle = (
        "The demo photos, kept from the training, with the model's answers. "
        f"{model.architecture}, {len(model.classes)} classes."
    )
    about = identity(version_of(model), model.manifest_sha256)
    if not photos:
        none = f'{top}<p class="panel">There are no demo photos.</p>'
        return page(title, subtitle, none, identity=about)
    cards, dense = _fitted(photos)
    layout = "cards tiles dense" if dense else "cards tiles"
    by_class: dict[str, list[_Card]] = {}
    for card in cards:
        by_class.setdefault(card.labelled.label, []).append(card)
    labels = sorted(by_class)
    groups = (
        f'<section class="group" id="class-{index}">\n'
        f"{_heading(label, by_class[label], known=label in gallery.model.classes)}\n"
        f'<ul class="{layout}">\n{_cards(by_class[label])}\n</ul>\n</section>'
        for index, label in enumerate(labels)
    )
    with_maps = any(card.why for card in cards)
    body = [_ICON, top, _headline(photos), _filter(photos, labels, with_maps=with_maps), *groups]
    return page(title, subtitle, "\n".join(body), script=SCRIPT, css=CSS, identity=about)


def _fitted(photos: Sequence[Labelled]) -> tuple[list[_Card], bool]:
    """The photos with pictures that fit a page, and whether the cards shall be small."""
    with_maps = len(photos) <= MAX_WITH_MAPS
    given = [photo.thumbnail for photo in photos]
    if with_maps:
        given += [photo.why for photo in photos]
        fitted = page_thumbnails.fit(given, PICTURES_MAX_BYTES)
    else:
        fitted = page_thumbnails.fit(given)
    thumbnails = fitted[: len(photos)]
    maps = fitted[len(photos) :] if with_maps else [b""] * len(photos)
    cards = [_Card(*one) for one in zip(photos, thumbnails, maps, strict=True)]
    return cards, fitted is not given and len(photos) > MAX_WIDE


def _headline(photos: Sequence[Labelled]) -> str:
    right = sum(photo.right for photo in photos)
    states = Counter(photo.state for photo in photos)
    counts = "".join(
        f'<li class="{state}">{_state(state)}: {states[state]}</li>' for state in WORDS
    )
    among = sum(photo.right for photo in photos if photo.unknown)
    note = f"{_none_of_these(states[UNKNOWN], among, right)} " if states[UNKNOWN] else ""
    share = f'<span class="whole">{percent(right / len(photos))}</span>'
    return f"""<section class="panel hero" aria-label="Result">
<p><strong>{right} of {len(photos)} demo photos right: {share}</strong></p>
<ul class="counts">{counts}</ul>
<p class="scale">{note}How sure one may be of such a figure is in the report of the evaluation.</p>
</section>"""


def _none_of_these(called: int, among: int, right: int) -> str:
    """Which of the photos called none of these count as right, since accuracy goes by the class.

    Args:
        called: photos that are called none of these.
        among: those of them whose likeliest class is the right one.
        right: all photos whose likeliest class is the right one.
    """
    if called == 1:
        said = f"right, so it counts among the {right}" if among else "wrong, so it does not count"
        return f"1 is called none of these; its likeliest class is {said}."
    if not among:
        said = "wrong for all of them, so none of them counts"
    elif among == called:
        said = f"right for all of them, so they count among the {right}"
    else:
        count = "counts" if among == 1 else "count"
        said = (
            f"right for {among} of them, which {count} among the {right}, and wrong for "
            f"{called - among}"
        )
    return f"{called} are called none of these; the likeliest class is {said}."


def _filter(photos: Sequence[Labelled], labels: Sequence[str], *, with_maps: bool) -> str:
    """The controls; those that need the script are hidden until it shows them."""
    states = Counter(photo.state for photo in photos)
    answers = "".join(
        f'<label><input type="radio" name="answer" value="{value}"{checked}> {text} '
        f"<small>{count}</small></label>"
        for value, text, count, checked in (
            ("all", "All", len(photos), " checked"),
            *((state, word, states[state], "") for state, word in WORDS.items()),
        )
    )
    options = "".join(
        f'<option value="class-{index}">{escape(label)}</option>'
        for index, label in enumerate(labels)
    )
    switch = note = ""
    if with_maps:
        switch = (
            '<label class="switch"><input type="checkbox" id="why" autocomplete="off"> '
            "Show why</label>"
        )
        note = MAPS
    elif len(photos) > MAX_WITH_MAPS:
        note = NO_MAPS
    if note:
        note = f'<p class="muted">{escape(note)}</p>\n'
    hidden = "" if with_maps else " hidden"
    return f"""{note}<div class="filter" id="filter" role="search" \
aria-label="Filter the photos"{hidden}>
<fieldset hidden><legend>Answers</legend>{answers}</fieldset>
<label hidden>Class <select><option value="all">all</option>{options}</select></label>
{switch}
<output id="count" aria-live="polite"></output>
</div>"""


def _heading(label: str, cards: Sequence[_Card], *, known: bool) -> str:
    states = Counter(card.labelled.state for card in cards)
    unknown = f", {states[UNKNOWN]} none of these" if states[UNKNOWN] else ""
    counted = f"{states[RIGHT]} of {len(cards)} right{unknown}"
    if not known:
        counted = (
            f"a class that the model does not know: {states[UNKNOWN]} of {len(cards)} called none "
            "of these"
        )
    return f"<h2>{class_name(label)} <small>{counted}</small></h2>"


def _cards(cards: Sequence[_Card]) -> str:
    return "\n".join(map(_card, cards))


def _card(card: _Card) -> str:
    photo = card.labelled
    # A right answer is the class that the group is named for.
    answer = f": {class_name(photo.predicted)}" if photo.state == WRONG else ""
    share = "" if photo.unknown else f", {percent(photo.top[0][1])}"
    about = attribution(photo.photo)
    return (
        f'<li class="card {photo.state}">{_pictures(card)}<div>'
        f'<h3 class="verdict">{_state(photo.state)}{answer}{share}</h3>'
        f"{_stranger(photo)}{bars(photo.top[:TOP_K], photo.label)}{about}</div></li>"
    )


def _pictures(card: _Card) -> str:
    photo = card.labelled
    shown = picture(card.thumbnail, f"Photo of {photo.label}")
    if not card.why:
        return shown
    why = picture(card.why, f"What of it spoke for {photo.predicted}")
    return f'<div class="pair">{shown}{why}</div>'


def _stranger(photo: Labelled) -> str:
    if not photo.unknown or photo.familiarity is None:
        return ""
    return f'<p class="muted">Stranger than {percent(1 - photo.familiarity)} of their photos.</p>'


def _state(state: str) -> str:
    """The word for a state with its icon."""
    if state == UNKNOWN:
        return f'<svg aria-hidden="true"><use href="#unknown"/></svg>{WORDS[UNKNOWN]}'
    return verdict(state == RIGHT)
