"""`cloudtui run`, `jobs` and `logs`, against a real host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloudtui.cli.jobs import _columns as columns
from cloudtui.cli.jobs import _tell as tell
from cloudtui.cli.jobs import _tell_more as tell_more
from cloudtui.core.events import JobsState
from cloudtui.core.jobs import HostJobs
from cloudtui.files.paths import state_dir
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Holder, Job, JobState
from cloudtui.model.then import StepState, ThenStep
from cloudtui.model.training import Training
from tests.cli.here import Here, here
from tests.lab import Lab

__all__ = ["here"]


def test_a_run_from_the_command_line(lab: Lab, here: Here) -> None:
    loop = "echo up; while :; do sleep 0.05; done"
    code, told = here("run", "bert-gpu", "--json", "--name", "loop", "--", "sh", "-c", loop)
    run = json.loads(told[: told.rindex("}") + 1])
    assert (code, run["run"], run["state"], run["in"]) == (0, "loop", "running", "tmux")
    assert run["command"] == ["sh", "-c", loop]
    code, told = here(
        "run", "bert-gpu", "--follow", "--env", "A=b c", "--", "sh", "-c", 'echo "$A"; exit 4'
    )
    assert code == 4
    assert "b c\n" in told
    code, told = here("run", "bert-gpu", "--", "echo hi && ls")
    assert code == 127
    assert "For a shell's syntax: -- sh -c 'echo hi && ls'" in told
    code, told = here("jobs", "bert-gpu")
    assert code == 0
    assert told.splitlines()[0].split() == ["RUN", "STATE", "STARTED", "ELAPSED", "DOING"]
    assert "failed (127: command not found)" in told
    code, told = here("jobs", "--json")
    (host,) = json.loads(told)["hosts"]
    assert {r["run"]: r["exit_status"] for r in host["runs"]}["loop"] is None
    assert here("logs", "bert-gpu", "loop") == (0, "up\n")
    assert here("jobs", "rm", "bert-gpu", "loop", "--yes")[0] == 4
    code, told = here("jobs", "rerun", "bert-gpu", "loop")
    assert code == 4
    assert "Nothing was started" in told
    assert "cloudtui jobs rerun bert-gpu loop --yes" in told
    code, told = here("--read-only", "jobs", "stop", "bert-gpu", "loop", "--yes")
    assert code == 4
    assert "read-only" in told
    code, told = here("jobs", "stop", "bert-gpu:loop", "--yes")
    assert code == 0
    assert "killed (INT)" in told
    code, told = here("logs", "bert-gpu", "loop", "-n", "1")
    assert code == 0
    assert "loop on bert-gpu: killed (INT) after" in told
    assert here("jobs", "rm", "bert-gpu", "loop", "--yes")[0] == 0
    code, told = here("logs", "bert-gpu", "nope")
    assert code == 3
    assert "echo-A-exit-4  failed (4)" in told
    code, told = here("jobs", "rm", "bert-gpu", "--ended")
    assert code == 4
    assert "cloudtui jobs rm bert-gpu --ended --yes" in told
    code, told = here("jobs", "rm", "bert-gpu", "--ended", "--yes")
    assert code == 0
    assert "Removed 2 runs that ended on bert-gpu" in told
    assert "No run on bert-gpu" in here("jobs", "rm", "bert-gpu", "--ended")[1]
    assert here("jobs", "rm", "bert-gpu", "loop", "--ended")[0] == 2
    assert here("jobs", "bert-gpu", "--ended")[0] == 2
    assert here("attach", "bert-gpu:nope")[0] == 3
    for words in (("jobs", "stop"), ("jobs", "stop", "bert-gpu"), ("jobs", "a", "b"), ("run", "x"),
                  ("run", "bert-gpu", "--after-any", "--", "ls"),
                  ("run", "bert-gpu", "--env", "UNSET_HERE", "--", "ls")):  # fmt: skip
        assert here(*words)[0] == 2


def test_what_is_told_on_a_terminal_begins_a_line(
    lab: Lab, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "bert-gpu", "--follow", "--name", "bar", "--", "printf", "99 %%")
    code, told = here(*words)
    assert told.startswith("99 %Started"), "the log in a file is as it was printed"
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    code, told = here("logs", "bert-gpu", "bar")
    assert code == 0
    assert told == "99 %\nbar on bert-gpu: done after 0 s.\n"


def test_a_log_that_nobody_reads_on_is_not_fetched_to_its_end(lab: Lab, here: Here) -> None:
    here("run", "bert-gpu", "--name", "big", "--", "true")
    with (lab.sshd.home / ".local/share/cloudtui/runs/big/log").open("wb") as log:
        log.truncate(10 << 30)
    words = [sys.executable, "-m", "cloudtui", "logs", "bert-gpu", "big"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        assert reading.stdout
        assert reading.stdout.read(1000) == bytes(1000)
        reading.stdout.close()
        assert reading.wait(timeout=30) != 0


def test_runs_of_a_machine_that_does_not_run_are_told_as_last_seen(lab: Lab, here: Here) -> None:
    loop = "echo one; echo two; while :; do sleep 0.05; done"
    here("run", "bert-gpu", "--name", "quick", "--in", "none", "--follow", "--", "echo", "hi")
    words = ("run", "bert-gpu", "--name", "loop", "--in", "none", "--env", "API=S3CRET", "--")
    assert here(*words, "sh", "-c", loop, "--token", "S3CRET")[0] == 0
    runs = lab.sshd.home / ".local/share/cloudtui/runs"
    wait_until(lambda: (runs / "loop/log").read_bytes().endswith(b"two\n"))
    assert here("jobs")[0] == 0
    kept = next((state_dir() / "runs").glob("*.json"))
    assert "S3CRET" not in kept.read_text()
    lab.ec2.stop_instances(InstanceIds=[lab.gpu])

    code, told = here("jobs")
    assert code == 0
    assert "unknown (running when last seen)" in told
    assert "bert-gpu is stopped: its 2 runs as last seen at 20" in told
    assert "Their logs can be read when it runs: cloudtui start bert-gpu" in told
    code, told = here("jobs", "--json")
    found = json.loads(told)
    (away,) = found["away"]
    assert found["hosts"] == []
    assert (away["machine"], away["name"], away["instance"]) == ("stopped", "bert-gpu", lab.gpu)
    runs_told = {run["run"]: run for run in away["runs"]}
    assert runs_told["loop"]["state"] == "unknown"
    assert runs_told["loop"]["last_lines"] == ["one", "two"]
    assert runs_told["loop"]["seen"] == away["seen"]
    assert (runs_told["quick"]["state"], runs_told["quick"]["exit_status"]) == ("done", 0)
    code, told = here("jobs", "bert-gpu")
    assert code == 4
    assert "loop   unknown (running when last seen)" in told
    code, told = here("jobs", "bert-gpu", "--json")
    assert code == 4
    assert {run["run"] for run in json.loads(told)["runs"]} == {"loop", "quick"}
    code, told = here("logs", "bert-gpu", "loop")
    assert code == 4
    assert "is stopped.\n  loop was last seen at 20" in told
    assert ": running.\n      one\n      two\n  Start it first: cloudtui start" in told
    assert here("attach", "bert-gpu:loop")[1] == told
    assert "No run" not in here("logs", "bert-gpu")[1]
    assert "has no run called nope" not in here("logs", "bert-gpu", "nope")[1]
    code, told = here("jobs", "rm", "bert-gpu", "quick")
    assert code == 4
    assert "the record on its disk stays" in told
    assert here("jobs", "rm", "bert-gpu", "quick", "--yes")[0] == 0
    assert "quick" not in here("jobs")[1]

    lab.ec2.start_instances(InstanceIds=[lab.gpu])
    code, told = here("jobs")
    assert "quick  done" in told
    assert "last seen" not in told
    lab.ec2.terminate_instances(InstanceIds=[lab.gpu])
    code, told = here("jobs")
    assert "bert-gpu (terminated)  loop   lost (its machine was terminated)" in told
    assert here("logs", lab.gpu, "loop")[0] == 4
    assert here("jobs", "rm", "bert-gpu", "loop", "quick", "--yes")[0] == 0
    assert not kept.exists()
    kept.write_text("{")
    assert here("jobs")[0] == 0


def test_how_long_a_run_went_on_is_as_of_when_its_host_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another host may have asked about its key for long."""
    began = datetime.now(UTC) - timedelta(hours=1)
    made = Job("a", "i-1", ("ls",), "", Holder.NONE, "", JobState.RUNNING, started=began)
    state = JobsState("i-1", (made,), updated=began + timedelta(seconds=90))
    tell((HostJobs(Instance("i-1", "us-east-1", State.RUNNING), state, True),), (), [])
    assert "running  " in (told := capsys.readouterr().out)
    assert "1m 30s" in told


