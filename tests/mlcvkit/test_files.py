"""Files and folders that are complete or not there, whoever else writes beside them."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from events import wait_for
from mlcvkit import InputError
from mlcvkit.files import PARTIAL, lock, locked_folder, remove_leftovers, temporary_folder, write_whole
from mlcvkit.storage.runs import RESERVED

HOLDS = """
import sys, time
from pathlib import Path
from mlcvkit.files import _new_file, locked_folder, mark_host
folder = Path(sys.argv[1])
path, descriptor = _new_file(folder)
with locked_folder(folder / ".run.partial"):
    mark_host(folder / ".run.partial")
    print(flush=True)
    time.sleep(1e6)
"""


@contextmanager
def another_process(folder):
    """One that is at work on a file and a run in a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, folder], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_has_the_permissions_that_the_umask_gives(tmp_path, umask):
    write_whole(tmp_path / "file", b"content")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    with locked_folder(tmp_path / "folder"):
        assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("name", ["report.html", ".report.html.partial", "report.html.partial", ".partial"])
def test_nothing_is_written_through_a_link(tmp_path, name):
    (tmp_path / "mine").write_text("precious")
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / name).symlink_to(tmp_path / "mine")
    write_whole(folder / "report.html", b"page")
    assert (tmp_path / "mine").read_text() == "precious"
    assert (folder / "report.html").read_bytes() == b"page" and not (folder / "report.html").is_symlink()


def test_what_was_there_stays_where_nothing_can_be_written(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"folder cannot be written: "):
        write_whole(tmp_path / "folder", b"content")
    with pytest.raises(InputError, match=r"missing/file cannot be written: No such file"):
        write_whole(tmp_path / "missing/file", b"content")
    assert names(tmp_path) == ["folder"]


def test_what_a_living_process_writes_stays_and_what_a_killed_one_left_is_removed(tmp_path):
    with another_process(tmp_path) as process:
        remove_leftovers(tmp_path)
        remove_leftovers(tmp_path, RESERVED)
        assert len(names(tmp_path)) == 2 and all(name.endswith(PARTIAL) for name in names(tmp_path))
        with locked_folder(tmp_path / ".run.partial") as is_mine:
            assert is_mine is False
        process.kill()
        process.wait()
        write_whole(tmp_path / "file", b"content")
        assert names(tmp_path) == [".run.partial", "file"], "only what is written there"
        remove_leftovers(tmp_path, RESERVED)
        assert names(tmp_path) == ["file"]


def test_what_others_have_left_in_a_folder_is_theirs(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    theirs = [".movie.partial", ".x.partial-backup", ".0123.partial", "submission-final.pdf", "submission-2024"]
    for name in theirs[:3]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious").touch()
    (tmp_path / theirs[3]).touch()
    (tmp_path / theirs[4]).mkdir()
    os.mkfifo(tmp_path / ".0123456789abcdef.partial-x")
    of_another_host = tmp_path / ".run.partial"
    of_another_host.mkdir()
    (of_another_host / ".host").write_text("elsewhere")
    before = names(tmp_path)
    write_whole(tmp_path / "file", b"content")
    remove_leftovers(tmp_path, RESERVED)
    with temporary_folder("submission-"):
        pass
    assert names(tmp_path) == sorted([*before, "file"])


def test_a_folder_that_is_removed_as_it_is_locked_is_made_again(tmp_path, monkeypatch):
    folder = tmp_path / ".run.partial"
    removed = []

    def removing(path):
        if not removed:
            removed.append(path.rmdir())
        return lock(path)

    monkeypatch.setattr("mlcvkit.files.lock", removing)
    with locked_folder(folder) as is_mine:
        assert is_mine and folder.is_dir()


def test_temporary_folders_of_killed_processes_are_removed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "work-0123456789abcdef").mkdir()
    (tmp_path / "other").mkdir()
    with temporary_folder("work-") as one, temporary_folder("work-") as two:
        (one / "file").touch()
        assert names(tmp_path) == sorted(["other", one.name, two.name])
    assert names(tmp_path) == ["other"]


def test_processes_that_write_one_file_at_once_leave_one_of_their_contents(tmp_path):
    code = (
        "import sys; from pathlib import Path; from mlcvkit.files import write_whole\n"
        "for _ in range(200): write_whole(Path(sys.argv[1]), sys.argv[2].encode() * 10_000)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, tmp_path / "file", digit]) for digit in "123"]
    wait_for(lambda: (tmp_path / "file").exists())
    while any(process.poll() is None for process in processes):
        content = (tmp_path / "file").read_bytes()
        assert len(content) == 10_000 and len(set(content)) == 1
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert names(tmp_path) == ["file"]
