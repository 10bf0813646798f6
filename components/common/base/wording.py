"""Counts and lists as people write them: 1 photo, 2 photos; a, b and 3 more."""

import re
import textwrap
from collections.abc import Iterable, Sequence

# What a terminal would obey and not show: control characters but the line's end and the tabulator,
# what turns the text around it, and halves of characters.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """The text for a terminal or a log, with replacement characters for what is no text."""
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


def as_text(name: str) -> str:
    r"""A name that any file can hold: what is no text in it becomes an escape, such as \udce4.

    File names may have bytes that are no UTF-8, and JSON halves of characters. Different names stay
    different.
    """
    return name.encode(errors="backslashreplace").decode()


def folded(text: str, width: int, *, indent: str = "  ") -> str:
    """The text in lines of at most `width` characters; a word that is longer stands alone.

    Args:
        text: of any number of lines, each of which is folded by itself.
        width: of a terminal, in characters.
        indent: what lines begin with that go on with one above, after that one's own blanks.
    """
    lines = []
    for line in text.split("\n"):
        own = line[: len(line) - len(line.lstrip(" "))]
        lines += textwrap.wrap(
            line,
            max(width, len(own + indent) + 20),
            subsequent_indent=own + indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [line]
    return "\n".join(lines)


def amount(count: float) -> str:
    """A count, or a mean of counts with one decimal: "81", "81.3"."""
    return f"{count:.1f}".removesuffix(".0")


def mean_amount(count: float) -> str:
    """As `amount`, and that it is a mean where it is none of whole things: "on average 81.3"."""
    return f"on average {amount(count)}" if count % 1 else amount(count)


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number with what it counts.

    Args:
        number: how many.
        singular: what follows where it is 1, such as "photo" or "file was".
        plural: what follows any other number; empty for `singular` with an s.

    Example:
        >>> counted(1, "photo"), counted(0, "class", "classes")
        ('1 photo', '0 classes')
    """
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"


def joined(names: Iterable[str], last: str = "and") -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end


def named(names: Sequence[str], *, most: int, longest: int) -> str:
    """Names that a stranger chose, in one short line: the first few, and how many more.

    Args:
        names: all of them; what cannot be printed is left out of them.
        most: that are shown.
        longest: characters of each.
    """
    first = ["".join(filter(str.isprintable, name))[:longest] for name in names[:most]]
    more = len(names) - most
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")
