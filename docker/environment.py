"""Is the virtual environment as it was installed? Asked by `make` where a command has failed.

It goes by the list of files that each package brings, and by the lock file; needs no package. It
says nothing where all is well, and always ends with 0: the command's own failure counts.
"""

import re
import sys
from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).parent / "requirements" / "dev.txt"
# Without a marker: what other systems need is not asked for here.
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+) \\$", re.MULTILINE)


def damage() -> str:
    """What is wrong, in a few words; empty where nothing is."""
    packages = {_normal(found.name): found for found in metadata.distributions()}
    for name, version in _LOCKED.findall(LOCK.read_text(encoding="utf-8")):
        if _normal(name) not in packages:
            return f"the package {name} is missing"
        if packages[_normal(name)].version != version:
            return f"{name} is {packages[_normal(name)].version}, and {version} was installed"
    for found in packages.values():
        for file in found.files or ():
            place = Path(str(found.locate_file(file)))
            # Commands, which lie elsewhere, and what Python compiles are made on this machine.
            if file.size is not None and ".." not in file.parts and file.suffix != ".pyc":
                if not place.is_file():
                    return f"{place} is missing"
                if place.stat().st_size != file.size:
                    return f"{place} is cut off or changed"
    return ""


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def main() -> None:
    """Tell what is wrong, and what to do about it."""
    try:
        found = damage()
    except Exception as error:  # a package's own description may be what is damaged
        found = f"{type(error).__name__}: {error}"
    if found:
        print(
            f"make: the environment {sys.prefix} is damaged ({found}): {sys.argv[1]}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
