from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.session import SEPARATOR as S
from cloudtui.model.session import Program, parse_probe

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BOTH = "\n".join(
    [
        "Welcome to Ubuntu 24.04",
        "TMUX tmux 3.3a",
        "SCREEN Screen version 4.09.00 (GNU) 30-Jan-22",
        f"T{S}$3{S}1763700000{S}0{S}1{S}notes",
        f"T{S}$1{S}1763700000{S}2{S}4{S}bert run ü",
        f"S{S}3600{S}\t4711.prep\t(11/21/26 10:00:00)\t(Detached)",
        f"S{S}{S}\t4712.old\t(Dead ???)",
        f"S{S}5{S}\t4713.a.b\t(21.11.26 10:00:00)\t(Attached)\r",
        f"S{S}5{S}\t4714.m\t(Multi, attached)",
    ]
)


def test_tmux_comes_first_and_each_by_name() -> None:
    listing = parse_probe(BOTH, NOW)
    assert [s.name for s in listing.sessions] == ["bert run ü", "notes", "a.b", "m", "old", "prep"]
    assert listing.programs == (Program.TMUX, Program.SCREEN)
    assert listing.tmux_version == "tmux 3.3a"


def test_a_tmux_session_has_its_id_windows_clients_and_age() -> None:
    bert = parse_probe(BOTH, NOW).sessions[0]
    assert (bert.program, bert.id, bert.windows, bert.attached) == (Program.TMUX, "$1", 4, 2)
    assert bert.created == datetime.fromtimestamp(1763700000, UTC)


def test_a_screen_session_is_named_by_pid_and_name() -> None:
    by_name = {s.name: s for s in parse_probe(BOTH, NOW).sessions}
    prep = by_name["prep"]
    assert (prep.id, prep.attached, prep.windows) == ("4711.prep", 0, None)
    assert prep.created == NOW - timedelta(hours=1)
    assert by_name["a.b"].attached == by_name["m"].attached == 1
    assert by_name["old"].dead
    assert by_name["old"].created is None


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
