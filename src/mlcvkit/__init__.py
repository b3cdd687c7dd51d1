"""mlcvkit: the workbench around mlcvlab's mathematics.

Here, as everywhere in the Python data world, a sample is a row.
"""


class InputError(ValueError):
    """What a user gave cannot be used; the message says what, where, and what to do."""
