"""Markdown files, made of Jinja2 templates that lie beside a module.

HTML's escapes would be shown in Markdown, so that these templates escape nothing by themselves:
what comes from strangers is handed over as `code`, or escaped by a filter.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

MAX_CODE = 200  # characters


def render(module: str, filters: Mapping[str, Callable[..., str]], **values: object) -> str:
    """The Markdown that a module's template makes, with one line end.

    Args:
        module: `__file__` of the module, beside which its template lies: card.jinja for card.py.
        filters: what the template may use beside Jinja2's own filters, `table` and `code`.
        values: what the template names.

    Raises:
        jinja2.UndefinedError: the template names a value that is missing.
    """
    # Here, since a command that only shows its options needs none.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    template = Path(module).with_suffix(".jinja")
    environment = Environment(  # noqa: S701 - Markdown
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters, code=code)
    text = environment.get_template(template.name).render(table=table, **values)
    return text.rstrip() + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; columns of counts are aligned to the right."""
    right = [bool(rows) and isinstance(cell, int) for cell in (rows[0] if rows else header)]
    lines = [header, ["---:" if column else "---" for column in right], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def code(text: str) -> str:
    """Text in the type of code: one line, and nothing in it can end the code or a table's cell."""
    return "`" + "".join(c for c in text[:MAX_CODE] if c.isprintable() and c not in "`|") + "`"
