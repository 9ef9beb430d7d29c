"""The list of machines at 10,000 rows: `python -m benchmarks.table [--quick]`.

The console over a fleet in memory, on a pty of 160x45, next to Textual's DataTable of the same
rows in an app of its own. Each figure is from the moment something is asked for until the last
line of it is written to the terminal; a hold is the longest time in which the event loop did one
thing only. Each round is a fresh process.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import pty
import random
import select
import statistics
import struct
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from fcntl import ioctl
from functools import partial
from time import perf_counter
from typing import Any

from cloudtui.ui.collector import calm

ROUNDS = 5
ROWS = 10_000
COLUMNS, LINES = 160, 45
QUIET = 0.12
"""Seconds without anything written after which all is painted."""
BARS = {"filter": 0.050, "hold": 0.020}
FILTERS = ("b", "be", "ber", "bert", "bert state:running", "type:g5* -web", "", "zq")

Figures = dict[str, tuple[float, float]]
"""By what was done: seconds until it was painted, and the longest hold."""


class Watch:
    """Times what is done in an app until it is painted."""

    def __init__(self, app: Any, ready: Callable[[], bool]) -> None:
        """`ready` tells whether what will be painted next is what was asked for."""
        self._painted = self._hold = self._last = 0.0
        self._ready = ready
        self.figures: Figures = {}
        display = app._display
        run = asyncio.events.Handle._run

        def displayed(screen: Any, renderable: Any) -> None:
            counts = renderable is not None and self._ready()
            display(screen, renderable)
            self._last = perf_counter()
            if counts and not self._painted:
                self._painted = self._last

        def timed(handle: asyncio.Handle) -> None:
            begin = perf_counter()
            run(handle)
            self._hold = max(self._hold, perf_counter() - begin)

        app._display = displayed
        asyncio.events.Handle._run = timed  # type: ignore[method-assign, assignment]

    async def settle(self) -> None:
        begin = perf_counter()
        while perf_counter() - max(begin, self._last) < QUIET or not self._painted:
            await asyncio.sleep(0.005)

    async def time(self, name: str, act: Callable[[], object]) -> None:
        """Do it, and keep the worst of what is done under this name."""
        await asyncio.sleep(0)  # what was made ready for it is no part of it
        begin, self._hold, self._painted = perf_counter(), 0.0, 0.0
        act()
        acted = perf_counter() - begin
        await self.settle()
        took, hold = self._painted - begin, max(acted, self._hold)
        before = self.figures.get(name, (0.0, 0.0))
        self.figures[name] = (max(took, before[0]), max(hold, before[1]))


class Puts:
    """Whether the list has put rows since it was asked last."""

    def __init__(self, table: Any) -> None:
        self.wanted = 0
        self._put = table.put
        table.put = self._counted

    def _counted(self, *rows: Any, **more: Any) -> None:
        self._put(*rows, **more)
        self.wanted -= 1


def fleet() -> tuple[Any, ...]:
    from cloudtui.model.instance import State
    from tests.ui.fakes import machine

    dice = random.Random(3)
    kinds = ("g5.2xlarge", "t3.medium", "c6i.12xlarge", "p4d.24xlarge")
    return tuple(
        replace(
            machine(
                n % 250 + 1,
                f"{dice.choice(('bert', 'gpu', 'web', 'etl'))}-{dice.choice('abc')}-{n:05}",
                dice.choice((State.RUNNING, State.STOPPED)),
            ),
            id=f"i-{dice.randrange(1 << 68):017x}",
            type=dice.choice(kinds),
            private_ip=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",
        )
        for n in range(ROWS)
    )


def one_percent_changed(machines: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same listing read again: equal machines that are other objects, some in another state."""
    from cloudtui.model.instance import State

    again = [replace(machine) for machine in machines]
    for n in range(0, ROWS, 100):
        again[n] = replace(again[n], state=State.STOPPING)
    return tuple(again)


async def ours() -> Figures:
    from textual import events
    from textual.widgets import Input

    from tests.ui.fakes import listed, make_app

    machines = fleet()
    app, bench = make_app(listed(machines[:1]))
    figures: Figures = {}

    async def scenario() -> None:
        table = app.screen.table  # type: ignore[attr-defined]
        puts = Puts(table)
        watch = Watch(app, lambda: puts.wanted <= 0)

        async def time(name: str, act: Callable[[], object]) -> None:
            puts.wanted = 1
            await watch.time(name, act)

        await time("first fill", partial(bench.inventory.show, instances=machines))
        app.screen.action_do("list.filter")  # type: ignore[attr-defined]
        field = app.screen.query_one(Input)
        for words in FILTERS:
            if field.value + words[-1:] == words:
                await time("filter", partial(app.post_message, events.Key(words[-1], words[-1])))
            else:
                await time("filter", partial(setattr, field, "value", words))
            assert field.value == words
        await time("filter", partial(setattr, field, "value", ""))
        app.screen.end_filter()  # type: ignore[attr-defined]
        for column in ("type", "up", "name"):
            await time("order", partial(table.order, column))
        again = one_percent_changed(machines)
        await time("refresh, 1 % changed", partial(bench.inventory.show, instances=again))
        puts.wanted = 0
        for key in ("j", "pagedown", "G", "k"):
            await watch.time("scroll", partial(app.post_message, events.Key(key, None)))
        assert table.row_count == ROWS
        figures.update(watch.figures)
        app.exit()

    app.call_after_refresh(app.run_worker, scenario(), exit_on_error=True)
    async with app.workbench:
        await app.run_async()
    return figures


