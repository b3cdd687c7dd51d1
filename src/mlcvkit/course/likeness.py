"""Similar work: pairs of submissions for a person to compare, found by fingerprints of their tokens.

Names, numbers and comments do not count, so that renaming hides nothing. What the handout contains does not count, nor
what many in the class share.

References
----------
Schleimer, Wilkerson, Aiken (2003), "Winnowing: Local Algorithms for Document Fingerprinting".
"""

import hashlib
import io
import keyword
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from mlcvkit.course.assignment import read_assignment, reference_file, tree_files
from mlcvkit.course.handout import handout
from mlcvkit.course.rules import code_cells, searched

GRAM, WINDOW = 18, 8
"""Tokens of a fingerprint, and fingerprints of a window: any 25 equal tokens in a row are found."""
COMMON = 4
"""A fingerprint of more than ``COMMON`` submissions, and of one in this many, is a common way to write it."""
FORMULAS = "mlcvlab/nn/"
"""The files of Problem 1, whose formulas are printed: they alone show no copy."""
FEWEST = 12
"""The fewest fingerprints with which a submission is compared."""
ALIKE = 0.4
"""Two submissions are listed from this share of the smaller one's fingerprints."""
NOT_COUNTED = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER, tokenize.STRING,
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Two similar submissions.

    Parameters
    ----------
    first, second
        Their names.
    share
        The share of the smaller one's fingerprints that the other has too.
    files
        The files with common fingerprints.
    """

    first: str
    second: str
    share: float
    files: tuple[str, ...]


Fingerprints = Mapping[str, frozenset[int]]
"""The fingerprints of a submission, by its files."""


def fingerprints(files: Mapping[str, bytes]) -> Fingerprints:
    """The fingerprints of a submission's files, without those of the handout."""
    given = _given()
    return {file: frozenset(_fingerprints(file, content) - given) for file, content in searched(files).items()}


def alike(submissions: Mapping[str, Fingerprints]) -> list[Pair]:
    """The pairs of similar submissions, the most similar first.

    Parameters
    ----------
    own
        The fingerprints of each, by its name.
    """
    spread = Counter(mark for files in submissions.values() for mark in frozenset[int]().union(*files.values()))
    common = {mark for mark, count in spread.items() if count > COMMON and count > len(submissions) / COMMON}
    marks = {name: {file: found - common for file, found in files.items()} for name, files in submissions.items()}
    pairs: list[Pair] = []
    for first, second in combinations(marks, 2):
        both = [frozenset[int]().union(*marks[name].values()) for name in (first, second)]
        fewest = min(map(len, both))
        share = len(both[0] & both[1]) / fewest if fewest >= FEWEST else 0.0
        beyond = {mark for file, found in marks[first].items() if not file.startswith(FORMULAS) for mark in found}
        if share >= ALIKE and len(beyond & both[1]) >= FEWEST:
            files = [file for file in marks[first] if marks[first][file] & both[1]]
            pairs.append(Pair(first, second, share, tuple(sorted(files))))
    return sorted(pairs, key=lambda pair: (-pair.share, pair.first, pair.second))


@cache
def _given() -> frozenset[int]:
    """The fingerprints of the handout, and of the solution, which correct work may resemble."""
    files = [*handout(read_assignment()).items(), *((file, reference_file(file).read_bytes()) for file in tree_files())]
    return frozenset().union(*(_fingerprints(file, content) for file, content in files))


def _fingerprints(file: str, content: bytes) -> set[int]:
    sources = code_cells(content) if file.endswith(".ipynb") else [content.decode("utf-8", "replace")]
    tokens = [token for source in sources if file.endswith((".py", ".ipynb")) for token in _tokens(source)]
    grams = [_hash(tokens[i : i + GRAM]) for i in range(len(tokens) - GRAM + 1)]
    return {min(grams[i : i + WINDOW]) for i in range(max(0, len(grams) - WINDOW + 1))}


def _tokens(source: str) -> Iterator[str]:
    """The tokens of code, with one word for every name that it defines and one for every number."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in NOT_COUNTED:
                continue
            if token.type == tokenize.NUMBER:
                yield "0"
            elif token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                yield "a"
            else:
                yield token.string
    except (tokenize.TokenError, SyntaxError, ValueError):
        return


def _hash(tokens: Sequence[str]) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(tokens).encode(), digest_size=8).digest())
