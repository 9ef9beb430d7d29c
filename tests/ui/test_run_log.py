"""The log of a run in the console."""

from __future__ import annotations

from dataclasses import replace

from cloudtui.model.errors import Refused, Unreachable
from cloudtui.model.job import JobState
from cloudtui.model.log_lines import LogLines
from cloudtui.model.training import Training
from cloudtui.ui.screens.dialogs import Ask
from cloudtui.ui.screens.log_area import TURN_BYTES, WAITING_MOST
from cloudtui.ui.screens.run_log import RunLogScreen
from cloudtui.ui.widgets.log_view import LogView
from tests.ui.fake_jobs import NOW, run
from tests.ui.fakes import FLEET, Console, console, listed
from tests.ui.test_runs import in_front, shows, until

BERT = FLEET[0]
RUNNING = run(BERT)


async def opened(made: Console) -> LogView:
    made.bench.jobs.show(BERT, RUNNING)
    await made.press("4", "enter")
    await in_front(made, RunLogScreen)
    await until(made, lambda: made.bench.jobs.followed)
    return made.app.screen.query_one(LogView)


def feed(made: Console, text: str) -> None:
    made.bench.jobs.followed[-1](text.encode())


async def test_it_follows_the_end_until_somebody_looks_back() -> None:
    async with console(listed(), size=(100, 24)) as made:
        view = await opened(made)
        assert "Reading the log of bert" in made.text
        feed(made, "".join(f"line {n}\n" for n in range(3000)))
        feed(made, "\x1b[31m 10%|#\x1b[0m\r 20%|##\r 30%|###")
        await shows(made, " 30%|###")
        assert "line 2999" in made.text
        assert " 20%" not in made.text.split("line 2999")[1]
        assert "following" in made.text
        assert "loss 0.3248" in made.text
        await made.press("pageup")
        top = view.scroll_offset.y
        assert "G follows" in made.text
        feed(made, "\rdone   \nmore\n")
        await made.settle()
        await made.settle()
        assert (view.scroll_offset.y, "more" in made.text) == (top, False)
        await made.press("g")
        assert "line 0" in made.text
        await made.press("G")
        await shows(made, "more")
        made.bench.jobs.trouble(Unreachable("bert-gpu does not answer."))
        await made.settle()
        assert "bert-gpu does not answer. It goes on by itself." in made.text
        made.bench.jobs.trouble(None)
        over = replace(RUNNING, state=JobState.FAILED, exit_status=1, ended=NOW)
        made.bench.jobs.show(BERT, over)
        await made.settle()
        assert "× failed (1)" in made.text
        assert "following" not in made.text
        await made.press("escape")
        assert not isinstance(made.app.screen, RunLogScreen)


async def test_older_lines_are_read_when_somebody_goes_up_to_them() -> None:
    async with console(listed(), size=(100, 24)) as made:
        view = await opened(made)
        feed(made, "".join(f"line {n}\n" for n in range(8000, 10_000)))
        await shows(made, "line 9999")
        await made.press("g")
        assert "line 8000" in made.text
        assert len(made.bench.jobs.followed) == 1
        await made.press("k")
        await until(made, lambda: len(made.bench.jobs.followed) == 2)
        assert made.bench.jobs.lines_wanted == [2000, 8000]
        feed(made, "".join(f"line {n}\n" for n in range(2000, 6000)))
        feed(made, "".join(f"line {n}\n" for n in range(6000, 10_000)))
        await shows(made, "line 8000")
        await made.press("k")
        assert made.text.splitlines()[2].split()[1] == "7999"
        assert not view.following


async def test_what_is_looked_at_stays_while_old_lines_go() -> None:
    async with console(listed(), size=(100, 24)) as made:
        view = await opened(made)
        view.log_lines = LogLines(most=100)
        feed(made, "".join(f"line {n}\n" for n in range(100)))
        await shows(made, "line 99")
        await made.press("pageup")
        top = made.text.splitlines()[2]
        feed(made, "".join(f"line {n}\n" for n in range(100, 130)))
        await until(made, lambda: view.log_lines.first > 0)
        await made.settle()
        assert made.text.splitlines()[2] == top


async def test_words_are_found_and_long_lines_wrapped() -> None:
    async with console(listed(), size=(60, 20)) as made:
        view = await opened(made)
        feed(made, "".join(f"step {n} loss=0.5\n" for n in range(100)))
        feed(made, "Traceback here\n" + "x" * 70 + "THE END\n")
        await shows(made, "Traceback here")
        assert "THE END" not in made.text
        await made.press("w")
        assert "xTHE END" in made.text
        await made.press("w", "l")
        assert "THE END" in made.text
        await made.press("h", "slash", *"STEP 4", "enter")
        assert "11 of 11 found" in made.text
        assert "step 49 loss" in made.text
        await made.press("n", "n")
        assert "2 of 11 found" in made.text
        assert "step 40 " in made.text
        feed(made, "step 400\n")
        await shows(made, "of 12 found")
        assert "step 40 " in made.text
        await made.press("escape", "slash", *"nowhere", "enter")
        assert made.said[-1] == "'nowhere' is not in it."
        await made.press("escape", "c")
        assert "Copied 103 lines. All of it is ~/.local/share" in made.said[-1]
        assert view.get_selection is not None


async def test_a_flood_neither_blocks_nor_fills_the_memory() -> None:
    async with console(listed()) as made:
        view = await opened(made)
        piece = b"y" * 99 + b"\n"
        for _ in range(3 * WAITING_MOST // TURN_BYTES):
            made.bench.jobs.followed[-1](piece * (TURN_BYTES // len(piece)))
        feed(made, "the last one\n")
        await shows(made, "the last one")
        await shows(made, "left out")
        assert len(view.log_lines.lines) <= 24_000


async def test_nothing_printed_a_failure_and_a_stop() -> None:
    async with console(listed()) as made:
        made.bench.jobs.refusal = Refused("bert has gone.", "", "Look again.")
        made.bench.jobs.show(BERT, replace(RUNNING, training=Training()))
        await made.press("4", "enter")
        await shows(made, "bert has gone.")
        made.bench.jobs.refusal = None
        await made.press("ctrl+r")
        await until(made, lambda: made.bench.jobs.followed)
        await made.press("x")
        await in_front(made, Ask)
        await made.press("s")
        await until(made, lambda: made.bench.jobs.done)
        assert made.bench.alerts.expected == [(BERT.id, "bert")]
        made.bench.jobs.ended.set()
        await shows(made, "bert has printed nothing.")
