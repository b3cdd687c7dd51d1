"""Submissions in every form: folders, archives, archives in folders and in archives, single files.

They are not trusted: only regular files are read, as bytes, up to a limit of number and size. No link is followed, no
path leaves the submission, and no archive unpacks to more than it declares.
"""

import ast
import hashlib
import io
import os
import re
import stat
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, cast

from mlcvkit.course.assignment import NOTEBOOK, read_assignment, tree_files
from mlcvkit.course.imports import MOST_SEARCHED, MOST_SOURCE, parsed
from mlcvkit.course.kit.tree import IGNORED, is_ignored
from mlcvkit.errors import InputError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
CODE = (".py", ".ipynb")
DOCUMENTS = (".pdf", ".doc", ".docx", ".odt", ".pages")
UNOPENED = (".rar", ".7z", ".gz", ".bz2", ".xz", ".zst", ".dmg", ".iso", *DOCUMENTS)
"""What students hand in nevertheless, and what is not opened."""
PACKAGES = ("nn", "models", "optim")
CHUNK = 1 << 20
LONGEST_NAME, DEEPEST = 200, 20
MOST_PROBLEMS = 20
MOST_NESTED = 2
"""The most archives inside one another."""
MOST_BESIDE, LARGEST_BESIDE = 100, 20 << 20
"""The most files without code that are read, and their most bytes together."""
PASSED_BY = 50
"""What is skipped may unpack to this many times the limit."""
LARGEST_CLASS, SMALLEST_LIMIT, MOST_UNPACKED = 20 << 30, 2 << 30, 100
"""What the archive of a class may unpack to: so many bytes, and so many times its own, but always so many bytes."""
MOST_ENTRIES, MOST_OF_CLASS, MOST_PASSED = 50_000, 300_000, 2_000_000
"""The most entries of a submission's archives, and of a class's; and the most with those that are ignored."""
LATEST = 4_102_444_800.0
"""The year 2100: what is later is no time at which a file was written."""
SAME_TIME = 2.0
"""Times closer than this, in seconds, are equal in an archive."""
HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
LARGEST_HEADER = 1 << 20
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
"""How the tarballs begin that are compressed."""
OF_MOODLE = re.compile(r"(?P<who>.+)_(?P<id>\d+)_assignsubmission_\w*", re.DOTALL)
OF_CANVAS = re.compile(r"(?P<who>[^_]+(?:_LATE)?_\d+)_\d+_(?P<file>.+)", re.DOTALL)
FILE_OF_MOODLE = re.compile(r"(?P<who>.+_\d+_assignsubmission_file)_(?P<file>.+\..+)", re.DOTALL)
FILE_OF_BLACKBOARD = re.compile(r"(?P<who>.+_attempt_\d{4}(?:-\d\d){5})_(?P<file>.+)", re.DOTALL)
"""The names of students' files in the downloads of three platforms; Canvas adds a number to each file."""
OF_WORK = re.compile(
    r"\b(hw|home ?work|assignment|submission|submitted|submit|solution|project|mlcvlab|attempt|try|version|v|part|final"
    r"|fixed|new|newest|old|last|latest|copy|of|backup|code|src|source|my|the|late|draft|resubmission|updated?|work|first"
    r"|second|third|original|corrected|improved|better|good|bad|broken|working|done|finished|ready|handout|given|template"
    r"|starter|reference|test|temp|tmp|downloads?|desktop|files?|folder|archive|zip|backups?|laptop|pc|mac|usb)\d*\b",
    re.IGNORECASE,
)
"""Words in the name of a piece of work that do not tell whose it is."""
ONLINE_TEXT = "_assignsubmission_onlinetext_"
"""The end of Moodle's folders for text that was typed into the page, without a file."""


@dataclass(frozen=True)
class Found:
    """A submission that was found.

    Parameters
    ----------
    name
        The name of the submission.
    paths
        A folder, an archive, or single files.
    below
        Its path in the archive of a class; "" if it is the whole archive.
    """

    name: str
    paths: tuple[Path, ...]
    below: str = ""


