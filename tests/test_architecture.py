"""The house holds: contracts, what is imported when, and the size of its modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "cloudtui").rglob("*.py"))
HEAVY = ("textual", "rich", "asyncssh", "aiobotocore", "botocore", "pyghostty", "moto", "yaml")


def loaded_after(code: str) -> set[str]:
    """Top-level packages in sys.modules after `code` ran in a fresh interpreter."""
    told = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {name.partition(".")[0] for name in told.stdout.splitlines()}


@pytest.mark.parametrize("words", [["--help"], ["ls", "--help"], ["jupyter", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "from cloudtui.__main__ import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as e:\n    assert e.code == 0"
    )
    assert not loaded_after(code) & set(HEAVY)


def test_the_watch_on_imports_can_see_one() -> None:
    assert "asyncssh" in loaded_after("import cloudtui.ssh.connect")


def test_the_screen_is_painted_before_aws_and_ssh_are_imported() -> None:
    loaded = loaded_after("import cloudtui.ui.app")
    assert "textual" in loaded
    assert not loaded & {"asyncssh", "aiobotocore", "botocore", "pyghostty", "moto"}


def test_aws_comes_without_the_library_that_it_does_not_use() -> None:
    assert "httpx" in loaded_after("import httpx")
    loaded = loaded_after("import cloudtui.aws.clients")
    assert "aiobotocore" in loaded
    assert "httpx" not in loaded


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_modules_are_small_and_say_what_they_are(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= 500
    assert ast.get_docstring(ast.parse(text)), "a module begins with one sentence about itself"
    for word in ("Manager", "Helper", "Utils", "class Base", "class Common"):
        assert word not in text.replace("ContextManager", "")
    assert "TODO" not in text


def test_import_contracts_hold() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    told = subprocess.run([lint], capture_output=True, text=True, cwd=ROOT, check=False)
    assert told.returncode == 0, told.stdout[-2000:]
