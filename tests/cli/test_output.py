"""What becomes of the output of a command: a full disk, a closed stream, a poor encoding, JSON."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtui.__main__ import main
from cloudtui.cli import output
from cloudtui.cli.arguments import parser
from cloudtui.model.errors import ConnectionCut
from tests.cli.test_commands import PROGRAM, cloudtui
from tests.lab import Lab
from tests.moto_child import StubEndpoint
from tests.terminal import Terminal


def in_shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`cloudtui` in a line of sh."""
    return subprocess.run(
        ["sh", "-c", line.replace("cloudtui", shlex.join(PROGRAM), 1)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | environment,
        timeout=50,
        start_new_session=True,
        check=False,
    )


def crashes(home: Path) -> list[Path]:
    return list(home.glob(".local/state/cloudtui/crashes/*"))


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cloudtui ls > /dev/full", "No space left on device"),
        ("cloudtui ls --json > /dev/full", "No space left on device"),
        ("cloudtui doctor > /dev/full", "No space left on device"),
        ("cloudtui --help > /dev/full", "No space left on device"),
        ("cloudtui ls --help >&-", "standard output is closed"),
        ("cloudtui ls --json >&-", "standard output is closed"),
        ("cloudtui ls --json <&- >&-", "standard output is closed"),
    ],
)
def test_a_result_that_cannot_be_written_is_one_sentence(
    lab: Lab, line: str, said: str, unbuffered: str
) -> None:
    told = in_shell(line, PYTHONUNBUFFERED=unbuffered)
    assert told.returncode == 1
    assert told.stderr.decode().splitlines()[-1] == f"The result could not be written: {said}."
    assert "Exception ignored" not in told.stderr.decode()
    assert not crashes(lab.home)


def test_the_output_of_a_remote_command_is_told_the_same(lab: Lab) -> None:
    for line in ("cloudtui ssh bert-gpu -- yes > /dev/full", "cloudtui ssh bert-gpu -- yes >&-"):
        told = in_shell(line)
        assert told.returncode == 1
        assert told.stderr.startswith(b"The result could not be written: ")
    assert not crashes(lab.home)


@pytest.mark.parametrize("line", ["cloudtui ls 2>&-", "cloudtui ls 2> /dev/full"])
def test_narration_that_nobody_takes_is_no_failure(lab: Lab, line: str) -> None:
    told = in_shell(line)
    assert told.returncode == 0
    assert told.stdout.startswith(b"NAME")
    assert b"listed" not in told.stdout


