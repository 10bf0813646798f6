"""Self-contained HTML pages, made of Jinja2 templates that escape whatever they are handed.

The page of a module lies beside it: report.py has the template report.html, the style report.css
and, where the page has a script, report.js. A style may begin with `/* after decide.css */`, which
puts one of this room before it that only some pages share. Templates extend base.html and take the
parts that several pages share from parts.html and charts.html. A page carries its pictures, its
style and its script, and its Content-Security-Policy forbids everything else. There are no style
attributes, which the policy would block; what depends on data is drawn as SVG.

Labels, file names, authors, licences and addresses come from strangers. Templates escape them by
themselves; `safe` and `Markup` are for what this room wrote.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from components.common.base import wording
from components.common.dataset import licences
from components.common.pages import subject, text

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
ROOT = HERE.parents[2]  # of the repository, or of what is installed: templates are named from here
STYLES = ("colours", "base", "tables", "cards", "charts", "plot")  # that all pages share

# Control characters, lone surrogates (of undecodable file names) and what turns the text around
# it: they would garble the page or keep it from being written. "\u200e" and its kind are harmless.
_GARBLING = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
)
# A number with its unit in text. What is no text comes first: tags, styles, and scripts, some of
# which hold data, such as names of classes.
_NO_TEXT_OR_PERCENT = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>|(?<=\d) %", re.DOTALL)
_FIGURE = re.compile(r"(under |over )?[\d,.]+( %)?")
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
_AFTER = re.compile(r"/\* after (\w+)\.css \*/\n")  # names a style of this room that some share
_COLOUR = re.compile(r"--(\w+): (#[0-9a-f]{6});")


def render(
    module: str,
    *,
    script: bool = False,
    more_scripts: Sequence[str] = (),
    connect: str = "",
    rules: str = "",
    **values: object,
) -> str:
    """The page of a module as one HTML file.

    Args:
        module: `__file__` of the module, beside which its template and its style lie.
        script: whether the page runs the script that lies there too, the only one that its
            Content-Security-Policy lets run.
        more_scripts: files beside it whose text comes before that script, as one with it.
        connect: what the script may connect to, as the policy says it: "'self'" for the server that
            the page comes from, empty for a page that is a file.
        rules: of the style, beside those that lie there; made of numbers, never of a stranger's
            words, since nothing of them is escaped.
        values: what the template names.

    Raises:
        jinja2.UndefinedError: the template names a value that is missing.
    """
    page = Path(module)
    styled, code = _rules(page, rules), _code(page, more_scripts) if script else ""
    allowed = _policy(styled, code, connect)
    own = {"policy": Markup(allowed), "style": Markup(styled), "script": Markup(code)}  # noqa: S704
    name = page.with_suffix(".html").relative_to(ROOT).as_posix()
    html = environment().get_template(name).render(**own, **values)
    return _NO_TEXT_OR_PERCENT.sub(_joined, visible(html))


def policy_for(module: str, *, connect: str = "") -> str:
    """The Content-Security-Policy of a module's page that runs its script.

    Args:
        module: as of `render`.
        connect: as of `render`.
    """
    path = Path(module)
    return _policy(_rules(path), _code(path), connect)


def _policy(styled: str, code: str, connect: str) -> str:
    """The policy of a page with this style and this script; an empty one is none."""
    source = f"'{_source_hash(code)}'" if code else "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src '{_source_hash(styled)}'; "
        f"script-src {source}; base-uri 'none'; form-action 'none'"
        + (f"; connect-src {connect}" if connect else "")
    )


def policy(html: str) -> str:
    """The Content-Security-Policy of a page.

    Raises:
        ValueError: it states none.
    """
    stated = _POLICY.search(html)
    if stated is None:
        raise ValueError("the page states no Content-Security-Policy")
    return stated[1]


def linked(page: bytes, titles: Mapping[str, str], current: str) -> bytes:
    """A page with links to others at its top.

    Args:
        page: as `render` made it.
        titles: of all pages, by their file names.
        current: the file name of this page.
    """
    navigation = part("parts", "navigation", titles, current)
    return page.replace(b"<body>\n", b"<body>\n" + navigation.encode() + b"\n", 1)


def part(template: str, macro: str, *values: object) -> Markup:
    """What a macro of parts.html or charts.html makes of values, for use in a template."""
    module = environment().get_template(f"components/common/pages/{template}.html").module
    return Markup(visible(getattr(module, macro)(*values)))  # noqa: S704 - of our template


def visible(markup: str) -> str:
    """Markup in which what would garble a page is the replacement character."""
    return _GARBLING.sub("\ufffd", markup)


def class_name(label: object) -> Markup:
    """A text as it is, whole, with a place to break after each "_"; markup stays what it is."""
    if isinstance(label, Markup):
        return label
    return Markup(str(escape(label)).replace("_", "_<wbr>"))  # noqa: S704


def figure_columns(rows: Sequence[Sequence[object]]) -> list[bool]:
    """Which columns of a table are figures in all rows; the first names the row and is none."""
    columns = list(zip(*rows, strict=True))
    return [
        place > 0 and all(_FIGURE.fullmatch(str(cell)) for cell in column)
        for place, column in enumerate(columns)
    ]


def style(name: str) -> str:
    """One of the styles that pages share."""
    return _read(HERE / f"{name}.css")


def colours() -> tuple[dict[str, str], dict[str, str]]:
    """The colours of a light and of a dark screen, by their names in colours.css."""
    light, dark = style("colours").split("@media")
    return dict(_COLOUR.findall(light)), dict(_COLOUR.findall(dark))


@cache
def environment() -> "Environment":
    """Where templates are looked for, and the words that they know.

    Jinja2 is imported here, since a command that only shows its options needs none.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(ROOT),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],  # to put the rows of a table together
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    made.policies["json.dumps_kwargs"] = {}  # the default would sort an object's names
    made.filters.update(
        along=lambda share: f"{100 * share:.1f}%",  # where a share lies on a scale from 0 to 1
        amount=wording.amount,
        between=text.between,
        class_name=class_name,
        data_uri=text.data_uri,
        decimals="{:.3f}".format,
        percent=text.percent,
        shortened=lambda words: class_name(text.shortened(words)),
    )
    made.globals.update(
        figure_columns=figure_columns,
        host=text.host,
        licence=licences.parse,
        words_for=subject.words,
    )
    return made


def _rules(path: Path, more: str = "") -> str:
    """The style of a module's page, with more rules after it, and before it what it names."""
    own = _AFTER.sub(lambda found: style(found[1]), _read(path.with_suffix(".css")))
    return "".join(map(style, STYLES)) + own + more


def _code(path: Path, more: Sequence[str] = ()) -> str:
    """The script of a module's page, after others that lie beside it."""
    return "".join(_read(path.with_name(name)) for name in more) + _read(path.with_suffix(".js"))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _joined(match: re.Match[str]) -> str:
    """A percent sign that stays on the line of its number; anything else as it is."""
    return "\u00a0%" if match[0] == " %" else match[0]


def _source_hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
