"""Words of pages that depend on what the classes are kinds of: questions, warnings, captions.

The warning of mushrooms stays wherever they may be meant: only a subject that says something else
takes it away. Where it is stated what may be eaten, whatever it is, a warning of eating stays too.
"""

from dataclasses import dataclass

from components.common.dataset.class_facts import ANY, FUNGI, ClassFacts
from components.common.pages.text import RENDERED, WARNING

_OF_EATING = (
    "Never eat anything because of what this program says. A mistake can kill, photographs cannot "
    "show every mark that matters, and the program knows only the classes it was trained on. Ask "
    "an expert who can examine it by hand."
)
_OF_ERRORS = (
    "This program can be wrong, and it knows only the classes it was trained on. Photographs "
    "cannot show every mark that matters."
)


@dataclass(frozen=True)
class Words:
    """What pages say.

    Attributes:
        question: asked of a photo, with a question mark.
        invitation: to whoever has a camera.
        others: what can be said of things that are none of the classes.
        warning: on every page.
        caution: beside an answer; empty where nobody would eat the thing.
        real: what figures of drawings say nothing about.
        rendered: that the model learned from drawings.
        of_fungi: the classes are fungi.
        of_eating: a mistake could be eaten.
    """

    question: str
    invitation: str
    others: str
    warning: str
    caution: str
    real: str
    rendered: str
    of_fungi: bool
    of_eating: bool


def words(facts: ClassFacts = ClassFacts()) -> Words:
    """The words for classes of which this is known."""
    of_fungi = facts.subject == FUNGI
    # "any" says nothing against mushrooms.
    of_mushrooms = facts.subject in (FUNGI, ANY)
    of_eating = of_mushrooms or facts.states_edibility
    if of_mushrooms:
        warning = WARNING
        caution = "Do not eat it because of this answer. Deadly mushrooms look like good ones."
    else:
        warning = _OF_EATING if of_eating else _OF_ERRORS
        caution = "Do not eat it because of this answer: it may be wrong." if of_eating else ""
    kind, real = ("mushroom", "mushrooms") if of_fungi else ("thing", "photographs")
    return Words(
        question="Which mushroom is this?" if of_fungi else "What is this?",
        invitation=f"Take a photo{' of a mushroom' if of_fungi else ''}, or choose one",
        others=f"For any other {kind}, the best possible answer is “none of these”.",
        warning=warning,
        caution=caution,
        real=f"real {real}",
        rendered=RENDERED.replace("mushrooms", real),
        of_fungi=of_fungi,
        of_eating=of_eating,
    )
