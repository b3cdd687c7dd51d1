"""The compiled inner loops, each beside its NumPy reference of the same name and signature.

numba is imported when a kernel is first needed, and its machine code is cached on disk. Without numba the NumPy
references do the same work. The functions without an underscore choose; tests compare each pair.
"""

import importlib.util
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from mlcvkit.arrays import PlainData, Values
from mlcvkit.threads import LANES, LONGEST_SUM
from mlcvlab.nn.activations import sigmoid


def _adam_step(
    w: Values,
    g: Values,
    m: Values,
    s: Values,
    beta1: float,
    beta2: float,
    step_size: float,
    correction: float,
    epsilon: float,
    decay: float,
) -> None:
    """One pass over a flat vector: m and s take in the gradient, w its step.

    m ← β₁ m + (1 - β₁) g,    s ← β₂ s + (1 - β₂) g²,    w ← (1 - decay) w - step_size m / (√(correction s) + ε)
    """
    # numbers of the arrays' own dtype: any other would make a loop of float32 one of float64
    zero, one, tiny = w.dtype.type(0), w.dtype.type(1), w.dtype.type(1e-30)
    for i in range(w.size):
        mi = m[i] + (one - beta1) * (g[i] - m[i])
        si = s[i] + (one - beta2) * (g[i] * g[i] - s[i])
        mi = zero if abs(mi) <= tiny else mi  # so that NaN stays
        si = zero if si <= tiny else si
        m[i], s[i] = mi, si  # and not read again: what was just stored across two cache lines is slow to read
        w[i] -= decay * w[i] + step_size * mi / (np.sqrt(correction * si) + epsilon)


def _adam_step_numpy(
    w: Values,
    g: Values,
    m: Values,
    s: Values,
    beta1: float,
    beta2: float,
    step_size: float,
    correction: float,
    epsilon: float,
    decay: float,
) -> None:
    m += (1 - beta1) * (g - m)
    s += (1 - beta2) * (g * g - s)
    w -= decay * w + step_size * m / (np.sqrt(correction * s) + epsilon)


def _packed_rows(X: Values, order: Values, scale: float, features: Values, out: Values) -> int:
    """Samples in an order, times a scale, without the features that are zero in all of them.

    Where less than a tenth would be left out, none is. Of more features than ``LONGEST_SUM`` a multiple of ``LANES`` is
    left, some of zeros among them: such sums are the same with any number of threads.

    Parameters
    ----------
    X
        The samples, (N, K).
    order
        The indices of the samples, (B,).
    scale
        What each value is multiplied by.
    features
        The indices of the n features that are left, which are written here, (K,).
    out
        Their values, which are written here, flat, (B, n).

    Returns
    -------
    int
        The number n of features that are left.
    """
    K = X.shape[1]
    seen = np.zeros(K, np.uint8)
    for i in range(order.size):
        row = X[order[i]]
        for k in range(K):
            seen[k] |= row[k] != 0
    count = np.int64(seen.sum())
    if count > LONGEST_SUM:
        for k in range(K):
            if count % LANES and not seen[k]:
                seen[k] = 1
                count += 1
    if 10 * count > 9 * K:
        seen[:] = 1
    n, runs = 0, 0
    starts, lengths = np.empty(K, np.uint64), np.empty(K, np.uint64)  # of neighbours, which are copied together
    for k in range(K):
        if seen[k]:
            if k == 0 or not seen[k - 1]:
                starts[runs], lengths[runs] = k, 0
                runs += 1
            features[n] = k
            lengths[runs - 1] += np.uint64(1)
            n += 1
    if n == K:  # a loop of its own, whose code is vectorised
        for i in range(order.size):
            row, values = X[order[i]], out[i * n : (i + 1) * n]
            for k in range(K):
                values[k] = out.dtype.type(row[k]) * scale
        return n
    for i in range(order.size):
        row, values = X[order[i]], out[i * n : (i + 1) * n]
        at = np.uint64(0)
        for r in range(runs):
            for j in range(lengths[r]):
                values[at + j] = out.dtype.type(row[starts[r] + j]) * scale
            at += lengths[r]
    return n


