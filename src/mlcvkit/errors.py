"""Errors in what a user gave."""


class InputError(ValueError):
    """The input of a user cannot be used; the message says what is wrong, where, and what to do.

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
    InputError : The base class.
    """


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its name if it has none."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
