"""What is wrong with what a user gave."""


class InputError(ValueError):
    """What a user gave cannot be used; the message says what, where, and what to do."""


class MissingExtra(InputError, ImportError):
    """A library that an extra of this package brings is not installed; the message names the extra."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its name where it says nothing."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
