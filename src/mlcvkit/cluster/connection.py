"""From an address to a cluster whose workers can do the work."""

import logging
import re
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlcvkit.cluster.placement import ClusterError
from mlcvkit.errors import InputError
from mlcvkit.extras import require

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 60
"""How long to wait for a scheduler that does not refuse, and for its first worker."""

SAME = ("mlcvlab", "numpy", "dask", "distributed")
"""Whose versions must be the same on all machines."""
NEEDED = ("fsspec", "threadpoolctl", "polars", "pyarrow")
"""What must be there as well."""

SETTINGS = {"distributed.scheduler.allowed-failures": 10, "distributed.scheduler.worker-ttl": "30s"}
"""For a cluster on this machine: a worker may be lost often, and one that hangs is given up after half a minute."""


@contextmanager
def connect(address: str | None = None, *, scheduler_file: Path | str | None = None) -> Iterator["Client"]:
    """Connect to a cluster, and check its workers.

    Parameters
    ----------
    address
        "local:4" to start four workers of one thread each on this machine, "local" for one for each core, or a
        scheduler's address such as "tcp://10.0.0.5:8786".
    scheduler_file
        The file that Dask's scheduler writes, in place of an address.

    Yields
    ------
    Client
        A ``distributed.Client``.

    Raises
    ------
    InputError
        For an address that is none, or workers with other versions or missing packages, with which.
    ClusterError
        If nobody answers.
    """
    if (address is None) == (scheduler_file is None):
        raise InputError("give the address of a cluster or its scheduler file, one of both")
    local = re.fullmatch(r"local(?::(\d+))?", address or "")
    if local is None and address is not None and not re.match(r"(tcp|tls|ws|wss|ucx)://.+:\d+", address):
        raise InputError(
            f"a cluster is local:4, for four workers on this machine, or a scheduler's address such as "
            f"tcp://10.0.0.5:8786; got {address!r}"
        )
    if local is not None and local[1] is not None and int(local[1]) < 1:
        raise InputError(f"a local cluster needs one worker or more; got {address}")
    if scheduler_file is not None and not Path(scheduler_file).is_file():
        raise InputError(f"the scheduler file {scheduler_file} does not exist")
    require("cluster")
    import dask
    import distributed

    with dask.config.set(SETTINGS), _quiet():
        if local is not None:
            with _local_workers(local[1]) as cluster, distributed.Client(cluster) as client:
                yield client
            return
        place = str(address or scheduler_file)
        try:
            _require_listening(address)
            with warnings.catch_warnings(action="ignore"):  # Dask's own table of versions; ours says what matters
                client = distributed.Client(
                    address, scheduler_file=scheduler_file and str(scheduler_file), timeout=CONNECT_SECONDS
                )
        except (OSError, TimeoutError, ValueError, KeyError) as error:
            raise ClusterError(
                f"no scheduler answers at {place}: start one with 'dask scheduler', and workers with "
                f"'dask worker ADDRESS' ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
            ) from None
        with client:
            require_workers(client, place)
            yield client


def _require_listening(address: str | None) -> None:
    """Raise OSError immediately if nobody listens: Dask would retry for a long time."""
    if address is not None and (place := re.fullmatch(r"(?:tcp|tls)://\[?([^\]/]+)\]?:(\d+)", address)):
        socket.create_connection((place[1], int(place[2])), CONNECT_SECONDS).close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's own log, which tells a lost worker as tracebacks, is not shown."""
    names = ["distributed", *(name for name in logging.root.manager.loggerDict if name.startswith("distributed."))]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _local_workers(count: str | None) -> Iterator["Client"]:
    from dask.system import CPU_COUNT
    from distributed import LocalCluster
    from distributed.security import Security

    workers = CPU_COUNT if count is None else int(count)
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        security=Security.temporary(),  # who can connect can run code: only who has the keys of this run
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )
    with cluster:
        cluster.adapt(
            minimum=workers, maximum=workers
        )  # a worker that is lost while it starts is not started again else
        yield cluster


def require_workers(client: "Client", place: str) -> None:
    """Wait for a worker, and check what it has.

    Parameters
    ----------
    client
        The ``distributed.Client``.
    place
        The address, for messages.

    Raises
    ------
    InputError
        If a worker has other versions than this process, or lacks a package.
    """
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise ClusterError(f"the scheduler at {place} has no workers: start some with 'dask worker ADDRESS'") from None
    here = _prober(SAME + NEEDED)()
    wrong = [
        f"{address}: {differences}"
        for address, its in client.run(_prober(SAME + NEEDED)).items()
        if (differences := _differ(here, its))
    ]
    if wrong:
        more = f"; and {len(wrong) - 3} workers more" if len(wrong) > 3 else ""
        raise InputError(
            f"workers need the same mlcvlab as this process, with the extra cluster: {'; '.join(wrong[:3])}{more}"
        )


def _differ(here: Mapping[str, str | None], there: Mapping[str, str | None]) -> str:
    """What a worker lacks or has in another version, as words."""
    differences = []
    for name, mine in here.items():
        its = there.get(name)
        if its is None and mine is not None:
            differences.append(f"{name} is missing")
        elif its != mine and name in ("python", *SAME):
            differences.append(f"{name} is {its}, here {mine}")
    return ", ".join(differences)


def _prober(names: tuple[str, ...]) -> Any:
    """A function that tells the versions of packages, for workers that may not have this one."""

    def versions() -> dict[str, str | None]:
        import importlib.metadata
        import sys

        found: dict[str, str | None] = {"python": ".".join(map(str, sys.version_info[:2]))}
        for name in names:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = None
        return found

    return versions
