"""Messages of plain values and arrays, both ways between the grader and a student's process.

A message is two lengths, a JSON document, and the bytes of the arrays that the document points to. Nothing in it can be
executed: a reader accepts numbers, truth values, text, None, lists, dictionaries and arrays of a few numeric dtypes,
and checks the position of each array in the bytes.
"""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

LENGTHS = struct.Struct("<4sIQ")
MAGIC = b"mlcv"
ARRAY = "array"
DTYPES = frozenset(f"{order}{kind}" for kind in ("f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8") for order in "<")
DTYPES |= {"|b1", "|i1", "|u1"}
MOST_TEXT = 64 << 20
MOST_VALUES = 2_000_000
"""The most numbers, lists and names in the text of a message: each becomes an object of its own."""


class BadMessage(ValueError):
    """The received bytes are not a message."""


def encode(value: Any) -> bytes:
    """The bytes of a message; TypeError for a value that cannot be sent."""
    buffers: list[bytes | memoryview] = []
    place = 0

    def plain(part: Any) -> Any:
        nonlocal place
        if isinstance(part, np.ndarray | np.generic):
            array = np.ascontiguousarray(part).reshape(np.shape(part))
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            if array.dtype.str not in DTYPES:
                raise TypeError(f"an array of dtype {array.dtype} cannot be sent")
            found = {ARRAY: [array.dtype.str, list(array.shape), place]}
            buffers.append(array.reshape(-1).view(np.uint8).data if array.size else b"")
            place += array.nbytes
            return found
        if part is None or isinstance(part, bool | int | float | str):
            return part
        if isinstance(part, list | tuple):
            return [plain(item) for item in part]
        if isinstance(part, dict):
            return {str(name): plain(item) for name, item in part.items()}
        raise TypeError(f"a {type(part).__name__} cannot be sent")

    text = json.dumps(plain(value)).encode()
    return b"".join([LENGTHS.pack(MAGIC, len(text), place), text, *buffers])


def decode(read: Callable[[int], bytes], most_bytes: int) -> Any:
    """The message whose bytes ``read(count)`` returns; BadMessage if it is not a message or too large."""
    magic, text_length, array_length = LENGTHS.unpack(read(LENGTHS.size))
    if magic != MAGIC:
        raise BadMessage("it does not begin like a message")
    if text_length > min(MOST_TEXT, most_bytes) or array_length > most_bytes:
        raise BadMessage(f"it would have {text_length + array_length:,} bytes")
    text, data = read(text_length), read(array_length)
    if sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise BadMessage(f"it would have more than {MOST_VALUES:,} values")

    def restored(part: dict[str, Any]) -> Any:
        return _array(part[ARRAY], data) if part.keys() == {ARRAY} else part

    try:
        return json.loads(text, object_hook=restored)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"it is not plain values: {error}") from None


def _array(description: Any, data: bytes) -> np.ndarray[Any, Any]:
    if not isinstance(description, list) or len(description) != 3:
        raise BadMessage("an array is not described")
    dtype, shape, start = description
    if not isinstance(dtype, str) or dtype not in DTYPES or not isinstance(shape, list) or len(shape) > 8:
        raise BadMessage("an array is of no known kind")
    if not all(type(length) is int and 0 <= length < 2**40 for length in (*shape, start)):
        raise BadMessage("an array has no shape")
    count = 1
    for length in shape:
        count *= length
    if start + count * np.dtype(dtype).itemsize > len(data):
        raise BadMessage("an array is larger than its bytes")
    return np.frombuffer(data, dtype, count, start).reshape(shape)