@dataclass(frozen=True)
class Submission:
    """The files of a student's ``hw1/``.

    Parameters
    ----------
    name
        What it is called.
    files
        The contents by their paths.
    problems
        Breaches of the rule on files.
    notes
        Notes for a person that break no rule.
    digest
        A checksum of the files.
    modified
        When the newest of its files was written, in seconds since 1970; 0 if that is unknown.
    """

    name: str
    files: dict[str, bytes]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""
    modified: float = 0.0

    def write_to(self, folder: Path) -> None:
        """Write the files below a folder, readable by every user."""
        for name, content in self.files.items():
            place = folder / name
            for parent in reversed(place.relative_to(folder).parents):
                (folder / parent).mkdir(mode=0o755, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o644)


def find_submissions(paths: Iterable[Path], passed_by: list[Path] | None = None) -> list[Found]:
    """The submissions at paths: each is one, or a folder or an archive of a class.

    Arguments: ``passed_by`` receives the files that are not submissions.
    Raises: InputError if there is nothing at a path, or no submission in it.
    """
    found: list[Found] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"there is no submission {path}")
        if path.is_dir():
            inside = [] if is_submission(path) else _in_folder(path, passed_by)
            is_one = not inside or (len(inside) == 1 and OF_MOODLE.fullmatch(path.name))
            found += [_found(path)] if is_one else inside
        elif not path.is_file():
            raise InputError(f"{path} is no submission: it is neither a folder nor a file")
        elif not _is_kind(path.name, (*ARCHIVES, *CODE, *UNOPENED)):
            raise InputError(
                f"{path} is no submission: a folder, or a file that ends in {', '.join((*ARCHIVES, *CODE))}"
            )
        else:
            found += _in_archive(path, passed_by) or [_found(path)]
    return list(dict.fromkeys(found))


def find_one(paths: Iterable[Path]) -> Found:
    """The one submission at paths; a folder with single files, or without anything of the homework, is also one.

    Raises: InputError if there is nothing at a path, or several submissions.
    """
    paths = list(paths)
    try:
        found = find_submissions(paths)
    except InputError:
        if len(paths) != 1 or not paths[0].is_dir():
            raise
        found = []
    if len(found) == 1:
        return found[0]
    lone = all(_is_kind(path.name, (*CODE, *UNOPENED)) for one in found for path in one.paths)
    if len(paths) == 1 and lone:
        return _found(paths[0])
    raise InputError(f"Gradescope grades one submission at a time; there are {len(found)} in what was given")


def _found(path: Path) -> Found:
    return Found(_plain_name(path.name), (path if path.is_symlink() else path.resolve(),))


def _plain_name(name: str) -> str:
    suffix = max((kind for kind in ARCHIVES if _is_kind(name, (kind,))), key=len, default="")
    return name[: len(name) - len(suffix)] if len(name) > len(suffix) else name


def _is_kind(name: str, kinds: tuple[str, ...]) -> bool:
    return name.lower().endswith(kinds)


def is_submission(path: Path) -> bool:
    """Whether a path is one submission, and not a folder of them."""
    if path.is_file() or any((path / "mlcvlab" / package).is_dir() for package in PACKAGES):
        return True
    children = [child for child in path.iterdir() if child.name not in IGNORED and not child.name.startswith(".")]
    others = [child for child in children if child.name != "hw1"]
    if (path / "hw1/mlcvlab").is_dir():
        return not any(_is_kind(child.name, ARCHIVES) or (child.is_dir() and is_submission(child)) for child in others)
    loose = [child for child in children if child.is_file() and child.name in _own_names()]
    if sum((child / "hw1/mlcvlab").is_dir() or (child / "mlcvlab").is_dir() for child in children) > 1:
        return False  # a class, with a file of the homework beside it
    return bool(loose) and not any(_is_kind(child.name, ARCHIVES) for child in children)


@cache
def _own_names() -> dict[str, str]:
    """The files of the homework with unique names, by these names."""
    places = [place for place in tree_files() if not place.endswith("__init__.py")]
    return {PurePosixPath(place).name: place for place in places}


