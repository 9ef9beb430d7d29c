from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.preview import parse_hardcopy, parse_panes, parse_preview, parse_screen_windows
from cloudtui.model.session import SEPARATOR as S
from cloudtui.model.session import (
    Program,
    Session,
    SessionList,
    parse_probe,
    session_matches,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
UP = "5832.45 100.00"
STAT = "4711 (screen) S " + " ".join(["1"] * 18) + " 223245 0"
"""A process that began 2232.45 s after the boot, so 3600 s before it was asked."""
BOTH = "\n".join(
    [
        "Welcome to Ubuntu 24.04",
        "TMUX tmux 3.3a",
        "SCREEN Screen version 4.09.00 (GNU) 30-Jan-22",
        f"T{S}$3{S}1763700000{S}0{S}1{S}bash{S}notes",
        f"T{S}$1{S}1763700000{S}2{S}4{S}python3{S}bert run ü{S}x",
        f"S{S}{UP}{S}{STAT}{S}{S}/bash/top/bash{S}\t4711.prep\t(11/21/26 10:00:00)\t(Detached)",
        f"S{S}{UP}{S}{STAT}{S}{S}/bash{S}\t4712.old\t(Dead ???)",
        f"S{S}{S}{S}  01:00:05{S}{S}\t4713.a.b\t(21.11.26 10:00:00)\t(Attached)\r",
        f"S{S}{S}{S} 2-00:00:07{S}{S}\t4714.m\t(Multi, attached)",
    ]
)


def test_tmux_comes_first_and_each_by_name() -> None:
    listing = parse_probe(BOTH, NOW)
    assert [s.name for s in listing.sessions] == [
        f"bert run ü{S}x",
        "notes",
        "a.b",
        "m",
        "old",
        "prep",
    ]
    assert listing.programs == (Program.TMUX, Program.SCREEN)
    assert listing.tmux_version == "tmux 3.3a"


def test_a_tmux_session_has_its_id_windows_clients_and_age() -> None:
    bert = parse_probe(BOTH, NOW).sessions[0]
    assert (bert.program, bert.id, bert.windows, bert.attached) == (Program.TMUX, "$1", 4, 2)
    assert bert.created == datetime.fromtimestamp(1763700000, UTC)
    assert bert.command == "python3"


def test_a_screen_session_is_named_by_pid_and_name() -> None:
    by_name = {s.name: s for s in parse_probe(BOTH, NOW).sessions}
    prep = by_name["prep"]
    assert (prep.id, prep.attached, prep.windows) == ("4711.prep", 0, 3)
    assert prep.command == "bash top"
    assert prep.created == NOW - timedelta(hours=1)
    assert by_name["a.b"].attached == by_name["m"].attached == 1


def test_without_proc_the_age_comes_from_ps() -> None:
    by_name = {s.name: s for s in parse_probe(BOTH, NOW).sessions}
    assert by_name["a.b"].created == NOW - timedelta(hours=1, seconds=5)
    assert by_name["m"].created == NOW - timedelta(days=2, seconds=7)
    assert by_name["m"].windows is None


def test_a_dead_screen_has_no_age_although_its_number_is_another_process_by_now() -> None:
    old = next(s for s in parse_probe(BOTH, NOW).sessions if s.dead)
    assert (old.name, old.created, old.command, old.windows) == ("old", None, "", None)


def test_versions_that_were_not_asked_again_are_those_known() -> None:
    known = parse_probe(BOTH, NOW)
    again = parse_probe("TMUX ?\nSCREEN \n", NOW, known)
    assert (again.tmux_version, again.screen_version) == ("tmux 3.3a", "")
    assert again.programs == (Program.TMUX,)
    assert parse_probe("TMUX ?\n", NOW, SessionList()).tmux_version == "tmux"


@pytest.mark.parametrize(
    ("query", "held"),
    [
        ("", True),
        ("BERT", True),
        ("train", True),
        ("host:bert*", True),
        ("host:gpu", False),
        ("program:tmux runs:py", True),
        ("runs:bash", False),
        ("attached:yes", True),
        ("attached:no", False),
        ("name:tr attached:yes missing", False),
        ("id:$1", True),
        ("odd:word", False),
    ],
)
def test_every_word_of_a_filter_must_hold(query: str, held: bool) -> None:
    session = Session(Program.TMUX, "$1", "train", 1, 2, NOW, command="python3")
    assert session_matches(session, "bert-gpu", query) is held


def test_neither_program_installed() -> None:
    listing = parse_probe("TMUX \nSCREEN \n")
    assert listing.programs == ()
    assert listing.sessions == ()


def test_no_server_running_is_an_empty_list() -> None:
    text = "TMUX tmux 3.3a\nSCREEN \nno server running on /tmp/tmux-0/default\n"
    listing = parse_probe(text)
    assert listing.programs == (Program.TMUX,)
    assert listing.sessions == ()


@given(st.text())
def test_whatever_a_login_shell_prints_is_no_crash(text: str) -> None:
    parse_probe(text)
    parse_probe(f"T{S}{text}\nS{S}{text}")
    parse_panes(f"{text}\nP{S}{text}")
    parse_preview(f"{text}\nV{S}{text}")


def test_panes_are_in_the_order_of_their_windows_and_one_is_active() -> None:
    text = "\n".join(
        [
            f"P{S}@7{S}2{S}0{S}%9{S}0{S}1{S}80{S}24{S}top{S}mon␞itor",
            f"P{S}@3{S}0{S}1{S}%4{S}1{S}1{S}80{S}11{S}python3{S}train",
            f"P{S}@3{S}0{S}1{S}%3{S}0{S}0{S}80{S}12{S}bash{S}train",
            "no server running",
        ]
    )
    panes = parse_panes(text)
    assert [(p.window, p.index, p.id, p.window_id) for p in panes] == [
        (0, 0, "%3", "@3"),
        (0, 1, "%4", "@3"),
        (2, 0, "%9", "@7"),
    ]
    assert [p.active for p in panes] == [False, True, False]
    assert (panes[1].command, panes[1].columns, panes[1].rows) == ("python3", 80, 11)
    assert panes[2].window_name == "mon␞itor"


def test_a_preview_keeps_letters_and_colours_and_drops_all_else() -> None:
    captured = (
        f"V{S}80{S}24{S}0 train\x07\n"
        "\x1b[31mred\x1b[0m é █\n"
        "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1b]0;title\x07 a"
        "\x1b[2Jb\x1bMc\x0ed\x9be\n\n  \n"
    )
    preview = parse_preview(captured)
    assert preview is not None
    assert preview.lines == ("\x1b[31mred\x1b[0m é █", "link  abcde")
    assert (preview.columns, preview.rows, preview.about) == (80, 24, "window 0 train")
    assert parse_preview("can't find session") is None


def test_a_hardcopy_of_screen_has_no_colours_and_dots_for_what_it_cannot_tell() -> None:
    preview = parse_hardcopy(b"red \xe9 \x02 \x88\n\n\n")
    assert preview.lines == ("red é · ·",)
    assert (preview.rows, preview.coloured) == (3, False)


def test_a_hardcopy_of_screen_5_is_utf_8() -> None:
    assert parse_hardcopy("grün ─┤ 日本\n\n".encode()).lines == ("grün ─┤ 日本",)


def test_wide_letters_that_screen_4_cannot_tell_are_dots() -> None:
    assert parse_hardcopy(b"gr\xfcn \xe5\xff,\xff!\n").lines == ("grün ····!",)


def test_the_windows_of_a_screen() -> None:
    found = parse_screen_windows("0 sh  1-$ a  b 7  2*(L) train x\n")
    assert [(p.window, p.window_name, p.active) for p in found] == [
        (0, "sh", False),
        (1, "a  b 7", False),
        (2, "train x", True),
    ]
    assert parse_screen_windows("") == ()
    assert parse_screen_windows("No screen session found.") == ()
    assert parse_screen_windows("-X: unknown command 'windows'") == ()


@given(st.text(max_size=40))
def test_any_answer_about_windows_is_read_without_a_fault(text: str) -> None:
    numbers = [pane.window for pane in parse_screen_windows(text)]
    assert numbers == sorted(set(numbers))
