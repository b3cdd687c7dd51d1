"""What is wrong with what a user gave."""


class InputError(ValueError):
    """What a user gave cannot be used; the message says what, where, and what to do.

    See Also
    --------
    MissingExtra : For an extra that is not installed.

    Examples
    --------
    >>> from mlcvkit import InputError, read
    >>> try:  # doctest: +ELLIPSIS
    ...     read("nothing.csv")
    ... except InputError as error:
    ...     print(error)
    nothing.csv does not exist; give a file, a folder of images, or one of the names moons, circles, spirals, ...
    """


class MissingExtra(InputError, ImportError):
    """A library that an extra of this package brings is not installed; the message names the extra.

    See Also
    --------
    InputError : What it is one of.
    """


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its name where it says nothing."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
