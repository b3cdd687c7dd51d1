"""Grading: from a submission to points and reasons.

Each kind of check has its own process; if a process fails, the next check gets a new one. What a problem builds on
comes from the submission first and, if the check does not pass, from the reference, so that a mistake costs its own
points only.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from mlcvkit.course.assignment import NOTEBOOK, Assignment, read_assignment
from mlcvkit.course.checks import Report, all_lost, networks
from mlcvkit.course.checks.components import COMPONENTS_CHECKED, check_component
from mlcvkit.course.checks.notebook import MOST_WORK, Digits, check_notebook, require_bearable, supplied_optimizers
from mlcvkit.course.checks.notebook import PROPERTIES as NOTEBOOK_PROPERTIES
from mlcvkit.course.checks.optimizers import check_adam
from mlcvkit.course.checks.sgd import check_sgd
from mlcvkit.course.handout import handout
from mlcvkit.course.likeness import fingerprints
from mlcvkit.course.rules import MOST_BRACKETS, MOST_NOTEBOOK, Violation, check_rules, code_cells, is_too_large
from mlcvkit.course.sandbox import Ended, Failed, Sandbox, SandboxFailed, Session, Supplied
from mlcvkit.course.scoring import Findings, Grade, TestResult, score
from mlcvkit.course.submissions import Submission
from mlcvkit.course.usage import Limits
from mlcvkit.files import temporary_folder
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import activations, as_float, basis, losses

SUPPLIED_BY = {
    component.name: {module.__name__: module for module in (basis, activations, losses)}[component.module]
    for component in COMPONENTS_CHECKED.values()
} | dict.fromkeys(("sigmoid_cross_entropy", "sigmoid_cross_entropy_grad"), losses)
NN_MODULES = ("mlcvlab.nn.basis", "mlcvlab.nn.activations", "mlcvlab.nn.losses")
PACKAGES = ("mlcvlab", "mlcvlab.nn", "mlcvlab.models", "mlcvlab.optim")
NETWORK = "mlcvlab.models.nn2"
OPTIMIZERS = ("mlcvlab.optim.sgd", "mlcvlab.optim.adam")
MOST_ENTRIES, MOST_OF_JACOBIANS = 4 * 10**7, 4 * 10**6
ANSWERED = {"call": {"value", "after"}, "network": {"value", "after", "own"}, "optimize": {"value", "after", "W"}}
MOST_LEFT_OUT = 4
"""With more wrong functions than these it is not tried which of them a network is built on."""
NOT_IMPLEMENTED = "it is not implemented yet"


@dataclass
class Grader:
    """Everything that grades submissions.

    Arguments: ``assignment``; ``sandbox``; ``seed`` of the hidden inputs; ``digits``, MNIST for the notebooks; None
    without notebooks.
    """

    assignment: Assignment
    sandbox: Sandbox
    seed: int
    digits: Digits | None = None
    whole_code: dict[frozenset[tuple[str, bytes]], bool] = field(default_factory=dict, repr=False)

    def grade(self, submission: Submission, name: str | None = None) -> Grade:
        """Grade one submission; there is a grade whatever it does."""
        return score(self.assignment, self.examine(submission, name))

    def examine(self, submission: Submission, name: str | None = None) -> Findings:
        """The findings on a submission, before any points."""
        start = time.monotonic()
        tests = [test for problem in self.assignment.problems for part in problem.parts for test in part.tests]
        with temporary_folder("submission-") as folder:
            replace(submission, files=_with_handed_out(submission.files)).write_to(folder)
            examination = Examination(self, submission, folder)
            reports, accuracy = examination.run(tests)
        violations = (
            *(Violation("files", problem) for problem in submission.problems),
            *(Violation("look", note) for note in submission.notes),
            *check_rules(submission.files, self.assignment.tasks, self.assignment.forbidden),
            *(
                Violation("look", f"{library} is imported, and is not installed where it is graded: what uses it fails")
                for library in sorted(examination.missing)
            ),
            *(Violation("look", report.look) for report in reports.values() if report.look),
        )
        seconds = round(time.monotonic() - start, 2)
        return Findings(name or submission.name, reports, violations, accuracy, submission.modified, seconds)


class Examination:
    """The checks of one submission."""

    def __init__(self, grader: Grader, submission: Submission, folder: Path) -> None:
        self.grader, self.submission, self.folder = grader, submission, folder
        self.broken: dict[str, str] = {}
        self.missing: set[str] = set()
        self.sound: dict[str, bool] = {}
        """Whether a function of Problem 1 is right as it stands, by a reading that costs nothing."""
        self.built_on: dict[str, set[str]] = {}
        """The supplied functions for each function that is right only with them."""
        values = grader.assignment.limits
        self.seconds_left = values["submission_seconds"]
        self.limits = Limits(
            values["call_seconds"],
            int(values["memory_mb"]),
            int(values["processes"]),
            int(values["output_mb"]),
            int(values["scratch_mb"]),
            values["idle_seconds"],
        )

    def request(self, session: Session, do: str, at_most: float | None = None, **request: Any) -> Any:
        """Send a request to a process, within the rest of the submission's CPU time and the limit of a call, or
        ``at_most``.

        Raises: as Session.ask.
        """
        if self.seconds_left <= 0:
            raise Ended(self.time_is_over)
        try:
            return session.ask(do, at_most=min(self.seconds_left, at_most or self.limits.seconds), **request)
        finally:
            self.seconds_left -= session.seconds + session.idle_seconds
            self.missing |= session.missing

    @property
    def time_is_over(self) -> str:
        """The report of a test that is no longer run."""
        most = self.grader.assignment.limits["submission_seconds"]
        return f"the submission's time is over: it has computed (CPU time) and slept for {most:.4g} seconds"

    def run(self, tests: list[str]) -> tuple[dict[str, Report], float | None]:
        """The report of each test, and the accuracy of the notebook's model."""
        reports: dict[str, Report] = {}
        with self._process((*NN_MODULES, NETWORK, *OPTIMIZERS)) as process:
            for test in tests:
                if test not in NOTEBOOK_PROPERTIES:
                    reports[test] = self._checked(test, process)
        accuracy = None
        if any(test in NOTEBOOK_PROPERTIES for test in tests):
            of_notebook, accuracy = self._notebook(reports)
            reports |= {test: report for test, report in of_notebook.items() if test in tests}
        return reports, accuracy

    def _checked(self, test: str, process: "Process") -> Report:
        """One test. An answer that breaks the check breaks only this one."""
        try:
            if test in COMPONENTS_CHECKED:
                return self._component(test, process)
            if test in networks.CHECKS:
                return self._network(test, process)
            return self._optimizer(test, process)
        except SandboxFailed:
            raise
        except Exception as error:
            return all_lost(test, ("value",), f"what it answers cannot be checked ({type(error).__name__}: {error})")

    def _optimizer(self, test: str, process: "Process") -> Report:
        """With a model that claims to be an NN2 and, if that is not fully right, with one of an unknown class.

        If it fails with both, or asks neither for a gradient, ``NN2`` is the model's own class meanwhile: it may ask
        whether that is its type, or copy the weights into another NN2.
        """
        check = check_sgd if test == "SGD" else check_adam
        process.asked_of_models.clear()
        report = check(partial(process.optimize, as_nn2=True), self.grader.seed)
        if report.is_whole or report.reason == NOT_IMPLEMENTED:
            return report
        second = check(partial(process.optimize, as_nn2=False), self.grader.seed)
        best = second if second.credit > report.credit else report
        if not best.reason and (best.is_whole or process.asked_of_models & {"grad", "emp_loss_grad"}):
            return best
        third = check(partial(process.optimize, as_nn2="everywhere"), self.grader.seed)
        return third if third.credit > best.credit else best

    def _component(self, test: str, process: "Process") -> Report:
        """With the submission's functions and, if that is not fully right, with the reference's other functions of
        Problem 1.

        A function that builds on another counts as right with it only if the other does not build on it in turn.
        """
        report = check_component(test, process.call, self.grader.seed)
        self.sound[test] = self._costs_nothing(report)
        if report.is_whole or report.reason:
            return report
        used: set[str] = set()
        supplied = {name: _noted(name, call, used) for name, call in supplied_functions().items() if name != test}
        with self._process(NN_MODULES, supplied) as second_process:
            second = check_component(test, second_process.call, self.grader.seed)
        if second.credit <= report.credit:
            return report
        self.built_on[test] = used
        if self._leads_back(test):
            report.look = f"{test} is built on {', '.join(sorted(used))}, and that on {test} in turn"
            return report
        return second

    def _leads_back(self, test: str) -> bool:
        """Whether a function is defined by itself, directly or through others."""
        reached, further = set[str](), set(self.built_on[test])
        while further:
            reached |= further
            further = {one for name in further for one in self.built_on.get(name, ())} - reached
        return test in reached

    def _costs_nothing(self, report: Report) -> bool:
        return all(prop.worth(self.grader.assignment.variants) >= 1 for prop in report.properties)

    def _wrong_functions(self, process: "Process") -> set[str]:
        """The submission's functions of Problem 1 that lose points."""
        for name in COMPONENTS_CHECKED.keys() - self.sound:
            self.sound[name] = self._costs_nothing(check_component(name, process.call, self.grader.seed))
        return {name for name, is_sound in self.sound.items() if not is_sound}

    def _network(self, test: str, process: "Process") -> Report:
        """With the submission's components; if that is not fully right, with the reference's in place of those that are
        wrong, of all, or of all wrong but one, and then also with its methods.

        A network may be built on a function as the submission has it, right by another reading or wrong. A method that
        is supplied does not do what the submission's own does besides, such as keeping what it computed.
        """
        check = networks.CHECKS[test]
        functions = supplied_functions()
        methods = {name: supplied_network()[name] for name in networks.BUILT_ON[test]}
        ended = process.ended.keys()  # what blocked once would block again
        report = None
        if not ended & (functions | methods).keys():
            report = check(process.network, self.grader.seed)
            if report.is_whole or report.reason == NOT_IMPLEMENTED:
                return report
        supplies = [functions]
        if test not in process.ended:
            wrong = {name: functions[name] for name in self._wrong_functions(process)}
            left_out = wrong.keys() - process.ended if 1 < len(wrong) <= MOST_LEFT_OUT else ()
            all_but_one = [{n: f for n, f in wrong.items() if n != name} for name in sorted(left_out)]
            supplies = [*([wrong] if wrong else []), functions, *all_but_one]
        alone = supplies if methods and not ended & methods.keys() else []
        for supplied in [*alone, *(one | methods for one in supplies)]:
            with self._process((*NN_MODULES, NETWORK), supplied) as second_process:
                second = check(second_process.network, self.grader.seed)
            report = report if report is not None and report.credit > second.credit else second
            if report.is_whole or test in second_process.ended:  # what blocks would block again
                break
        assert report is not None
        return report

    def _is_code_whole(self, reports: Mapping[str, Report]) -> bool:
        """Whether all code of the submission is right, also in problems that are not graded."""
        known = self.grader.whole_code
        code = frozenset((name, content) for name, content in self.submission.files.items() if name.endswith(".py"))
        if code not in known:
            known[code] = self._finds_code_whole(reports)
        return known[code]

    def _finds_code_whole(self, reports: Mapping[str, Report]) -> bool:
        with self._process((*NN_MODULES, NETWORK, *OPTIMIZERS)) as process:
            tests = (*COMPONENTS_CHECKED, *networks.CHECKS, "SGD", "Adam")
            return all((reports.get(test) or self._checked(test, process)).is_whole for test in tests)

    def _notebook(self, of_code: Mapping[str, Report]) -> tuple[dict[str, Report], float | None]:
        content = self.submission.files.get(NOTEBOOK)
        cells = [] if content is None else code_cells(content)
        if not any(line.strip() and not line.strip().startswith("#") for cell in cells for line in cell.splitlines()):
            reason = f"{NOTEBOOK} is missing" if content is None else f"{NOTEBOOK} has no code"
            if content is not None and is_too_large(content):
                reason = (
                    f"{NOTEBOOK} has more than {MOST_NOTEBOOK >> 20} MB or {MOST_BRACKETS:,} brackets, and is "
                    "not read: clear its outputs"
                )
            return {test: all_lost(test, names, reason) for test, names in NOTEBOOK_PROPERTIES.items()}, None
        reports, accuracy = self._run_notebook(cells, {})
        if not all(report.is_whole for report in reports.values()) and not self._is_code_whole(of_code):
            seconds = self.grader.assignment.limits["notebook_seconds"]
            supplied = supplied_functions() | supplied_network() | supplied_optimizers(seconds)
            second, its_accuracy = self._run_notebook(cells, supplied)
            if sum(report.credit for report in second.values()) > sum(report.credit for report in reports.values()):
                return second, its_accuracy
        return reports, accuracy

    def _run_notebook(self, cells: list[str], supplied: Supplied) -> tuple[dict[str, Report], float | None]:
        values = self.grader.assignment.limits
        limits = replace(self.limits, memory_mb=int(values["notebook_memory_mb"]))
        digits = self.grader.digits
        assert digits is not None
        try:
            with self.grader.sandbox.session(
                self.folder, limits, supplied, {"/cache": digits.folder}, whole=True
            ) as session:
                if supplied:
                    modules = _modules((*NN_MODULES, NETWORK, *OPTIMIZERS), supplied)
                    loaded = [[*m, m[0] in self.broken, _handout_modules()[m[0]]] for m in modules]
                    session.ask("load", at_most=60, modules=loaded)
                return check_notebook(
                    session,
                    cells,
                    digits,
                    self.grader.seed,
                    self.grader.assignment.accuracy,
                    values["notebook_seconds"],
                )
        except SandboxFailed:
            raise
        except Exception as error:
            kind = "" if isinstance(error, Ended | Failed) else f"{type(error).__name__}: "
            reason = f"the notebook could not be run and looked at: {kind}{error}"
            return {test: all_lost(test, names, reason) for test, names in NOTEBOOK_PROPERTIES.items()}, None

    @contextmanager
    def _process(self, modules: tuple[str, ...], supplied: Supplied | None = None) -> Iterator["Process"]:
        process = Process(self, supplied or {}, _modules(modules, supplied or {}))
        try:
            yield process
        finally:
            process.end()


