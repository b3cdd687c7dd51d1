"""``{command}``: the help of a command of mlcvlab, as it prints it. ``{run}``: commands with what they print."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PLAIN = {"COLUMNS": "88", "NO_COLOR": "1", "TERM": "dumb"}
PLAIN["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


class Command(SphinxDirective):
    """The help of the command that is the directive's argument."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Ask the program."""
        words = self.arguments[0].split()
        done = subprocess.run(
            [sys.executable, "-m", "mlcvkit", *words, "--help"],
            env=os.environ | PLAIN,
            capture_output=True,
            text=True,
            check=True,
        )
        return [nodes.literal_block(done.stdout, done.stdout, language="text")]


class Run(SphinxDirective):
    """Commands, a line each, in a folder that is the page's; one that fails fails the build."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Run them, and show each with what it prints."""
        folder = self.env.temp_data.setdefault("folder", tempfile.TemporaryDirectory())
        shown = []
        for line in self.content:
            done = subprocess.run(
                ["bash", "-euc", line],
                cwd=folder.name,
                env=os.environ | PLAIN,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode:
                raise self.error(f"{line}: exit code {done.returncode}\n{done.stdout}")
            shown.append(f"$ {line}\n{done.stdout.replace(folder.name + '/', '')}".rstrip())
        text = "\n\n".join(shown)
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("command", Command)
    app.add_directive("run", Run)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
