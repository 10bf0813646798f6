"""TensorBoard that goes on looking for logs when the store was away: its options are TensorBoard's.

TensorBoard looks for new logs in a thread that the first error of the store ends for ever; the
server goes on, and its page stays as it is. Here an error is told, and the next look comes in its
turn.
"""

import functools
import sys
import time
from collections.abc import Callable
from typing import Any

from tensorboard import main
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

LOOKS = ("AddRunsFromDirectory", "Reload")
MAX_TEXT = 500


def enduring(look: Callable[..., Any]) -> Callable[..., Any]:
    """The method, that says what went wrong and returns its object, as it does when all is well."""

    @functools.wraps(look)
    def wrapper(multiplexer: EventMultiplexer, *args: Any, **kwargs: Any) -> Any:
        try:
            return look(multiplexer, *args, **kwargs)
        except Exception as error:  # whatever a store's client raises
            text = f"{type(error).__name__}: {error}"[:MAX_TEXT]
            now = time.strftime("%H:%M:%S")
            sys.stderr.write(f"{now} no logs could be looked for, the next look follows: {text}\n")
            return multiplexer

    return wrapper


if __name__ == "__main__":
    for name in LOOKS:
        setattr(EventMultiplexer, name, enduring(getattr(EventMultiplexer, name)))
    main.run_main()