def test_a_failure_is_told_by_its_last_line_and_a_run_that_never_began_by_why() -> None:
    made = Job("a", "i-1", ("ls",), "", Holder.NONE, "", JobState.FAILED, exit_status=1)
    made = replace(made, training=Training(step=80, loss=1.7), last_line="CUDA out of memory")
    now = datetime.now(UTC)
    assert columns(made, now)[-1] == "CUDA out of memory"
    assert "loss 1.7" in columns(replace(made, state=JobState.DONE), now)[-1]
    never = replace(made, state=JobState.NOT_STARTED, why="the run b it came after failed (1)")
    assert columns(never, now)[0] == "not started"
    assert columns(never, now)[-1] == never.why


def test_a_step_that_failed_is_told_once_among_all_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (ThenStep("copy:a:b", StepState.FAILED, "disk full", 1), ThenStep("stop", number=2))
    job = Job("bert", "i-1", ("x",), "", Holder.NONE, "", JobState.DONE, then=steps, asked=7)

    def told(*jobs: Job, once: bool = True) -> str:
        tell_more(jobs, once=once)
        return capsys.readouterr().err

    assert told(job) == "bert then copy:a:b: failed (disk full)\nbert then stop: waiting\n"
    assert told(job) == "bert then stop: waiting\n"
    assert "copy:a:b: failed" in told(job, once=False)
    assert "copy:a:b: failed" in told(replace(job, asked=8)), "another run of that name"
    (state_dir() / "steps_told.json").write_text("{")
    assert "copy:a:b: failed" in told(job)
    monkeypatch.setattr(os, "fsync", full_disk)
    assert "copy:a:b: failed" in told(replace(job, asked=9))


def full_disk(*_: object) -> None:
    raise OSError(28, os.strerror(28))


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