class Process:
    """Processes of one submission for one kind of check, which are started when needed, again after one has ended."""

    def __init__(self, examination: Examination, supplied: Supplied, modules: list[list[Any]]) -> None:
        self.examination, self.supplied, self.modules = examination, supplied, modules
        self.asked_of_models: set[str] = set()
        """What the optimizers of a submission asked the models that they were given."""
        self.session: Session | None = None
        self.context: Any = None
        self.failed: dict[str, str] = {}
        self.ended: dict[str, str] = {}

    def call(self, module: str, function: str, args: list[Any]) -> Any:
        """The result of the student's function for these arguments, or a text on why there is none."""
        return self._ask(function, module, "call", module=module, function=function, args=args)

    def network(self, method: str, own: list[Any], args: list[Any]) -> Any:
        """The student's NN2 with these weights."""
        return self._ask(method, NETWORK, "network", method=method, own=own, args=args)

    def optimize(
        self,
        function: str,
        W: list[Any],
        X: Any,
        y: Any,
        options: Mapping[str, Any],
        model: Mapping[str, Any],
        *,
        as_nn2: bool | Literal["everywhere"],
    ) -> Any:
        """The student's optimizer on a model that the grader supplies."""
        module = f"mlcvlab.optim.{function.lower()}"
        request = {"W": W, "X": X, "y": y, "options": dict(options), "as_nn2": as_nn2}
        noted = {name: _noted(name, call, self.asked_of_models) for name, call in model.items()}
        return self._ask(function, module, "optimize", model=noted, module=module, function=function, **request)

    def _ask(self, asked: str, of: str, do: str, model: Mapping[str, Any] | None = None, **request: Any) -> Any:
        if asked in self.ended:
            return self.ended[asked]
        try:
            session = self._started()
            if of in self.failed:
                return f"{of} cannot be imported: {self.failed[of]}"
            session.supplied = {**self.supplied, **(model or {})}
            answer = self.examination.request(session, do, **request)
        except Ended as error:
            self.end()
            self.ended[asked] = str(error)
            return str(error)
        except Failed as error:
            return self._in_words(error, asked)
        if not isinstance(answer, dict) or not ANSWERED[do] <= answer.keys():
            return "what came from its process was not an answer"
        return answer

    def _in_words(self, error: Failed, asked: str) -> str:
        tasks = self.examination.grader.assignment.tasks
        named = [task.function for task in tasks if task.text == error.message] if error.message else []
        if error.kind != "NotImplementedError" or not named:
            return str(error)
        is_asked = any(name.rpartition(".")[2] == asked for name in named)
        return NOT_IMPLEMENTED if is_asked else f"it calls {named[0]}, which is not implemented yet"

    def _started(self) -> Session:
        """A process with the modules; a module that ends it at import is not tried again."""
        while self.session is None or not self.session.alive:
            self.end()
            examination = self.examination
            seconds = examination.grader.assignment.limits["import_seconds"]
            self.context = examination.grader.sandbox.session(examination.folder, examination.limits)
            self.session = self.context.__enter__()
            self.session.supplied = self.supplied
            self.failed = {}
            for name, supplied in self.modules:
                broken = examination.broken.get(name)
                try:
                    module = [name, supplied, broken is not None, _handout_modules()[name]]
                    loaded = examination.request(self.session, "load", at_most=seconds, modules=[module])
                except Ended as error:
                    if examination.seconds_left <= 0:
                        raise
                    examination.broken[name] = str(error)
                    break
                failed = loaded.get("failed") if isinstance(loaded, dict) else None
                if broken is not None:
                    self.failed[name] = broken
                elif isinstance(failed, dict) and name in failed:
                    self.failed[name] = str(Failed(failed[name] if isinstance(failed[name], dict) else {}))
        return self.session

    def end(self) -> None:
        if self.context is not None:
            self.context.__exit__(None, None, None)
        self.session = self.context = None


