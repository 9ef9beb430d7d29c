"""Tunnels in the console."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cloudtui.core.events import Note, Severity
from cloudtui.files.settings import Settings
from cloudtui.model.errors import PortTaken, Unreachable
from cloudtui.model.listening import ListeningPort
from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelState
from cloudtui.ui.screens.dialogs import Ask, Choose
from cloudtui.ui.screens.tunnel_form import TunnelForm, typed_tunnel
from cloudtui.ui.screens.tunnels import TunnelsScreen
from tests.ui.fakes import FLEET, NOW, Console, console, listed

BERT = FLEET[0]
UP = TunnelState(
    BERT.id, "TensorBoard on bert-gpu", 6006, 6006, TunnelPhase.UP, NOW, machine="bert-gpu",
    bytes_in=1_500_000, latency=0.081,
)  # fmt: skip
PROXY = replace(UP, label="SOCKS on bert-gpu", local_port=1080, direction=Direction.DYNAMIC)
CUT = replace(
    UP,
    local_port=8888,
    phase=TunnelPhase.RECONNECTING,
    error=Unreachable("bert-gpu does not answer.", "timed out", "Look at its state."),
    retry_at=NOW + timedelta(days=9000),
)


async def done(made: Console) -> None:
    await made.app.workers.wait_for_complete()
    await made.settle()
    await made.settle()


async def in_front(made: Console, kind: type[object]) -> None:
    while not isinstance(made.app.screen, kind):
        await made.settle()
    await made.settle()


async def test_the_list_says_what_is_wrong_and_is_watched_while_seen() -> None:
    async with console(listed(), size=(120, 30)) as made:
        made.bench.tunnels.show(UP, CUT)
        await made.press("3")
        await made.settle()
        assert isinstance(made.app.screen, TunnelsScreen)
        assert made.bench.tunnels.watchers == 1
        assert "● up" in made.text
        assert "localhost:6006 → bert-gpu:6006" in made.text
        assert "1.43 MiB" in made.text
        assert "81 ms" in made.text
        assert "reconnecting, again in" in made.text
        assert "timed out" not in made.text
        await made.press("down")
        await made.settle()
        assert "bert-gpu does not answer. timed out Look at its state." in made.text
        await made.press("r")
        await done(made)
        assert made.bench.tunnels.retried == ["8888"]
        await made.press("escape")
        await made.settle()
        assert made.bench.tunnels.watchers == 0


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_is_back_takes_the_loss_off_the_screen(at_once: bool) -> None:
    async with console(listed()) as made:
        made.bench.note(Note("It is lost.", Severity.WARNING, about="tunnel 8888"))
        made.bench.note(Note("That one too.", Severity.WARNING, about="tunnel 6006"))
        if not at_once:
            await made.settle()
            assert "It is lost." in made.text
        made.bench.note(Note("It is back.", about="tunnel 8888"))
        await made.settle()
        await made.settle()
        assert "It is back." in made.text
        assert "That one too." in made.text
        assert "It is lost." not in made.text


async def test_no_tunnel_says_how_to_get_one() -> None:
    async with console(listed()) as made:
        await made.press("3")
        await made.settle()
        assert "No tunnel is open." in made.text
        await made.press("x")
        assert "No tunnel is selected. Press 1, then t" in made.said[-1]


async def test_what_listens_there_is_told_and_a_port_is_opened() -> None:
    async with console(listed()) as made:
        made.bench.ports = (ListeningPort(6006), ListeningPort(9999, "python3"))
        await made.press("t")
        await in_front(made, TunnelForm)
        assert "listen on 6006 TensorBoard, 9999 python3." in " ".join(made.text.split())
        await made.press("enter")
        assert isinstance(made.app.screen, TunnelForm)
        await made.press(*"6006", "enter")
        await done(made)
        assert made.bench.tunnels.opened == [("bert-gpu", "local 6006:localhost:6006", True)]
        assert "localhost:6006 → bert-gpu:6006" in made.said[-1]


async def test_what_is_no_tunnel_is_said_and_can_be_typed_again() -> None:
    async with console(listed()) as made:
        await made.press("t")
        await in_front(made, TunnelForm)
        await made.press(*"8O8O", "enter")
        await made.settle()
        assert "is not a tunnel" in made.text
        await made.press("ctrl+u", *"-R 9000:5000", "enter")
        await done(made)
        assert made.bench.tunnels.opened == [("bert-gpu", "remote 9000:localhost:5000", False)]


async def test_a_failure_to_open_or_to_look_is_said() -> None:
    async with console(listed()) as made:
        made.bench.ports = Unreachable("bert-gpu does not answer.")
        made.bench.tunnels.refusal = PortTaken("Port 6006 on this computer is taken.")
        await made.press("t")
        await in_front(made, TunnelForm)
        assert "bert-gpu does not answer." in made.text
        await made.press(*"6006:6006", "enter")
        await done(made)
        assert made.said[-1] == "Port 6006 on this computer is taken."


async def test_closing_asks_when_connections_are_open() -> None:
    async with console(listed(), size=(120, 30)) as made:
        made.bench.tunnels.show(replace(UP, connections=2))
        await made.press("3")
        await made.settle()
        await made.press("x")
        await in_front(made, Ask)
        assert "2 connections through it will be cut." in made.text
        await made.press("enter")
        await done(made)
        assert len(made.bench.tunnels.states) == 1
        await made.press("x")
        await in_front(made, Ask)
        await made.press("y")
        await done(made)
        assert not made.bench.tunnels.states
        made.bench.tunnels.show(UP)
        await made.settle()
        await made.press("x")
        await done(made)
        assert not made.bench.tunnels.states


async def test_copy_and_browser() -> None:
    async with console(listed(), size=(120, 30)) as made:
        made.bench.tunnels.show(PROXY, UP)
        await made.press("3")
        await made.settle()
        await made.press("c")
        assert made.said[-1] == "Copied socks5h://localhost:1080"
        await made.press("enter")
        assert "Only a tunnel that leads to a port there" in made.said[-1]
        await made.press("down", "enter")
        await done(made)
        assert made.bench.browsed == ["http://localhost:6006/"]


@pytest.mark.parametrize(
    ("keys", "left", "still"),
    [(["enter"], True, 1), (["down", "enter"], True, 0), (["escape"], False, 1)],
)
async def test_leaving_asks_about_open_tunnels(keys: list[str], left: bool, still: int) -> None:
    async with console(listed()) as made:
        made.bench.keeps_tunnels = True
        made.bench.tunnels.show(UP)
        await made.press("q")
        await in_front(made, Choose)
        assert "1 tunnel is open:" in made.text
        await made.press(*keys)
        await done(made)
        assert (made.app.return_code is not None) == left
        assert len(made.bench.tunnels.states) == still


@pytest.mark.parametrize(("wish", "still"), [("keep", 1), ("close", 0)])
async def test_the_setting_answers(wish: str, still: int) -> None:
    async with console(listed(), settings=Settings(on_quit=wish)) as made:
        made.bench.keeps_tunnels = True
        made.bench.tunnels.show(UP)
        await made.press("q")
        await done(made)
        assert made.app.return_code == 0
        assert len(made.bench.tunnels.states) == still


def test_the_forms_that_are_typed() -> None:
    assert typed_tunnel(" 8888 ").direction is Direction.LOCAL
    assert typed_tunnel("-D 1080").direction is Direction.DYNAMIC
    assert typed_tunnel("-L 9000:localhost:8888").listen_port == 9000