def _in_folder(folder: Path, passed_by: list[Path] | None) -> list[Found]:
    """The submissions in a folder of a class; single files that belong to one student are one submission."""
    found: list[Found] = []
    grouped: dict[str, list[Path]] = {}
    sections = _sections({child.name: _works_of(child) for child in folder.iterdir()})
    for child in sorted(folder.iterdir()):
        if child.name.startswith(".") or child.name in IGNORED:
            continue
        if child.is_dir() and not child.name.endswith(ONLINE_TEXT):
            found += _in_folder(child, passed_by) if _is_class(child, sections) else [_found(child)]
        elif child.is_file() and _is_kind(child.name, (*ARCHIVES, *UNOPENED, *CODE)):
            grouped.setdefault(_who(child.name), []).append(child)
        elif passed_by is not None:
            passed_by.append(child)
    for who, paths in grouped.items():
        if who != paths[0].name:
            found.append(Found(who, tuple(path.resolve() for path in paths)))
        else:
            found += _in_archive(paths[0], passed_by, of_platform=True) or [_found(paths[0])]
    if not found:
        raise InputError(f"{folder} is no submission, and there is none in it: a folder with mlcvlab/, or archives")
    if len(found) == 1 and (inside := _in_archive(found[0].paths[0], passed_by)):
        return inside
    return sorted(found, key=lambda one: one.name)


def _own_name(name: str) -> str:
    """The name of a single file without the prefix of the platform."""
    of_platform = _of_platform(name)
    return of_platform["file"] if of_platform else name


def _who(name: str) -> str:
    """The owner of a single file: the student in the platform's prefix, or the file's own name."""
    of_platform = _of_platform(name)
    return of_platform["who"] if of_platform else name


def _of_platform(name: str) -> re.Match[str] | None:
    return FILE_OF_MOODLE.fullmatch(name) or FILE_OF_BLACKBOARD.fullmatch(name) or OF_CANVAS.fullmatch(name)


def _is_class(folder: Path, sections: Collection[str]) -> bool:
    """Whether a folder in that of a class holds several submissions: those of a platform, or of a section."""
    if is_submission(folder) or OF_MOODLE.fullmatch(folder.name):
        return False
    handed_in = (*ARCHIVES, *CODE, *UNOPENED)
    names = [_who(child.name) for child in folder.iterdir() if child.is_dir() or _is_kind(child.name, handed_in)]
    return folder.name in sections or len({name for name in names if _is_of_platform(name)}) > 1


def _works_of(folder: Path) -> list[str]:
    """The parts of a folder that are each a complete submission; the folder itself if it is one."""
    if not folder.is_dir() or folder.name.startswith(".") or folder.name in IGNORED or folder.is_symlink():
        return []
    if is_submission(folder):
        return [folder.name]
    return [child.name for child in folder.iterdir() if _is_work(child)]


def _sections(works: Mapping[str, list[str]]) -> set[str]:
    """Which parts of a class are sections of it, by the work that lies in each: those of several people.

    A student's folder with several versions is none, so it must be so of most parts.
    """
    sections = {name for name, inside in works.items() if not OF_MOODLE.fullmatch(name) and _are_people(inside)}
    return sections if 2 * len(sections) > sum(map(bool, works.values())) else set()


def _is_work(path: Path) -> bool:
    """Whether a part of a folder is a complete submission."""
    if path.name.startswith(".") or path.name in IGNORED or path.is_symlink():
        return False
    if path.is_dir():
        return is_submission(path) or any(_is_kind(child.name, ARCHIVES) for child in path.iterdir())
    return path.is_file() and _is_kind(path.name, ARCHIVES) and _has_tree(_places_in(path))


def _are_people(names: Collection[str]) -> bool:
    """Whether the names of several pieces of work are those of different people, and not of one person's versions."""
    return len({_owner(name) for name in names} - {""}) > 1


def _owner(name: str) -> str:
    """Whose a piece of work is by its name: without words such as final; a number counts if there is little else."""
    words = OF_WORK.sub(" ", _plain_name(name).replace("_", " ")).lower()
    letters, digits = re.sub(r"[\W\d_]+", "", words), re.sub(r"\D", "", words)
    is_number = len(re.sub("^(student|group|team|user)s?", "", letters)) < 2
    return letters if not is_number else letters + digits if letters or len(digits) > 2 else ""


