"""The summary: class names are shown as they are, and nothing is rounded into a lie."""

import io

from rich.console import Console

from components.common.dataset.vocabulary import PARTS
from programs.run.summary import _accuracy, _photo_table


def test_class_name_in_brackets_is_no_markup() -> None:
    out = io.StringIO()
    counts = {"[red]cap[/red]": dict.fromkeys(PARTS, 3), "/[b]": dict.fromkeys(PARTS, 4)}
    Console(file=out, width=100).print(_photo_table(counts))
    assert "[red]cap[/red]" in out.getvalue()
    assert "/[b]" in out.getvalue()


def test_accuracy_names_photos_and_interval() -> None:
    metrics = {
        "demo_photos": 28,
        "demo_accuracy": 23 / 28,
        "demo_accuracy_low": 0.6441,
        "demo_accuracy_high": 0.9213,
    }
    text = _accuracy("demo", metrics)
    assert text == "0.821 of 28 photos it never saw (95 % interval 0.644 to 0.921)"
    assert _accuracy("demo", {"demo_photos": 0}) == "no photos"
