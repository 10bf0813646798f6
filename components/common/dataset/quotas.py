"""Which part each group of photos goes to: by quota, not by chance.

Within a class, groups are ranked by SHA-1 of their observation (or of the bytes as fetched), and
the parts take whole groups in that order, so that a file's name, its place and the other classes
change nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.dataset.vocabulary import DEMO, SURPLUS, TEST, TRAINING, VALIDATION


@dataclass(frozen=True)
class Quota:
    """How many photos of one class go into each part."""

    training: int
    validation: int
    test: int
    demo: int

    def items(self) -> list[tuple[str, int]]:
        """Parts with their counts, in the order in which they are filled."""
        return [
            (DEMO, self.demo),
            (TEST, self.test),
            (VALIDATION, self.validation),
            (TRAINING, self.training),
        ]


def quota_for(
    photos: int,
    *,
    train_per_class: int,
    demo_per_class: int,
    validation_percentage: int,
    testing_percentage: int,
) -> Quota:
    """Divide `photos` photos of a class; with fewer than asked for, in the same proportion.

    Percentages are of the photos for retraining; each part that is asked for gets at least one.
    """
    wanted = train_per_class + demo_per_class
    total = min(photos, wanted)
    # Each part leaves one photo for every part after it; the training part comes last.
    after = 1 + bool(testing_percentage) + bool(validation_percentage)
    demo = min(_share(total, demo_per_class, wanted), max(1, total - after))
    retraining = total - demo
    test = _share(retraining, testing_percentage, 100)
    test = min(test, max(1, retraining - 1 - bool(validation_percentage)))
    validation = _share(retraining, validation_percentage, 100)
    validation = min(validation, max(1, retraining - test - 1))
    return Quota(retraining - test - validation, validation, test, demo)


def _share(total: int, part: int, whole: int) -> int:
    return max(1, (2 * total * part + whole) // (2 * whole)) if part else 0


def assign(
    label: str,
    groups: Mapping[str, int],
    quota: Quota,
    placed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Give each group of a class a part.

    Args:
        label: the class, for messages.
        groups: size in photos of each group, by its key.
        quota: photos wanted in each part.
        placed: the part of groups that an earlier run placed; they stay where they were.

    Returns:
        The part of each group; groups beyond the quota get "surplus".

    Raises:
        InputError: the class has too few groups for every part to have one.
    """
    needed = [part for part, count in quota.items() if count or part == TRAINING]
    if len(groups) < len(needed):
        raise InputError(
            f"the class {label!r} has {counted(len(groups), 'different photo')}; {len(needed)} are "
            f"needed so that each of {', '.join(needed)} has one: add photos, or set "
            "--demo_per_class, --testing_percentage or --validation_percentage to 0"
        )
    left = dict(quota.items())
    parts: dict[str, str] = {}
    for key, part in (placed or {}).items():
        if key in groups:
            parts[key] = part
            left[part] = left.get(part, 0) - groups[key]
    for key in sorted(set(groups) - set(parts)):
        # The first part that still has room for the whole group; a large group of copies goes to
        # the training part rather than fill a part that is measured.
        otherwise = TRAINING if left[TRAINING] > 0 else SURPLUS
        part = next((name for name, room in left.items() if room >= groups[key]), otherwise)
        parts[key] = part
        left[part] = left.get(part, 0) - groups[key]
    _fill_empty_parts(label, groups, needed, parts, placed or {})
    return parts


def fill_vacancies(
    label: str,
    groups: Mapping[str, int],
    quota: Quota,
    parts: Mapping[str, str],
    placed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Fill what has become free in the parts of a class from its surplus; nothing else moves.

    Only where a part would be left without any photo does a group of another part go there.

    Args:
        label: the class, for messages.
        groups: size in photos of each group that is still used, by its key.
        quota: photos wanted in each part.
        parts: the part of each group, as `assign` gave it; groups that went stay listed.
        placed: groups that an earlier run placed; they stay where they were.

    Returns:
        The part of each group in `parts`.

    Raises:
        InputError: too few groups are left for every part to have one.
    """
    needed = [part for part, count in quota.items() if count or part == TRAINING]
    if len(groups) < len(needed):
        raise InputError(
            f"the class {label!r} has {counted(len(groups), 'different photo')} left of those that "
            f"were divided, and each of {', '.join(needed)} needs one"
        )
    left = dict(quota.items())
    for key, size in groups.items():
        if parts[key] != SURPLUS:
            left[parts[key]] -= size
    used = {key: parts[key] for key in groups}
    for key in sorted(key for key, part in used.items() if part == SURPLUS):
        part = next((name for name, room in left.items() if room >= groups[key]), SURPLUS)
        used[key] = part
        if part != SURPLUS:
            left[part] -= groups[key]
    _fill_empty_parts(label, groups, needed, used, placed or {})
    return {**parts, **used}


def _fill_empty_parts(
    label: str,
    groups: Mapping[str, int],
    needed: Sequence[str],
    parts: dict[str, str],
    placed: Mapping[str, str],
) -> None:
    """Move the smallest free group into each part that was asked for and got none."""
    for wanted in needed:
        if wanted in parts.values():
            continue
        filled = list(parts.values())
        movable = [
            key
            for key in sorted(parts, key=lambda key: (groups[key], key))
            if key not in placed and (parts[key] == SURPLUS or filled.count(parts[key]) > 1)
        ]
        if not movable:
            raise InputError(
                f"the class {label!r} has no group left for its {wanted} part: the ledger has "
                "placed all of them: add photos, or run without the ledger (--continue, "
                "--earlier_ledger)"
            )
        parts[movable[0]] = wanted