async def theirs() -> Figures:
    from textual import events
    from textual.app import App
    from textual.widgets import DataTable

    from cloudtui.model.filter import Filter
    from cloudtui.ui.widgets.machine_columns import USUAL, words

    machines, now = fleet(), datetime.now(UTC)
    figures: Figures = {}

    def cells(machine: Any) -> list[str]:
        return [words(machine, column, now, lambda _: None)[0] for column in USUAL]

    class Peer(App[None]):
        def compose(self) -> Iterator[DataTable[str]]:
            yield DataTable(cursor_type="row")

        def on_mount(self) -> None:
            self.query_one(DataTable).add_columns(*((c, c) for c in USUAL))
            self.run_worker(scenario())

    app = Peer()

    async def scenario() -> None:
        table = app.query_one(DataTable)
        watch = Watch(app, lambda: True)

        def fill(query: str) -> None:
            wanted = Filter(query)
            table.clear()
            for machine in machines:
                if wanted.matches(machine):
                    table.add_row(*cells(machine), key=machine.id)

        def refresh() -> None:
            for old, new in zip(machines, again, strict=True):
                if old != new:
                    table.update_cell(new.id, "state", cells(new)[0])

        await watch.time("first fill", lambda: fill(""))
        for query in ("b", "bert state:running", ""):
            await watch.time("filter", partial(fill, query))
        for column in ("type", "name"):
            await watch.time("order", partial(table.sort, column))
        again = one_percent_changed(machines)
        await watch.time("refresh, 1 % changed", refresh)
        for key in ("down", "pagedown", "ctrl+end", "up"):
            await watch.time("scroll", partial(app.post_message, events.Key(key, None)))
        figures.update(watch.figures)
        app.exit()

    await app.run_async()
    return figures


@contextmanager
def _home() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as home:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "XDG_"))}
        yield kept | {"HOME": home, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def measured(whose: str) -> Figures:
    """The figures of one process on a pty of its own."""
    told, tell = os.pipe()
    with _home() as environment:
        pid, screen = pty.fork()
        if pid == 0:
            os.set_inheritable(tell, True)
            words = [sys.executable, "-m", "benchmarks.table", whose, str(tell)]
            os.execvpe(words[0], words, environment)
        ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.close(tell)
        answer, seen, open_ends = b"", b"", {told, screen}
        while open_ends:
            for end in select.select(list(open_ends), [], [])[0]:
                try:
                    data = os.read(end, 1 << 16)
                except OSError:
                    data = b""
                if not data:
                    open_ends.discard(end)
                elif end == told:
                    answer += data
                else:
                    seen = (seen + data)[-4000:]
        os.waitpid(pid, 0)
        os.close(told)
        os.close(screen)
    if answer in (b"", b"{}"):
        raise RuntimeError(f"{whose} said nothing: {seen.decode(errors='replace')}")
    return {name: (took, hold) for name, (took, hold) in json.loads(answer).items()}


def main(quick: bool = False, say: Callable[[str], None] = print) -> bool:
    """Print the table; whether both bars hold for the medians."""
    rounds = 2 if quick else ROUNDS
    found: dict[str, list[Figures]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for whose, figures in found.items():
            figures.append(measured(whose))
    say(f"{ROWS:,} rows, {COLUMNS}x{LINES}, Python {platform.python_version()}, {rounds} rounds")
    say(f"{'milliseconds, medians':<28}{'painted':>9}{'DataTable':>11}{'hold':>8}{'DataTable':>11}")
    good = True
    for name in found["ours"][0]:
        middle = {
            whose: [statistics.median(f[name][n] for f in figures) for n in (0, 1)]
            for whose, figures in found.items()
        }
        (took, hold), (their_time, their_hold) = middle["ours"], middle["theirs"]
        good = good and hold <= BARS["hold"] and took <= BARS.get(name, 60.0)
        say(
            f"{name:<28}{took * 1000:>9.1f}{their_time * 1000:>11.1f}"
            f"{hold * 1000:>8.1f}{their_hold * 1000:>11.1f}"
        )
    say(f"must: filter painted <= {BARS['filter'] * 1000:.0f}, hold <= {BARS['hold'] * 1000:.0f}")
    return good


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["theirs"]):
        calm()
        figures = asyncio.run(ours() if sys.argv[1] == "ours" else theirs())
        os.write(int(sys.argv[2]), json.dumps(figures).encode())
    else:
        sys.exit(not main("--quick" in sys.argv))
