"""Ignore rules are git's: held against the real `git check-ignore`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudtui.files.local_tree import walk
from cloudtui.model.errors import NotFound
from cloudtui.model.ignore import parse

NAMES = ["a", "b", "ab", "foo", "x.pyc", "a b", "a ", "#h", "!n", "[q]", "\\", "é", "*", ".h"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
PARTS = [
    *("a", "b", "foo", "*", "**", "?", "[ab]", "[!a]", "[^a]", "[a-c]", "*.pyc", "\\#h", "\\!n"),
    *("#h", "!n", "a b", "a\\ ", "a ", "\\[q\\]", "[[:alpha:]]", "[[:nix:]]", "é", "\\*", "\\\\"),
    *("[]a]", "[a", "a\\", "f**o", "f**", "***", "[!]a]", "\\a", "[a-]", "[\\]]", "*a*"),
]
LINES = st.builds(
    lambda keep, root, parts, end: f"{keep}{root}{'/'.join(parts)}{end}",
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=3),
    st.sampled_from(["", "", "/", " ", "\r"]),
)
LIST = ("ls-files", "-z", "--others", "--exclude-standard")
FILES = st.lists(LINES, min_size=1, max_size=4).map("\n".join)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trees = tmp_path_factory.mktemp("trees")
    subprocess.run(["git", "init", "-q", "--bare", f"{trees}.git"], check=True, env=_env(trees))
    return trees


@example(["ab", "a/ab", "a/b/ab", "foo/b"], {"": "**/b\nf**/b"})
@example(["foox/b", "a/foo/b", "é/x.pyc", "é"], {"": "foo**/b\n[!a]", "a": "!foo/\n/foo/*"})
@example(["a ", "a", "#h", "!n", "b/ab"], {"": "a\\ \n\\#h\n\\!n \n/b/*\n!/b/ab"})
@settings(max_examples=80, deadline=None)
@given(
    st.lists(PATHS, min_size=1, max_size=14),
    st.dictionaries(st.sampled_from(["", "a", "b", "a/b", "foo"]), FILES, max_size=3),
)
def test_what_is_left_out_is_what_git_leaves_out(
    trees: Path, paths: list[str], ignores: dict[str, str]
) -> None:
    top = trees / str(len(list(trees.iterdir())))
    top.mkdir()
    for path in paths:
        file = top / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        except (NotADirectoryError, FileExistsError):
            continue  # what is a file for one path is a folder for another
    for folder, text in ignores.items():
        if (top / folder).is_dir():
            (top / folder / ".gitignore").write_bytes(text.encode())
    listed = subprocess.run(
        ["git", f"--git-dir={trees}.git", "--work-tree=.", *LIST],
        cwd=top,
        check=True,
        capture_output=True,
        env=_env(top),
    )
    kept = {path for path in listed.stdout.split(b"\0") if path}
    assert {file.path for file in walk(top) if not file.is_folder} == kept


def _env(top: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(top), "GIT_CONFIG_NOSYSTEM": "1"}


def test_ours_is_stronger_and_git_is_never_sent(tmp_path: Path) -> None:
    (tmp_path / ".git/info").mkdir(parents=True)
    (tmp_path / ".git/info/exclude").write_text("secret.txt\n")
    (tmp_path / ".gitignore").write_text("data/\n*.log\n")
    project = tmp_path / "project"
    for name in ("data/train.bin", "data/old/x.bin", "run.log", "keep.log", "secret.txt", "a.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    (project / ".cloudtuiignore").write_text("!data/\ndata/old\n!keep.log\n")
    (project / "sub").mkdir()
    (project / "sub/.git").write_text("gitdir: elsewhere\n")
    (project / "link").symlink_to("data")
    os.mkfifo(project / "fifo")
    found = {file.path: file for file in walk(project)}
    assert sorted(found) == [
        b".cloudtuiignore", b"a.py", b"data", b"data/train.bin", b"keep.log", b"link", b"sub"
    ]  # fmt: skip
    assert found[b"link"].link == b"data"
    assert found[b"link"].is_link
    assert found[b"data/train.bin"].size == len("data/train.bin")
    with pytest.raises(NotFound):
        list(walk(tmp_path / "nowhere"))
    (tmp_path / "train.py").touch()
    with pytest.raises(NotFound, match="is a file here, not a folder"):
        list(walk(tmp_path / "train.py"))


def test_odd_files() -> None:
    rules = parse(b"\xef\xbb\xbf# a comment\n\n   \n!\n/\na\0b\n\xff*\n")
    assert rules.verdict(b"a", folder=False)
    assert rules.verdict(b"\xff\xfe", folder=False)
    assert rules.verdict(b"b", folder=False) is None
    assert len(rules.rules) == 2
