import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlcvkit.course.inside.protocol import ARRAY, LENGTHS, MAGIC, BadMessage, decode, encode


def reader(data):
    place = 0

    def read(count):
        nonlocal place
        if place + count > len(data):
            raise BadMessage("it is cut off")
        place += count
        return data[place - count : place]

    return read


arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int8, np.int64, np.uint8, np.bool_, np.float16, np.dtype(">f8")]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | arrays,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5).filter(lambda k: k != ARRAY), inner)
    ),
    max_leaves=8,
)


def same(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b and type(a) is type(b)


@given(values)
def test_what_is_sent_is_received(value):
    assert same(value, decode(reader(encode(value)), 1 << 20))


@pytest.mark.parametrize("value", [object(), np.array([object()]), np.array(["a"]), 1j, {1, 2}, np.array([1 + 1j])])
def test_what_is_not_plain_is_not_sent(value):
    with pytest.raises(TypeError, match="cannot be sent"):
        encode(value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_bad_one(data):
    for message in (data, LENGTHS.pack(MAGIC, len(data), 0) + data):
        with pytest.raises(BadMessage):
            decode(reader(message[: LENGTHS.size - 1] if len(message) < LENGTHS.size else message), 1 << 20)
            raise BadMessage("it happened to be one")


@pytest.mark.parametrize(
    "description",
    [
        ["|O", [1], 0], ["<f8", [-1], 0], ["<f8", [2], 0], ["<f8", [2**39, 2**39], 0], ["<f8", [1], 8], ["<U1", [1], 0],
        ["<f8", [True], 0], ["<f8", 1, 0], [["<f8"], [1], 0], "<f8", ["<f8", [1]], ["<f8", [1] * 9, 0],
        ["<f8", [1.0], 0],
    ],
)  # fmt: skip
def test_an_array_that_is_not_in_its_bytes_is_refused(description):
    import json

    text = json.dumps({ARRAY: description}).encode()
    with pytest.raises(BadMessage):
        decode(reader(LENGTHS.pack(MAGIC, len(text), 8) + text + bytes(8)), 1 << 20)


def test_what_is_too_large_is_refused_before_it_is_read():
    with pytest.raises(BadMessage, match="1,000,000,000,005 bytes"):
        decode(reader(struct.pack("<4sIQ", MAGIC, 5, 10**12)), 1 << 20)
