"""The rules of long runs, and what a host's answer about them means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.errors import Ambiguous, NotFound, UsageError
from cloudtui.model.job import (
    NAME_BYTES,
    Holder,
    Job,
    JobState,
    check_job_name,
    find_job,
    name_of,
    stalled,
)
from cloudtui.model.job_listing import last_line, parse_jobs

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("python3", "-u", "/home/me/train.py", "--epochs", "3"), "train"),
        (("torchrun", "--nproc_per_node=4", "run_glue.py"), "run_glue"),
        (("./prepare data.sh",), "prepare-data"),
        (("python3",), "python3"),
        (("sh", "-c", "a && b"), "a-b"),
        (("env", "A=1", "make"), "make"),
        (("...",), "run"),
    ],
)
def test_a_run_is_named_after_its_script(command: tuple[str, ...], name: str) -> None:
    assert name_of(command) == name


@given(st.lists(st.text(max_size=90), max_size=4))
def test_a_name_that_is_made_is_one_that_is_taken(words: list[str]) -> None:
    check_job_name(name_of(words))


@pytest.mark.parametrize(
    "name", ["", " ", "a/b", "a:b", "-a", ".a", "a\nb", "a ", "x" * (NAME_BYTES + 1)]
)
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(UsageError):
        check_job_name(name)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 10**6), st.integers(0, 10**6))
def test_only_a_long_silence_after_regular_lines_is_a_stall(
    span: int, quiet: int, lines: float, more: int
) -> None:
    last = NOW + timedelta(seconds=span)

    def is_one(seconds: int) -> bool:
        return stalled(last + timedelta(seconds=seconds), NOW, last, lines)

    assert not is_one(min(quiet, 300))
    assert not is_one(quiet) or (span >= 60 and lines >= 10)
    assert not is_one(quiet) or is_one(quiet + more), "a stall stays one"
    assert not is_one(quiet) or quiet > 20 * span / lines


def test_a_line_each_minute_and_then_none_for_an_hour() -> None:
    last = NOW + timedelta(hours=2)
    assert not stalled(last + timedelta(minutes=19), NOW, last, 120)
    assert stalled(last + timedelta(minutes=21), NOW, last, 120)
    assert not stalled(last + timedelta(hours=9), NOW, NOW + timedelta(seconds=2), 5000)


def answer(*frames: str, ahead: int = 0) -> str:
    return "".join(f"x {f}\n" for f in (f"HOST {SECONDS + ahead} boot-1", *frames))


def files(name: str, text: str) -> str:
    return f"FILES {name}\n==> /r/a/{name} <==\n{text}\n==> /dev/null <==\n\nx END"


def one(*facts: str, ahead: int = 0, more: tuple[str, ...] = ()) -> Job:
    frames = ("JOB a", *(f"= {fact}" for fact in facts), "END", files("command", "ls\0-l\0"))
    jobs = parse_jobs(answer(*frames, *more, ahead=ahead), "x", "i-1", NOW)
    assert jobs is not None
    return jobs[0]


RUNS = ("boot boot-1", f"queued {SECONDS - 60}", f"started {SECONDS - 60}", "pid alive")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (RUNS, "running"),
        ((*RUNS[:2], "supervisor alive"), "queued"),
        (RUNS[:3], "lost (its processes vanished)"),
        ((*RUNS[:3], "boot boot-0"), "lost (its machine was rebooted)"),
        ((), "lost (its start was interrupted)"),
        ((*RUNS, f"exit 0 {SECONDS}"), "done"),
        ((*RUNS[:3], "boot boot-0", f"exit 3 {SECONDS}"), "failed (3)"),
        (
            (*RUNS[:2], f"exit 1 {SECONDS}", "why the run b it came after failed (3)"),
            "not started: the run b it came after failed (3)",
        ),
        ((*RUNS[:2], f"exit 143 {SECONDS} TERM", "why called off"), "killed (TERM: called off)"),
        ((*RUNS, f"exit 127 {SECONDS}"), "failed (127: command not found)"),
        ((*RUNS, f"exit 137 {SECONDS} KILL"), "killed (KILL)"),
        ((*RUNS, f"exit 137 {SECONDS} KILL", "why no memory"), "killed (KILL: no memory)"),
    ],
)
def test_states(facts: tuple[str, ...], words: str) -> None:
    job = one(*facts)
    assert job.words == words
    assert job.command == ("ls", "-l")


@pytest.mark.parametrize("ahead", [0, 1, 86_400, -7_200])
def test_the_hosts_clock_is_corrected(ahead: int) -> None:
    job = one(
        "boot boot-1", f"started {SECONDS - 60 + ahead}", f"exit 0 {SECONDS + ahead}", ahead=ahead
    )
    assert job.elapsed(NOW) == timedelta(seconds=60)
    assert job.ended
    assert abs(job.ended - NOW) <= timedelta(seconds=1)


SESSION = f"T␞$3␞{SECONDS - 60}␞0␞1␞bash␞a"
BY_HAND = (f"SESSIONS\nTMUX ?\n{SESSION}",)
"""An answer's session that was made a minute ago."""


