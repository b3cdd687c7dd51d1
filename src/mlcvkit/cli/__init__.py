"""The ``mlcvlab`` command: one function for each subcommand, imported when it is called."""

import sys

__all__ = ["main", "run_and_end"]


def run_and_end() -> None:
    """Run the command and end the process. The version is printed before anything is imported."""
    if sys.argv[1:] == ["--version"]:
        _tell_version()
        return
    try:
        from mlcvkit.cli.app import run_and_end as run
    except KeyboardInterrupt:  # before anything has begun
        sys.exit(130)
    run()


def _tell_version() -> None:
    from mlcvkit.cli.output import guard
    from mlcvkit.extras import own_version

    out, err = guard()
    print(own_version())
    out.close_quietly()
    if out.error is not None and not isinstance(out.error, BrokenPipeError):
        print(f"mlcvlab: error: the output could not be written: {out.error}", file=sys.stderr)
        err.close_quietly()
        sys.exit(1)


def __getattr__(name: str) -> object:
    if name == "main":
        from mlcvkit.cli.app import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
