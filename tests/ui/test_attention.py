"""The bell and the notifications of the desktop."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.core.events import Alerted
from cloudtui.model.alerts import Alert, AlertKind
from cloudtui.ui.attention import sequences
from tests.ui.fakes import console, listed

OSC_9 = "\x1b]9;bert is done: loss 0.3\x1b\\"
OSC_777 = "\x1b]777;notify;bert is done.;loss 0.3\x1b\\"


@pytest.mark.parametrize(
    ("wish", "environment", "written"),
    [
        ("none", {"TERM_PROGRAM": "iTerm.app"}, ""),
        ("bell", {"TERM_PROGRAM": "iTerm.app"}, "\x07"),
        ("both", {"TERM_PROGRAM": "iTerm.app"}, OSC_9 + "\x07"),
        ("desktop", {"TERM": "xterm-ghostty"}, OSC_9),
        ("desktop", {"TERM": "foot"}, OSC_777),
        ("both", {"TERM": "rxvt-unicode-256color"}, OSC_777 + "\x07"),
        ("both", {"TERM": "xterm-256color"}, "\x07"),
        ("desktop", {"TERM": "linux"}, "\x07"),
        ("desktop", {"TERM": "tmux-256color", "TMUX": "x", "LC_TERMINAL": "iTerm.app"},
         "\x1bPtmux;" + OSC_9.replace("\x1b", "\x1b\x1b") + "\x1b\\"),
        ("desktop", {"TERM": "screen", "STY": "1.a", "LC_TERMINAL": "iTerm.app"},
         "\x1bP\x1b]9;bert is done: loss 0.3\x07\x1b\\"),
    ],
)  # fmt: skip
def test_a_terminal_gets_what_it_shows(
    wish: str, environment: dict[str, str], written: str
) -> None:
    assert sequences("bert is done.", "loss 0.3", wish, environment) == written


@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from(["foot", "xterm-kitty"]))
def test_nothing_in_a_text_ends_the_sequence(title: str, text: str, term: str) -> None:
    written = sequences(title, text, "desktop", {"TERM": term})
    inner = written.removeprefix("\x1b]").removesuffix("\x1b\\")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", inner)
    assert written.count(";") >= 1
    assert len(written) < 440


async def test_an_alert_reaches_the_terminal_unless_another_program_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "cloudtui.ui.attention.call", lambda app, title, text, wish: calls.append((title, wish))
    )
    async with console(listed()) as made:
        made.bench.emit(Alerted(Alert(AlertKind.DONE, "i-1", "h", "bert", 1.0, "bert is done.")))
        await made.settle()
    assert calls == [("bert is done.", "both")]
