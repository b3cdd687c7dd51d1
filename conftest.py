import gc
import os

import hypothesis

pytest_plugins = ["soak", "leftovers"]

# Two test processes share the cores: a thread of matrix products each.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# scikit-learn sets these when it is imported, which a test that happens to be the first would be blamed for.
os.environ.setdefault("KMP_DUPLICATE_LIB_OK", "True")
os.environ.setdefault("KMP_INIT_AT_FORK", "FALSE")

# No example fails because the machine is busy.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_collection_finish():
    """The garbage collector leaves out what was imported: the tests take a twelfth less time."""
    gc.collect()
    gc.freeze()