def _is_of_platform(who: str) -> bool:
    names = (OF_MOODLE.fullmatch(who), OF_CANVAS.fullmatch(f"{who}_1_x"), FILE_OF_BLACKBOARD.fullmatch(f"{who}_x"))
    return any(names)


def _in_archive(path: Path, passed_by: list[Path] | None, *, of_platform: bool = False) -> list[Found]:
    """The submissions in an archive of a class, as in a folder of one; none if the archive is one submission.

    Arguments: ``of_platform``, whether only names that a platform gave tell that it is one of a class.
    """
    if not path.is_file() or path.is_symlink() or not _is_kind(path.name, ARCHIVES):
        return []
    places = _places_in(path)
    tops = {place.parts[0] for place in places}
    root = PurePosixPath()
    if len(tops) == 1 and all(len(place.parts) > 1 for place in places):
        root = PurePosixPath(tops.pop())
        places = [place.relative_to(root) for place in places]
    inside_of: dict[str, list[PurePosixPath]] = {}
    for place in places:
        top = place.parts[0]
        inside_of.setdefault(_who(top) if len(place.parts) == 1 else top, []).append(place)
    for section in _sections({top: _works_in(inside) for top, inside in inside_of.items()}):
        for place in inside_of.pop(section):
            inside_of.setdefault("/".join(place.parts[:2]), []).append(place)
    typed = {top for top in inside_of if top.endswith(ONLINE_TEXT)}
    units = [top for top, inside in inside_of.items() if top not in typed and _is_unit(top, inside)]
    if of_platform and sum(map(_is_of_platform, units)) < 2:
        return []
    if root.name == "hw1" or inside_of.keys() & {"hw1", "mlcvlab", *_own_names()} or len(units) + len(typed) < 2:
        return []
    taken = [
        top
        for top, inside in inside_of.items()
        if top not in typed
        and (top in units or len(inside[0].parts) > len(PurePosixPath(top).parts) or _is_kind(top, (*CODE, *UNOPENED)))
    ]
    if passed_by is not None:
        passed_by += [path / root / top for top in sorted(inside_of.keys() - {*taken})]
    return [Found(_plain_name(PurePosixPath(top).name), (path.resolve(),), str(root / top)) for top in sorted(taken)]


def _places_in(archive: Path) -> list[PurePosixPath]:
    """The paths in an archive; none if it cannot be read, or unpacks to more than any class hands in."""
    places: list[PurePosixPath] = []
    unpacked = passed = 0
    try:
        most = min(LARGEST_CLASS, max(SMALLEST_LIMIT, MOST_UNPACKED * archive.stat().st_size))
        for entry in _of_archive(archive):
            unpacked += entry.size if entry.is_unpacked else 0
            passed += 1
            if unpacked > most or passed > MOST_PASSED or len(places) > MOST_OF_CLASS:
                return []
            if not is_ignored(entry.place) and (clean := _clean(entry.place)):
                places.append(PurePosixPath(clean))
    except (OSError, ValueError):
        return []
    return places


def _works_in(section: Iterable[PurePosixPath]) -> list[str]:
    """The parts of a part of an archive that are each a complete submission."""
    inside_of: dict[str, list[PurePosixPath]] = {}
    for place in section:
        if len(place.parts) > 1:
            inside_of.setdefault(place.parts[1], []).append(PurePosixPath(*place.parts[1:]))
    return [name for name, inside in inside_of.items() if _is_unit(name, inside)]


def _is_unit(top: str, inside: list[PurePosixPath]) -> bool:
    """Whether a part of an archive is a complete submission."""
    if _is_kind(top, ARCHIVES) or _is_of_platform(top):
        return True
    return _has_tree(inside) or any(_is_kind(place.name, ARCHIVES) for place in inside)


def _has_tree(places: Iterable[PurePosixPath]) -> bool:
    return any(a == "mlcvlab" and b in PACKAGES for place in places for a, b in pairwise(place.parts))


