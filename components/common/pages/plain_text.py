"""Text without HTML, made of Jinja2 templates: Markdown, and lines for a terminal.

The template of a module lies beside it: model_card.py has model_card.jinja. Nothing is escaped by
itself, since HTML's escapes would be shown: what comes from strangers goes through a filter.
"""

from collections.abc import Callable, Mapping
from pathlib import Path


def render(
    module: str, filters: Mapping[str, Callable[..., str]] | None = None, **values: object
) -> str:
    """The text of a module, with one end of a line at its end.

    Args:
        module: `__file__` of the module, beside which its template lies.
        filters: of the template, beside Jinja2's own.
        values: what the template names.

    Raises:
        ValueError: the template names a value that is missing.
    """
    # Here, since a command that only shows its options needs none.
    import jinja2

    page = Path(module).with_suffix(".jinja")
    environment = jinja2.Environment(
        autoescape=jinja2.select_autoescape(),  # in HTML only
        loader=jinja2.FileSystemLoader(page.parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    try:
        return environment.get_template(page.name).render(**values).rstrip() + "\n"
    except jinja2.UndefinedError as error:
        raise ValueError(str(error)) from error


def paragraphs(
    module: str, filters: Mapping[str, Callable[..., str]] | None = None, **values: object
) -> list[str]:
    """As `render`, but its paragraphs, each on one line; what is between them is an empty line."""
    said = render(module, filters, **values).split("\n\n")
    return [" ".join(paragraph.split()) for paragraph in said if paragraph.strip()]


def inline(text: str) -> str:
    """The text on one line, with nothing that Markdown or HTML would take for markup."""
    plain = " ".join(text.split())
    for character, written in (("&", "&amp;"), ("<", "&lt;"), ("`", "'"), ("|", "\\|")):
        plain = plain.replace(character, written)
    return plain
