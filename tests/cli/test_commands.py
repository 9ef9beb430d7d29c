"""The verbs, each run as a user runs the program, against moto and a real sshd."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudtui.cli import output
from tests.lab import Lab
from tests.moto_child import StubEndpoint
from tests.sshd import free_port

Result = subprocess.CompletedProcess[str]
PROGRAM = [sys.executable, "-m", "cloudtui"]


def cloudtui(*words: str, text: str | None = None) -> Result:
    """Run the program without a terminal; `text` is its stdin."""
    return subprocess.run(
        [*PROGRAM, *words],
        capture_output=True,
        text=True,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        timeout=50,
        start_new_session=True,
        check=False,
    )


@contextmanager
def held(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A program that goes on until it is told to end, or the test does."""
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holding:
        try:
            yield holding
        finally:
            holding.kill()


def test_version_and_help() -> None:
    from cloudtui import __version__

    assert cloudtui("--version").stdout == f"cloudtui {__version__}\n"
    told = cloudtui("--help")
    assert told.returncode == 0
    for verb in ("demo", "ls", "ssh", "sessions", "attach", "jupyter", "doctor"):
        assert f"\n    {verb} " in told.stdout
        assert cloudtui(verb, "--help").returncode == 0


@pytest.mark.parametrize(
    "words", [["nosuch"], ["ls", "--nosuch"], ["ssh"], ["jupyter", "x", "--local-port", "0"]]
)
def test_wrong_words_are_usage(words: list[str]) -> None:
    told = cloudtui(*words)
    assert told.returncode == 2
    assert told.stdout == ""
    verb = words[0] if words != ["nosuch"] else ""
    assert f"usage: cloudtui {verb}" in told.stderr


def test_the_console_needs_a_terminal() -> None:
    told = cloudtui()
    assert told.returncode == 2
    assert "cloudtui ls" in told.stderr


def test_ls_filters_and_looks_into_other_regions(lab: Lab) -> None:
    lab.launch("etl-box")
    told = cloudtui("ls", "type:g5*", "--json")
    assert [i["name"] for i in json.loads(told.stdout)["instances"]] == ["bert-gpu"]
    told = cloudtui("ls", "--region", "eu-west-1", "--region", "eu-central-1")
    assert told.returncode == 0
    assert told.stdout == ""
    assert "eu-west-1, eu-central-1" in told.stderr
    everywhere = json.loads(cloudtui("--region", "all", "ls", "--json").stdout)
    assert len(everywhere["regions"]) > 10
    assert everywhere["regions"][0] == "us-east-1"
    assert len(everywhere["instances"]) == 2


