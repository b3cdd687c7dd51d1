"""Model files, checkpoints, studies and configurations that are damaged or made up: used, or refused in one line."""

import json
import shutil
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from command import assert_one_line_error, run
from fuzz import damaged
from mlcvkit import InputError
from mlcvkit.cli.app import read_config
from mlcvkit.experiments import Predictor
from mlcvkit.storage import export_onnx, write_arrays
from mlcvkit.training import Checkpoint
from mlcvkit.tuning import open_study
from soak import repeated

TRAINED = Path(__file__).parents[1] / "data/versions/0.1.0-a/trained"
DEEP = "[" * 100_000
VALUES = [None, -1, 1e308, float("nan"), True, "x" * 50, "", [], {}, [[0]], 2**70, "relu"]


def other_value(rng):
    return deepcopy(VALUES[rng.integers(len(VALUES))])


def places(value, path=()):
    """The paths to everything in a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for key, inner in items for place in places(inner, (*path, key))]


def made_up(text, rng):
    """JSON with one or two values put in the place of others, or taken out."""
    if rng.random() < 0.05:
        return DEEP
    value = json.loads(text)
    for _ in range(rng.integers(1, 3)):
        if not (paths := places(value)):
            return json.dumps(other_value(rng))
        *way, last = paths[rng.integers(len(paths))]
        holder = value
        for key in way:
            holder = holder[key]
        if isinstance(holder, dict) and rng.random() < 0.3:
            del holder[last]
        else:
            holder[last] = other_value(rng)
    return json.dumps(value)


def other_array(array, rng):
    others = [array[:1], array.ravel(), np.zeros((3, 3)), np.zeros(0, np.float32), array.astype(np.int64)]
    return others[rng.integers(len(others))]


def rewrite(source, place, rng):
    """A file with a true checksum whose metadata or arrays are made up."""
    with safe_open(source, framework="numpy") as file:
        metadata, arrays = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del metadata["sha256"]
    texts = [name for name, text in metadata.items() if text[:1] in "{["]
    name = texts[rng.integers(len(texts))]
    metadata[name] = made_up(metadata[name], rng)
    if rng.random() < 0.3:
        name = list(arrays)[rng.integers(len(arrays))]
        arrays[name] = other_array(arrays[name], rng)
    with np.errstate(invalid="ignore"):
        write_arrays(place, arrays, metadata)


@repeated("damaged and made-up model files", test=100, soak=2_000, full=10_000, per_part=100)
def test_a_model_file_is_used_or_refused(tmp_path, seed, times):
    rng, sources = np.random.default_rng(seed), sorted(TRAINED.glob("*/model.safetensors"))
    place, outcomes = tmp_path / "model.safetensors", []
    for _ in range(times):
        source = sources[rng.integers(len(sources))]
        if rng.random() < 0.3:
            place.write_bytes(damaged(source.read_bytes(), rng))
        else:
            rewrite(source, place, rng)
        try:
            predictor, saved = Predictor.load(place)
            predictor.predict_columns(predictor.encoder.blank_row())
            export_onnx(saved, tmp_path / "model.onnx")
            outcomes.append("used")
        except InputError as error:
            assert "\n" not in str(error)
            outcomes.append("refused")
    assert {"used", "refused"} == set(outcomes)


@repeated("damaged and made-up checkpoints", test=60, soak=2_000, full=10_000, per_part=60)
def test_a_checkpoint_is_read_or_refused(tmp_path, seed, times):
    rng, sources = np.random.default_rng(seed), sorted(TRAINED.glob("*/checkpoint.safetensors"))
    place, outcomes = tmp_path / "checkpoint.safetensors", []
    for _ in range(times):
        source = sources[rng.integers(len(sources))]
        if rng.random() < 0.3:
            place.write_bytes(damaged(source.read_bytes(), rng))
        else:
            rewrite(source, place, rng)
        try:
            found = Checkpoint.read(tmp_path)
            assert found.epoch >= 0 and found.hyperparameters.epochs >= 1
            outcomes.append("read")
        except InputError:
            outcomes.append("refused")
    assert "refused" in outcomes


@repeated("damaged and made-up studies", test=30, soak=500, full=10_000, per_part=30)
def test_a_study_is_opened_or_refused(tmp_path, seed, times):
    rng, source = np.random.default_rng(seed), TRAINED / "study"
    outcomes = []
    for time in range(times):
        folder = shutil.copytree(source, tmp_path / str(time))
        (journal,) = folder.glob("*journal*")
        if rng.random() < 0.4:
            journal.write_bytes(damaged(journal.read_bytes(), rng))
        else:
            lines = journal.read_text().splitlines()
            index = rng.integers(len(lines))
            lines[index] = made_up(lines[index], rng)
            journal.write_text("\n".join(lines) + "\n")
        try:
            study = open_study(folder)
            outcomes.append([study.hyperparameters(trial) for trial in study.trials()] and "opened")
        except InputError:
            outcomes.append("refused")
        shutil.rmtree(folder)
    assert {"opened", "refused"} <= set(outcomes)


def test_a_broken_last_line_of_any_length_costs_that_line_alone(tmp_path):
    folder = shutil.copytree(TRAINED / "study", tmp_path / "study")
    (journal,) = folder.glob("*journal*")
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "note": "' + b"x" * 3_000_000)
    study = open_study(folder)
    study.optuna.set_user_attr("note", 1)
    assert journal.read_bytes().startswith(whole) and journal.stat().st_size < len(whole) + 1000
    assert open_study(folder).optuna.user_attrs["note"] == 1


@pytest.mark.parametrize("worker", ["../precious", "x/../../precious", "", "worker-1", "*"])
def test_a_journals_worker_is_no_files_name(tmp_path, worker):
    folder = shutil.copytree(TRAINED / "study", tmp_path / "study")
    for place in (tmp_path / ".precious.lock", tmp_path / "precious.lock", folder / f".{worker.split('/')[0]}.lock"):
        place.touch()
    before = sorted(tmp_path.rglob("*"))
    assert not open_study(folder).is_alive(worker)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("text", ["a = " + DEEP, "a = " + "{b = " * 2000, "a = 1\0", "\0", "= 3", "epochs = [[1]]"])
def test_a_configuration_is_read_or_refused(tmp_path, text):
    place = tmp_path / "config.toml"
    place.write_text(text)
    assert_one_line_error(run("train", "moons", "--config", "config.toml", folder=tmp_path))
    place.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not TOML"):
        read_config(place)
