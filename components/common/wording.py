"""Counts as people write them: 1 photo, 2 photos."""


def counted(number: int, one: str, many: str = "") -> str:
    """A number with what it counts.

    Args:
        number: how many.
        one: what follows where it is 1, such as "photo" or "file was".
        many: what follows any other number; empty for `one` with an s.

    Example:
        >>> counted(1, "photo"), counted(0, "class", "classes")
        ('1 photo', '0 classes')
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"
