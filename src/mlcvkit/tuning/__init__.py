"""Searches for hyperparameters and sweeps over grids: studies that several processes share and that outlive a kill.

Needs Optuna: ``pip install 'mlcvlab[tune]'``.
"""

from mlcvkit.extras import require

require("tune")

from mlcvkit.tuning.problems import default_space, experiment_of, space_to_search  # noqa: E402
from mlcvkit.tuning.search import (  # noqa: E402
    CELL_HEADINGS,
    FINAL_SEEDS,
    Cell,
    Comparison,
    Tuned,
    WorkersFailed,
    begin_search,
    begin_sweep,
    cells,
    comparison,
    count_of_trials,
    describe_best_cell,
    finals,
    is_default,
    outside_of_space,
    run,
    run_final,
    tune,
)
from mlcvkit.tuning.spaces import KINDS, Choice, Range, read_space, split_space, varied, with_parameters  # noqa: E402
from mlcvkit.tuning.studies import Settings, Study, open_study  # noqa: E402

__all__ = [
    "CELL_HEADINGS",
    "FINAL_SEEDS",
    "KINDS",
    "Cell",
    "Choice",
    "Comparison",
    "Range",
    "Settings",
    "Study",
    "Tuned",
    "WorkersFailed",
    "begin_search",
    "begin_sweep",
    "cells",
    "comparison",
    "count_of_trials",
    "default_space",
    "describe_best_cell",
    "experiment_of",
    "finals",
    "is_default",
    "open_study",
    "outside_of_space",
    "read_space",
    "run",
    "run_final",
    "space_to_search",
    "split_space",
    "tune",
    "varied",
    "with_parameters",
]
