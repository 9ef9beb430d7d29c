"""A pane whose connection is lost: it keeps what it showed, sends nothing, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cloudtui.model.errors import Unreachable
from cloudtui.model.session import Ending
from cloudtui.ui.widgets.pane import Pane
from tests.ui.test_pane import FakeChannel, PaneApp, running, shown, until
from tests.vt.local_pty import End

LOST = "Connection lost at 12:03. Trying again."


def dimmed(app: PaneApp) -> bool:
    return all(style is not None and style.dim for _, style, _ in app.pane.render_line(0))


async def lose(app: PaneApp, channel: FakeChannel) -> None:
    channel.ended.set_result(End(Ending.LOST, "Gone."))
    await until(lambda: "Ended" in app.kinds())
    app.pane.freeze(LOST)


async def test_a_lost_pane_is_frozen_and_goes_on_with_another_channel() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        channel.say(b"\x1b[?1049h\x1b[?1h\x1b[31mvim here")
        await until(lambda: shown(app)[0] == "vim here")
        await lose(app, channel)
        await until(lambda: shown(app)[-1] == f" {LOST}")
        assert app.pane.state == "frozen"
        assert dimmed(app)
        await pilot.press("i", "x")
        second = FakeChannel()
        await app.pane.reopen(second.open)
        assert second.sizes == [(60, 8)]
        assert (app.pane.state, shown(app)[0]) == ("open", "vim here")
        second.say(b"vim again")
        await until(lambda: shown(app)[0] == "vim again")
        assert not dimmed(app)
        await pilot.press("up")
        assert channel.written + second.written == b"\x1b[A"
        assert app.kinds().count("Opened") == 2


async def test_an_outage_keeps_the_scrollback() -> None:
    async with running((60, 8)) as (app, channel, _):
        channel.say("".join(f"line {i}\r\n" for i in range(50)).encode() + b"\x1b[38;5")
        await until(lambda: shown(app)[0] == "line 43")
        await lose(app, channel)
        second = FakeChannel()
        await app.pane.reopen(second.open)
        second.say(b"mnew shell $ ")
        await until(lambda: shown(app)[0] == "mnew shell $")
        app.pane._scroll(-8)
        await until(lambda: shown(app)[0] == "line 43")


async def test_a_failed_try_leaves_it_frozen() -> None:
    async def fail(columns: int, rows: int, on_data: Callable[[bytes], None]) -> FakeChannel:
        raise Unreachable("Cannot reach bert-gpu.")

    async with running((60, 8)) as (app, channel, pilot):
        channel.say(b"still here")
        await until(lambda: shown(app)[0] == "still here")
        await lose(app, channel)
        with pytest.raises(Unreachable):
            await app.pane.reopen(fail)
        assert app.pane.state == "frozen"
        assert shown(app)[0] == "still here"
        await pilot.press("ctrl+right_square_bracket", "d")
        await until(lambda: "Left" in app.kinds())


async def test_a_stalled_channel_can_thaw_or_be_replaced() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        app.pane.freeze(LOST)
        await pilot.press("a")
        app.pane.thaw()
        await pilot.press("b")
        assert channel.written == b"b"
        second = FakeChannel()
        await app.pane.reopen(second.open)
        assert channel.calls == ["close"]
        second.say(b"alive")
        channel.say(b"from the grave")
        second.say(b" and well")
        await until(lambda: shown(app)[0] == "alive and well")
        assert "Ended" not in app.kinds()


async def test_thawing_after_the_end_is_the_end() -> None:
    async with running((60, 8)) as (app, channel, _):
        await lose(app, channel)
        app.pane.thaw()
        assert app.pane.state == "ended"
        assert dimmed(app)


async def test_a_frozen_pane_can_be_read_and_searched() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        channel.say("".join(f"line {i}\r\n" for i in range(50)).encode())
        await lose(app, channel)
        await pilot.press("ctrl+right_square_bracket", "slash", *"line 7", "enter", "v", "l", "y")
        await until(lambda: "Copied" in app.kinds())
        copied = next(m for m in app.posted if isinstance(m, Pane.Copied))
        assert copied.text == "li"
        assert app.pane.state == "frozen"


async def test_a_pane_gone_while_reopening_closes_what_came() -> None:
    async with running((60, 8)) as (app, channel, _):
        await lose(app, channel)
        gate = asyncio.Event()
        second = FakeChannel()

        async def slow(columns: int, rows: int, on_data: Callable[[bytes], None]) -> FakeChannel:
            await gate.wait()
            return await second.open(columns, rows, on_data)

        opening = asyncio.create_task(app.pane.reopen(slow))
        await asyncio.sleep(0)
        await app.pane.leave()
        gate.set()
        await opening
        assert second.calls == ["close"]
        assert app.pane.state == "ended"


async def test_the_end_during_a_freeze_is_told_and_stays_frozen() -> None:
    async with running((60, 8)) as (app, channel, _):
        app.pane.freeze(LOST)
        channel.ended.set_result(End(Ending.LOST, "Gone."))
        await until(lambda: "Ended" in app.kinds())
        assert app.pane.state == "frozen"
        assert shown(app)[-1] == f" {LOST}"
