"""The command, and what its subcommands share."""

import atexit
import json as json_format
import math
import os
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, get_args

from cyclopts import App, ArgumentCollection, CycloptsError, Parameter
from rich.console import Console
from rich.markup import escape

from mlcvkit.cli.output import Output, guard
from mlcvkit.errors import InputError
from mlcvkit.extras import own_version
from mlcvkit.files import read_toml

if TYPE_CHECKING:
    from rich.table import Table

    from mlcvkit.arrays import PlainData

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

if not os.environ.get("COLUMNS", "80").isdecimal() or int(os.environ.get("COLUMNS", "80")) < 1:
    del os.environ["COLUMNS"]  # what a terminal without a size says

console = Console(highlight=False, emoji=False)


def table_of(*headings: str, left: Collection[str] = (), title: str | None = None) -> "Table":
    """A table with its headings; numbers stand at the right, the columns of ``left`` at the left."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right", overflow="fold")
    return table


@contextmanager
def progress_of(text: str, total: int) -> Iterator[Callable[..., None]]:
    """A progress bar; what is given takes ``completed`` or ``advance``, and ``last``, a word about the latest."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[last]}"), console=console, transient=True) as progress:
        yield partial(progress.update, progress.add_task(text, total=total, last=""))


def require_whole_numbers(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse a fraction, from the command line or a file, for an option that is a whole number."""
    for argument in arguments:
        kinds = {argument.hint, *get_args(argument.hint)}
        for token in argument.tokens if int in kinds and float not in kinds else ():
            try:
                is_whole = float(token.value).is_integer()
            except ValueError:  # which is refused as no number at all
                continue
            except OverflowError:
                is_whole = False
            if not is_whole:
                raise InputError(f"{argument.name} must be a whole number; got {token.value}")


app = App(
    name="mlcvlab",
    help="Neural networks built from scratch in NumPy: train one on your own table, arrays or images, or on MNIST.",
    version=own_version,
    result_action="return_value",
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),
    config=require_whole_numbers,
)
data_app = App(name="data", help="Look at data before training, or get some to try.")
app.command(data_app)


def _options_of_train(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    from mlcvkit.cli.training import options_not_given

    options_not_given(app, commands, arguments)


COMMANDS = {
    "training": ("train",),
    "models": ("evaluate", "predict", "export"),
    "tuning": ("tune", "sweep"),
    "runs": ("runs",),
    "pages": ("report", "play"),
    "course": ("handout", "grade", "check", "milestones"),
}
"""The functions of the commands, by the module that is imported when one of them is called."""


@cache
def register_commands(*, at_once: bool) -> None:
    """Register the commands: by their modules, which are imported when a command is called, or imported now."""
    for app_of, module, name in [(app, m, name) for m, names in COMMANDS.items() for name in names] + [
        (data_app, "models", "describe"),
        (data_app, "models", "sample"),
    ]:
        options: PlainData = {"config": (_options_of_train, require_whole_numbers)} if name == "train" else {}
        if at_once:
            app_of.command(getattr(import_module(f"mlcvkit.cli.{module}"), name), name=name, **options)
        else:
            app_of.command(f"mlcvkit.cli.{module}:{name}", name=name, **options)


def main() -> None:
    """Run the command; a user's mistake is one line on standard error and exit code 2.

    Output that cannot be written never stops a command; unless a reader closed it, this is an error at the end.
    """
    out, err = guard()
    register_commands(at_once=sys.argv[1:] in ([], ["--help"], ["-h"]))  # their first lines are listed there
    code = _exit_code()
    out.close_quietly()
    if out.error is not None and not isinstance(out.error, BrokenPipeError):
        say("error", f"the output could not be written: {out.error}")
        code = code or FAILED
    err.close_quietly()
    sys.exit(code)


def run_and_end() -> NoReturn:
    """Run the command, and end the process as Python does, except for the clean-up of C++ libraries.

    Threads of pyarrow that are just starting would then abort the process: of processes that read a Parquet file and
    ended immediately, one in fifty had exit code 134.
    """
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
    atexit._run_exitfuncs()
    os._exit(code if isinstance(code, int) else 0)


def _exit_code() -> int:
    warnings.showwarning = lambda message, *_: say("note", message)
    try:
        code: int = app(exit_on_error=False, print_error=False)
    except (CycloptsError, InputError) as error:
        say("error", error)
        code = BAD_INPUT
    except (FloatingPointError, OSError) as error:
        say("error", error)
        code = FAILED
    except MemoryError as error:
        say("error", f"not enough memory: {error}; fewer hidden units or a smaller batch need less")
        code = FAILED
    except KeyboardInterrupt:
        say("stopped", "nothing was saved")
        code = INTERRUPTED
    return code


def read_config(path: Path) -> "PlainData":
    """Read a TOML file with options."""
    return read_toml(path, f"the configuration {path}")


def print_json(wanted: bool, result: object) -> None:
    """Print a result as JSON; characters that the console does not have are escaped."""
    if wanted:
        only_ascii = not (sys.stdout.encoding or "").lower().startswith("utf")
        try:
            text = json_format.dumps(result, ensure_ascii=only_ascii, allow_nan=False)
        except ValueError:
            say("note", "numbers that are infinite or none are null in this JSON")
            text = json_format.dumps(_finite(result), ensure_ascii=only_ascii)
        sys.stdout.write(text + "\n")


def _finite(value: object) -> object:
    """The same with None in place of every number that JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_data(data: bytes) -> None:
    """Print a file's content, byte for byte."""
    if isinstance(sys.stdout, Output):
        sys.stdout.write_data(data)
    else:
        sys.stdout.write(data.decode())


def limited_threads(threads: int | None) -> AbstractContextManager[object]:
    """Limit the threads of matrix products during a block."""
    if threads is None:
        return nullcontext()
    if threads < 1:
        raise InputError(f"threads must be 1 or more; got {threads}")
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(threads)
    return limits


def say(kind: str, message: object) -> None:
    """Print a line on standard error, with its kind."""
    text = " ".join(str(message).split())
    Console(stderr=True, emoji=False).print(
        f"mlcvlab: [bold]{kind}[/bold]: {escape(text)}", soft_wrap=True, highlight=False
    )
