"""cloudtui cp, run as a user runs it, against moto and a real sshd."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cloudtui.cli.cp import progress_line
from cloudtui.model.copy import CopyPhase, CopyState
from tests.cli.here import Here, here
from tests.cli.test_commands import PROGRAM
from tests.lab import Lab

__all__ = ["here"]


def test_there_and_back(
    lab: Lab, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / "a b").write_text("loss")
    (data / "c").write_text("other")
    home = lab.sshd.home
    assert here("cp", "-n", "data", "bert-gpu:")[1].startswith("folder    data → data\n")
    assert list(home.iterdir()) == []
    code, told = here("cp", "-r", "data", "bert-gpu:")
    assert (code, told[:14]) == (0, "2 files, 9 B i")
    assert (home / "data" / "a b").read_text() == "loss"
    code, told = here("cp", "bert-gpu:data/*", ".", "--json")
    document, _ = json.JSONDecoder().raw_decode(told)
    assert (code, document["files"], document["bytes"], document["failed"]) == (0, 2, 9, [])
    assert (tmp_path / "a b").read_text() == "loss"
    assert here("cp", "data", "bert-gpu:", "--json")[1].count('"unchanged": 2') == 1
    (tmp_path / "x:y").write_text("colon")
    assert here("cp", "x:y", "bert-gpu:data")[0] == 0
    assert (home / "data" / "x:y").read_text() == "colon"
    (tmp_path / "-rf").write_text("dash")
    assert here("cp", "--", "-rf", "bert-gpu:data")[0] == 0
    assert (home / "data" / "-rf").read_text() == "dash"
    (home / "data" / "c").unlink()
    (home / "data" / "c").mkdir()
    code, told = here("cp", "data", "bert-gpu:")
    assert code == 1
    assert told.startswith("data/c: a folder of that name is there\n1 file could not be copied.\n")
    for words, expected, said in (
        (("nope", "bert-gpu:"), 3, "There is no nope on this computer."),
        (("data", "nobody:"), 3, "write ./nobody:"),
        (("data", "me@bert-gpu:"), 3, "cloudtui hosts add bert-gpu --user me"),
        (("data", "-"), 2, "- stands for no file here."),
        (("data", "other"), 2, "Neither side is a machine."),
        (("data", "bert-gpu:", "--read-only"), 4, "read-only"),
        (("data",), 2, "the following arguments are required: DST"),
    ):
        code, told = here("cp", *words)
        assert (code, said in told) == (expected, True), told
    code, told = here("cp", "nope", "bert-gpu:", "--json")
    assert json.JSONDecoder().raw_decode(told)[0]["error"]["exit_code"] == 3


def test_ctrl_c_leaves_what_the_next_one_goes_on_with(lab: Lab, tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 << 30)
    command = [*PROGRAM, "cp", str(tmp_path / "big"), "bert-gpu:"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as copy:
        part, end = lab.sshd.home / ".big.cloudtui-part", time.monotonic() + 30
        while not part.exists() or part.stat().st_size < 1 << 20:
            assert time.monotonic() < end
            time.sleep(0.01)
        copy.send_signal(signal.SIGINT)
        assert copy.wait(20) == 130
        assert copy.stderr
        assert "goes on from here" in copy.stderr.read()
    assert not (lab.sshd.home / "big").exists()
    assert part.stat().st_size > 0


def test_the_line_that_shows_how_far_it_is() -> None:
    state = CopyState("1", ("a",), "b:", CopyPhase.COPYING, 9, 3, 2000, 500, 100.0, 15.0, "d/e\n")
    line = progress_line(state, 100)
    assert line.startswith(" 25%")
    assert "500 B of 1.95 KiB  100 B/s  15 s left  3 of 9  e\\n" in line
    assert "░" not in progress_line(state, 60)