def _modules(modules: tuple[str, ...], supplied: Supplied) -> list[list[Any]]:
    """Each module and the modules of the handout that it imports, with their supplied names."""
    placed: dict[str, list[str]] = {module: [] for module in _handout_modules()}
    for name in supplied:
        if name in SUPPLIED_BY:
            placed[SUPPLIED_BY[name].__name__].append(name)
        elif name in ("SGD", "Adam"):
            placed[f"mlcvlab.optim.{name.lower()}"].append(name)
        elif name in networks.CHECKS or name == "emp_loss":
            placed[NETWORK].append(f"NN2.{name}")
    checked = (*NN_MODULES, NETWORK, *OPTIMIZERS)
    return [[module, names] for module, names in placed.items() if module in modules or module not in checked]


def prepare() -> None:
    """Prepare what all submissions share, once and before threads need it."""
    _handed_out()
    fingerprints({})


def _with_handed_out(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A submission's files with those of the handout that it lacks; a file in the place of a folder is left out."""
    own = _handed_out()
    folders = {str(parent) for name in own for parent in PurePosixPath(name).parents}
    return {**own, **{name: content for name, content in files.items() if name not in folders}}


@cache
def _handed_out() -> dict[str, bytes]:
    """The files of the handout, which stand in for missing files of a submission."""
    return {
        name.replace(".", "/") + ("/__init__.py" if name in PACKAGES else ".py"): source.encode()
        for name, source in _handout_modules().items()
    }


@cache
def _handout_modules() -> dict[str, str]:
    """The modules of the handout, each after those that it imports; they stand in for broken ones."""
    written = handout(read_assignment())
    modules = {name: f"hw1/{name.replace('.', '/')}.py" for name in ("mlcvlab.models.base", NETWORK, *OPTIMIZERS)}
    packages = {name: f"hw1/{name.replace('.', '/')}/__init__.py" for name in PACKAGES}
    places = {**packages, **{name: f"hw1/{name.replace('.', '/')}.py" for name in NN_MODULES}, **modules}
    return {name: written[place].decode() for name, place in places.items() if place in written}


def supplied_functions() -> dict[str, Callable[..., Any]]:
    """The reference's functions of Problem 1, and the two without points beside them."""

    def checked(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            named = args[-1] if args and isinstance(args[-1], dict) else {}
            plain = args[:-1] if named else args
            shapes = [np.shape(arg) for arg in plain]
            _require_at_most(MOST_ENTRIES, sum(map(math.prod, shapes)))
            if function is basis.linear and len(shapes) == 2:
                _require_at_most(MOST_ENTRIES, math.prod([*shapes[1][:1], *shapes[0][1:]]))
                _require_at_most(MOST_WORK, math.prod(shapes[1]) * math.prod(shapes[0][1:]))
            if function is activations.softmax_grad:
                _require_at_most(MOST_OF_JACOBIANS, math.prod(shapes[0]) * max(shapes[0], default=1))
            if function is basis.linear and len(plain) == 2 and not named:
                return _linear(*plain)
            return function(*_as_numpy_takes(function, plain, shapes), **named)

        return call

    return {name: checked(getattr(module, name)) for name, module in SUPPLIED_BY.items()}


def _as_numpy_takes(
    function: Callable[..., Any], plain: Sequence[Any], shapes: Sequence[tuple[int, ...]]
) -> Sequence[Any]:
    """The arguments in shapes that the reference takes, where NumPy takes those that a student's function got."""
    if len(shapes) < 2 or function is basis.linear or shapes[0] == shapes[1]:
        return plain
    try:
        shape = np.broadcast_shapes(*shapes[:2])
    except ValueError:
        return plain  # which the reference refuses in words
    _require_at_most(MOST_ENTRIES, math.prod(shape))
    return [*(np.broadcast_to(arg, shape) for arg in plain[:2]), *plain[2:]]


def _linear(x: Any, W: Any) -> Any:
    """The reference's ``linear``, which also takes one sample, or the weights of one output, as a vector."""
    with_vector = {np.ndim(x), np.ndim(W)} in ({1}, {1, 2})
    return np.dot(as_float(W), as_float(x)) if with_vector else basis.linear(x, W)


def supplied_network() -> dict[str, Callable[..., Any]]:
    """The methods of the reference's NN2, which take the weights first."""

    def method(name: str) -> Callable[..., Any]:
        def call(W: Any, x: Any, *args: Any) -> Any:
            model = NN2()
            model.W = [np.asarray(w) for w in W]
            if np.ndim(x) == 1:  # one sample, as a vector
                x, args = np.reshape(x, (-1, 1)), (*(np.reshape(y, (1, -1)) for y in args[:1]), *args[1:])
            require_bearable(model.W, x)
            if name == "emp_loss_grad":
                layer = args[1] if len(args) > 1 else None
                return model.emp_loss_grad(x, args[0], None, layer)
            return getattr(model, name)(x, *args)

        return call

    return {name: method(name) for name in ("nn2", "grad", "emp_loss", "emp_loss_grad")}


def _noted(name: str, function: Callable[..., Any], used: set[str]) -> Callable[..., Any]:
    """A function that adds its name to ``used`` when it is called."""

    def call(*args: Any) -> Any:
        used.add(name)
        return function(*args)

    return call


def _require_at_most(most: float, count: float) -> None:
    if count > most:
        raise ValueError("the arrays are too large")


def libraries(assignment: Assignment) -> tuple[str, ...]:
    """The libraries that a process cannot import; those that mlcvkit's training needs are found in the syntax tree."""
    return tuple(name for name in assignment.forbidden if not name.startswith("mlcvkit."))


def without_points(test: TestResult) -> dict[str, Any]:
    """The result of a test for a learner: what is wrong, without points."""
    values = asdict(test)
    return {
        "function": test.name,
        "right": test.right,
        **{name: values[name] for name in ("relative_error", "feedback", "diagnosis", "diagnosed")},
    }
