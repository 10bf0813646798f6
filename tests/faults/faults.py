"""How thorough the fault tests are: a few cases with every run of pytest, many when asked."""

import os

VARIABLE = "MUSHROOM_FAULTS"
FULL = "full"


def thorough() -> bool:
    """True where MUSHROOM_FAULTS=full asks for many cases (`make test-faults`)."""
    value = os.environ.get(VARIABLE, "")
    if value not in ("", FULL):
        raise ValueError(f"{VARIABLE} is {value!r}: expected {FULL!r}, or nothing")
    return value == FULL


def cases(few: int, many: int) -> int:
    """How many cases to try: `few` by default, `many` where the tests are thorough."""
    return many if thorough() else few
