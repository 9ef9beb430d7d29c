"""Whatever a host answers, it is read or refused in words; nothing of it is a crash."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtui.model.answers import count, number, parsed, whole
from cloudtui.model.environment import parse_environments
from cloudtui.model.job_listing import parse_jobs
from cloudtui.model.kernel import parse_kernels, parse_terminals
from cloudtui.model.listening import parse_listening
from cloudtui.model.log_lines import LogLines
from cloudtui.model.notebook import parse_servers
from cloudtui.model.preview import (
    parse_hardcopy,
    parse_panes,
    parse_preview,
    parse_screen_windows,
)
from cloudtui.model.recording import parse_record, parse_recorder, parse_run
from cloudtui.model.session import parse_probe
from cloudtui.model.training import parts, read, sparkline
from cloudtui.model.transcript import Transcript
from cloudtui.model.upload import parse_listing
from cloudtui.model.vitals import summary, warnings
from cloudtui.model.vitals_reader import Reader
from cloudtui.ssh.notebook_servers import parse_running

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NUMBERS = (
    "0", "-1", "7", ",", "²", "٣", "1e308", "-1e308", "nan", "inf", "1_000", "99999999999999",
    "253402300799", "999999999999999", "9" * 30, "9" * 400, "9" * 5000, "1.5", "0x10",
)  # fmt: skip
ODD = (
    *NUMBERS, "", " ", "\0", "\x1b[31m", "[red]", "[/]", "\u202e", "\ud800", "../..", "a/b", "é",
    "\r", "x" * 3000, "[" * 9000, "{", "'", '"', ":", "%", ".", "(", ")", "-",
)  # fmt: skip
MARK = "M"
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.sampled_from(ODD)
    ),
    lambda each: st.lists(each, max_size=3),
    max_leaves=4,
)


def texts(tokens: Sequence[str], joint: str = " ") -> st.SearchStrategy[str]:
    """Answers in the right framing with anything in it."""
    word = st.one_of(st.sampled_from(tokens), st.sampled_from(ODD))
    line = st.lists(word, max_size=12).map(joint.join)
    begun = st.tuples(st.sampled_from(tokens), line).map(joint.join)
    return st.lists(st.one_of(begun, line), max_size=14).map("\n".join)


def objects(names: Sequence[str], inner: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), inner, max_size=len(names))


def jobs(text: str) -> None:
    head = f"{MARK} HOST 1795219200 boot\n{MARK} SESSIONS\nT␞$0␞1␞0␞1␞sh␞bert\n"
    for answer in (text, head + text):
        found = parse_jobs(answer, MARK, "i-1", NOW) or ()
        again = parse_jobs(answer, MARK, "i-1", NOW, found) or ()
        for job in (*found, *again):
            assert job.words is not None
            job.elapsed(NOW)
            parts(job.training)


def vitals(text: str) -> None:
    reader = Reader()
    seen = reader.feed(f"@ 10.0\ncpu 1 1 1 1 1 1 1 1\n.\n{text}\n".encode(errors="replace"), 100.0)
    seen += reader.feed(text.encode(errors="replace") + b"\n@ 12.0\n.\n", 102.0)
    assert seen
    warnings(seen)
    summary(seen[-1])


def training(text: str) -> None:
    found = read(text, when=100.0, started=0.0, now=101.0)
    again = read(text, found, when=200.0, started=0.0, now=201.0)
    for each in (found, again):
        parts(each)
        sparkline(each.losses, 8)


LINES: dict[str, tuple[Callable[[str], object], Sequence[str], str]] = {
    "runs": (
        jobs,
        [f"{MARK} {word}" for word in (
            "HOST", "KNOWN", "JOB", "JOB a", "JOB b", "=", "= gpus", "= exit", "= started",
            "= queued", "= pid 1", "= boot b", "= session", "= holder", "AFTER", "THEN 1", "THEN ²",
            "THEN 1 state", "LOG 5 1795219200 /runs/a/log", "LOG", "PANE $0", "COPY 1.a",
            "FILES command", "FILES log", "SESSIONS", "= missing",
        )] + ["==> /runs/a/log <==", "==> /runs/b/command <==", "step 5/10 loss=0.5"],
        " ",
    ),
    "sessions": (
        parse_probe,
        ["TMUX tmux 3.4", "SCREEN x", "T", "S", "$0", "\t12.bert\t(Detached)",
         "1) (x) S 1 " + "2 " * 30],
        "␞",
    ),
    "panes": (parse_panes, ["P", "@1", "%2", "1"], "␞"),
    "preview": (parse_preview, ["V", "80", "24"], "␞"),
    "windows": (parse_screen_windows, ["0 sh", "1-$ logs", "2*"], "  "),
    "vitals": (
        vitals,
        ["@ 12", ".", "vitals 1 100 4096", "vitals", "error", "disks", "disks.", "d", "gpus",
         "gpus 0", "gpus none", "gpus.", "g", "a", "s 5 (", "s", "L GPU 0:", "L", "c 7 root", "l",
         "cpu", "n", "m MemTotal:", "m MemFree:", "b 8 0 sda", "i eth0:", "p 7", "p",
         "0, GPU-1, NVIDIA A10, 1e308, 1e308, 9, 9, 9, 9"],
        " ",
    ),
    "training": (
        training,
        ["{'loss': 0.5, 'epoch':", "}", "50%|#####     | 5/10 [00:05<00:05,", "it/s]", "Epoch 1/3",
         "Epoch", "loss=", "loss:", "step", "eta", "5/10", "[=====>....] - ETA: 5s - loss:",
         "Num Epochs =", "Total optimization steps =", "5it [00:05,", "• 0:00:01 • 0:00:02", "lr=",
         "ms/step", "10/10", "━━━━", "train:", "epoch="],
        " ",
    ),
    "ports": (parse_listening, ["P 00000000:1F90", "S", "LISTEN 0 5 127.0.0.1:80 0.0.0.0:*"], " "),
    "servers": (
        parse_servers,
        ['{"port":', "http://h:", "http://[", "::", "?token=", '"pid":', "}", ","],
        "",
    ),
    "notebooks": (
        lambda text: parse_running(text, 1e9),
        ["NOW", "SERVER", "SERVER http://h:80/", "KERNEL a", "PROCESS 7", "PROCESS ²"],
        " ",
    ),
    "environments": (parse_environments, ["HOME", "ENV", "conda", "LAB", "-", "/e"], " "),
}  # fmt: skip


WERE_CRASHES = (
    ("runs", f"{MARK} JOB a\n{MARK} = gpus {'9' * 5000}"),
    ("runs", f"{MARK} JOB a\n{MARK} = started 253402300799\n{MARK} HOST 0"),
    ("runs", f"{MARK} JOB a\n{MARK} THEN ² state done"),
    ("vitals", "p ² 1 1 x"),
    ("vitals", "p 7 1 1e308 x\ngpus 0\ng ²,u,n,1,1,1,1,1,1\ng 0,u,n,1,1e308,1,1,1,1\ngpus."),
    ("vitals", f"disks\nd /dev/a 1 {'9' * 5000} 1 1 /\ndisks.\ni eth0: {'9 ' * 400}{'9' * 400}"),
    ("vitals", "c ² root sh\ngpus 0\ns 1 ² (sh) " + "1 " * 22 + "\na ², u, 5\ngpus."),
    ("vitals", "b 8 0 sda 1 1 ² 1 1 1 ² 1"),
    ("training", "Num Epochs = ,"),
    ("training", f"Total optimization steps = {'9' * 400}"),
    ("training", f"50%|##| 5/10 [00:05<{'9' * 400}:00, 1it/s, loss=1]"),
    ("servers", "http://[\nhttp://h:99999/\n" + '{"port": 1e999}\n{"port": []}\n{' + "[" * 9000),
    ("servers", '{"port":' + "[" * 100_000),
    ("notebooks", "NOW 999999999999999\nPROCESS ² 1 /x\nKERNEL a 1e300"),
    ("windows", f"{'9' * 5000} sh"),
)


@pytest.mark.parametrize(("name", "text"), WERE_CRASHES)
def test_what_ended_the_console_once(name: str, text: str) -> None:
    LINES[name][0](text)


def test_runs_and_sessions_are_told_once_and_have_names_that_can_be_shown() -> None:
    ids = ("a", "a", "..", "a/b", "", "\0", "b\x1b[31m")
    told = "".join(f"{MARK} JOB {id}\n" for id in ids)
    two = "T␞$0␞1␞0␞1␞sh␞bert\n" * 2 + "T␞$(reboot)␞1␞0␞1␞sh␞bert\n"
    text = f"{MARK} HOST 1795219200 b\n{told}{MARK} SESSIONS\n{two}"
    found = parse_jobs(text, MARK, "i-1", NOW) or ()
    assert sorted(job.id for job in found) == ["a", "bert"]
    again = parse_jobs(f"{text}{MARK} KNOWN a\n{MARK} KNOWN a\n", MARK, "i-1", NOW, found) or ()
    assert sorted(job.id for job in again) == ["a", "bert"]


@pytest.mark.parametrize("name", LINES)
def test_lines_of_the_right_framing_with_anything_in_it(name: str) -> None:
    read_it, tokens, joint = LINES[name]

    @settings(max_examples=20, deadline=None)
    @given(texts(tokens, joint))
    def one(text: str) -> None:
        read_it(text)

    one()


@settings(max_examples=40, deadline=None)
@given(texts(["FREE", "FOLDER /a", "NAMES", "1ff 5 5.5 0", "-f -5 -5.-5 9"]), st.binary())
def test_what_uploads_find_and_hardcopies(text: str, data: bytes) -> None:
    for answer in (text.encode(errors="surrogateescape" if text.isascii() else "replace"), data):
        parse_listing(answer)
        parse_listing(answer + b"\nNAMES\n" + answer)
        parse_hardcopy(answer)
        lines = LogLines()
        lines.feed(answer)


NAMES = ("id", "path", "state", "bytes", "written", "end", "run", "cells", "cell", "port",
         "problem", "kernel", "notebook", "connections", "last_activity", "name",
         "execution_state")  # fmt: skip
RECORD = (
    "cell",
    "lost",
    "bytes",
    "t",
    "n",
    "code",
    "text",
    "images",
    "traceback",
    "after",
    "state",
)


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(VALUES, st.lists(objects(NAMES, st.one_of(VALUES, objects(NAMES))), max_size=3)),
    objects(("since", "killed", "version", "problem", "servers"), st.one_of(VALUES, st.lists(
        st.one_of(VALUES, objects(NAMES)), max_size=2))),
    st.sampled_from(("input", "status", "kernel", "gap", "dropped", "update", "stream", "result",
                     "display", "error", "left_out", "")),
    objects(RECORD, st.one_of(VALUES, st.lists(objects(("bytes", "type")), max_size=2))),
)  # fmt: skip
def test_json_of_any_shape(
    entries: Any, state: dict[str, Any], kind: str, record: dict[str, Any]
) -> None:
    parse_kernels(entries, entries)
    parse_terminals(entries)
    parse_run(entries)
    for told in ({"kernels": entries, "running": True, "state": state}, {"kernels": entries}):
        with contextlib.suppress(TypeError):
            parse_recorder(told, "1")
    transcript = Transcript()
    for each in ({"kind": kind} | record, {"kind": "status", "state": "idle"}):
        transcript.feed(each)
    transcript.time(0)


def test_numbers_that_make_no_sense_are_none() -> None:
    assert [whole(text) for text in ("7", "²", "-1", "9" * 19, "", None)] == [7, *[None] * 5]
    assert [number(text) for text in ("1.5", "inf", "nan", "1e300", "x")] == [1.5, *[None] * 4]
    assert [count(value) for value in (7, 7.9, -1, 1e300, float("nan"), "7", None)] == [
        7,
        7,
        *[0] * 5,
    ]
    with pytest.raises(ValueError, match="deeply"):
        parsed("[" * 100_000)
    assert parse_record(b"[" * 100_000) is None
    assert parse_record(json.dumps({"kind": "x"}).encode()) == {"kind": "x"}
