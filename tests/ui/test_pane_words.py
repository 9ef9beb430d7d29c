"""The pane's own lines."""

from __future__ import annotations

from cloudtui.ui.widgets.pane_words import leader_line, scrollback_line
from cloudtui.vt.engine import Scrollbar


def test_nothing_above_says_where_tmux_and_screen_keep_their_lines() -> None:
    assert scrollback_line(Scrollbar(24, 0, 24), False) == ""
    told = scrollback_line(Scrollbar(24, 0, 24), True)
    assert "Ctrl-b [" in told
    assert "Ctrl-a [" in told


def test_the_place_in_the_scrollback() -> None:
    assert " 10 of 100 lines back" in scrollback_line(Scrollbar(124, 90, 24), False)
    assert "v select" in scrollback_line(Scrollbar(124, 90, 24), True)


def test_the_keys_after_the_leader_are_cut_between_two() -> None:
    hints = "? all keys  f full screen  | - split  arrows move  z zoom  x close  m console"
    for columns in range(24, 160):
        line = leader_line("ctrl+]", hints, columns)
        assert len(line) <= columns
        assert line.endswith("  Esc cancel")
    assert "| - split  Esc" in leader_line("ctrl+]", hints, 80)
    assert "m console  / search  u links  ctrl+] send it" in leader_line("ctrl+]", hints, 160)