def test_what_is_known_already_is_not_told_anew_and_stays() -> None:
    frames = ("JOB b", f"= queued {SECONDS}", "= pid alive", "END")
    command = "FILES command\n==> /r/b/command <==\nls\0-l\0\n==> /dev/null <==\n\nx END"
    pane = ("PANE $3\nEpoch 2/4 loss=0.5\n\n\n",)
    first = parse_jobs(answer(*frames, command, *BY_HAND, *pane), "x", "i-1", NOW)
    assert first
    assert {(job.id, job.command, job.last_line) for job in first} == {
        ("b", ("ls", "-l"), ""),
        ("a", ("bash",), "Epoch 2/4 loss=0.5"),
    }
    again = parse_jobs(answer(*frames, *BY_HAND), "x", "i-1", NOW, first)
    assert again == first
    anew = ("JOB b", f"= queued {SECONDS + 1}", "= pid alive", "END")
    other = parse_jobs(answer(*anew, *BY_HAND), "x", "i-1", NOW, first)
    assert other
    assert [job.command for job in other if job.id == "b"] == [()], "another run of that name"


def test_no_log_can_pretend_that_there_is_a_session() -> None:
    told = one(*RUNS, more=(files("log", SESSION),))
    assert told.last_line == SESSION
    jobs = parse_jobs(answer("JOB a", "END", files("log", SESSION)), "x", "i-1", NOW)
    assert [job.by_hand for job in jobs or ()] == [False]


@pytest.mark.parametrize("frame", ["LOG 0 {} /proc/self/stat", "NOW {}"])
def test_the_hosts_time_may_come_last(frame: str) -> None:
    late = SECONDS + 7200
    frames = ("JOB a", f"= started {late - 60}", "= pid alive", "END", frame.format(late))
    text = "".join(f"x {each}\n" for each in ("HOST - boot-1", *frames))
    (job,) = parse_jobs(text, "x", "i-1", NOW) or ()
    assert job.elapsed(NOW) == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("bar", "silent", "left"),
    [
        ("49%|##  | 59/120 [00:29<00:30, 2.00it/s]", 50, True),
        ("49%|##  | 59/120 [00:29<00:30, 2.00it/s]", 70, False),
        ("49%|##  | 59/120 [10:00<10:20, 0.10it/s]", 290, True),
    ],
)
def test_what_should_have_ended_in_its_silence_has_no_time_left(
    bar: str, silent: int, left: bool
) -> None:
    log = (files("log", bar), f"LOG 999 {SECONDS - silent} /r/a/log")
    job = one(*RUNS[:2], f"started {SECONDS - 900}", "pid alive", more=log)
    assert (job.state, job.training.eta is not None) == (JobState.RUNNING, left)


def test_a_session_of_a_run_is_told_by_its_time_too() -> None:
    assert one(*RUNS, f"session $3 {SECONDS - 60} a", more=BY_HAND).session == "a"
    other = ("JOB a", f"= session $3 {SECONDS - 99} a", "END", *BY_HAND)
    jobs = parse_jobs(answer(*other), "x", "i-1", NOW)
    assert jobs is not None
    assert [(job.by_hand, job.session) for job in jobs] in (
        [(True, "a"), (False, "")],
        [(False, ""), (True, "a")],
    ), "a new server counts from $0 again"


@given(st.binary(max_size=400), st.integers(0, 400))
def test_any_log_and_an_answer_that_is_cut(log: bytes, at: int) -> None:
    tail = log.decode(errors="replace")
    whole = answer("JOB a", *(f"= {f}" for f in RUNS), "END", files("log", tail))
    (job,) = parse_jobs(whole, "x", "i-1", NOW) or ()
    assert job.state is JobState.RUNNING
    assert "\n" not in job.last_line
    parse_jobs(whole[:at], "x", "i-1", NOW)


def test_no_answer() -> None:
    assert parse_jobs("Welcome\n", "x", "i-1", NOW) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\n\n", "b"),
        (" 9%|#   |\r10%|##  |", "10%|##  |"),
        ("\x1b[31mred\x1b[0m\x07\n", "red"),
        ("", ""),
    ],
)
def test_the_last_line_is_what_a_terminal_shows(text: str, line: str) -> None:
    assert last_line(text) == line


def test_a_run_is_found_by_its_name_or_a_beginning_of_it() -> None:
    jobs = [
        Job(id, "i-1", ("ls",), "", Holder.NONE, "", JobState.RUNNING)
        for id in ("bert", "bert-2", "eval")
    ]
    assert find_job("bert", jobs, "gpu").id == "bert"
    assert find_job("e", jobs, "gpu").id == "eval"
    with pytest.raises(Ambiguous) as several:
        find_job("be", jobs, "gpu")
    assert several.value.candidates == ["bert  running", "bert-2  running"]
    for text in ("", "x"):
        with pytest.raises(NotFound, match="no run called"):
            find_job(text, jobs, "gpu")
    with pytest.raises(NotFound, match="no run yet"):
        find_job("x", [], "gpu")
