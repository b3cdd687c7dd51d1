import io
import os
import resource
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcvkit import InputError
from mlcvkit.course import submissions
from mlcvkit.course.imports import MOST_SOURCE
from mlcvkit.course.submissions import find_submissions, read_submission

FILES = {"mlcvlab/nn/basis.py": b"a = 1\n", "test_basis.py": b"b = 2\n"}
LIMITS = {"most_bytes": 1 << 20, "most_files": 100}


def write_zip(path, files, **modes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = modes.get(name, stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def write_tarball(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("prefix", ["", "hw1/", "smith-hw1/hw1/", "./"])
@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz", "tar"])
def test_folders_and_archives_are_read_alike(kind, prefix, tmp_path):
    files = {f"{prefix}{name}": content for name, content in FILES.items()}
    path = tmp_path / (f"smith.{kind}" if kind != "folder" else "smith")
    {
        "folder": write_folder,
        "zip": write_zip,
        "tar.gz": write_tarball,
        "tar": lambda path, files: write_tarball(path, files, "w"),
    }[kind](path, files)
    submission = read_submission(path, **LIMITS)
    assert (submission.name, submission.files, submission.problems) == ("smith", FILES, ())


def test_what_machines_leave_behind_is_not_looked_at(tmp_path):
    junk = {
        "__MACOSX/._basis.py": b"",
        "mlcvlab/__pycache__/basis.cpython-311.pyc": b"",
        ".DS_Store": b"",
        ".git/x": b"",
    }
    junk |= {
        "mlcvlab/nn/.ipynb_checkpoints/basis.py": b"",
        "._basis.py": b"",
        "mlcvlab/._nn": b"",
        ".venv/lib/site.py": b"",
    }
    assert read_submission(write_zip(tmp_path / "a.zip", FILES | junk), **LIMITS).files == FILES
    assert read_submission(write_folder(tmp_path / "b", FILES | junk), **LIMITS).files == FILES


def test_what_stands_beside_the_homework_is_not_looked_at(tmp_path):
    files = {"ASSIGNMENT.md": b"", **{f"hw1/{name}": content for name, content in FILES.items()}}
    assert read_submission(write_folder(tmp_path / "a", files), **LIMITS).files == FILES


@pytest.mark.parametrize(
    "place", ["../../evil.py", "/tmp/evil.py", "mlcvlab/../../evil.py", "..\\evil.py", "C:\\evil.py"]
)
@pytest.mark.parametrize("write", [write_zip, write_tarball])
def test_a_path_that_leads_out_is_told_and_not_read(place, write, tmp_path):
    path = write(tmp_path / ("a.zip" if write is write_zip else "a.tar.gz"), {**FILES, place: b"evil"})
    submission = read_submission(path, **LIMITS)
    assert submission.files == FILES
    assert len(submission.problems) == 1 and "leads out of the submission" in submission.problems[0]
    assert not (tmp_path.parent / "evil.py").exists()


def test_links_are_told_and_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = write_folder(tmp_path / "a", FILES)
    (folder / "mlcvlab/link.py").symlink_to(tmp_path / "secret")
    (folder / "mlcvlab/out").symlink_to(tmp_path)
    os.mkfifo(folder / "mlcvlab/pipe.py")
    submission = read_submission(folder, **LIMITS)
    assert submission.files == FILES and len(submission.problems) == 3
    link = write_zip(tmp_path / "b.zip", {**FILES, "link": b"/etc/passwd"}, link=stat.S_IFLNK | 0o777)
    assert read_submission(link, **LIMITS).files == FILES
    with tarfile.open(tmp_path / "c.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo(f"entry{kind.decode()}")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    submission = read_submission(tmp_path / "c.tar", **LIMITS)
    assert submission.files == {} and len(submission.problems) == 4


def test_a_submission_that_is_a_link_is_not_followed(tmp_path):
    write_folder(tmp_path / "real", FILES)
    (tmp_path / "all").mkdir()
    (tmp_path / "all/mallory").symlink_to(tmp_path / "real")
    [found] = find_submissions([tmp_path / "all"])
    submission = read_submission(found, **LIMITS)
    assert submission.files == {} and "a link" in submission.problems[0]


def test_bombs_are_not_unpacked(tmp_path):
    bomb = write_zip(tmp_path / "bomb.zip", {"mlcvlab/a.py": bytes(50 << 20)})
    assert bomb.stat().st_size < 100_000
    many = write_zip(tmp_path / "many.zip", {f"mlcvlab/{i}.py": b"" for i in range(101)})
    total = write_tarball(tmp_path / "total.tar.gz", {f"mlcvlab/{i}.py": bytes(100_000) for i in range(20)})
    for path, words in ((bomb, "more than 1 MB"), (many, "more than 100 files"), (total, "more than 1 MB")):
        submission = read_submission(path, **LIMITS)
        assert submission.files == {} and words in submission.problems[0]


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=300), kind=st.sampled_from(["zip", "tar", "tar.gz", "tar.xz"]), cut=st.integers(0, 400)
)
def test_damaged_archives_are_told_and_never_raise(content, kind, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    if kind == "zip":
        whole = write_zip(folder / "a.zip", FILES).read_bytes()
    else:
        whole = write_tarball(folder / "a", FILES, f"w:{kind[4:]}" if "." in kind else "w").read_bytes()
    path = folder / f"b.{kind}"
    path.write_bytes(whole[:cut] + content + whole[cut + len(content) :])
    submission = read_submission(path, **LIMITS)
    assert all(".." not in name and not name.startswith("/") for name in submission.files)
    assert sum(map(len, submission.files.values())) <= LIMITS["most_bytes"]
    if path.read_bytes() == whole:
        assert (submission.files, submission.problems) == (FILES, ())


def test_an_entry_without_a_name_is_damage_like_any_other(tmp_path):
    whole = write_zip(tmp_path / "whole.zip", FILES).read_bytes()
    name = whole.rindex(b"PK\x01\x02") + 46
    (tmp_path / "a.zip").write_bytes(whole[:name] + b"\0" + whole[name + 1 :])
    assert "cannot be read" in read_submission(tmp_path / "a.zip", **LIMITS).problems[0]
    assert [one.name for one in find_submissions([tmp_path / "a.zip"])] == ["a"]


def test_a_folder_of_submissions_is_each_of_them(tmp_path):
    write_folder(tmp_path / "adams", FILES)
    write_zip(tmp_path / "brown.zip", FILES)
    (tmp_path / "notes.txt").write_text("")
    passed_by = []
    assert [found.name for found in find_submissions([tmp_path], passed_by)] == ["adams", "brown"]
    assert [path.name for path in passed_by] == ["notes.txt"]
    assert [found.name for found in find_submissions([tmp_path / "adams"])] == ["adams"]


def test_the_homeworks_own_folder_goes_before_others(tmp_path):
    old = {f"attempt1/{name}": b"old" for name in FILES}
    new = {f"hw1/{name}": content for name, content in FILES.items()}
    assert read_submission(write_folder(tmp_path / "a", old | new), **LIMITS).files == FILES
    named_like_it = {f"mlcvlab/hw1/{name}": content for name, content in FILES.items()}
    assert read_submission(write_zip(tmp_path / "b.zip", named_like_it), **LIMITS).files == FILES


def test_a_student_called_hw1_is_one_of_a_class(tmp_path):
    for name in ("adams", "brown", "hw1"):
        write_folder(tmp_path / name, FILES)
    assert [found.name for found in find_submissions([tmp_path])] == ["adams", "brown", "hw1"]


def test_names_that_no_file_can_have_are_told(tmp_path):
    files = {**FILES, "mlcvlab/" + "a" * 300: b"", "mlcvlab/nn/basis.py/more": b"", "a/" * 30 + "b": b""}
    submission = read_submission(write_zip(tmp_path / "a.zip", files), **LIMITS)
    assert submission.files == FILES and len(submission.problems) == 3
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        for name, content in {**FILES, "mlcvlab/größe.txt": b"1"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    submission = read_submission(tmp_path / "b.tar.gz", **LIMITS)
    assert submission.files == FILES and "is no name" in submission.problems[0]
    submission.problems[0].encode()


@pytest.mark.parametrize("kind", ["xz", "bz2", "lzma"])
def test_damage_in_any_compression_is_told(kind, tmp_path):
    path = tmp_path / f"a.{'zip' if kind == 'lzma' else f'tar.{kind}'}"
    noise = {f"mlcvlab/{i}.py": os.urandom(2000) for i in range(9)}
    if kind == "lzma":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
            for name, content in noise.items():
                archive.writestr(name, content)
    else:
        write_tarball(path, noise, f"w:{kind}")
    content = bytearray(path.read_bytes())
    content[2000:6000] = bytes(4000)
    path.write_bytes(content)
    assert read_submission(path, **LIMITS).problems


def test_what_is_passed_by_counts_as_well(tmp_path):
    ignored = write_tarball(tmp_path / "a.tar.bz2", {"hw1/.git/big": bytes(51 << 20)}, "w:bz2")
    with (
        zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        pytest.warns(UserWarning, match="Dup"),
    ):
        for _ in range(10):
            archive.writestr("mlcvlab/a.py", bytes(500_000))
    for path in (ignored, tmp_path / "b.zip"):
        assert "more than 1 MB" in read_submission(path, **LIMITS).problems[0]
    with tarfile.open(tmp_path / "c.tar", "w") as archive:
        for i in range(99):
            entry = tarfile.TarInfo(f"link{i}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
    assert len(read_submission(tmp_path / "c.tar", **LIMITS).problems) == 20


def test_no_submission_is_an_error_that_says_so(tmp_path):
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "empty").mkdir()
    for path, words in (
        (tmp_path / "nothing", "there is no submission"),
        (tmp_path / "a.txt", "is no submission: a folder, or a file that ends in"),
        (tmp_path / "empty", "there is none in it"),
    ):
        with pytest.raises(InputError, match=words):
            find_submissions([path])


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "a.tar"
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 3 << 30
    with path.open("wb") as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(4 << 30)  # the file takes no room on disk
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    submission = read_submission(path, **LIMITS)
    assert submission.files == {} and "a header claims 3,221,225,472 bytes" in submission.problems[0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_pipe_is_no_submission(tmp_path):
    write_folder(tmp_path / "adams", FILES)
    for name in ("brown.zip", "clark"):
        os.mkfifo(tmp_path / name)
    assert [found.name for found in find_submissions([tmp_path])] == ["adams"]
    with pytest.raises(InputError, match="neither a folder nor a file"):
        find_submissions([tmp_path / "brown.zip"])


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


BASIS = b"def linear(x, W): ...\ndef linear_grad(x): ...\n"
NOTEBOOK = "HW1_MNIST_NN2.ipynb"


def test_moodles_download_is_a_folder_with_an_archive_for_each_student(tmp_path):
    names = [f"{who}_{i}_assignsubmission_file_" for i, who in enumerate(("Ann Adams", "Bo Brown"), start=100)]
    download = {f"{name}/hw1.zip": zipped({f"hw1/{place}": FILES[place] for place in FILES}) for name in names}
    write_folder(tmp_path / "unpacked", download)
    (tmp_path / "download.zip").write_bytes(zipped(download))
    (tmp_path / "nested.zip").write_bytes(zipped({f"class/{place}": content for place, content in download.items()}))
    for path in (tmp_path / "unpacked", tmp_path / "download.zip", tmp_path / "nested.zip"):
        found = find_submissions([path])
        assert [one.name for one in found] == names, path
        for one in found:
            submission = read_submission(one, **LIMITS)
            assert (submission.files, submission.problems) == (FILES, ()), path


def test_canvass_download_is_lone_files_and_archives(tmp_path):
    archive = zipped({f"hw1/{place}": FILES[place] for place in FILES})
    download = {
        "adamsann_LATE_101_9001_hw1.zip": archive,
        "brownbo_102_9002_basis.py": BASIS,
        "brownbo_102_9007_HW1_MNIST_NN2-1.ipynb": b"{}",
        "daviddi_104_9004_hw1.zip": archive,
        "daviddi_104_9005_HW1_MNIST_NN2.ipynb": b"{}",
        "clarkcy_103_9003_hw1.rar": b"Rar!",
    }
    write_folder(tmp_path / "unpacked", download)
    (tmp_path / "download.zip").write_bytes(zipped(download))
    for path in (tmp_path / "unpacked", tmp_path / "download.zip"):
        found = {one.name: read_submission(one, **LIMITS) for one in find_submissions([path])}
        assert list(found) == ["adamsann_LATE_101", "brownbo_102", "clarkcy_103", "daviddi_104"], path
        assert found["adamsann_LATE_101"].files == FILES
        assert found["brownbo_102"].files["mlcvlab/nn/basis.py"] == BASIS
        assert found["brownbo_102"].files[NOTEBOOK] == b"{}"
        assert found["daviddi_104"].files == {**FILES, NOTEBOOK: b"{}"}
        [problem] = found["clarkcy_103"].problems
        assert "hw1.rar cannot be opened" in problem and "as a .zip" in problem


def test_a_zip_of_one_student_is_no_class(tmp_path):
    for i, files in enumerate(
        (
            {"nn/basis.py": BASIS, "models/nn2.py": b"class NN2: ...\n", "optim/sgd.py": b"def SGD(): ...\n"},
            {f"{tree}/{place}": content for tree in ("hw1", "hw1_old") for place, content in FILES.items()},
            {"HW1_MNIST_NN2.ipynb": b"{}", "data.zip": zipped({"a.csv": b"1"}), "more.zip": zipped({"b.csv": b"1"})},
        )
    ):
        path = tmp_path / f"student{i}.zip"
        path.write_bytes(zipped(files))
        assert [one.name for one in find_submissions([path])] == [f"student{i}"]


@pytest.mark.parametrize("nested", [1, 2])
def test_archives_in_an_archive_are_opened_where_they_are_all_there_is(nested, tmp_path):
    content = zipped({f"hw1/{place}": FILES[place] for place in FILES})
    for _ in range(nested):
        content = zipped({"final.zip": content, "readme.txt": b"see the zip"})
    (tmp_path / "a.zip").write_bytes(content)
    submission = read_submission(tmp_path / "a.zip", **LIMITS)
    assert submission.files == FILES and not submission.problems


def test_a_bomb_in_an_archive_is_not_unpacked(tmp_path):
    content = zipped({"mlcvlab/nn/basis.py": bytes(50 << 20)})
    (tmp_path / "a.zip").write_bytes(zipped({"b.zip": zipped({"c.zip": content})}))
    submission = read_submission(tmp_path / "a.zip", **LIMITS)
    assert submission.files == {} and "more than 1 MB" in submission.problems[0]


def test_many_archives_in_one_hold_together_no_more_than_one_may(tmp_path):
    one = zipped({f"part{i}.py": bytes(900 << 10) for i in range(1)})
    (tmp_path / "a.zip").write_bytes(zipped({f"{i}.zip": one for i in range(20)}))
    submission = read_submission(tmp_path / "a.zip", **LIMITS)
    assert submission.files == {} and "more than 1 MB" in submission.problems[0]


def test_a_lone_notebook_or_module_is_a_submission(tmp_path):
    write_folder(tmp_path / "class", {"ann.ipynb": b"{}", "bo.py": BASIS, "cy.7z": b"7z", "notes.txt": b""})
    passed_by = []
    found = {one.name: read_submission(one, **LIMITS) for one in find_submissions([tmp_path / "class"], passed_by)}
    assert found["ann.ipynb"].files[NOTEBOOK] == b"{}"
    assert found["bo.py"].files["mlcvlab/nn/basis.py"] == BASIS
    assert "cannot be opened" in found["cy.7z"].problems[0]
    assert [path.name for path in passed_by] == ["notes.txt"]
    [alone] = find_submissions([tmp_path / "class/ann.ipynb"])
    assert read_submission(alone, **LIMITS).files[NOTEBOOK] == b"{}"


def test_loose_files_are_one_submission_and_go_where_they_belong(tmp_path):
    loose = {"basis.py": BASIS, "nn2.py": b"class NN2: ...\n", "adam (1).py": b"def Adam(): ...\n", NOTEBOOK: b"{}"}
    folder = write_folder(tmp_path / "a", loose)
    [found] = find_submissions([folder])
    submission = read_submission(found, **LIMITS)
    assert submission.files == {
        "mlcvlab/nn/basis.py": BASIS,
        "mlcvlab/models/nn2.py": b"class NN2: ...\n",
        "mlcvlab/optim/adam.py": b"def Adam(): ...\n",
        NOTEBOOK: b"{}",
    }
    assert any("nn2.py is not where it belongs" in problem for problem in submission.problems)


def test_a_file_in_the_wrong_folder_or_of_another_name_is_found(tmp_path):
    files = {f"hw1/{place}": FILES[place] for place in FILES} | {
        "hw1/mlcvlab/my_losses.py": b"def l2(y, y_hat): ...\ndef l2_grad(y, y_hat): ...\ndef mse(y, y_hat): ...\n"
        b"def mse_grad(y, y_hat): ...\n",
        "elsewhere/sgd.py": b"def SGD(): ...\n",
        "hw1/solution.ipynb": b"{}",
    }
    submission = read_submission(write_zip(tmp_path / "a.zip", files), **LIMITS)
    assert {"mlcvlab/nn/losses.py", "mlcvlab/optim/sgd.py", NOTEBOOK} <= submission.files.keys()
    assert not {"mlcvlab/my_losses.py", "solution.ipynb"} & submission.files.keys()
    assert len(submission.problems) == 3


def test_data_beside_the_homework_is_ignored_and_named(tmp_path):
    big = {"hw1/data/mnist.csv": bytes(125_000_000), "hw1/more.bin": bytes(30_000_000)}
    many = {f"hw1/frames/{i}.png": b"x" for i in range(3000)}
    path = write_zip(tmp_path / "a.zip", {f"hw1/{place}": FILES[place] for place in FILES} | big | many)
    submission = read_submission(path, most_bytes=100 << 20, most_files=2000)
    assert FILES.items() <= submission.files.items() and len(submission.files) <= 102
    [problem] = submission.problems
    assert "ignored: data/mnist.csv (125 MB), more.bin (30 MB), " in problem.replace("hw1/", "")
    outside = write_zip(tmp_path / "b.zip", {f"hw1/{p}": FILES[p] for p in FILES} | {"report.pdf": b"%PDF"})
    submission = read_submission(outside, **LIMITS)
    assert (submission.files, submission.problems) == (FILES, ())
    assert "report.pdf (4 bytes)" in submission.notes[0]


def test_of_several_trees_the_newest_is_taken_and_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for tree, year in (("try1", 2025), ("try2", 2026), ("try3", 2024)):
            entry = zipfile.ZipInfo(f"{tree}/mlcvlab/nn/basis.py", (year, 5, 1, 12, 0, 0))
            archive.writestr(entry, f"# {tree}\n")
    submission = read_submission(tmp_path / "a.zip", **LIMITS)
    assert submission.files == {"mlcvlab/nn/basis.py": b"# try2\n"}
    assert "try1, try2, try3; the newest, try2, is graded" in submission.problems[0]


def test_what_holds_no_file_of_the_homework_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    cases = {
        "empty": "there is no file of the homework",
        "a.zip": "there is no file",
        "b.zip": "hw1.rar cannot be opened",
    }
    (tmp_path / "a.zip").write_bytes(zipped({"essay.txt": b"my homework"}))
    (tmp_path / "b.zip").write_bytes(zipped({"hw1.rar": b"Rar!"}))
    for name, words in cases.items():
        assert words in read_submission(tmp_path / name, **LIMITS).problems[0]


@pytest.mark.parametrize(
    "beside", [{NOTEBOOK: b"{}"}, {"activations.py": b"# newer"}, {"plot.py": b"", "README.txt": b"see hw1.zip"}]
)
def test_an_archive_beside_files_that_are_no_whole_homework_is_opened(beside, tmp_path):
    archive = zipped({f"hw1/{place}": FILES[place] for place in FILES})
    for path in (
        write_folder(tmp_path / "Ann_1_assignsubmission_file_", {"hw1.zip": archive, **beside}),
        write_zip(
            tmp_path / "a.zip", {f"sub/{name}": content for name, content in {"hw1.zip": archive, **beside}.items()}
        ),
    ):
        assert FILES.items() <= read_submission(path, **LIMITS).files.items(), path


def test_one_damaged_member_costs_no_other(tmp_path):
    noise = os.urandom(3000)
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({**FILES, "mlcvlab/nn/noise.py": noise}))
    content = bytearray(path.read_bytes())
    start = content.index(noise[100:120]) if noise[100:120] in content else content.index(b"noise.py") + 500
    content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    submission = read_submission(path, **LIMITS)
    assert submission.files == FILES and submission.problems == ("mlcvlab/nn/noise.py is damaged, and is not read",)
    path.write_bytes(b"PK no zip at all")
    assert "no zip file, or a damaged one" in read_submission(path, **LIMITS).problems[0]


def test_what_was_typed_into_moodles_page_is_no_submission_of_its_own(tmp_path):
    write_folder(tmp_path / "c/Ann_1_assignsubmission_file_", FILES)
    write_folder(tmp_path / "c/Ann_1_assignsubmission_onlinetext_", {"onlinetext.html": b"hello"})
    passed_by = []
    assert [one.name for one in find_submissions([tmp_path / "c"], passed_by)] == ["Ann_1_assignsubmission_file_"]
    assert [path.name for path in passed_by] == ["Ann_1_assignsubmission_onlinetext_"]


def test_an_archive_of_a_class_is_read_as_its_folder(tmp_path):
    whole = zipped({f"hw1/{place}": content for place, content in FILES.items()})
    content = {
        "ann.zip": whole,
        "bob.zip": whole,
        "carol/nn2.py": BASIS,
        "dave.ipynb": b"{}",
        "eve.txt": b"x",
        "gina/hw1/mlcvlab/nn/basis.py": BASIS,
        "harry.py": BASIS,
        "ivan.rar": b"Rar!",
        "kate/notes.txt": b"x",
        "nina": b"x",
        "pia/sub/sub/nn2.py": BASIS,
        "Quin_1_assignsubmission_onlinetext_/onlinetext.html": b"hello",
    }
    write_folder(tmp_path / "folder", content)
    (tmp_path / "flat.zip").write_bytes(zipped(content))
    (tmp_path / "nested.zip").write_bytes(zipped({f"class/{place}": held for place, held in content.items()}))
    seen = []
    for name in ("folder", "flat.zip", "nested.zip"):
        passed_by = []
        found = find_submissions([tmp_path / name], passed_by)
        read = {one.name: read_submission(one, **LIMITS).files for one in found}
        seen.append((read, sorted(path.name for path in passed_by)))
    for read, passed_by in seen[1:]:
        assert passed_by == seen[0][1]
        for name, files in seen[0][0].items():
            assert {k: v for k, v in read[name].items() if k[-4:] != ".rar"} == files, name
    assert len(seen[0][0]) == 9
    assert seen[0][1] == ["Quin_1_assignsubmission_onlinetext_", "eve.txt", "nina"]


@pytest.mark.parametrize("inside", ["env/lib/python3.11/site-packages", "env/lib"])
def test_a_virtual_environment_beside_the_homework_does_not_hide_it(inside, tmp_path):
    packages = {f"{inside}/p{i}.py": b"" for i in range(LIMITS["most_files"] + 50)}
    write_folder(tmp_path / "folder", {**FILES, **packages})
    (tmp_path / "a.zip").write_bytes(zipped({**packages, **FILES}))
    for path in (tmp_path / "folder", tmp_path / "a.zip"):
        assert FILES.items() <= read_submission(path, **LIMITS).files.items()


def names_of(folder):
    return [found.name for found in find_submissions([folder])]


def test_moodles_lone_files_of_one_student_are_one_submission(tmp_path):
    for file in ("basis.py", "activations.py", "losses.py"):
        (tmp_path / f"Cy Cole_5003_assignsubmission_file_{file}").write_bytes(b"a = 1\n")
    write_zip(tmp_path / "Ann Lee_5001_assignsubmission_file_hw1.zip", FILES)
    ann, cy = find_submissions([tmp_path])
    assert (ann.name, cy.name) == ("Ann Lee_5001_assignsubmission_file", "Cy Cole_5003_assignsubmission_file")
    assert {name.rsplit("/")[-1] for name in read_submission(cy, **LIMITS).files} == {
        "basis.py",
        "activations.py",
        "losses.py",
    }
    assert read_submission(ann, **LIMITS).files == FILES


def test_a_class_may_lie_one_folder_deeper_or_in_several_archives(tmp_path):
    moodle = [f"{name}_{5000 + i}_assignsubmission_file_" for i, name in enumerate(("Ann Lee", "Bo Ray", "Cy Cole"))]
    for name in moodle:
        write_folder(tmp_path / "downloads" / "CS101-HW1-371" / name / "hw1", FILES)
    assert names_of(tmp_path / "downloads") == moodle
    for section, names in {"A": moodle[:2], "B": moodle[1:]}.items():
        (tmp_path / "sections").mkdir(exist_ok=True)
        inside = {f"{name}/hw1/{file}": content for name in names for file, content in FILES.items()}
        write_zip(tmp_path / "sections" / f"section{section}.zip", inside)
    assert len(names_of(tmp_path / "sections")) == 4
    for name in ("ann", "bob"):
        write_folder(tmp_path / "class" / name / "hw1", FILES)
    (tmp_path / "class" / "HW1_MNIST_NN2.ipynb").write_bytes(b"{}")
    assert {"ann", "bob"} <= set(names_of(tmp_path / "class"))


def test_what_platforms_and_editors_leave_costs_nothing(tmp_path):
    beside = (".github/workflows/x.yml", "README.md", "ASSIGNMENT.md", ".spyproject/a.ini", ".python-version", ".env")
    left = dict.fromkeys((*beside, "mlcvlab/nn/basis.py.bak", "build/lib/mlcvlab/nn/basis.py"), b"x")
    submission = read_submission(write_folder(tmp_path / "ann", FILES | left), **LIMITS)
    assert (submission.files, submission.problems) == (FILES, ())


def test_an_archive_that_cannot_be_opened_is_told_also_beside_code(tmp_path):
    submission = read_submission(write_folder(tmp_path / "ann", {"basis.py": b"a = 1", "hw1.rar": b"Rar!"}), **LIMITS)
    assert any(problem.startswith("hw1.rar cannot be opened here") for problem in submission.problems)


SECTIONS = {
    f"Section{section}/{name}": section
    for section, names in (("A", ("Ann", "Bob")), ("B", ("Cy", "Di")))
    for name in names
}
TREE = {"hw1/mlcvlab/nn/basis.py": b"a = 1\n", "hw1/mlcvlab/optim/sgd.py": b"b = 2\n"}


@pytest.mark.parametrize("form", ["trees", "zips", "zips in folders", "an archive of trees", "an archive of zips"])
def test_a_class_in_sections_is_each_students_submission(form, tmp_path):
    root = tmp_path / "class"
    for place in SECTIONS:
        if form.endswith("trees"):
            write_folder(root / place, TREE)
        else:
            where = root / place if form == "zips in folders" else (root / place).parent
            where.mkdir(parents=True, exist_ok=True)
            name = "hw1" if form == "zips in folders" else place.rpartition("/")[2] + "_hw1"
            write_zip(where / f"{name}.zip", TREE)
    (root / "SectionA/notes.txt").write_text("who came")
    if form.startswith("an archive"):
        files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        root = write_zip(tmp_path / "class.zip", files)
    passed_by = []
    found = find_submissions([root], passed_by)
    assert [one.name.removesuffix("_hw1") for one in found] == ["Ann", "Bob", "Cy", "Di"]
    assert [path.name for path in passed_by] == ["notes.txt"]
    for one in found:
        submission = read_submission(one, **LIMITS)
        assert submission.problems == () and len(submission.files) == 2


@pytest.mark.parametrize(
    "names",
    [
        *(("hw1", "hw1 copy"), ("attempt1", "final_version"), ("adams_hw1", "adams_hw1_final"), ("old", "new")),
        *(("hw1_first", "hw1_improved"), ("original", "corrected"), ("1", "2"), ("zebra", "lion")),
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_a_students_versions_are_one_submission(names, archived, tmp_path):
    for who in ("Ann", "Ann Adams_5001_assignsubmission_file_"):
        for name in names:
            if archived:
                (tmp_path / who / who).mkdir(parents=True, exist_ok=True)
                write_zip(tmp_path / who / who / f"{name}.zip", TREE)
            else:
                write_folder(tmp_path / who / who / name, TREE)
        for other in ("Bob", "Cy"):
            write_folder(tmp_path / who / other, TREE)
        assert [one.name for one in find_submissions([tmp_path / who])] == [who, "Bob", "Cy"]


@pytest.mark.parametrize(
    "names",
    [
        *(("1001", "1002"), ("student1A", "student2"), ("group1", "group2"), ("Bo", "Li", "li")),
        *(("Ann Adams v1", "Ann Adams v2", "Bob Brown"), ("Ann", "Bob", "Copy")),
    ],
)
def test_in_a_section_nobody_vanishes_whatever_they_are_called(names, tmp_path):
    for name in names:
        write_folder(tmp_path / "class/section_1" / name, TREE)
    write_folder(tmp_path / "class/section_2/Zed", TREE)
    write_folder(tmp_path / "class/section_2/Zoe", TREE)
    found = [one.name for one in find_submissions([tmp_path / "class"])]
    assert sorted(found) == sorted([*names, "Zed", "Zoe"])


def test_pictures_in_a_students_folder_make_no_class_of_it(tmp_path):
    for name in ("run_1_1_loss.png", "run_2_1_loss.png"):
        write_folder(tmp_path / "class/Ann Adams", {**TREE, name: b"a picture"})
        write_folder(tmp_path / "class/Cy", {"mlcvlab/nn/basis.py": b"a = 1", name: b"a picture"})
    write_folder(tmp_path / "class/Bob", TREE)
    assert [one.name for one in find_submissions([tmp_path / "class"])] == ["Ann Adams", "Bob", "Cy"]


def test_half_an_archive_is_told_in_one_sentence(tmp_path):
    whole = write_zip(tmp_path / "whole.zip", TREE).read_bytes()
    (tmp_path / "Ann").mkdir()
    (tmp_path / "Ann/hw1.zip").write_bytes(whole[: len(whole) // 2])
    problems = read_submission(tmp_path / "Ann", **LIMITS).problems
    assert problems[0] == "hw1.zip cannot be read: it is damaged, or no archive of the kind that its name says"


def tarball(path, members, mode="w", **info):
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for key, value in info.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("time", [1e18, -1e18, "nan", "inf", 5e9])
def test_a_time_that_cannot_be_is_unknown(time, tmp_path):
    of_pax = {"pax_headers": {"mtime": time}} if isinstance(time, str) else {"mtime": time}
    path = tarball(tmp_path / "a.tar.gz", {f"hw1/{name}": content for name, content in FILES.items()}, "w:gz", **of_pax)
    assert read_submission(path, **LIMITS).modified == 0


def test_a_plain_tarball_with_zips_in_it_is_a_class(tmp_path):
    inner = zipped({f"hw1/{name}": content for name, content in FILES.items()})
    path = tarball(tmp_path / "class.tar", {f"class/{who}.zip": inner for who in ("ann", "bob", "cy")})
    found = find_submissions([path])
    assert [one.name for one in found] == ["ann", "bob", "cy"]
    assert all(read_submission(one, **LIMITS).files == FILES for one in found)


@pytest.mark.parametrize("separator", ["./{}/hw1/{}", "{}\\hw1\\{}"])
def test_a_class_whose_paths_are_written_otherwise_loses_no_file(separator, tmp_path):
    members = {
        separator.format(who, name.replace("/", "\\") if "\\" in separator else name): content
        for who in ("ann", "bob")
        for name, content in FILES.items()
    }
    path = tarball(tmp_path / "class.tar.gz", members, "w:gz")
    found = find_submissions([path])
    assert [one.name for one in found] == ["ann", "bob"]
    assert all(read_submission(one, **LIMITS).files == FILES for one in found)


def test_blackboards_single_files_are_one_submission_a_student(tmp_path):
    for who in ("ann1", "bob2"):
        for name, content in FILES.items():
            prefix = f"Homework 1_{who}_attempt_2026-02-20-10-00-00_"
            (tmp_path / f"{prefix}{name.rpartition('/')[2]}").write_bytes(content)
    found = find_submissions([tmp_path])
    assert [one.name for one in found] == [f"Homework 1_{who}_attempt_2026-02-20-10-00-00" for who in ("ann1", "bob2")]


def test_a_moodle_folder_alone_keeps_its_name(tmp_path):
    folder = tmp_path / "Ann Adams_5002_assignsubmission_file_"
    folder.mkdir()
    (folder / "hw1.zip").write_bytes(zipped({f"hw1/{name}": content for name, content in FILES.items()}))
    [found] = find_submissions([folder])
    assert found.name == folder.name and read_submission(found, **LIMITS).files == FILES


def test_a_pipe_in_a_students_folder_is_not_waited_for(tmp_path):
    (tmp_path / "mal").mkdir()
    os.mkfifo(tmp_path / "mal/hw1.zip")
    write_folder(tmp_path / "ann/hw1", FILES)
    found = find_submissions([tmp_path])
    assert [one.name for one in found] == ["ann", "mal"]
    assert not read_submission(found[1], **LIMITS).files


def test_an_archive_of_very_many_entries_is_not_read_through(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MOST_ENTRIES", 100)
    path = tarball(tmp_path / "a.tar.gz", {f"hw1/{i}/x.txt": b"" for i in range(200)}, "w:gz")
    assert "more than 100 entries" in read_submission(path, **LIMITS).problems[0]


def test_a_file_that_is_too_large_to_be_searched_is_not_parsed_to_be_placed(tmp_path, reference):
    named = {f"hw1/{name}": content for name, content in reference.items() if not name.endswith("nn/basis.py")}
    basis = reference["mlcvlab/nn/basis.py"]
    for size, is_found in ((1000, True), (MOST_SOURCE, False)):
        more = b"#" * size
        path = write_zip(tmp_path / f"{size}.zip", {**named, "hw1/mine.py": basis + b"\n" + more})
        read = read_submission(path, most_bytes=1 << 22, most_files=100)
        assert ("mlcvlab/nn/basis.py" in read.files) == is_found


def test_what_one_student_has_beside_the_homework_takes_no_class_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MOST_OF_CLASS", 50)
    monkeypatch.setattr(submissions, "MOST_ENTRIES", 50)
    members = {f"{who}/hw1/{name}": content for who in ("amy", "bob", "cy") for name, content in FILES.items()}
    members |= {f"bob/hw1/venv/{i}.py": b"" for i in range(100)} | {"bob/zeros.bin": bytes(210 << 20)}
    path = tarball(tmp_path / "class.tar.gz", members, "w:gz")
    found = find_submissions([path])
    assert [one.name for one in found] == ["amy", "bob", "cy"]
    assert read_submission(found[0], **LIMITS).files == FILES


def test_a_homework_with_a_large_environment_in_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MOST_ENTRIES", 50)
    extra = {f"hw1/venv/{i}.py": b"" for i in range(100)}
    path = write_zip(tmp_path / "a.zip", {f"hw1/{name}": content for name, content in FILES.items()} | extra)
    assert read_submission(path, **LIMITS).files == FILES


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_blackboards_files_are_told_apart_packed_and_unpacked(tmp_path, kind):
    members = {
        f"Homework 1_{who}_attempt_2026-02-20-10-00-00_{name.rpartition('/')[2]}": content
        for who in ("ann1", "bob2")
        for name, content in FILES.items()
    }
    path = write_folder(tmp_path / "c", members) if kind == "folder" else write_zip(tmp_path / "c.zip", members)
    found = find_submissions([path])
    assert len(found) == 2
    assert all(len(read_submission(one, **LIMITS).files) == len(FILES) for one in found)


def test_an_old_tarball_that_is_called_a_zip_is_read(tmp_path):
    path = tmp_path / "hw1.zip"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in FILES.items():
            entry = tarfile.TarInfo(f"hw1/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    content = bytearray(path.read_bytes())
    place = 0
    while content[place : place + 1] != b"\0" and place < len(content):  # the header as it was before ustar
        size = int(content[place + 124 : place + 135], 8)
        content[place + 257 : place + 512] = bytes(255)
        total = sum(content[place : place + 148]) + sum(content[place + 156 : place + 512]) + 8 * 32
        content[place + 148 : place + 156] = b"%06o\0 " % total
        place += 512 + -(-size // 512) * 512
    path.write_bytes(content)
    assert read_submission(path, **LIMITS).files == FILES