def read_submission(found: Found | Path, *, most_bytes: int, most_files: int) -> Submission:
    """Read one submission. What is wrong with it is listed in ``problems`` and never raised."""
    if isinstance(found, Path):
        found = Found(_plain_name(found.name) if found.is_file() else found.name, (found,))
    taken = _Taken(most_files, most_bytes)
    try:
        taken.add(_entries(found, taken.read))
    except (OSError, ValueError) as error:
        why = str(error) if isinstance(error, _TooLarge) else f"it cannot be read: {error}"
        taken = _Taken(most_files, most_bytes, problems=[*taken.problems, why])
    files, problems, notes = _placed(taken)
    problems = [plain_text(problem) for problem in (*taken.problems, *problems)][:MOST_PROBLEMS]
    digest = hashlib.sha256()
    for place in sorted(files):
        digest.update(f"{place}\0{len(files[place])}\0".encode() + files[place])
    digest.update("\0".join(problems).encode())
    shown_notes = tuple(plain_text(note) for note in notes)
    newest = max(taken.times.values(), default=0.0)
    return Submission(found.name, files, tuple(problems), shown_notes, digest.hexdigest(), newest)


class _TooLarge(ValueError):
    pass


class _Damaged(ValueError):
    pass


@contextmanager
def _damage_found() -> Iterator[None]:
    """Raise _Damaged for every error of the standard library: of a damaged archive it raises more than it documents."""
    try:
        yield
    except (_TooLarge, _Damaged):
        raise
    except Exception as error:
        raise _Damaged(str(error) or type(error).__name__) from error


@dataclass
class _Entry:
    """A file of a submission: its path, size, time, and how to open it; None if it is not a regular file.

    ``is_unpacked``: passing it by unpacks it nevertheless.
    """

    place: str
    size: int
    modified: float
    open: Callable[[], IO[bytes]] | None
    is_unpacked: bool = False


