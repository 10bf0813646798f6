"""How thorough the fault tests are: a few cases with every run of pytest, many when asked."""

import os
import time

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


def seed() -> int:
    """What a test draws from: the same every time, another one where the tests are thorough.

    It is printed, which pytest shows where the test fails.
    """
    drawn = int(time.time()) if thorough() else 0
    print("seed", drawn)
    return drawn
