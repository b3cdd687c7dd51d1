import json
import os
import signal
from pathlib import Path

import numpy as np
import polars
import pytest

from mlcvkit import InputError
from mlcvkit.experiments import Predictor
from mlcvkit.models import MLP, NN1, Perceptron
from mlcvkit.storage import SavedModel, load_model, new_resumable_run, new_run, open_run, save_model, write_arrays
from mlcvlab.models.nn2 import NN2


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_a_model_comes_back_as_it_was_saved(tmp_path, loss):
    model = NN2(loss=loss).initialize(5, 3, seed=0)
    model.layers[0].W = np.asfortranarray(model.W[0])  # as a transposed view would lie in memory
    save_model(tmp_path / "model.safetensors", SavedModel(model, {"seed": 7}, {"train_loss": [0.5, 0.25]}))
    for place in (tmp_path, tmp_path / "model.safetensors"):
        saved = load_model(place)
        for ours, theirs in zip(saved.model.W, model.W, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert (saved.model.loss, saved.configuration, saved.history) == (
            loss,
            {"seed": 7},
            {"train_loss": [0.5, 0.25]},
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_file_cut_off_anywhere_is_named(saved_run):
    path = saved_run / "model.safetensors"
    content = path.read_bytes()
    for length in [0, 1, 8, 100, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"model.safetensors is truncated or not a model file"):
            load_model(saved_run)


@pytest.mark.parametrize("content", [b"hello, world, this is no model", os.urandom(5000), b"\x00" * 64])
def test_a_file_that_is_not_a_model_is_named(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x.safetensors is truncated or not a model file"):
        load_model(path)


WHOLE = {"format": "mlcvlab model, version 2", "kind": "NN2", "architecture": '{"loss": "l2"}'}


@pytest.mark.parametrize(
    ("shapes", "metadata", "message"),
    [
        ([(2, 3), (2, 1)], {"format": "other"}, "its format is 'other', not 'mlcvlab model, version 2'"),
        ([(2, 3)], WHOLE, "two arrays of weights"),
        ([(2, 3), (3, 1)], WHOLE, r"\(2, 3\) and \(3, 1\)"),
        ([(2, 3), (2, 1)], WHOLE | {"architecture": '{"loss": "hinge"}'}, "unknown loss 'hinge'"),
        ([(2, 3), (2, 1)], WHOLE | {"architecture": '{"rate": 1}'}, "rate"),
        ([(2, 3), (2, 1)], WHOLE | {"kind": "CNN"}, "CNN"),
        ([(2, 3), (2, 1)], WHOLE | {"history": "{"}, "is damaged"),
        ([(4, 3), (4, 1), (4, 2), (2, 1)], WHOLE | {"kind": "MLP", "architecture": '{"hidden_units": [5]}'}, "4"),
        ([(4, 3), (4, 1), (3, 2), (2, 1)], WHOLE | {"kind": "MLP", "architecture": '{"hidden_units": [4]}'}, "damaged"),
    ],
)
def test_a_model_file_with_other_content_is_named(tmp_path, shapes, metadata, message):
    tensors = {f"W.{i}": np.zeros(shape) for i, shape in enumerate(shapes)}
    write_arrays(tmp_path / "m.safetensors", tensors, metadata)
    with pytest.raises(InputError, match=message):
        load_model(tmp_path / "m.safetensors")


def test_the_first_version_of_the_format_is_still_read():
    saved = load_model(Path(__file__).parents[2] / "data" / "model-version-1.safetensors")
    assert isinstance(saved.model, NN2) and saved.model.loss == "mse"
    for ours, theirs in zip(saved.model.W, NN2().initialize(4, 3, seed=0).W, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (saved.configuration["hidden_units"], saved.history) == (3, {"epoch": [1.0], "train_loss": [0.25]})


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing/here does not exist; give a folder"):
        load_model(tmp_path / "nothing" / "here")
    with pytest.raises(InputError, match=r"model.safetensors does not exist"):
        load_model(tmp_path)


def test_a_run_folder_appears_whole(tmp_path):
    root = tmp_path / "a" / "runs"
    with new_run(root, "first") as (folder, target):
        (folder / "file").write_text("content")
        assert not target.exists()
    assert (root / "first" / "file").read_text() == "content"
    assert [path.name for path in root.iterdir()] == ["first"]


def test_a_run_whose_name_was_taken_meanwhile_is_kept_under_another(tmp_path):
    with (
        pytest.raises(InputError, match=r"this run is saved as .*first-2"),
        new_run(tmp_path, "first") as (folder, target),
    ):
        (folder / "model").write_text("trained")
        target.mkdir()
        (target / "model").write_text("of another")
    assert (tmp_path / "first/model").read_text() == "of another"
    assert (tmp_path / "first-2/model").read_text() == "trained"


def test_runs_without_a_name_begin_under_different_names(tmp_path):
    with new_run(tmp_path, None) as (_, one), new_run(tmp_path, None) as (_, two):
        assert one != two
    assert len(list(tmp_path.iterdir())) == 2


def test_twenty_runs_without_a_name_that_begin_at_once_have_a_folder_each(tmp_path):
    ready, children = os.pipe(), []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    for number in range(20):
        children.append(os.fork())
        if children[-1] == 0:
            with new_run(tmp_path / "runs", None) as (folder, _):
                (folder / "model").write_text(str(number))
                os.write(ready[1], b".")
                signal.sigwait([signal.SIGUSR1])
            os._exit(0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    seen = 0
    while seen < 20:
        seen += len(os.read(ready[0], 20))
    for child in children:
        os.kill(child, signal.SIGUSR1)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 20
    assert {path.read_text() for path in tmp_path.glob("runs/[0-9]*/model")} == set(map(str, range(20)))
    assert len(list((tmp_path / "runs").iterdir())) == 20


@pytest.mark.parametrize("kind", [new_run, new_resumable_run])
def test_a_name_is_taken_from_the_start(tmp_path, kind):
    with kind(tmp_path, "first") as (folder, _):
        (folder / "model").touch()
        for other in (new_run, new_resumable_run):
            with pytest.raises(InputError, match=r"first; choose another --name"), other(tmp_path, "first"):
                pass
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_a_run_is_gone_on_with_by_one_process_at_a_time(tmp_path):
    folder = tmp_path / "run"
    with open_run(folder) as (_, target):
        (target / "checkpoint").touch()
        with pytest.raises(InputError, match=r"another process is training in .*run: wait"), open_run(folder):
            pass
    with open_run(folder):
        pass


def test_a_run_is_gone_on_with_through_a_link(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "latest").symlink_to(tmp_path / "run")
    with open_run(tmp_path / "latest") as (beside, _):
        (beside / "result").touch()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["result"]
    with pytest.raises(InputError, match="latest exists already"), new_run(tmp_path, "latest"):
        pass


def test_a_name_that_another_host_has_taken_is_not(tmp_path):
    (tmp_path / ".r.partial").mkdir()
    (tmp_path / ".r.partial/.host").write_text("elsewhere")
    with pytest.raises(InputError, match="a run on elsewhere is being saved as"), new_run(tmp_path, "r"):
        pass
    assert (tmp_path / ".r.partial/.host").read_text() == "elsewhere"


def test_a_run_killed_before_its_first_checkpoint_can_be_started_again(tmp_path):
    for name, files in {"a": [".x.partial"], "b": ["config.toml", ".partial"], "c": []}.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).touch()
        with new_resumable_run(tmp_path, name) as (folder, target):
            assert not (target / "config.toml").exists()
            (folder / "model").touch()
        assert [path.name for path in (tmp_path / name).iterdir()] == ["model"]
    (tmp_path / "config of mine").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.toml").touch()
    with pytest.raises(InputError, match="mine exists already"), new_resumable_run(tmp_path, "mine"):
        pass


def test_an_open_run_is_there_from_the_start_and_keeps_what_was_put_into_it(tmp_path):
    folder = tmp_path / "a" / "run"
    with pytest.raises(RuntimeError), open_run(folder):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError), open_run(folder) as (beside, target):
        (target / "checkpoint").write_text("kept")
        (beside / "result").write_text("half")
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["checkpoint"]
    with open_run(folder) as (beside, _):
        (beside / "result").write_text("whole")
        assert not (folder / "result").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint", "result"]
    with pytest.raises(InputError, match=r"the output folder .* cannot be written"), open_run(folder / "result" / "x"):
        pass


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_run_that_fails_leaves_nothing(tmp_path, error):
    with pytest.raises(error), new_run(tmp_path / "a" / "runs", "first") as (folder, _):
        (folder / "file").write_text("content")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_run_never_replaces_another(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / ".hidden").touch()
    with pytest.raises(InputError, match="taken exists already"), new_run(tmp_path, "taken"):
        pass


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", " ", "-x"])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="a run's name has letters"), new_run(tmp_path, name):
        pass


def test_an_output_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    run = new_run(tmp_path / "file" / "runs", None)
    with pytest.raises(InputError, match=r"file/runs cannot be written: Not a directory"), run:
        pass


def test_the_second_version_of_the_format_answers_as_it_did_when_it_was_written():
    folder = Path(__file__).parents[2] / "data"
    expected = json.loads((folder / "model-version-2.json").read_text())
    predictor, saved = Predictor.load(folder / "model-version-2.safetensors")
    rows = polars.DataFrame(expected["rows"]).with_columns(polars.col("day").str.to_date())
    answers = predictor.predict_columns(rows)
    assert list(answers) == list(expected["answers"])
    assert answers["buys"].tolist() == expected["answers"]["buys"]
    for name in ("probability no", "probability yes"):
        np.testing.assert_allclose(answers[name], expected["answers"][name], rtol=1e-4)
    assert saved.configuration == {"seed": 0} and len(saved.history["train_loss"]) == 60
    assert saved.provenance["data"] == "0" * 64 and set(saved.provenance) == {"data", "target", "mlcvlab", "numpy"}


@pytest.mark.parametrize(
    "model",
    [
        NN2(loss="l2").initialize(3, 4, seed=0),
        NN1(l2=0.1).initialize(3, seed=0),
        NN1(biases=False).initialize(3, seed=0),
        Perceptron().initialize(3, 2),
        MLP((4, 5), activation="tanh", output="softmax", dropout=0.2).initialize(3, 3, seed=0),
        MLP((2,), output="identity", loss="l2", biases=False).initialize(3, 2, seed=0, dtype=np.float64),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_kind_of_model_comes_back(tmp_path, model):
    save_model(tmp_path / "m.safetensors", SavedModel(model))
    again = load_model(tmp_path / "m.safetensors").model
    assert type(again) is type(model)
    if not isinstance(model, NN2):
        assert {n: list(v) if n == "hidden_units" else v for n, v in again.architecture().items()} == {
            n: list(v) if n == "hidden_units" else v for n, v in model.architecture().items()
        }
    for ours, theirs in zip(again.W, model.W, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
