"""Checks of Problem 4: the notebook is run, and the grader measures its variables.

The notebook finds MNIST's training images in their usual place. In place of the test images it finds training images
that are shifted by a pixel: the real test images are not in the sandbox, so that no network can learn them, and the
grader measures the accuracy that counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlcvkit import datasets
from mlcvkit.course.checks import Array, Diagnosis, Report, all_lost, as_array
from mlcvkit.course.sandbox import Ended, Failed, Session
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam
from mlcvlab.optim.sgd import SGD

NAMES = ("train_X", "train_y", "test_X", "test_y", "model", "test_accuracy")
TEST_SAMPLES = 10_000
LEAST_TRAINING, MOST_TRAINING = 40_000, 60_000
LOOKED_AT = 2_000
PIXELS = 784
GRACE = 1.25
"""A notebook that ignores the interrupt is killed after this many times its CPU time."""
MOST_WORK = 10**11
"""The most multiplications of one matrix product that the grader computes for a student's code."""
NOISE = 0.03
"""Trained networks go in a third direction by 0.2 of the first or more, and those of two units in a second by 0.25."""
PROPERTIES = {
    "preprocessing": ("labels", "partition", "scale"),
    "training": ("runs", "trained"),
    "testing": ("reported", "accuracy"),
}


@dataclass
class Digits:
    """MNIST for a notebook, and for the grader."""

    folder: Path
    known: dict[bytes, tuple[int, int]]
    test_X: Array
    test_y: Array

    @classmethod
    def make(cls, folder: Path, seed: int) -> "Digits":
        """Write the files for a notebook to a folder.

        In place of the test images there are training images, with the true test labels; among the training images
        they are moved by a pixel, so that no image is in both parts.
        """
        digits = datasets.mnist()
        rng = np.random.default_rng([seed, 7])
        train, labels = digits.train_X.copy(), digits.test_y
        chosen = np.empty(len(labels), np.intp)
        for digit in np.unique(labels):
            places = np.flatnonzero(labels == digit)
            chosen[places] = rng.choice(np.flatnonzero(digits.train_y == digit), len(places), replace=False)
        stand_ins = train[chosen]
        train[chosen] = np.roll(stand_ins, int(rng.choice([-1, 1])), axis=int(rng.choice([1, 2])))
        place = folder / "mlcvlab" / "mnist"
        place.mkdir(parents=True)
        for name, array in {
            "train-images-idx3-ubyte": train,
            "train-labels-idx1-ubyte": digits.train_y,
            "t10k-images-idx3-ubyte": stand_ins,
            "t10k-labels-idx1-ubyte": labels,
        }.items():
            header = np.array([0x800 + array.ndim, *array.shape], ">u4").tobytes()
            (place / name).write_bytes(header + array.tobytes())
        known = {}
        for images, digits_of_images, first in (
            (train, digits.train_y, 0),
            (stand_ins, labels, len(train)),
        ):
            for i, (image, digit) in enumerate(zip(images, digits_of_images, strict=True)):
                known[image.tobytes()] = (first + i, int(digit))
        return cls(folder, known, datasets.scale_images(digits.test_X), datasets.is_even(digits.test_y))

    def by_silhouette(self, above: int) -> dict[bytes, tuple[int, int]]:
        """The images by which of their pixels are brighter than a grey value, eight in a byte."""
        images = np.frombuffer(b"".join(self.known), np.uint8).reshape(len(self.known), -1)
        silhouettes = np.packbits(images > above, axis=1)
        return {row.tobytes(): image for row, image in zip(silhouettes, self.known.values(), strict=True)}


HALF = 127
"""The grey value above which a pixel is white where there are two."""


class _Grey(NamedTuple):
    """The numbers that stand for black and for white."""

    black: float
    white: float


RIGHT_GREY = _Grey(0.0, 1.0)


def require_bearable(W: Sequence[Array], X: Any) -> None:
    """Raise ValueError if a gradient at these weights would need too much time or memory."""
    entries, samples = np.size(W[0]), np.size(X) / max(1, np.shape(X)[0] if np.ndim(X) else 1)
    if entries * samples > MOST_WORK or max(np.shape(W[0]), default=0) * samples > MOST_WORK / 100:
        raise ValueError("the network and the samples are too large")


