"""The site's pages on the reference have every public name, and every command has its help there."""

import re
from pathlib import Path

import mlcvkit
from mlcvkit.cli.app import COMMANDS

PAGES = "\n".join(path.read_text() for path in Path(__file__).parents[1].glob("docs/reference/*.md"))


def test_every_public_name_is_documented_once():
    found = re.findall(r"^\.\. auto(?:class|function|data|exception):: mlcvkit\.\w+\.(\w+)$", PAGES, re.MULTILINE)
    assert sorted(found) == sorted([*mlcvkit.__all__, "check"])


def test_every_command_is_documented():
    commands = {name for names in COMMANDS.values() for name in names} | {"data describe", "data sample"}
    assert set(re.findall(r"^```\{command\} (.+)$", PAGES, re.MULTILINE)) == commands
