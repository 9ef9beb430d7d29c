"""What the documents promise is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from cloudtui.cli.arguments import parser
from cloudtui.cli.commands import ELSEWHERE, VERBS
from tests.documents import README, filled

ROOT = README.parent


def test_the_tables_of_the_readme_are_those_of_the_code() -> None:
    text = README.read_text()
    assert text == filled(text), "write them again: python -m tests.documents"


def test_the_readme_reaches_the_demo_within_ten_lines() -> None:
    assert any("make demo" in line for line in README.read_text().splitlines()[:10])


def test_every_verb_is_in_the_readme() -> None:
    text = README.read_text()
    for verb in (*VERBS, *ELSEWHERE, "demo"):
        assert f"`cloudtui {verb}" in text
        words = ["x", "y"] if verb == "cp" else ["x"] if verb in NAMED else []
        assert parser().parse_args([verb, *words]).verb == verb


NAMED = {
    *("ssh", "sessions", "attach", "jupyter", "start", "stop", "reboot", "terminate", "tunnel"),
    *("run", "logs"),
}


def test_links_and_pictures_exist() -> None:
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / Path(target)).exists(), f"{document.name}: {target}"