@pytest.mark.parametrize(
    "poor",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_what_an_encoding_lacks_is_replaced(lab: Lab, poor: dict[str, str]) -> None:
    lab.launch("größe-中")
    table = in_shell("cloudtui ls", **poor)
    assert table.returncode == 0
    assert b"\ngr??e-?  " in table.stdout
    document = in_shell("cloudtui ls --json", **poor)
    assert "größe-中" in {i["name"] for i in json.loads(document.stdout)["instances"]}
    checked = in_shell("cloudtui doctor --profile nosuch", **poor)
    assert b"-> " in checked.stdout
    assert not crashes(lab.home)


def test_odd_bytes_of_file_names_stay(cut_off: Path) -> None:
    told = in_shell("cloudtui keys fix $(printf '/no/such/\\377')", LC_ALL="C.UTF-8")
    assert b"/no/such/\xff" in told.stderr


@pytest.fixture
def failing_pip(lab: Lab) -> Lab:
    """An installation of JupyterLab that prints 120 lines and fails."""
    lab.sshd.script(
        "python3",
        '#!/bin/sh\ncase "$*" in "-m venv "*) ;; *) '
        f'exec {sys.executable} "$@" ;; esac\nmkdir -p "$3/bin"\n'
        'printf "#!/bin/sh\\nseq -f \'Collecting part %%g\' 120; exit 1\\n" >"$3/bin/python"\n'
        'chmod +x "$3/bin/python"\n',
    )
    return lab


def test_what_pip_prints_goes_by_on_one_line_of_a_terminal(
    failing_pip: Lab, terminal: Terminal
) -> None:
    terminal.cloudtui("jupyter", "bert-gpu", "--no-browser", "--yes")
    screen = terminal.shows("left:1")
    assert "Installing JupyterLab …\nInstalling Jupyter on " in screen
    assert "failed (exit status 1).\n  Collecting part 109\n" in screen
    assert screen.count("Collecting part") == 12


def test_what_pip_prints_is_not_narrated_to_a_file(failing_pip: Lab) -> None:
    told = cloudtui("jupyter", "bert-gpu", "--no-browser", "--yes")
    assert told.returncode == 1
    assert told.stderr.count("Collecting part") == 12
    assert "\x1b" not in told.stderr


FAILING = [
    ["ls"],
    ["start", "nosuch"],
    ["stop", "nosuch"],
    ["reboot", "nosuch"],
    ["terminate", "nosuch"],
    ["sessions"],
    ["sessions", "nosuch"],
    ["jupyter", "nosuch"],
    ["tunnel", "nosuch"],
    ["tunnel", "stop"],
    ["doctor", "--bogus"],
    ["keys", "ls"],
    ["keys", "create", "x", "--read-only"],
    ["keys", "import", "/no/such/file"],
    ["keys", "delete", "nosuch"],
    ["keys", "fix", "/no/such/file"],
    ["keys", "convert", "/no/such/file"],
    ["keys", "passphrase", "/no/such/file"],
    ["keys", "agent", "--bogus"],
    ["hosts", "ls"],
    ["hosts", "diff", "nosuch"],
    ["hosts", "rules", "nosuch"],
    ["hosts", "open", "nosuch"],
    ["hosts", "close", "nosuch"],
    ["hosts", "groups", "nosuch"],
    ["ip", "ls"],
    ["ip", "allocate"],
    ["ip", "associate", "203.0.113.9", "nosuch"],
    ["ip", "disassociate", "203.0.113.9"],
    ["ip", "release", "203.0.113.9"],
    ["jobs"],
    ["jobs", "nosuch"],
    ["jobs", "stop", "nosuch", "bert"],
    ["kernels"],
    ["kernels", "log", "nosuch", "bert.ipynb"],
    ["kernels", "stop", "nosuch", "k"],
    ["cp", "nosuch:x", "."],
]

AFTER = [["run", "nosuch", "--json", "--", "true"]]
"""Those whose last words are somebody else's."""


def verbs_with_json(grammar: argparse.ArgumentParser) -> Iterator[str]:
    """`ls`, `keys create`, ...: each that may be typed with --json."""
    inner = [a for a in grammar._actions if isinstance(a, argparse._SubParsersAction)]
    for action in inner:
        for below in action.choices.values():
            yield from verbs_with_json(below)
    if not inner and any("--json" in action.option_strings for action in grammar._actions):
        yield grammar.prog.removeprefix("cloudtui ")


def test_every_verb_with_json_is_seen_failing() -> None:
    seen = [" ".join(words) for words in (*FAILING, *AFTER)]
    assert [
        verb for verb in verbs_with_json(parser()) if not any(s.startswith(verb) for s in seen)
    ] == []


@pytest.mark.parametrize("words", [*([*w, "--json"] for w in FAILING), *AFTER], ids=" ".join)
def test_with_json_a_failure_is_one_document_and_a_sentence(
    stub_endpoint: StubEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    stub_endpoint.answer_error(400, "RequestExpired", "Request has expired.")
    code = main(words)
    assert code
    told = capsys.readouterr()
    document = json.loads(told.out)
    errors = document.get("errors") or [document["error"]]
    assert set(errors[0]) >= {"title", "detail", "hint", "exit_code"}
    assert errors[0]["exit_code"] == code
    assert errors[0]["title"] in told.err


def test_a_failure_after_the_document_is_told_on_stderr_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.prepare()
    output.document({"url": "http://localhost:8888"})
    output.failed_document(ConnectionCut("The connection is gone."))
    assert json.loads(capsys.readouterr().out) == {"url": "http://localhost:8888"}


def test_a_terminal_obeys_nothing_that_a_machine_said(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b]0;title\x07\x1b[2Jb\r\x08\x9b31mc\x1b[1md\x1b[0m"
    plain = "a]0;title[2Jb31mc\x1b[1md\x1b[0m"
    output.table(("NAME", "WHAT"), [("x\ny", evil)])
    output.line(evil)
    output.narrate(evil)
    output.failure(ConnectionCut(evil, "\x1b[2Jwhy", "\x9bhint"))
    output.document({"said": evil})
    out, err = capsys.readouterr()
    assert out.splitlines()[1:3] == [f"x y   {plain}", plain]
    assert err.splitlines() == [plain, plain, "  [2Jwhy", "  hint"]
    assert "\x9b" not in out
    assert json.loads(out[out.index("{") :]) == {"said": evil}


def test_an_empty_home_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the home folder is `/` for what reads HOME and the user's own for all else."""
    monkeypatch.setenv("HOME", "")
    with pytest.raises(SystemExit):
        main(["--version"])
    assert "HOME" not in os.environ