def supplied_optimizers(seconds: float) -> dict[str, Callable[..., Any]]:
    """The reference's SGD and Adam for a notebook with broken ones.

    Together they compute for at most ``seconds`` of CPU time.
    """
    spent = 0.0

    def run(optimizer: Callable[..., Any]) -> Callable[..., Any]:
        def optimize(W: Sequence[Array], X: Any, y: Any, options: Mapping[str, Any]) -> Any:
            nonlocal spent
            begin = time.thread_time()

            def stop_in_time(r: int, weights: Any) -> None:
                if spent + time.thread_time() - begin > seconds:
                    raise ValueError("the time for the notebook is over")

            model = NN2()
            model.W = [np.asarray(w) for w in W]
            require_bearable(model.W, X)
            try:
                return optimizer(model, X, y, **options, callback=stop_in_time)
            finally:
                spent += time.thread_time() - begin

        return optimize

    return {"SGD": run(SGD), "Adam": run(Adam)}


def check_notebook(
    session: Session, cells: Sequence[str], digits: Digits, seed: int, accuracy: Mapping[str, float], seconds: float
) -> tuple[dict[str, Report], float | None]:
    """Run a notebook and check its variables; return the reports, and the accuracy on the real test images.

    After its ``seconds`` it is interrupted, and killed if it continues.
    """
    failure = None
    asked = {"cells": list(cells), "names": list(NAMES), "digits": session.cache}
    printed = session.limits.output_mb << 19
    try:
        left = session.ask("run_cells", at_most=GRACE * seconds, seconds=seconds, most_printed=printed, **asked)
        if "cell" in left:
            failure = f"code cell {left['cell']}: {Failed(left['error'])}"
    except (Ended, Failed) as error:
        reason = f"the notebook did not run to its end: {error}"
        return {test: all_lost(test, names, reason) for test, names in PROPERTIES.items()}, None
    values = _Values(session, left["names"])
    preprocessing, grey, is_reversed = _preprocessing(values, digits, seed)
    y = 1 - digits.test_y if is_reversed else digits.test_y  # that mistake has its cost already
    training, testing = Report("training"), Report("testing")
    training.add("runs", float(failure is None), failure)
    measured = _measured(
        values, training, testing, (grey.black + (grey.white - grey.black) * digits.test_X, y), accuracy
    )
    return {"preprocessing": preprocessing, "training": training, "testing": testing}, measured


def _measured(
    values: "_Values", training: Report, testing: Report, test: tuple[Array, Array], accuracy: Mapping[str, float]
) -> float | None:
    """Add to both reports what the notebook's model is worth; its accuracy on ``test``, the true images and labels."""
    W = values.weights()
    if isinstance(W, str):
        training.add("trained", 0.0, W)
        testing.add("reported", 0.0, W)
        testing.add("accuracy", 0.0)
        return None
    measured = max(_accuracies(W, *test, values.bias))
    if _has_few_directions(W):
        training.look = "the hidden units of the notebook's model are alike: are they another model's weights?"
    text = f"the accuracy on the test set, measured by the grader, is {measured:.2%}"
    is_trained = measured >= accuracy["trained"]
    training.add("trained", float(is_trained), f"{text}; a trained network has {accuracy['trained']:.0%}")
    testing.add("reported", *_reported(values, W))
    share = 1.0 if measured >= accuracy["full"] else 0.5 if is_trained else 0.0
    testing.add("accuracy", share, f"{text}; full points from {accuracy['full']:.0%} on")
    if measured < 0.15:
        training.diagnosis = Diagnosis("uphill", "the network says the opposite of what is right: a sign or the labels")
    return measured