def test_one_reason_for_several_regions_is_told_once(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer_error(400, "OptInRequired", "You are not subscribed to this service.")
    told = cloudtui("ls", "--region", "eu-west-1", "--region", "us-east-1")
    assert told.returncode == 2
    assert told.stderr.count("Cannot list") == 1
    assert "us-east-1: the same." in told.stderr


def test_ssh_passes_streams_and_exit_status(lab: Lab) -> None:
    told = cloudtui("ssh", "bert-gpu", "--", "cat; echo oops >&2; exit 7", text="hello\n")
    assert told.stdout == "hello\n"
    assert told.stderr == "oops\n"
    assert told.returncode == 7


def test_ssh_keeps_binary_streams_whole(lab: Lab) -> None:
    data = bytes(range(256)) * 4096
    done = subprocess.run(
        [*PROGRAM, "ssh", "bert-gpu", "--", "cat"], input=data, capture_output=True, check=True
    )
    assert done.stdout == data


def test_ssh_without_a_terminal_runs_the_shell_on_stdin(lab: Lab) -> None:
    told = cloudtui("ssh", lab.gpu, text="echo $((6 * 7))\nexit 3\n")
    assert told.stdout == "42\n"
    assert told.returncode == 3


def test_ssh_ends_with_its_command_though_stdin_stays_open(lab: Lab) -> None:
    with subprocess.Popen(
        [*PROGRAM, "ssh", "bert-gpu", "--", "echo done; exit 3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.wait(30) == 3
        assert running.stdout is not None
        assert running.stdout.read() == b"done\n"


def test_ssh_whose_output_nobody_reads_ends_as_a_broken_pipe(lab: Lab) -> None:
    line = f"{sys.executable} -m cloudtui ssh bert-gpu -- yes; echo $? >&2"
    done = subprocess.run(
        ["sh", "-c", f"({line}) | head -n 1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    assert done.stdout == "y\n"
    assert done.stderr == "141\n"


def test_a_signal_to_the_demo_reaches_its_command() -> None:
    with subprocess.Popen(
        [
            *PROGRAM,
            "demo",
            "--",
            "sh",
            "-c",
            "trap 'echo told; exit 5' TERM; echo up; while :; do sleep 0.05; done",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        running.terminate()
        assert running.stdout.read() == "told\n"
        assert running.wait(20) == 5


def test_wide_names_do_not_shift_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("NAME", "STATE"), [("中文", "running"), ("e\u0301a", "stopped")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME  STATE",
        "中文  running",
        "e\u0301a    stopped",
    ]


def test_the_demo_passes_on_how_its_command_ended_and_its_crash_report_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    told = cloudtui("demo", "--", "/no/such/program")
    assert told.returncode == 3
    assert "/no/such/program cannot be run" in told.stderr
    crash = "from cloudtui.files.crash import write_report; print(write_report(ValueError()))"
    crashed = cloudtui("demo", "--", "sh", "-c", f"{sys.executable} -c '{crash}'; kill -TERM $$")
    assert crashed.returncode == 143
    assert [Path(crashed.stdout.strip())] == list(tmp_path.glob("cloudtui/crashes/*"))


def test_sessions_without_a_name_are_those_of_every_running_instance(lab: Lab) -> None:
    nobody = lab.launch("far-away")
    config = lab.home / ".ssh/config"
    config.write_text(f"{config.read_text()}Host far-away\nHostName 127.0.0.1\nPort 9\n")
    cloudtui("ssh", "bert-gpu", "--", "tmux -u new-session -d -s bert cat")
    told = cloudtui("sessions")
    header, row = (line.split() for line in told.stdout.splitlines())
    assert header == ["HOST", "PROGRAM", "NAME", "RUNS", "ID", "WINDOWS", "ATTACHED", "AGE"]
    assert row[:7] == ["bert-gpu", "tmux", "bert", "cat", "$0", "1", "no"]
    assert "far-away (127.0.0.1 port 9) refuses connections" in told.stderr
    assert told.returncode == 5
    hosts = {h["name"]: h for h in json.loads(cloudtui("sessions", "--json").stdout)["hosts"]}
    assert [s["command"] for s in hosts["bert-gpu"]["sessions"]] == ["cat"]
    assert hosts["far-away"]["instance"] == nobody
    assert "refuses connections" in hosts["far-away"]["error"]["title"]


def test_sessions_lists_both_programs(lab: Lab) -> None:
    made = "tmux -u new-session -d -s bert; screen -U -dmS prep"
    assert cloudtui("ssh", "bert-gpu", "--", made).returncode == 0
    table = cloudtui("sessions", "bert-gpu")
    assert table.returncode == 0
    assert [line.split()[:2] for line in table.stdout.splitlines()] == [
        ["PROGRAM", "NAME"],
        ["tmux", "bert"],
        ["screen", "prep"],
    ]
    document = json.loads(cloudtui("sessions", "bert-gpu", "--json").stdout)
    assert [s["name"] for s in document["sessions"]] == ["bert", "prep"]
    assert document["tmux"].startswith("tmux ")
    assert document.keys() == {"instance", "name", "tmux", "screen", "sessions"}
    every = json.loads(cloudtui("sessions", "--json").stdout)
    assert every.keys() == {"hosts", "errors"}
    (host,) = every["hosts"]
    assert host.keys() == document.keys() | {"region", "error"}
    assert [s["name"] for s in host["sessions"]] == ["bert", "prep"]
    assert document["sessions"][0].keys() == {
        "program", "id", "name", "windows", "command", "attached", "created", "dead",
    }  # fmt: skip


def test_no_session_says_how_to_make_one(lab: Lab) -> None:
    told = cloudtui("sessions", "bert-gpu")
    assert (told.returncode, told.stdout) == (0, "")
    assert "cloudtui attach bert-gpu --new NAME" in told.stderr
    assert json.loads(cloudtui("sessions", "bert-gpu", "--json").stdout)["sessions"] == []


def test_attach_finds_no_such_session(lab: Lab) -> None:
    told = cloudtui("attach", "bert-gpu:nosuch")
    assert told.returncode == 3
    assert "no session called nosuch" in told.stderr


def test_attach_needs_a_terminal(lab: Lab) -> None:
    cloudtui("ssh", "bert-gpu", "--", "tmux new-session -d -s bert")
    told = cloudtui("attach", "bert-gpu")
    assert told.returncode == 2
    assert "needs a terminal" in told.stderr


def test_read_only_makes_no_session(lab: Lab) -> None:
    told = cloudtui("attach", "bert-gpu", "--new", "x", "--read-only")
    assert told.returncode == 4
    assert "read-only" in told.stderr
    assert json.loads(cloudtui("sessions", "bert-gpu", "--json").stdout)["sessions"] == []


def test_jupyter_prints_one_line_and_holds_until_interrupted(lab: Lab) -> None:
    lab.sshd.with_jupyter()
    port = free_port()
    jupyter = [*PROGRAM, "jupyter", "bert-gpu", "--no-browser", "--local-port", str(port)]
    with held(jupyter) as holding:
        assert holding.stdout is not None
        url = holding.stdout.readline().strip()
        assert url.startswith(f"http://localhost:{port}/lab?token=")
        token = url.partition("token=")[2]
        api = f"http://localhost:{port}/api/kernels?token={token}"
        with urllib.request.urlopen(api, timeout=30) as answer:
            assert json.load(answer) == []
        assert token not in _arguments_of_all_processes()
        holding.send_signal(signal.SIGINT)
        rest, narration = holding.communicate(timeout=30)
    assert holding.returncode == 130
    assert rest == ""
    assert token not in narration
    sessions = json.loads(cloudtui("sessions", "bert-gpu", "--json").stdout)["sessions"]
    assert [s["name"] for s in sessions] == ["jupyter"]


def _arguments_of_all_processes() -> str:
    texts = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            texts.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(texts)


def test_sigterm_ends_a_held_tunnel(lab: Lab) -> None:
    lab.sshd.with_jupyter()
    with held([*PROGRAM, "jupyter", "bert-gpu", "--no-browser", "--json"]) as holding:
        assert holding.stdout is not None
        lines: list[str] = []
        while "}\n" not in lines:
            lines.append(holding.stdout.readline())
            assert lines[-1], "it ended before the document did"
        assert json.loads("".join(lines))["started"] is True
        holding.terminate()
        assert holding.wait(20) == 143


def test_doctor_is_content_with_a_working_account(lab: Lab) -> None:
    told = cloudtui("doctor", "--json")
    findings = {f["check"]: f for f in json.loads(told.stdout)}
    assert told.returncode == 0, told.stdout
    assert findings["instances"]["seen"] == "1 listed, 1 running"
    assert "123456789012" in findings["credentials"]["seen"]
    assert findings["OpenSSH"]["seen"].startswith("OpenSSH")


def test_doctor_names_each_cure(lab: Lab, cut_off: Path) -> None:
    lab.ec2.create_key_pair(KeyName="lab")
    lab.launch("lost", KeyName="lab")
    key = cut_off / ".ssh/open.pem"
    key.write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    key.chmod(0o644)
    own = cut_off / ".config/cloudtui/settings.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("theme: nope\nregions: [us-east-1, 5]\nssh_config: /nope\nkeys: {nope.x: q}\n")
    told = cloudtui("doctor")
    assert told.returncode == 1
    assert f"chmod 400 {key}" in told.stdout
    assert "Put lab.pem into ~/.ssh" in told.stdout
    assert "no theme 'nope'" in told.stdout
    assert "'5' is no region's name" in told.stdout
    assert "PROBLEM  ssh config: there is no file /nope" in told.stdout
    assert "nope.x" in told.stdout


def test_a_reader_that_stops_is_no_crash(lab: Lab) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m cloudtui ls --json | head -c 1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