def _packed_rows_numpy(X: Values, order: Values, scale: float, features: Values, out: Values) -> int:
    rows = X[order]
    seen = rows.any(axis=0)
    if (count := int(seen.sum())) > LONGEST_SUM:
        seen[np.flatnonzero(~seen)[: -count % LANES]] = True
    if 10 * seen.sum() > 9 * X.shape[1]:
        seen[:] = True
    left = np.flatnonzero(seen)
    n = len(left)
    features[:n] = left
    np.multiply(rows[:, left], scale, out=out[: len(order) * n].reshape(len(order), n))
    return n


def _spread_rows(rows: Values, features: Values, out: Values) -> None:
    """Write rows to their places in a matrix, and zero to the rows between them: the inverse of a selection.

    Parameters
    ----------
    rows
        (n, M).
    features
        (n,), ascending, where they belong.
    out
        (K, M).
    """
    zero = out.dtype.type(0)
    n = 0
    for k in range(out.shape[0]):
        if n < features.size and features[n] == k:
            for m in range(out.shape[1]):
                out[k, m] = rows[n, m]
            n += 1
        else:
            for m in range(out.shape[1]):
                out[k, m] = zero


def _spread_rows_numpy(rows: Values, features: Values, out: Values) -> None:
    out[:] = 0
    out[features] = rows


def _cross_entropy_layer(z1: Values, w2: Values, y: Values, w2_gradient: Values) -> None:
    """All that lies behind a hidden ReLU layer's z₁, (B, M): forward to the loss and back, row by row.

    z̃₁ = max(z₁, 0),   z₂ = z̃₁ w₂,   δ₂ = (sigmoid(z₂) - y) / B,   ∇_w₂ = z̃₁ᵀ δ₂,   δ₁ = (δ₂ w₂ᵀ) ∘ [z̃₁ > 0]

    δ₁ is written over z₁.
    """
    B, M = z1.shape
    zero, one, batch = z1.dtype.type(0), z1.dtype.type(1), z1.dtype.type(B)
    w2_gradient[:] = zero
    for i in range(B):
        z2 = zero
        for m in range(M):
            z2 += max(z1[i, m], zero) * w2[m]
        e = np.exp(-abs(z2))
        delta2 = ((one if z2 >= zero else e) / (one + e) - y[i]) / batch
        for m in range(M):
            a1 = max(z1[i, m], zero)
            w2_gradient[m] += delta2 * a1
            delta1 = delta2 * w2[m]  # outside of the condition, so that the loop is vectorised
            z1[i, m] = delta1 if a1 > zero else zero


def _cross_entropy_layer_numpy(z1: Values, w2: Values, y: Values, w2_gradient: Values) -> None:
    a1 = np.maximum(z1, 0)
    delta2 = (sigmoid(a1 @ w2) - y) / y.dtype.type(len(y))
    np.matmul(delta2, a1, out=w2_gradient)
    np.multiply(a1 > 0, np.multiply.outer(delta2, w2), out=z1)