def _has_few_directions(W: Sequence[Array]) -> bool:
    """Whether what the hidden units add to the output goes, but for a little noise, in one or two directions."""
    added = np.nan_to_num(W[0] * np.reshape(W[1], (len(W[0]), -1))[:, :1])
    sizes = np.linalg.svd(added, compute_uv=False)
    return len(sizes) > 1 and bool(sizes[min(2, len(sizes) - 1)] <= NOISE * sizes[0])


class _Values:
    """The variables of a notebook, by name."""

    def __init__(self, session: Session, names: Sequence[str]) -> None:
        self.session, self.names = session, set(map(str, names))
        self.whole: dict[str, Any] = {}
        self.bias: int | None = None
        """The position of a feature that is always 1 and acts as a bias beside the pixels."""

    def weights(self) -> list[Array] | str:
        """The weights W1 and w2 of the notebook's model, or a text on why there are none."""
        value = self._look("model")
        if isinstance(value, str):
            return value
        arrays = [as_array(w) for w in value] if isinstance(value, list) and len(value) == 2 else []
        if len(arrays) != 2 or any(a is None for a in arrays):
            return "`model` is no NN2 with weights W1 and w2"
        W1, w2 = (np.asarray(a, np.float64) for a in arrays)
        if W1.ndim != 2 or W1.shape[1] not in (PIXELS, PIXELS + 1) or w2.size != len(W1):
            return f"the weights of `model` must be (M, 784) and (M, 1); got {W1.shape} and {w2.shape}"
        if not (np.isfinite(W1).all() and np.isfinite(w2).all()):
            return "the weights of `model` are not finite: the training diverged"
        return [W1, w2.reshape(-1, 1)]

    def images(self, name: str, indices: Array | None) -> Array | str:
        """Some or all of the images, one per row."""
        shape = self._shape(name)
        if isinstance(shape, str):
            return shape
        features = (shape[0], int(np.prod(shape[1:]))) if shape else ()
        if not {PIXELS, PIXELS + 1} & set(features):
            return f"`{name}` must hold images of 784 pixels; it has shape {tuple(shape)}"
        axis = 1 if shape[0] in (PIXELS, PIXELS + 1) else 0
        value = self._look(name, [axis, None if indices is None else indices])
        array = value if isinstance(value, str) else as_array(value)
        if array is None or isinstance(array, str):
            return array or f"`{name}` holds no numbers"
        array = (array.T if axis else array).reshape(shape[axis] if indices is None else len(indices), -1)
        if array.shape[1] == PIXELS:
            return array
        ones = [place for place in (0, PIXELS) if (array[:, place] == 1).all()]
        if not ones:
            return f"`{name}` has 785 features, and none of them is the 1 of a bias, at the beginning or the end"
        self.bias = ones[0]
        return np.delete(array, self.bias, axis=1)

    def count(self, name: str) -> int | str:
        """The number of samples."""
        shape = self._shape(name)
        if isinstance(shape, str):
            return shape
        if name.endswith("_y"):
            return int(np.prod(shape))
        by_columns = len(shape) == 2 and shape[0] in (PIXELS, PIXELS + 1)
        return int(shape[1] if by_columns else shape[0] if shape else 0)

    def numbers(self, name: str) -> Array | str:
        """All entries of an array, flat."""
        value = self._look(name, [0, None])
        array = value if isinstance(value, str) else as_array(value)
        return array.ravel() if isinstance(array, np.ndarray) else array or f"`{name}` holds no numbers"

    def _shape(self, name: str) -> list[int] | str:
        value = self._look(name, shape=True)
        if isinstance(value, str):
            return value
        good = isinstance(value, list) and all(type(length) is int and length >= 0 for length in value)
        return value if good else f"`{name}` is no array"

    def _look(self, name: str, take: Any = None, *, shape: bool = False) -> Any:
        if take is None or take[1] is not None:
            return self._asked(name, take, shape)
        if name not in self.whole:
            self.whole[name] = self._asked(name, take, shape)
        return self.whole[name]

    def _asked(self, name: str, take: Any, shape: bool) -> Any:
        if name not in self.names:
            return f"the notebook leaves no variable `{name}`"
        try:
            answer = self.session.ask("look", at_most=60, name=name, take=take)
        except (Ended, Failed) as error:
            return f"`{name}` cannot be read: {error}"
        return answer.get("shape" if shape else "value") if isinstance(answer, dict) else f"`{name}` is no array"


