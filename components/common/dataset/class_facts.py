"""What is known of the classes beside their photos: their subject, and which are dangerous.

A person states it in species.yaml. It travels with the photos, in dataset.json, and with what was
made of them, in model.json. Nothing here is leave to eat: it says whose mistakes are dangerous, and
which words fit on a page.
"""

import functools
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from components.common.base.errors import InputError
from components.common.base.options import option
from components.common.base.wording import joined
from components.common.dataset.photo import check_label

EDIBILITIES = ("deadly", "poisonous", "inedible", "edible", "unknown")
DEADLY, POISONOUS, INEDIBLE, EDIBLE, UNKNOWN = EDIBILITIES
DANGEROUS = (DEADLY, POISONOUS)
FUNGI = "fungi"
ANY = "any"  # things of every kind
MAX_CLASSES = 100_000
# No marks that mean something on a page, in Markdown or to a terminal.
_SUBJECT = r"[^\W\d_][^\x00-\x1f\x7f<>&{}\[\]`*_|\\]{0,39}"
_SUBJECT_FORM = "a word or phrase of at most 40 characters"
# Whoever calls them mushrooms means fungi, and keeps the warning that belongs to them.
_OF_FUNGI = re.compile(r"\b(?:fung(?:i|us)|mushrooms?|toadstools?)\b", re.IGNORECASE)

# The option of every step that heeds it.
subject_option = functools.partial(
    option,
    "",
    "what the classes are kinds of, such as fungi or flowers; any: mixed classes; empty: what "
    "species.yaml says, else fungi",
    pattern=f"(?:{_SUBJECT})?",
    form=_SUBJECT_FORM,
)


@dataclass(frozen=True)
class ClassFacts:
    """What is known of the classes of a dataset or a model.

    Attributes:
        subject: what the classes are kinds of: `FUNGI`, another word such as "flowers", or `ANY`.
        edibility: one of `EDIBILITIES` by class; a class that is not named is `UNKNOWN`.
        others: classes that stand for "something else": they hold things of no one kind.
    """

    subject: str = FUNGI
    edibility: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    def edibility_of(self, label: str) -> str:
        """One of `EDIBILITIES`."""
        return self.edibility.get(label, UNKNOWN)

    def is_dangerous(self, label: str) -> bool:
        """True for a deadly or poisonous class."""
        return self.edibility_of(label) in DANGEROUS

    @property
    def states_edibility(self) -> bool:
        """True where the edibility of at least one class is known."""
        return any(value != UNKNOWN for value in self.edibility.values())

    def of_classes(self, labels: Collection[str]) -> "ClassFacts":
        """The facts of these classes alone."""
        return ClassFacts(
            self.subject,
            {label: value for label, value in sorted(self.edibility.items()) if label in labels},
            tuple(sorted(set(self.others) & set(labels))),
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them, the same for the same facts."""
        return {
            "subject": self.subject,
            "edibility": dict(sorted(self.edibility.items())),
            "others": sorted(self.others),
        }

    @classmethod
    def parse(cls, content: object, labels: Collection[str] | None = None) -> Self:
        """The facts of a document's field.

        Args:
            content: what `to_json` made; None where a document of earlier has no such field.
            labels: the classes that may be named; None for any that could be one.

        Raises:
            ValueError: a field is unknown, of the wrong type, or has a value that it cannot have.
        """
        if content is None:
            return cls()
        if not isinstance(content, Mapping) or not set(content) <= set(cls.__dataclass_fields__):
            raise ValueError(f"its facts are {content!r:.80}: expected {_FIELDS}")
        edibility, others = content.get("edibility", {}), content.get("others", [])
        if not isinstance(edibility, Mapping) or not isinstance(others, list | tuple):
            raise ValueError(f"its facts are {content!r:.80}: expected {_FIELDS}")
        if max(len(edibility), len(others)) > MAX_CLASSES:
            raise ValueError(f"its facts name more than {MAX_CLASSES} classes")
        try:
            _check_classes([*edibility, *others], labels)
            checked = {label: check_edibility(value) for label, value in edibility.items()}
            subject = check_subject(content.get("subject", FUNGI))
        except InputError as error:
            raise ValueError(f"its facts: {error}") from error
        return cls(subject, checked, tuple(others))


_FIELDS = joined(ClassFacts.__dataclass_fields__)


def _check_classes(named: list[object], labels: Collection[str] | None) -> None:
    known = None if labels is None else set(labels)
    for label in named:
        if not isinstance(label, str):
            raise InputError(f"the class {label!r:.80} is not a text")
        if known is None:
            check_label(label)
        elif label not in known:
            raise InputError(f"{label!r:.120} is none of the classes")


def check_edibility(value: object) -> str:
    """Return `value` if it is one of `EDIBILITIES`.

    Raises:
        InputError: it is not.
    """
    if not isinstance(value, str) or value not in EDIBILITIES:
        raise InputError(f"the edibility {value!r:.80} is none of {joined(EDIBILITIES, 'or')}")
    return value


def check_subject(value: object) -> str:
    """The subject that `value` names: whatever speaks of fungi or mushrooms is `FUNGI`.

    Raises:
        InputError: it is no word or short phrase.
    """
    subject = " ".join(value.split()) if isinstance(value, str) else ""
    if not subject.isprintable() or not re.fullmatch(_SUBJECT, subject):
        raise InputError(f"the subject {value!r:.80} is not {_SUBJECT_FORM}")
    if _OF_FUNGI.search(subject):
        return FUNGI
    return ANY if subject.casefold() == ANY else subject


def combine(several: Iterable[ClassFacts], subject: str = "") -> ClassFacts:
    """The facts of several datasets together.

    Args:
        several: theirs.
        subject: which a person asked for; empty: theirs.

    Raises:
        InputError: two datasets differ in their subject, or in the edibility of a class.
    """
    edibility: dict[str, str] = {}
    others: set[str] = set()
    subjects: set[str] = set()
    for facts in several:
        subjects.add(facts.subject)
        others.update(facts.others)
        for label, value in facts.edibility.items():
            if edibility.setdefault(label, value) != value:
                raise InputError(
                    f"the datasets differ in the edibility of {label!r}: {edibility[label]} and "
                    f"{value}; state one in species.yaml and make them again"
                )
    if subject:
        subjects = {check_subject(subject)}
    if len(subjects) > 1:
        raise InputError(
            f"the datasets differ in their subject ({', '.join(sorted(subjects))}): choose one "
            "(--subject)"
        )
    chosen = subjects.pop() if subjects else FUNGI
    return ClassFacts(chosen, edibility, tuple(sorted(others))).of_classes({*edibility, *others})
