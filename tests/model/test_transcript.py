"""Recordings: found by what people call them, and told as lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.errors import Ambiguous, NotFound
from cloudtui.model.log_lines import plain
from cloudtui.model.recording import (
    Recording,
    find_recording,
    parse_record,
    parse_recorder,
    parse_run,
)
from cloudtui.model.transcript import Transcript

KEPT = (
    Recording("aaaa1111", "work/train.ipynb", "ended"),
    Recording("bbbb2222", "work/train.ipynb", "recorded"),
    Recording("cccc3333", "old/train.ipynb"),
    Recording("dddd4444", "eda.ipynb"),
    Recording("eeee5555"),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("work/train.ipynb", "bbbb2222"),
        ("old/train.ipynb", "cccc3333"),
        ("eda", "dddd4444"),
        ("aaaa1111", "aaaa1111"),
        ("ee", "eeee5555"),
    ],
)
def test_a_recording_is_found_by_path_end_or_id(text: str, found: str) -> None:
    assert find_recording(KEPT, text).id == found


def test_several_or_none_are_told_with_what_there_is() -> None:
    with pytest.raises(Ambiguous, match="2 recordings answer") as caught:
        find_recording(KEPT, "train.ipynb")
    assert len(caught.value.candidates) == 3
    twin = Recording("ffff6666", "work/train.ipynb", "recorded")
    with pytest.raises(Ambiguous, match="2 kernels that run answer") as caught:
        find_recording([*KEPT, twin], "work/train.ipynb")
    assert [line[:8] for line in caught.value.candidates] == ["bbbb2222", "ffff6666"]
    assert find_recording([*KEPT, twin], "ff") is twin
    with pytest.raises(NotFound) as missed:
        find_recording(KEPT, "nothing")
    assert "eda.ipynb" in missed.value.detail
    with pytest.raises(NotFound, match="No recording"):
        find_recording((), "e")


def told(*records: dict[str, Any]) -> list[str]:
    transcript = Transcript()
    for record in records:
        transcript.feed(record)
    return [plain(text).rstrip() for _, text in transcript.lines()]


def cell(code: str, number: int, name: str = "c") -> dict[str, Any]:
    return {"kind": "input", "cell": name, "code": code, "n": number, "t": 1.0}


def printed(text: str, name: str = "c", when: float = 2.0) -> dict[str, Any]:
    return {"kind": "stream", "cell": name, "name": "stdout", "text": text, "t": when}


def test_each_cell_with_what_it_printed() -> None:
    image = {"type": "image/png", "bytes": 34_816}
    assert told(
        cell("a = 1\n\nb = 2", 1),
        printed("no end of line"),
        {"kind": "result", "cell": "c", "n": 1, "text": "42"},
        {"kind": "result", "cell": "c", "n": 1, "text": "a\nb"},
        {"kind": "display", "cell": "c", "text": "<Figure>", "images": [image]},
        {
            "kind": "error",
            "cell": "c",
            "name": "E",
            "value": "v",
            "traceback": ["\x1b[31mE\x1b[0m"],
        },
        {"kind": "left_out", "cell": "c", "bytes": 9 << 20},
        cell("c", 2, "d"),
        printed("thread of the first\n"),
        printed("and the second\n", "d"),
    ) == [
        "In [1]: a = 1 … 2 more lines",
        "no end of line",
        "Out[1]: 42",
        "Out[1]:",
        "a",
        "b",
        "<Figure>",
        "[image/png, 34 KiB]",
        "E",
        "[an output of 9 MiB, too large to be kept]",
        "",
        "In [2]: c",
        "In [1]: a = 1 … 2 more lines",
        "thread of the first",
        "In [2]: c",
        "and the second",
    ]


def test_what_befell_the_kernel_and_its_recorder() -> None:
    text = "\n".join(
        told(
            {"kind": "kernel", "state": "listening", "after": 0.0, "t": 10.0},
            printed("late\n", "unseen"),
            {"kind": "gap", "lost": 1, "t": 11.0},
            {"kind": "gap", "lost": 3, "t": 11.0},
            {"kind": "kernel", "state": "listening", "after": 12.0, "t": 20.0},
            {"kind": "dropped", "bytes": 2048},
            {"kind": "kernel", "state": "restarted", "t": 21.0},
            {"kind": "status", "state": "dead", "t": 22.0},
            {"kind": "kernel", "state": "ended", "t": 23.0},
            {"kind": "now"},
            {"kind": "clear", "wait": True},
        )
    )
    for words in (
        "recorded from 1970",
        "In [?]: begun earlier\nlate",
        "the disk was full: 1 message of the kernel not kept",
        "3 messages of the kernel not kept",
        "the recorder was killed: what was printed from",
        "2 KiB before this are gone",
        "the kernel was restarted",
        "the kernel died",
        "the kernel ended",
    ):
        assert words in text, words


def test_a_display_that_changes_is_told_as_it_was_in_the_end() -> None:
    assert told(
        cell("trainer.train()", 1),
        printed("begun"),
        {"kind": "display", "cell": "c", "display": "d", "text": "Step  Loss"},
        {"kind": "update", "cell": "c", "display": "d", "text": "1  0.7"},
        {"kind": "update", "cell": "c", "display": "d", "text": "2  0.5"},
        {"kind": "update", "cell": "c", "display": "e", "text": "other"},
        {"kind": "status", "state": "idle", "cell": "c", "t": 9.0},
    ) == ["In [1]: trainer.train()", "begun", "Step  Loss", "2  0.5", "other"]


def test_times_belong_to_lines_and_bars_are_one_line() -> None:
    transcript = Transcript()
    for record in (cell("x", 1), printed("\r 10%", when=5.0), printed("\r 20%\n", when=6.0),
                   printed("end\n", when=7.0)):  # fmt: skip
        transcript.feed(record)
    lines = [(when.timestamp() if when else None, plain(text)) for when, text in transcript.lines()]
    assert lines == [(1.0, "In [1]: x"), (6.0, " 20%"), (7.0, "end")]
    assert transcript.complete == 3


@given(st.lists(st.one_of(
    st.builds(printed, st.text(max_size=20), st.sampled_from("abc"), st.floats(1, 99)),
    st.builds(cell, st.text(max_size=20), st.integers(0, 9), st.sampled_from("abc")),
    st.fixed_dictionaries({"kind": st.sampled_from(["status", "error", "result", "kernel", "gap",
                                                    "display", "update", "left_out", "x"]),
                           "state": st.text(max_size=9), "t": st.none() | st.floats()}),
)))  # fmt: skip
def test_no_record_breaks_it_and_lines_that_are_complete_stay(records: list[Any]) -> None:
    transcript = Transcript()
    done: list[str] = []
    for record in records:
        transcript.feed(record)
        now = transcript.log.lines
        assert now[: len(done)] == done
        done = list(now[: transcript.complete])


def test_the_host_s_word_is_taken_as_it_comes() -> None:
    assert parse_record(b"{") is None
    assert parse_record(b"[]") is None
    assert parse_record(b'{"kind": "now"}') == {"kind": "now"}
    with pytest.raises(TypeError):
        parse_recorder({}, "v")
    found = parse_recorder(
        {
            "running": True,
            "state": {"version": "v", "since": 5, "problem": "full", "servers": [{"port": 1}]},
            "kernels": [{"id": "k", "bytes": 7, "state": "full",
                         "run": {"state": "failed", "cell": 2, "cells": 3, "error": "E: v"}}],
        },
        "w",
    )  # fmt: skip
    assert (found.full, found.current, found.size) == (True, False, 7)
    assert "disk is full" in found.problem
    run = found.recordings[0].run
    assert run
    assert run.words == "stopped at cell 2 of 3: E: v"
    done = parse_run({"state": "done", "cells": 3, "problem": "it was saved by somebody else"})
    assert done
    assert done.words.startswith("all 3 cells were run. The outputs are not in the notebook")