@dataclass
class _Taken:
    """What is read from a submission, with the archives in it; _TooLarge if that is more than it may be."""

    most_files: int
    most_bytes: int
    bytes_read: int = 0
    bytes_passed: int = 0
    entries: int = 0
    passed: int = 0
    code: Counter[bool] = field(default_factory=Counter)
    beside: int = 0
    bytes_beside: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    ignored: list[tuple[str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def read(self, entry: _Entry) -> bytes:
        """The content of an entry, unpacked and counted part by part."""
        content = bytearray()
        with _damage_found():
            if entry.open is None:
                raise _Damaged("it is a link or no regular file")
            with entry.open() as file:
                while part := file.read(CHUNK):
                    self.bytes_read += len(part)
                    self._require_small()
                    content += part
        return bytes(content)

    def _require_small(self) -> None:
        if self.bytes_read > self.most_bytes or self.bytes_passed > PASSED_BY * self.most_bytes:
            raise _TooLarge(f"its files hold more than {self.most_bytes >> 20} MB")
        if self.entries > MOST_ENTRIES or self.passed > MOST_PASSED:
            raise _TooLarge(f"it has more than {MOST_ENTRIES:,} entries")

    def add(self, entries: Iterable[_Entry], nested: int = 0) -> None:
        """Read entries, and those of the archives among them if there is nothing else."""
        for entry in entries:
            self.bytes_passed += entry.size if entry.is_unpacked else 0
            self.passed += 1
            self.entries += not is_ignored(entry.place)
            self._require_small()
            problem = _problem(entry, self.files)
            if problem is not None:
                self.problems.append(problem)
                continue
            place = _clean(entry.place) or ""
            if is_ignored(entry.place) or entry.open is None:
                continue
            try:
                self._take(entry, place)
            except _Damaged as error:
                why = "has a password" if "encrypted" in str(error) else "is damaged"
                self.problems.append(f"{entry.place} {why}, and is not read")
        archives, self.archives = self.archives, {}
        if _trees(self.files) or nested == MOST_NESTED:
            self.ignored += [(place, len(content)) for place, content in archives.items()]
            return
        for place, content in archives.items():
            inner = _of_archive(io.BytesIO(content))
            try:
                self.add((replace(entry, place=f"{place}/{entry.place}") for entry in inner), nested + 1)
            except _TooLarge:
                raise
            except (OSError, ValueError) as error:
                self.problems.append(f"{place} cannot be read: {error}")

    def _take(self, entry: _Entry, place: str) -> None:
        if _is_kind(place, CODE):
            path = PurePosixPath(place)
            is_own = "mlcvlab" in path.parts or path.name in _own_names()
            self.code[is_own] += 1
            if self.code[is_own] > self.most_files and is_own:
                raise _TooLarge(f"it has more than {self.most_files:,} files")
            if self.code[is_own] > self.most_files:  # such as those of a virtual environment
                self.ignored.append((place, entry.size))
                return
            self.files[place] = self.read(entry)
            self.times[place] = entry.modified if 0 < entry.modified < LATEST else 0.0
        elif _is_kind(place, ARCHIVES) and entry.size <= self.most_bytes:
            self.archives[place] = self.read(entry)
        elif self.beside < MOST_BESIDE and self.bytes_beside + entry.size <= LARGEST_BESIDE:
            self.files[place] = self.read(entry)
            self.beside, self.bytes_beside = self.beside + 1, self.bytes_beside + entry.size
        else:
            self.ignored.append((place, entry.size))


def _trees(files: Iterable[str]) -> set[PurePosixPath]:
    """The folders that hold ``mlcvlab/``."""
    parts = [PurePosixPath(name).parts for name in files]
    found = [(own, i) for own in parts for i, (a, b) in enumerate(pairwise(own)) if a == "mlcvlab" and b in PACKAGES]
    return {PurePosixPath(*own[:i]) for own, i in found}


def _problem(entry: _Entry, files: Mapping[str, bytes]) -> str | None:
    """Why an entry is not read; None if it is read."""
    clean = _clean(entry.place)
    if clean is None:
        return f"the path {entry.place!r} leads out of the submission, or is no name"
    if entry.open is None:
        return None if is_ignored(entry.place) else f"{entry.place} is a link or no regular file, and is not read"
    parents = {str(parent) for parent in PurePosixPath(clean).parents}
    if parents & files.keys() or any(other.startswith(f"{clean}/") for other in files):
        return f"{entry.place} is a file and a folder"
    return None


def plain_text(text: str, most: int = 500) -> str:
    """A text on one line, cut to a length, with escapes for what cannot be printed.

    So no name and no message of a submission can imitate a line of the grader.
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text[:most])


def _clean(place: str) -> str | None:
    """A path inside the submission; None if it leads outside or cannot be a file."""
    parts = PurePosixPath(place.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0] or "\0" in place:
        return None
    try:
        fits = all(len(part.encode()) <= LONGEST_NAME for part in parts)
    except UnicodeEncodeError:
        return None
    return str(PurePosixPath(*parts)) if fits and len(parts) <= DEEPEST else None


def _entries(found: Found, read: Callable[[_Entry], bytes]) -> Iterator[_Entry]:
    """The files of a submission."""
    several = len(found.paths) > 1
    for path in found.paths:
        if path.is_symlink():
            raise ValueError("it is a link")
        if path.is_dir():
            yield from _of_folder(path)
        elif several or _is_kind(path.name, CODE):
            yield _of_file(path, _own_name(path.name))
        elif _is_kind(path.name, UNOPENED) and not _is_kind(path.name, ARCHIVES):
            raise ValueError(f"{path.name} cannot be opened here; hand in the folder hw1 as a .zip")
        else:
            yield from _below(_of_archive(path), found.below, read)


def _below(entries: Iterable[_Entry], below: str, read: Callable[[_Entry], bytes]) -> Iterator[_Entry]:
    """The entries in a folder or an archive, or a student's single files in an archive of a class."""
    for raw in entries:
        entry = replace(raw, place=_clean(raw.place) or raw.place) if below else raw
        if not below:
            yield entry
        elif entry.place == below and _is_kind(below, ARCHIVES):
            yield from _of_archive(io.BytesIO(read(entry)))
        elif entry.place == below:
            yield replace(entry, place=PurePosixPath(below).name)
        elif entry.place.startswith(f"{below}/"):
            yield replace(entry, place=entry.place[len(below) + 1 :])
        elif _who(PurePosixPath(entry.place).name) == PurePosixPath(below).name:
            yield replace(entry, place=_own_name(PurePosixPath(entry.place).name))


def _of_file(path: Path, place: str) -> _Entry:
    kind = path.lstat()

    def opened() -> IO[bytes]:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")

    return _Entry(place, kind.st_size, kind.st_mtime, opened if stat.S_ISREG(kind.st_mode) else None)


def _of_folder(folder: Path) -> Iterator[_Entry]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        for name in [*folders, *sorted(names)]:
            place = Path(root, name)
            if not is_ignored(name) and not stat.S_ISDIR(place.lstat().st_mode):
                yield _of_file(place, place.relative_to(folder).as_posix())


def _of_archive(archive: Path | IO[bytes]) -> Iterator[_Entry]:
    head = _head_of(archive)
    is_tarball = head[257:262] == b"ustar" or head.startswith(COMPRESSED)
    # whose end may be that of a zip in it
    is_zip = not is_tarball and zipfile.is_zipfile(archive)
    called_zip = isinstance(archive, Path) and archive.suffix.lower() == ".zip"
    if called_zip and not is_zip and head.startswith(b"PK"):
        raise ValueError("it is no zip file, or a damaged one")
    with _damage_found():
        yield from (_of_zip if is_zip else _of_tarball)(archive)


def _head_of(archive: Path | IO[bytes]) -> bytes:
    if isinstance(archive, Path):
        with archive.open("rb") as file:
            return file.read(tarfile.BLOCKSIZE)
    head = archive.read(tarfile.BLOCKSIZE)
    archive.seek(0)
    return head


def _of_zip(path: Path | IO[bytes]) -> Iterator[_Entry]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            is_file = stat.S_IFMT(entry.external_attr >> 16) in (0, stat.S_IFREG)
            modified = time.mktime((*entry.date_time, 0, 0, -1)) if entry.date_time[0] > 1980 else 0.0
            opened = partial(archive.open, entry) if is_file else None
            yield _Entry(entry.filename, entry.file_size, modified, opened)


class _TarEntry(tarfile.TarInfo):
    """An entry whose extended header is refused, because it would be read into memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in HEADERS and self.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"a header claims {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _opened_tarball(opened: Callable[..., tarfile.TarFile]) -> tarfile.TarFile:
    try:
        return opened(tarinfo=_TarEntry)
    except tarfile.ReadError as error:
        # a line for each kind of compression follows
        if str(error).startswith("file could not be opened") and "claims" not in str(error):
            raise _Damaged("it is damaged, or no archive of the kind that its name says") from error
        raise


def _of_tarball(path: Path | IO[bytes]) -> Iterator[_Entry]:
    opened = partial(tarfile.open, path) if isinstance(path, Path) else partial(tarfile.open, fileobj=path)
    if not isinstance(path, Path):
        path.seek(0)
    with _opened_tarball(opened) as archive:
        for entry in archive:
            if not entry.isdir():
                extracted = cast("Callable[[], IO[bytes]]", partial(archive.extractfile, entry))
                file = extracted if entry.isreg() else None
                yield _Entry(entry.name, entry.size, float(entry.mtime), file, is_unpacked=True)


def _placed(taken: _Taken) -> tuple[dict[str, bytes], list[str], list[str]]:
    """The homework's files by their paths in ``hw1/``, breaches of the rule on files, and notes for a person.

    If a submission is the complete folder of the handout, what lies beside ``hw1/`` is ignored. A file of the homework
    in another place is found by its name, or by what it defines.
    """
    problems: list[str] = []
    root = _root(taken, problems)
    files = {own: content for name, content in taken.files.items() if (own := _relative(name, root)) is not None}
    for place, missing in _found_elsewhere(taken, root, files):
        files[missing] = taken.files[place]
        own = _relative(place, root)
        if own is not None and own not in tree_files():
            files.pop(own, None)
        problems.append(f"{place} is not where it belongs, and is graded as {missing}")
    has_code = any(_is_kind(name, CODE) for name in files)
    closed = [
        name
        for name in (*taken.files, *(name for name, _ in taken.ignored))
        if _is_kind(name, UNOPENED) and not (has_code and _is_kind(name, DOCUMENTS))
    ]
    problems += [f"{name} cannot be opened here: hand in the folder hw1 as a .zip" for name in closed]
    if not (has_code or closed or taken.problems):
        problems.append("there is no file of the homework in it")
    ignored = [(name, size) for name, size in taken.ignored if _relative(name, root) is not None]
    if ignored:
        problems.append(f"no part of the homework, and ignored: {_listed(ignored)}")
    sizes = [*taken.ignored, *((name, len(content)) for name, content in taken.files.items())]
    outside = [(name, size) for name, size in sizes if _relative(name, root) is None]
    notes = [f"beside the homework's folder, and not looked at: {_listed(outside)}"] if outside else []
    return files, problems, notes


def _relative(place: str, root: PurePosixPath) -> str | None:
    path = PurePosixPath(place)
    return str(path.relative_to(root)) if path.is_relative_to(root) else None


def _listed(files: list[tuple[str, int]]) -> str:
    """Some files with their sizes, the largest first, and the number of others."""
    largest = sorted(files, key=lambda file: (-file[1], file[0]))
    named = ", ".join(f"{name} ({_size(size)})" for name, size in largest[:3])
    return named + (f" and {len(files) - 3:,} more" if len(files) > 3 else "")


def _size(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB" if size >= 1e3 else f"{size} bytes"


def _root(taken: _Taken, problems: list[str]) -> PurePosixPath:
    """The folder that holds ``mlcvlab/``. Of several it is the newest; if they are equally old, it is hw1."""
    roots: dict[PurePosixPath, float] = {}
    for name in taken.files:
        parts = PurePosixPath(name).parts
        for i, (part, below) in enumerate(pairwise(parts)):
            if part == "mlcvlab" and below in PACKAGES:
                root = PurePosixPath(*parts[:i])
                roots[root] = max(roots.get(root, 0.0), taken.times.get(name, 0.0))
    if not roots:
        notebooks = {PurePosixPath(name).parent for name in taken.files if name.endswith(".ipynb")}
        return min(notebooks, key=lambda folder: (len(folder.parts), str(folder)), default=PurePosixPath())
    newest = max(roots.values())
    latest = [root for root, modified in roots.items() if newest - modified <= SAME_TIME]
    chosen = min(latest, key=lambda r: (r.name != "hw1", len(r.parts), str(r)))
    if len(roots) > 1:
        listed = ", ".join(sorted(str(root) for root in roots))
        which = "the newest" if len(latest) == 1 else "one of the newest"
        problems.append(f"the homework is there {len(roots)} times: {listed}; {which}, {chosen}, is graded")
    return chosen


def _found_elsewhere(taken: _Taken, root: PurePosixPath, files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Misplaced files of the homework, each with its right path."""
    free = [name for name in taken.files if _is_kind(name, CODE) and _relative(name, root) not in tree_files()]
    defined = _Definitions(taken.files)
    for missing in _own_names().values():
        if missing in files:
            continue
        named = [name for name in free if _usual_name(name) == PurePosixPath(missing).name.lower()]
        alike = named or [name for name in free if _is_like(defined, name, missing)]
        if alike:
            yield max(alike, key=lambda name: (taken.times.get(name, 0.0), -len(name), name)), missing


def _usual_name(name: str) -> str:
    """The name of a file without additions of a download, in lower case."""
    path = PurePosixPath(name)
    return re.sub(r"[ _-]*(\(\d+\)|copy)$", "", path.stem.lower()) + path.suffix.lower()


class _Definitions:
    """The names of the functions and classes of files, each parsed once, and none beyond what is searched in all."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files, self.left = files, MOST_SEARCHED
        self.found: dict[str, set[str]] = {}

    def of(self, name: str) -> set[str]:
        content = self.files[name]
        if name not in self.found:
            self.found[name] = set()
            if len(content) <= min(MOST_SOURCE, self.left):
                self.left -= len(content)
                with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                    body = parsed(content).body
                    self.found[name] = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        return self.found[name]


def _is_like(definitions: _Definitions, name: str, missing: str) -> bool:
    """Whether a file defines most of what a file of the homework must define."""
    if missing == NOTEBOOK:
        return name.endswith(".ipynb")
    tasks = {task.function.partition(".")[0] for task in read_assignment().tasks if task.file == missing}
    if not tasks or not name.endswith(".py"):
        return False
    return 2 * len(definitions.of(name) & tasks) >= len(tasks)
