"""Logs as a terminal would leave them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.log_lines import LogLines, plain


def shown(*pieces: bytes, **bounds: int) -> list[str]:
    log = LogLines(**bounds)
    for piece in pieces:
        log.feed(piece)
    return [plain(line).rstrip() for line in log.lines[: len(log)]]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo", ["one", "two"]),
        (b" 10%|#   | 1/10\r 20%|##  | 2/10\r100%|####| 10/10\ndone\n",
         ["100%|####| 10/10", "done"]),
        (b"a long line\rshort", ["shortg line"]),
        (b"a long line\r\x1b[Kshort", ["short"]),
        (b"working  \b\b!\n", ["working!"]),
        (b"a\tb\n", ["a       b"]),
        ("epoch 1 ███\r\x1b[2Kepoch 2 █\n".encode(), ["epoch 2 █"]),
        ("日本\rab".encode(), ["ab本"]),
        (b"outer 1\ninner 1\x1b[A\router 2\n\rinner 2\n", ["outer 2", "inner 2"]),
        (b"a\nb\nc\x1b[2F\x1b[Jx\n", ["x", ""]),
        (b"\x1b]0;title\x07text\x1b[?25l \x1b(Bend\n", ["text end"]),
        (b"\x1b]0;never ended\nnext\n", ["]0;never ended", "next"]),
        (b"caf\xe9 \xff\n", ["caf� �"]),
        (b"a\x00b\x07c\n", ["abc"]),
        (b"", []),
    ],
)  # fmt: skip
def test_the_last_state_of_every_line(data: bytes, lines: list[str]) -> None:
    assert shown(data) == lines


def test_a_line_has_the_colours_that_hold_in_it() -> None:
    log = LogLines()
    log.feed(b"\x1b[1;31mred\nstill \x1b[0mplain\nagain\n")
    assert log.lines == ["\x1b[1;31mred", "\x1b[1;31mstill \x1b[0mplain", "again", ""]
    log.feed(b"100\x1b[32m%\x1b[0m\r 99")
    assert log.lines[-1] == " 99\x1b[32m%\x1b[0m"


def test_what_changed_is_told() -> None:
    log = LogLines()
    assert log.feed(b"one\ntwo\nthr") == 0
    assert log.feed(b"ee\nfour") == 2
    assert log.feed(b"\r4") == 3
    assert log.feed(b"\x1b[A!") == 2


def test_old_lines_go() -> None:
    log = LogLines(most=100)
    log.feed(b"".join(b"line %d\n" % n for n in range(1000)))
    assert len(log) <= 100
    assert log.lines[0] == f"line {log.first}"
    assert log.lines[len(log) - 1] == "line 999"


def test_a_line_and_all_of_them_are_bounded() -> None:
    log = LogLines(most=1000, characters=50_000)
    for _ in range(50):
        log.feed(b"x" * 10_000)
    assert len(log.lines[0]) == 16_000
    log.feed(b"\n".join(b"y" * 1000 for _ in range(500)))
    assert sum(map(len, log.lines)) <= 50_000
    assert log.lines[-1] == "y" * 1000
    assert len(log.lines) > 40


_PIECES = st.lists(
    st.sampled_from(
        [b"word ", b"\n", b"\r", b"\r\n", b"\x1b[A", b"\x1b[K", b"\x1b[2K", b"\x1b[31m", b"\x1b[0m",
         b"\x08", b"\t", "\u2588\u65e5\u0301".encode(), b"\xe2\x96",
         b"\x1b[3D", b"\x1b[4C", b"\x1b]0;t\x07",
         b"\x1b[J", b"x" * 30, b"\x1b[5G", b"\x1b[B", b"\x1b[1K"]
    ),
    max_size=40,
)  # fmt: skip


@given(_PIECES, st.lists(st.integers(0, 400), max_size=8))
def test_it_does_not_matter_in_which_pieces_it_comes(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    at = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    assert shown(*(whole[a:b] for a, b in pairwise(at))) == shown(whole)


@given(st.text(st.characters(blacklist_categories=("C", "Z", "M")), max_size=200))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert shown(text.encode()) == ([text] if text else [])
