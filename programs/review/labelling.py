"""The page of photos that `select` chose: their classes are saved, and at the end made folders."""

from collections.abc import Iterator
from pathlib import Path

import programs.select
from components.common.base.errors import InputError
from programs.review.shown import Shown, own_page, read_page
from programs.review.store import Store
from programs.select import answers, ending, labelled, selection

_MODULE = str(Path(programs.select.__file__).with_name("page.py"))


def labelling(folder: Path, into: str) -> Shown:
    """What is shown of a folder that `select` wrote.

    Args:
        folder: of the chosen photos.
        into: the folder of class folders that they are copied into; empty for `labelled` in it.

    Raises:
        InputError: the folder is damaged, its page is of another version, or its answers are none.
    """
    chosen = selection.read(folder)
    store = Store(folder / answers.FILE_NAME, answers.parse)
    path = folder / selection.PAGE
    if not (content := read_page(folder, selection.PAGE)):
        raise InputError(f"{folder} has no {selection.PAGE}: run select again")
    page = own_page(path, content, _MODULE, "run select again, into a new folder")
    target = Path(into).expanduser() if into else None

    def told() -> Iterator[str]:
        data, _ = store.read()
        said = answers.parse(data, str(store.path)) if data else answers.Answers()
        yield from ending.lines(labelled.place(folder, chosen, said, target))

    return Shown("Page to label", "Answers", {"": page, selection.PAGE: page}, store, told)
