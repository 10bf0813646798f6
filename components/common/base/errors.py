"""The two ways in which a step ends without success, each with its exit status."""


class InputError(Exception):
    """What the user asked for cannot be done: wrong usage or unusable input (exit status 2)."""

    exit_status = 2


class WorkError(Exception):
    """The request was right but the work failed: a full disk, a missing network (exit status 1)."""

    exit_status = 1


class DiskFull(WorkError):
    """There is no room: no other source, and no photo less, makes up for that."""