def _preprocessing(values: _Values, digits: Digits, seed: int) -> tuple[Report, _Grey, bool]:
    """The report, the grey levels of the test part, and whether the labels of the training part are 1 for odd."""
    report = Report("preprocessing")
    rng = np.random.default_rng([seed, 8])
    counts = {name: values.count(name) for name in NAMES[:4]}
    missing = next((count for count in counts.values() if isinstance(count, str)), None)
    if missing is not None:
        return all_lost("preprocessing", PROPERTIES["preprocessing"], missing), RIGHT_GREY, False
    train, test = int(counts["train_X"]), int(counts["test_X"])
    some = np.sort(rng.choice(train, min(LOOKED_AT, train), replace=False))
    images = {"train": values.images("train_X", some), "test": values.images("test_X", None)}
    labels = {"train": values.numbers("train_y"), "test": values.numbers("test_y")}
    problem = next((value for value in (*images.values(), *labels.values()) if isinstance(value, str)), None)
    if problem is not None:
        return all_lost("preprocessing", PROPERTIES["preprocessing"], problem), RIGHT_GREY, False
    known = {part: _identified(np.asarray(array), digits) for part, array in images.items()}
    found = {part: of_part[0] for part, of_part in known.items()}
    report.add("labels", *_labels(report, found, labels, some, counts))
    report.add("partition", *_partition(found, train, test))
    lowest, highest = (float(f([f(np.asarray(array)) for array in images.values()])) for f in (np.min, np.max))
    levels = {grey for _, grey in known.values()}
    correct = lowest == 0 and abs(highest - 1) < 0.01 and levels == {RIGHT_GREY}
    text = f"pixels go from 0 (black) to 1 (white); these go from {lowest:.4g} to {highest:.4g}"
    if any(grey.black > grey.white for grey in levels):
        text += ", and black and white are exchanged"
    report.add("scale", float(correct), text)
    order = PROPERTIES["preprocessing"]
    report.properties.sort(key=lambda prop: order.index(prop.name))
    given = zip(np.asarray(labels["train"])[some[some < len(labels["train"])]], found["train"], strict=False)
    are_odd = [y == image[1] % 2 for y, image in given if image is not None]
    return report, known["test"][1], bool(are_odd) and all(are_odd)


def _identified(images: Array, digits: Digits) -> tuple[list[tuple[int, int] | None], _Grey]:
    """The image of MNIST in each row and its digit, None if a row is no such image; and the grey levels they have."""
    lowest, highest = float(images.min(initial=0)), float(images.max(initial=0))
    best: list[tuple[int, int] | None] = []
    best_grey, most = RIGHT_GREY, -1
    usual = RIGHT_GREY if highest <= 1.5 else _Grey(0.0, 255.0)
    shifted = [_Grey(lowest, highest), _Grey(highest, lowest)] if highest > lowest else []
    for grey in (usual, *shifted):
        levels = np.clip(np.rint((images - grey.black) * (255 / (grey.white - grey.black))), 0, 255).astype(np.uint8)
        found = [digits.known.get(row.tobytes()) for row in levels]
        count = sum(image is not None for image in found)
        if count > most:
            best, best_grey, most = found, grey, count
        if 2 * count > len(images):
            return best, best_grey
    # each pixel may have been scaled by itself, or cut: it is black where it is as dark as in no other image
    silhouettes = [row.tobytes() for row in np.packbits(images > images.min(axis=0, initial=highest), axis=1)]
    for above in (0, HALF):
        by_silhouette = digits.by_silhouette(above)
        found = [by_silhouette.get(row) for row in silhouettes]
        if 2 * sum(image is not None for image in found) > len(images):
            return found, RIGHT_GREY if (lowest, highest) == RIGHT_GREY else _Grey(lowest, highest)
    return best, best_grey


