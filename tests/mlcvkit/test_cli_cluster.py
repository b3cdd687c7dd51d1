"""mlcvlab train --cluster, as real processes: schedulers, workers, and the command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pexpect
import pytest
from distributed import Client, LocalCluster

from command import COMMAND, assert_one_line_error, run
from events import version_of, wait_for
from mlcvkit.storage import load_model
from soak import only_in_soak


class DaskCluster:
    """A scheduler with a worker, each started by Dask's own command."""

    def __init__(self, folder, name, **environment):
        self.file = folder / f"{name}.json"
        self.environment = {**os.environ, **environment}
        self.processes = [self._start("scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", self.file)]
        # Dask writes it in its place: it is there before its content is
        wait_for(lambda: self.file.is_file() and self.file.read_text().rstrip().endswith("}"), self.processes[0])
        options = ("--nthreads", "1", "--no-nanny", "--local-directory", folder / "space")
        self.processes.append(self._start("worker", *options, "--scheduler-file", self.file))
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(1)

    def _start(self, command, *options):
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"distributed.cli.dask_{command}",
                "--dashboard-address",
                "127.0.0.1:0",
                *map(str, options),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment,
        )

    @property
    def address(self):
        return json.loads(self.file.read_text())["address"]

    def kill_scheduler(self):
        self.processes[0].kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """End the workers while their scheduler is there: without it they wait for it."""
        scheduler, *workers = self.processes
        end = subprocess.Popen.terminate if scheduler.poll() is None else subprocess.Popen.kill
        for worker in workers:
            end(worker)
        for worker in workers:
            worker.wait()
        scheduler.terminate()
        scheduler.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers in threads of this process; the command reaches them as any others."""
    file = tmp_path_factory.mktemp("cluster") / "dask.json"
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(protocol="tcp", **options) as started, Client(started, set_as_default=False) as client:
        client.write_scheduler_file(file)
        started.file, started.address = file, started.scheduler_address
        yield started


@pytest.fixture
def parts(tmp_path, table):
    for i in range(3):
        table[i * 100 : i * 100 + 100].write_parquet(tmp_path / f"part-{i}.parquet")
    return tmp_path


def weights(folder):
    return [w.tobytes() for w in load_model(folder).model.W]


def test_a_table_in_parts_from_training_to_answers(cluster, parts, table):
    """With text as classes, a column of names, and the whole way behind it."""
    arguments = ("part-*.parquet", "--target", "kind", "--epochs", "60", "--name", "r")
    done = run("train", *arguments, "--cluster", cluster.address, folder=parts)
    assert done.returncode == 0, done.stderr
    for said in ("300 samples in 9 shards on 2 workers", "dashboard: http://", "samples/s", "Test accuracy"):
        assert said in done.stdout
    table.write_csv(parts / "all.csv")
    measured = json.loads(run("evaluate", "runs/r", "all.csv", "--json", folder=parts).stdout)
    assert measured["accuracy"] > 0.93
    answers = run("predict", "runs/r", "all.csv", folder=parts).stdout.splitlines()
    assert answers[0] == "kind,probability long,probability short"
    refused = run("evaluate", "runs/r", folder=parts)
    assert_one_line_error(refused, "give data to measure with")


def test_the_same_weights_on_the_machine_itself_and_from_the_configuration(cluster, parts):
    arguments = ("train", "part-*.parquet", "--target", "kind", "--epochs", "4", "--seed", "5", "--json")
    assert run(*arguments, "--cluster-file", cluster.file, "--name", "far", folder=parts).returncode == 0
    assert run(*arguments, "--cluster", "local:1", "--name", "near", folder=parts).returncode == 0
    assert weights(parts / "runs/far") == weights(parts / "runs/near")
    again = run("train", "--config", "runs/far/config.toml", "--name", "again", "--json", folder=parts / "..")
    assert again.returncode == 2  # the pattern's folder is in it, and the configuration is not there
    again = run("train", "--config", parts / "runs/far/config.toml", "--name", "again", "--json", folder=parts / "..")
    assert again.returncode == 0, again
    assert weights(parts / "../runs/again") == weights(parts / "runs/far")


def test_even_and_odd_digits_by_exact_gradients(cluster, tmp_path):
    options = ("--hidden-units", "16", "--epochs", "3", "--local-steps", "0", "--json", "--name", "r")
    done = run("train", "--cluster", cluster.address, *options, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert json.loads(done.stdout)["epochs"] == 3
    history = load_model(tmp_path / "runs/r").history
    assert len(history["train_loss"]) == 3 and history["train_loss"][2] < history["train_loss"][0]


def test_numbers_as_a_target_and_images(cluster, tmp_path, images):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    np.savez(tmp_path / "n.npz", X=X, y=1000 * X[:, 0] + 50 * X[:, 1])
    done = run("train", "n.npz", "--epochs", "80", "--cluster", cluster.address, "--json", folder=tmp_path)
    assert json.loads(done.stdout)["test"]["r2"] > 0.97, done
    np.save(tmp_path / "i.npy", images[0])
    np.save(tmp_path / "l.npy", images[1])
    arguments = ("train", "i.npy", "--target", "l.npy", "--epochs", "60", "--cluster", cluster.address, "--json")
    done = run(*arguments, folder=tmp_path)
    assert json.loads(done.stdout)["test"]["accuracy"] > 0.95, done


@only_in_soak("two schedulers and three trainings by real processes take a quarter of a minute")
def test_a_scheduler_that_is_started_anew_goes_on_to_the_same_bits(tmp_path):
    options = ("--hidden-units", "16", "--epochs", "4", "--local-steps", "60")
    with DaskCluster(tmp_path, "first") as first:
        whole = run("train", *options, "--cluster-file", first.file, "--name", "whole", folder=tmp_path)
        assert whole.returncode == 0, whole
        command = [*COMMAND, "train", *options, "--cluster-file", first.file, "--checkpoint-every", "1", "--name", "r"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        checkpoint = tmp_path / "runs/r/checkpoint.safetensors"
        wait_for(checkpoint.is_file, process)
        first_written = version_of(checkpoint)
        wait_for(lambda: version_of(checkpoint) != first_written, process)
        first.kill_scheduler()
        _, said = process.communicate()
    assert process.returncode == 1
    assert re.fullmatch(r"mlcvlab: error: the scheduler [^\n]+; go on with: mlcvlab train --resume runs/r\n", said), (
        said
    )
    with DaskCluster(tmp_path, "second") as second:
        other = run("train", "--resume", "runs/r", "--cluster-file", second.file, "--shards", "3", folder=tmp_path)
        assert_one_line_error(other, "was begun on a cluster, with shards=left out")
        done = run("train", "--resume", "runs/r", "--cluster-file", second.file, folder=tmp_path)
        assert done.returncode == 0, done
    assert weights(tmp_path / "runs/r") == weights(tmp_path / "runs/whole")


def test_a_shard_that_cannot_be_read_is_named_or_left_out(cluster, parts):
    (parts / "part-1.parquet").write_bytes((parts / "part-1.parquet").read_bytes()[:-50])
    arguments = ("train", "part-*.parquet", "--target", "kind", "--epochs", "5", "--cluster", cluster.address)
    assert_one_line_error(run(*arguments, folder=parts), "part-1.parquet")
    assert not (parts / "runs").exists()
    done = run(*arguments, "--allow-missing", folder=parts)
    assert done.returncode == 0, done
    assert "note: left out a shard" in done.stderr and "part-1.parquet" in done.stderr
    assert re.search(r"Left out a shard: .*part-1\.parquet", done.stdout), done.stdout
    done = run(*arguments, "--allow-missing", "--json", folder=parts)
    (left_out,) = json.loads(done.stdout)["left_out"]
    assert left_out["location"].endswith("part-1.parquet")
    for part in parts.glob("*.parquet"):
        part.write_bytes(b"")
    done = run(*arguments, "--allow-missing", "--json", folder=parts)
    assert (done.returncode, done.stdout) == (2, "")
    *notes, error = done.stderr.splitlines()
    assert "none of the 3 shards" in error and len(notes) == 2


def test_workers_with_other_versions_or_without_a_package_are_told(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "true = m.version\n"
        "def version(name):\n"
        "    if name == 'polars': raise m.PackageNotFoundError(name)\n"
        "    return '1.0' if name == 'numpy' else true(name)\n"
        "m.version = version\n"
    )
    with DaskCluster(tmp_path, "other", PYTHONPATH=str(tmp_path)) as other:
        result = run("train", "moons", "--cluster-file", other.file, folder=tmp_path)
        assert_one_line_error(result, "tcp://127.0.0.1", "numpy is 1.0, here 2", "polars is missing")


MISTAKES = {
    "an address that is none": (("--cluster", "here"), 2, "local:4"),
    "no worker": (("--cluster", "local:0"), 2, "one worker or more"),
    "both": (("--cluster", "local:1", "--cluster-file", "f.json"), 2, "one of both"),
    "a file that is not there": (("--cluster-file", "f.json"), 2, "f.json does not exist"),
    "nobody there": (("--cluster", "tcp://127.0.0.1:9"), 1, "no scheduler answers"),
    "shards without a cluster": (("--shards", "4"), 2, "give --cluster"),
    "missing ones without a cluster": (("--allow-missing",), 2, "give --cluster"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(tmp_path, mistake):
    options, code, words = MISTAKES[mistake]
    assert_one_line_error(run("train", "moons", *options, folder=tmp_path), words, code=code)
    assert not (tmp_path / "runs").exists()


DATA_MISTAKES = {
    "a folder of images": (("pictures",), "has no .parquet"),
    "a table that cannot be cut": (("t.csv", "--target", "kind"), "write the table as .parquet"),
    "no shards": (("moons", "--shards", "0"), "shards must be"),
    "more shards than samples": (("moons", "--shards", "401"), "shards must be"),
    "a target that is not there": (("part-*.parquet", "--target", "sort"), "no column 'sort'"),
    "tables that differ": (("odd-*.parquet", "--target", "kind"), "fit each other"),
    "a test share": (("moons", "--test-fraction", "1.5"), "test_fraction"),
    "two layers for nn2": (("moons", "--model", "nn2", "--hidden-units", "4", "4"), "nn2 has one hidden layer"),
}


@pytest.mark.parametrize("mistake", DATA_MISTAKES)
def test_data_that_do_not_fit_are_one_line(cluster, parts, table, mistake):
    (parts / "pictures/cats").mkdir(parents=True)
    table.write_csv(parts / "t.csv")
    table.write_parquet(parts / "odd-1.parquet")
    table.drop("width").write_parquet(parts / "odd-2.parquet")
    arguments, words = DATA_MISTAKES[mistake]
    assert_one_line_error(run("train", *arguments, "--cluster", cluster.address, folder=parts), words)
    assert not (parts / "runs").exists()


def test_control_c_keeps_what_there_is_and_leaves_no_worker(tmp_path):
    arguments = ["train", "moons", "--cluster", "local:2", "--epochs", "5000", "--patience", "0", "--name", "r"]
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *arguments], cwd=str(tmp_path), timeout=None, encoding="utf-8")
    child.expect(r"epoch ([3-9]|\d\d+)/5000")
    workers = children(child.pid)
    assert workers
    child.sendintr()
    child.expect("Stopped by Ctrl-C")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert load_model(tmp_path / "runs/r").history["epoch"][-1] >= 2
    wait_until_gone(workers)


def test_a_command_that_is_killed_leaves_no_worker(tmp_path):
    command = [*COMMAND, "train", "moons", "--cluster", "local:2", "--epochs", "5000", "--patience", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "dashboard" not in process.stdout.readline():
            pass
        workers = children(process.pid)
        assert workers
        process.kill()
        wait_until_gone(workers)


def children(pid):
    return [int(its) for its in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True).stdout.split()]


def wait_until_gone(pids):
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