def _warp(images: Values, maps: Values, fields: Values, out: Values) -> None:
    """Bilinear resampling: row n of ``out`` is image n, read where its map and its field send each pixel.

    Pixel (i, j) is read at A (i, j, 1)ᵀ plus the field's two displacements; outside of the image all is 0.

    Parameters
    ----------
    images
        (N, H, W).
    maps
        A, (N, 2, 3).
    fields
        (N, 2, H, W) or (0, 2, H, W) for none.
    out
        (N, H · W).
    """
    N, H, W = images.shape
    at = np.arange(-1, max(H, W) + 1).astype(maps.dtype)  # all in one dtype: an integer would make it float64
    padded = np.zeros((H + 3, W + 3), maps.dtype)  # pixel (0, 0) at (1, 1), and zeros around it
    for n in range(N):
        padded[1 : H + 1, 1 : W + 1] = images[n]
        A = maps[n]
        for i in range(H):
            for j in range(W):
                y = A[0, 0] * at[i + 1] + A[0, 1] * at[j + 1] + A[0, 2]
                x = A[1, 0] * at[i + 1] + A[1, 1] * at[j + 1] + A[1, 2]
                if fields.shape[0] > 0:
                    y += fields[n, 0, i, j]
                    x += fields[n, 1, i, j]
                y, x = min(max(y, at[0]), at[H + 1]), min(max(x, at[0]), at[W + 1])
                k, l = int(y - at[0]), int(x - at[0])  # noqa: E741 (row k, column l)
                down, right = y - at[k], x - at[l]
                above = padded[k, l] + right * (padded[k, l + 1] - padded[k, l])
                below = padded[k + 1, l] + right * (padded[k + 1, l + 1] - padded[k + 1, l])
                out[n, i * W + j] = above + down * (below - above)


def _warp_numpy(images: Values, maps: Values, fields: Values, out: Values) -> None:
    N, H, W = images.shape
    rows, columns = np.mgrid[:H, :W].astype(maps.dtype)
    y, x = (
        maps[:, axis, 0, None, None] * rows + maps[:, axis, 1, None, None] * columns + maps[:, axis, 2, None, None]
        for axis in (0, 1)
    )
    if len(fields):
        y, x = y + fields[:, 0], x + fields[:, 1]
    top, left = np.floor(y), np.floor(x)
    total = np.zeros(images.shape, out.dtype)
    for k in (top, top + 1):
        for l in (left, left + 1):  # noqa: E741 (row k, column l)
            inside = (k >= 0) & (k < H) & (l >= 0) & (l < W)
            at = np.arange(N)[:, None, None], np.where(inside, k, 0).astype(int), np.where(inside, l, 0).astype(int)
            total += inside * images[at] * (1 - abs(y - k)) * (1 - abs(x - l))
    out[:] = total.reshape(N, -1)


def _coordinate_step(
    samples: Values, x: Values, z1: Values, z2: Values, y: Values, delta2: Values, w2: float, rate: float
) -> tuple[float, float]:
    """One step of SGD on one weight of W₁ of an NN2 with cross-entropy; returns its change and a sum of z₂.

    δ = Σ_i δ₂ᵢ [z₁ᵢ > 0] xᵢ,   change = -rate w₂ δ,   z₁ ← z₁ + change x,   z₂ ← z₂ + w₂ (max(z₁', 0) - max(z₁, 0))

    ``samples`` and ``x`` are the sparse column of the weight's feature, ``z1`` the row of its hidden unit; ``z1``,
    ``z2`` and ``delta2`` = sigmoid(z₂) - y are brought up to date. ``rate`` is the learning rate over N.
    """
    zero, one = z1.dtype.type(0), z1.dtype.type(1)
    gradient = zero
    for i in range(samples.size):
        part = delta2[samples[i]] * x[i]
        gradient += part if z1[samples[i]] > 0 else zero
    change = -rate * w2 * gradient
    changed = np.empty(samples.size, np.int32)
    differences = np.empty_like(x)
    count = 0
    for i in range(samples.size):  # without a branch that half of the samples take
        n = samples[i]
        before = z1[n]
        after = before + change * x[i]
        z1[n] = after
        changed[count] = n
        differences[count] = w2 * (max(after, zero) - max(before, zero))
        count += (before > 0) | (after > 0)
    total = zero
    for i in range(count):
        n = changed[i]
        z = z2[n] + differences[i]
        e = np.exp(-abs(z))
        z2[n] = z
        delta2[n] = (one if z >= 0 else e) / (one + e) - y[n]
        total += z
    return change, total


