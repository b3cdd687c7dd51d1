"""Reports of runs and studies: one HTML file that needs nothing else, and its pictures as PNG files.

Needs Jinja and scikit-learn: ``pip install 'mlcvlab[report]'``.
"""

from collections.abc import Iterator
from pathlib import Path

from mlcvkit.errors import InputError
from mlcvkit.extras import require

require("report")

from mlcvkit.report.page import Part, write_report  # noqa: E402
from mlcvkit.report.runs import run_parts  # noqa: E402
from mlcvkit.report.subjects import Subject, read_subject  # noqa: E402
from mlcvkit.storage import MODEL_FILE  # noqa: E402

__all__ = ["Part", "Subject", "read_subject", "report_on", "run_parts", "write_report"]

JOURNAL_FILE = "journal.log"  # of mlcvkit.tuning, which needs Optuna


def report_on(run: Path | str, data: str | None = None, target: str | None = None) -> tuple[str, str, Iterator[Part]]:
    """The title, the lead and the parts of the report of a run or a study.

    Parameters
    ----------
    run
        The folder of a run or a study.
    data
        The data to measure a run with. By default the rows that its training held out.
    target
        The column of the target in these data.

    Returns
    -------
    tuple[str, str, Iterator[Part]]
        The title, a sentence that leads in, and the parts.

    Raises
    ------
    InputError
        If there is neither, or the samples of a run cannot be read.

    See Also
    --------
    load : The predictor of a run.
    """
    if data is None and target is not None:
        raise InputError(f"the target {target} is one of data of your own: give their file as well, or leave it out")
    run = Path(run)
    if not (run / JOURNAL_FILE).is_file():
        subject = read_subject(run, data, target)
        return subject.name, _lead(subject), run_parts(subject)
    if data is not None:
        raise InputError(f"{run} is a study, which has its own data: leave out {data}")
    require("tune")
    from mlcvkit.report.studies import Judged, in_plain_words, study_parts
    from mlcvkit.tuning import open_study

    judged = Judged(open_study(run))

    def parts() -> Iterator[Part]:
        yield from study_parts(judged)
        if (run / MODEL_FILE).is_file():
            yield from run_parts(read_subject(run))

    return run.resolve().name, in_plain_words(judged), parts()


def _lead(subject: Subject) -> str:
    configuration = subject.saved.configuration
    data = Path(str(configuration.get("data"))).name
    kind = str(configuration.get("model", type(subject.saved.model).__name__))
    if subject.missing:
        return f"{kind} trained on {data}. {subject.missing}"
    notes = "".join(f" Note: {note}." for note in subject.notes)
    measured_on = (
        subject.measured_on if subject.X.shape[1] != 1 else subject.measured_on.replace("samples", "sample", 1)
    )
    if not subject.classifies:
        return f"{kind} trained on {data}, measured on {subject.X.shape[1]:,} {measured_on}.{notes}"
    correct = float((subject.predicted == subject.truth).mean())
    lead = f"{kind} trained on {data}: right for {correct:.2%} of {subject.X.shape[1]:,} {measured_on}."
    return f"{lead} {subject.left_out}".strip() + notes
