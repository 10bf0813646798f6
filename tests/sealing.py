"""Sealing a document anew, for tests that change one on purpose."""

import json
from pathlib import Path

from components.common.untrusted import sealed


def reseal(path: Path, **changes: object) -> None:
    """Give a document's fields other values, and with them the right seal and hashes of files."""
    content = {**json.loads(path.read_text()), **changes}
    if sealed.FILES in content:
        content[sealed.FILES] = sealed.hash_files(path.parent, but=(path.name,))
    path.write_text(sealed.text(content))


def unseal(path: Path, **changes: object) -> None:
    """Make a document what it was before there were seals."""
    content = {**json.loads(path.read_text()), **changes}
    for name in (sealed.SEAL, sealed.FILES):
        content.pop(name, None)
    path.write_text(json.dumps(content))
