"""The Python API: classify photos, read a dataset, start a run and read its result.

Importing this package loads neither TensorFlow nor anything else that is large: each name loads
what it needs when it is first used. docs/python.md has examples.

What a caller can do something about is an `InputError` (wrong usage, unusable input) or a
`WorkError` (the request was right but the work failed). Both say what was wrong and what to do.

Example:
    >>> from wild_mushrooms import Model
    >>> Model("runs/latest/model").classify("photo.jpg").label
    'fly agaric'
"""

import importlib
from typing import TYPE_CHECKING, Any

from components import __version__
from components.common.base.errors import InputError, WorkError

if TYPE_CHECKING:
    from components.common.dataset.dangers import Danger
    from components.common.dataset.dataset import Dataset, DatasetWriter
    from components.common.dataset.photo import Photo
    from wild_mushrooms.classify import Answer, Model
    from wild_mushrooms.runs import Run, run

__all__ = [
    "Answer",
    "Danger",
    "Dataset",
    "DatasetWriter",
    "InputError",
    "Model",
    "Photo",
    "Run",
    "WorkError",
    "__version__",
    "run",
]

_MODULES = {
    "Answer": "wild_mushrooms.classify",
    "Danger": "components.common.dataset.dangers",
    "Dataset": "components.common.dataset.dataset",
    "DatasetWriter": "components.common.dataset.dataset",
    "Model": "wild_mushrooms.classify",
    "Photo": "components.common.dataset.photo",
    "Run": "wild_mushrooms.runs",
    "run": "wild_mushrooms.runs",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
