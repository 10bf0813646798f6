"""What a run leaves for the next one of its name: ledger, decisions, and what it has seen."""

from dataclasses import dataclass, replace
from pathlib import Path

from components.common.base.errors import InputError, WorkError
from components.common.base.step import log, warn
from components.common.dataset import decisions, ledger
from components.common.dataset import memory as memories
from components.common.dataset.memory import Seen
from components.common.model import published
from components.common.store import storage

MOST_TRIES = 10  # of runs that end at once


@dataclass(frozen=True)
class Learned:
    """What a run knows at its end.

    Attributes:
        ledger: folder or file of its ledger.
        decisions: place of the decisions that it heeded; empty for none.
        seen: what it has seen, where it goes on with what is remembered (`--continue`).
    """

    ledger: str
    decisions: str = ""
    seen: Seen | None = None

    @classmethod
    def of(cls, ledger: str, decisions: str, seen: str) -> "Learned":
        """Of what a component was called with."""
        return cls(ledger, decisions, Seen.of_text(seen))


def remember(root: str, learned: Learned) -> None:
    """Add what a run knows to what is remembered.

    Nothing is forgotten: photos that this run did not find keep the parts that they had. A run that
    goes on has read the memory at its beginning; the others learn here that it is damaged, and only
    warn of it, because their model is published by now.

    Args:
        root: from `published.root_of`.
        learned: what the run knows.

    Raises:
        InputError: no such bucket, no permission, or what a run goes on with is damaged.
        WorkError: the store cannot be reached, or other runs change the memory all the time.
    """
    rows, by_hand = ledger.read_rows(learned.ledger), decisions.read(learned.decisions)
    if not storage.is_uri(root):
        Path(root).mkdir(parents=True, exist_ok=True)
    with memories.locked(root):
        for _ in range(MOST_TRIES):
            try:
                known = memories.read(root)
                earlier = ledger.read_rows(known.ledger) if known.ledger else []
                decided = memories.join_decisions(decisions.read(known.decisions), by_hand)
            except InputError as error:
                if learned.seen:
                    raise
                warn(f"ledger and decisions of this run are not kept for the next one: {error}")
                return
            seen = learned.seen and replace(learned.seen, published=published.mark(root))
            new = replace(
                known,
                ledger=memories.keep_ledger(root, memories.join_ledgers(earlier, rows)),
                decisions=memories.keep_decisions(root, decided),
                seen=seen or known.seen,
            )
            if memories.write(root, new):
                log.info("publish: ledger and decisions are kept in %s", root)
                return
    raise WorkError(f"{root}/{memories.FILE_NAME} is changed by other runs all the time: try again")
