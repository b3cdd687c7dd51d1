"""Damage files of one format in every way and read them: python fuzz.py FORMAT COUNT SEED, in a process of its own.

Prints how many were read, how many were refused with a clear error, the most CPU time of one and the memory. Anything
else that happens, an exception or the end of the process, is a defect of the reader.
"""

import gzip
import io
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import polars
from PIL import Image

from mlcvkit import InputError
from mlcvkit.datasets import read

N = 12


def samples():
    """A small content of each format, by suffix."""
    rng = np.random.default_rng(0)
    table = polars.DataFrame(
        {
            "size": rng.normal(size=N),
            "count": [None, *range(N - 1)],
            "name": ["a", 'b "quoted"', "c,d"] * (N // 3),
            "day": polars.date_range(polars.date(2020, 1, 1), polars.date(2020, 1, N), eager=True),
        }
    )
    X, y = rng.normal(size=(N, 3)), rng.integers(2, size=N)
    files = {suffix: io.BytesIO() for suffix in (".csv", ".tsv", ".parquet", ".arrow", ".npy", ".npz", ".png")}
    table.write_csv(files[".csv"])
    table.write_csv(files[".tsv"], separator="\t")
    table.write_parquet(files[".parquet"])
    table.write_ipc(files[".arrow"])
    np.save(files[".npy"], X)
    np.savez_compressed(files[".npz"], X=X, y=y)
    Image.fromarray(rng.integers(256, size=(8, 8), dtype=np.uint8)).save(files[".png"], "PNG")
    contents = {suffix: file.getvalue() for suffix, file in files.items()}
    stream = io.BytesIO()
    table.write_ipc_stream(stream)
    contents[".feather"] = stream.getvalue()
    contents[".svmlight"] = b"".join(b"%d 1:%.3f 3:%.3f\n" % (label, *row[:2]) for label, row in zip(y, X, strict=True))
    contents[".idx"] = bytes([0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, 4, 0, 0, 0, 4]) + rng.bytes(N * 16)
    return contents | {".idx.gz": gzip.compress(contents[".idx"]), ".csv.gz": gzip.compress(contents[".csv"])}


def damaged(content, rng):
    """One to four of: flipped bits, other bytes, a cut, a piece taken out, repeated or put elsewhere, extremes."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        if not data:
            break
        a, b = sorted(rng.integers(0, len(data) + 1, 2))
        at = int(rng.integers(len(data)))
        match rng.integers(8):
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                data[at] = int(rng.integers(256))
            case 2:
                del data[at:]
            case 3:
                del data[a:b]
            case 4:
                data[at:at] = data[a:b]
            case 5:
                data[a:b] = rng.bytes(int(min(b - a, 64)))
            case 6:
                data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x80"])
            case 7:
                data[at:at] = rng.choice([b'"', b"\n", b",", b"\0", b"\xff", b"\t", b"1e999", b"-", b"\r"])
    return bytes(data)


def main(suffix, count, seed):
    warnings.simplefilter("ignore")
    content, rng = samples()[suffix], np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        outcome = outcomes(suffix, content, rng, count, Path(folder))
    print(json.dumps(outcome | {"memory": peak_memory()}))


def outcomes(suffix, content, rng, count, folder):
    """How many files were read and refused, and the most CPU time of one."""
    if suffix == ".png":
        (folder / "class").mkdir()
    path = folder / "class" / "x.png" if suffix == ".png" else folder / f"x{suffix}"
    outcome = {"read": 0, "refused": 0, "slowest": 0.0}
    for _ in range(count):
        path.write_bytes(damaged(content, rng))
        start = time.process_time()
        try:
            read(folder if suffix == ".png" else path)
            outcome["read"] += 1
        except InputError as error:
            outcome["refused"] += 1
            assert path.name in str(error) or suffix == ".png", error
        outcome["slowest"] = max(outcome["slowest"], time.process_time() - start)
    return outcome


def peak_memory():
    """The peak memory of this program alone: that of getrusage counts what the process was before."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return int(status.read_text().split("VmHWM:")[1].split()[0]) << 10


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