def _labels(
    report: Report,
    found: Mapping[str, Sequence[tuple[int, int] | None]],
    labels: Mapping[str, Any],
    some: Array,
    counts: Mapping[str, Any],
) -> tuple[float, str | None]:
    for part in ("train", "test"):
        if counts[f"{part}_X"] != counts[f"{part}_y"]:
            return 0.0, f"{part}_X has {counts[f'{part}_X']:,} samples and {part}_y {counts[f'{part}_y']:,} labels"
        expected = labels[part][some] if part == "train" else labels[part]
        pairs = [(y, image[1]) for y, image in zip(expected, found[part], strict=True) if image is not None]
        if len(pairs) < 0.9 * len(expected):
            return 0.0, f"{part}_X does not hold MNIST's images as they are, and its labels cannot be checked"
        y, digit = np.array(pairs).T
        even = digit % 2 == 0
        if np.array_equal(y, even):
            continue
        for name, message, wrong in (
            ("labels_reversed", "the labels are 1 for odd digits: the outcome is 1 if the digit is even", ~even),
            (
                "labels_are_digits",
                "the labels are the digits from 0 to 9 still: they become 1 for even and 0 for odd",
                digit,
            ),
            ("labels_minus_one", "the labels are -1 and 1: they are 0 for odd and 1 for even", np.where(even, 1, -1)),
        ):
            if np.array_equal(y, wrong):
                report.diagnosis = Diagnosis(name, message)
        return 0.0, f"in {part}_y {np.mean(y == even):.1%} of the labels are right: 1 if the digit is even, 0 otherwise"
    return 1.0, None


def _partition(
    found: Mapping[str, Sequence[tuple[int, int] | None]], train: int, test: int
) -> tuple[float, str | None]:
    if test != TEST_SAMPLES:
        return 0.0, f"the test part has {TEST_SAMPLES:,} samples; this one has {test:,}"
    if not LEAST_TRAINING <= train <= MOST_TRAINING:
        return (
            0.0,
            f"the training part has the remaining 60,000 samples, less those for validation; this one has {train:,}",
        )
    places = {part: {image[0] for image in images if image is not None} for part, images in found.items()}
    if both := places["train"] & places["test"]:
        return 0.0, f"some images are in both parts: {len(both)} of {LOOKED_AT:,} training images are test images too"
    if len(places["test"]) < 0.99 * TEST_SAMPLES:
        return 0.0, "the test part does not hold 10,000 different images of MNIST"
    return 1.0, None


def _accuracies(W: Sequence[Array], rows: Array, y: Array, bias: int | None = None) -> tuple[float, float]:
    """The accuracies with a ŷ of exactly 0.5, that of dead units, as even and as odd: both are usual."""
    if W[0].shape[1] == PIXELS + 1:
        rows = np.insert(rows, PIXELS if bias is None else bias, 1, axis=1)
    model = NN2()
    model.W = [w.astype(np.float64) for w in W]
    with np.errstate(all="ignore"):
        y_hat = model.nn2(rows.T)[0]
        even = y >= 0.5
        return float(np.mean((y_hat >= 0.5) == even)), float(np.mean((y_hat > 0.5) == even))


def _reported(values: _Values, W: Sequence[Array]) -> tuple[float, str | None]:
    """Whether the accuracy that the notebook reports is that of its model on its test part."""
    reported = values.numbers("test_accuracy")
    rows, y = values.images("test_X", None), values.numbers("test_y")
    for value in (reported, rows, y):
        if isinstance(value, str):
            return 0.0, value
    assert not (isinstance(reported, str) or isinstance(rows, str) or isinstance(y, str))
    if reported.size != 1 or len(rows) != len(y):
        return 0.0, "`test_accuracy` is one number, of as many test samples as labels"
    measured, given = _accuracies(W, rows, y, values.bias), float(reported[0])
    if min(abs(value - accuracy) for value in (given, given / 100) for accuracy in measured) <= 0.005:
        return 1.0, None
    return 0.0, f"`test_accuracy` is {given:.4g}; the model's accuracy on test_X and test_y is {measured[0]:.4f}"