def _coordinate_step_numpy(
    samples: Values, x: Values, z1: Values, z2: Values, y: Values, delta2: Values, w2: float, rate: float
) -> tuple[float, float]:
    before = z1[samples]
    change = -rate * w2 * (delta2[samples] * (before > 0)).dot(x)
    after = before + change * x
    z1[samples] = after
    changed = ((before > 0) | (after > 0)).nonzero()[0]
    n = samples[changed]
    z = z2[n] + w2 * (np.maximum(after, 0) - np.maximum(before, 0))[changed]
    e = np.exp(-abs(z))
    z2[n] = z
    delta2[n] = np.where(z >= 0, 1, e) / (1 + e) - y[n]
    return change, z.sum()


# division by zero as in NumPy: the check of Python's own error keeps a loop from being vectorised
OPTIONS: PlainData = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc"}}


Kernel = TypeVar("Kernel", bound=Callable[..., object])


@cache
def compiled(kernel: Kernel) -> Kernel:
    """The machine code of a kernel, cached on disk if there is a writable folder."""
    from numba import njit

    try:
        jitted: Kernel = njit(kernel, cache=True, **OPTIONS)
        _remove_damaged_index(jitted)
    except RuntimeError:
        jitted = njit(kernel, **OPTIONS)
    return jitted


def _remove_damaged_index(jitted: Callable[..., object]) -> None:
    """Let numba rebuild a kernel's index if it cannot be read, which would otherwise fail each training."""
    with suppress(AttributeError):  # of another version of numba
        file = getattr(jitted, "_cache")._cache_file  # noqa: B009
        try:
            file._load_index()
        except Exception:
            Path(file._index_path).unlink(missing_ok=True)


@cache
def have_numba() -> bool:
    """Whether the compiled kernels can be used; a warning says why an installed numba cannot."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        importlib.import_module("numba")
    except ImportError as error:
        warnings.warn(f"numba cannot be imported, NumPy does its work more slowly: {error}", stacklevel=2)
        return False
    return True


def adam_step(w: Values, g: Values, m: Values, s: Values, **constants: float) -> None:
    """One Adam step on flat vectors, in place; see ``_adam_step`` for its equation and constants."""
    kernel = compiled(_adam_step) if have_numba() else _adam_step_numpy
    names = ("beta1", "beta2", "step_size", "correction", "epsilon", "decay")
    kernel(w, g, m, s, *(w.dtype.type(constants[name]) for name in names))


def packed_rows(X: Values, order: Values, scale: float, features: Values, out: Values) -> int:
    """A batch in one pass, without the features that are zero in all of it; see ``_packed_rows``."""
    kernel = compiled(_packed_rows) if have_numba() else _packed_rows_numpy
    return int(kernel(X, order, out.dtype.type(scale), features, out))


def spread_rows(rows: Values, features: Values, out: Values) -> None:
    """Rows to their places in a matrix that is zero elsewhere; see ``_spread_rows``."""
    (compiled(_spread_rows) if have_numba() else _spread_rows_numpy)(rows, features, out)


def cross_entropy_layer(z1: Values, w2: Values, y: Values, w2_gradient: Values) -> None:
    """The forward and the backward pass behind a hidden layer; see ``_cross_entropy_layer``."""
    (compiled(_cross_entropy_layer) if have_numba() else _cross_entropy_layer_numpy)(z1, w2, y, w2_gradient)


def coordinate_step(
    samples: Values, x: Values, z1: Values, z2: Values, y: Values, delta2: Values, w2: float, rate: float
) -> tuple[float, float]:
    """One step of SGD on one weight of an NN2; see ``_coordinate_step``."""
    kernel = compiled(_coordinate_step) if have_numba() else _coordinate_step_numpy
    change, total = kernel(samples, x, z1, z2, y, delta2, w2, z1.dtype.type(rate))
    return change, total


def warp(images: Values, maps: Values, fields: Values, out: Values) -> None:
    """Bilinear resampling of images; see ``_warp``."""
    (compiled(_warp) if have_numba() else _warp_numpy)(images, maps, fields, out)
