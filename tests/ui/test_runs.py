"""The list of runs, and what is done to them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from cloudtui.model.errors import Refused, Unreachable
from cloudtui.model.job import Holder, JobState
from cloudtui.model.last_seen import AwayRuns, left
from cloudtui.model.price import Price
from cloudtui.model.session import Program, Session
from cloudtui.model.training import Training, parts
from cloudtui.model.words import stamp
from cloudtui.ui.screens.dialogs import Ask, Choose
from cloudtui.ui.screens.runs import RunsScreen
from cloudtui.ui.screens.session_dialogs import Destroy
from cloudtui.ui.widgets.run_details import about_run, cost_words
from cloudtui.ui.widgets.runs_table import RunsTable
from tests.ui.fake_jobs import NOW, run
from tests.ui.fakes import FLEET, Console, console, listed

BERT, LAB = FLEET[0], FLEET[2]
RUNNING = run(BERT)
FAILED = run(
    BERT, "prep", state=JobState.FAILED, exit_status=127, why="command not found",
    started=NOW - timedelta(minutes=40), ended=NOW - timedelta(minutes=39), training=Training(),
    last_line="sh: trainn: not found",
)  # fmt: skip
OLD = replace(FAILED, id="old", state=JobState.DONE, exit_status=0, why="",
              ended=NOW - timedelta(days=1))  # fmt: skip
HAND = run(LAB, "notes", by_hand=True, training=Training(), last_line="$ vim", log_bytes=0)


async def done(made: Console) -> None:
    await made.app.workers.wait_for_complete()
    await made.settle()
    await made.settle()


async def until(made: Console, holds: Callable[[], object]) -> None:
    """Wait until something holds; what is on the screen is told when it never does."""
    try:
        async with asyncio.timeout(30):
            while not holds():
                await made.settle()
            await made.settle()
    except TimeoutError:
        raise AssertionError(made.text) from None


async def in_front(made: Console, kind: type[object]) -> None:
    await until(made, lambda: isinstance(made.app.screen, kind))
    await made.settle()


async def shows(made: Console, words: str) -> None:
    await until(made, lambda: words in made.text)


async def test_a_host_that_says_anything_at_all_is_shown_and_does_nothing_else() -> None:
    odd = "[red]a[/] [/] \u202eb \x1b[31mc \ud83d " + "x" * 5000
    huge = Training(step=10**18, steps=1, epoch=1e300, loss=float("inf"), eta=1e15, rate=1e-300)
    strange = run(
        BERT, odd, command=(odd, "\0"), cwd=odd, last_line=odd, why=odd, session=odd, signal=odd,
        log_bytes=-(10**18), exit_status=10**18, started=NOW + timedelta(days=80_000),
        ended=NOW - timedelta(days=80_000), training=huge, gpus=(10**18,), after=(odd,),
    )  # fmt: skip
    async with console(listed(), size=(140, 34)) as made:
        made.bench.jobs.show(BERT, *(replace(strange, id=f"{n}{odd}", state=state)
                                     for n, state in enumerate(JobState)))  # fmt: skip
        made.bench.jobs.show(LAB, replace(strange, by_hand=True))
        await made.do("go.runs")
        await in_front(made, RunsScreen)
        for _ in range(8):
            await made.press("down")
            await made.settle()
            assert not {"\x1b", "\u202e", "\ud83d"} & set(made.text)
        assert "[red]" in made.text
        await made.press("enter")
        await made.settle()


async def test_runs_of_all_hosts_the_running_first_with_what_they_do() -> None:
    async with console(listed(), size=(140, 34)) as made:
        made.bench.jobs.show(BERT, OLD, FAILED, RUNNING)
        made.bench.jobs.show(LAB, HAND)
        await made.press("4")
        await in_front(made, RunsScreen)
        rows = made.app.screen.query_one("RunsTable")
        assert [key.rpartition("/")[2].replace("tmux:", "") for key in rows.keys_shown][:4] == [  # type: ignore[attr-defined]
            "bert", "notes", "prep", "old",
        ]  # fmt: skip
        text = made.text
        assert "4 Runs" in text
        for words in ("● running", "● by hand", "× failed", "✓ done", "3d 4h", "21 %",
                      "4,018/18,750", "0.3248 █▆▄▃▂▂▁▁", "1h 55m", "127",
                      "· not asked"):  # fmt: skip
            assert words in text, words
        assert "python3 train.py --epochs 3" in text
        assert "log ~/.local/share/cloudtui/runs/bert/log (46.1 MiB)" in text
        assert "for its machine at $1.21/h" in text
        assert "The disk was full" not in made.text
        made.bench.jobs.show(BERT, OLD, FAILED, replace(RUNNING, missing=NOW))
        await made.press("4")
        await shows(made, "The disk was full: output of bert on bert-gpu is missing.")
        assert "its log lacks output." in made.text
        await made.press("down", "down")
        assert "failed (127: command not found)" in made.text
        assert "1 host not asked yet: A connects to it." in made.text
        await made.press("G", "enter")
        await shows(made, "are not known yet. Press A to ask.")
        await made.press("A")
        await done(made)
        assert made.bench.jobs.asked == 1
        assert "not asked" not in made.text


async def test_the_details_of_a_machine_name_its_runs() -> None:
    async with console(listed(), size=(110, 34)) as made:
        await shows(made, "Deep Learning")
        made.bench.jobs.show(BERT, RUNNING, FAILED)
        await shows(made, "run       bert  ● running  loss 0.3248  step 4,018 of 18,750  21 %")
        assert "run       prep" not in made.text


async def test_the_four_faces_and_the_filter() -> None:
    async with console() as made:
        await made.press("4")
        assert "Listing the instances" in made.text
        made.bench.inventory.show(loading=False, updated=NOW)
        await shows(made, "No machine runs.")
        made.bench.inventory.show(instances=FLEET[:1])
        made.bench.jobs.show(BERT)
        await shows(made, "No run on a machine that runs now.")
        await made.press("B")
        await shows(made, "Nothing was copied yet.")
        await made.press("4")
        await shows(made, "No run on a machine that runs now.")
        made.bench.jobs.show(BERT, RUNNING, FAILED)
        await shows(made, "prep")
        await made.press("slash", *"state:failed -zzz", "enter")
        assert "prep" in made.text
        assert "bert  " not in made.text.split("Last line")[1].split("state")[0]
        await made.press("slash", *" none", "enter")
        assert "No run matches the filter." in made.text
        await made.press("escape")
        made.bench.jobs.answers["bert-gpu"] = Unreachable("bert-gpu does not answer.")
        await made.press("ctrl+r")
        await done(made)
        await shows(made, "1 host failed; A tries again.")
        assert "? running" in made.text
        assert "● running" not in made.text
        made.app.screen.query_one(RunsTable).select(f"{BERT.id}/bert")
        await shows(made, "state    ? running")
        assert "ago; bert-gpu does not answer." in made.text
        assert "left" not in made.text.split("doing")[1]
        lost = next(line for line in made.text.splitlines() if "× not listed" in line)
        assert "bert-gpu does not" in lost


@pytest.mark.parametrize(("hours", "words"), [(0.003, "$0.0036"), (4, "$4.84")])
def test_what_a_short_run_cost_is_not_nothing(hours: float, words: str) -> None:
    over = run(BERT, "a", started=NOW, ended=NOW + timedelta(hours=hours))
    price = Price(1.21, NOW.date())
    assert cost_words(over, price, NOW) == f"{words} for its machine at $1.21/h"


async def test_runs_of_machines_that_do_not_run_are_shown_as_last_seen() -> None:
    prep, old = FLEET[3], replace(FLEET[5], name="old-gpu")
    lines = ("epoch 1", "epoch 2", "epoch 3")
    seen = NOW - timedelta(hours=9)
    went_on = left(run(prep, last_lines=lines, then=()), prep.state)
    lost = left(run(old, "lost"), old.state)
    async with console(listed(), size=(160, 40)) as made:
        made.bench.last_seen.hosts = (
            AwayRuns(prep, seen, (went_on, replace(FAILED, instance_id=prep.id))),
            AwayRuns(old, seen, (lost,)),
        )
        made.bench.jobs.show(BERT, RUNNING)
        await made.press("4")
        await in_front(made, RunsScreen)
        table = made.app.screen.query_one(RunsTable)
        names = [key.rpartition("/")[2] for key in table.keys_shown]
        assert names[:4] == ["bert", "bert", "prep", "lost"]
        assert "? unknown" in made.text
        assert "data-prep (stopped)" in made.text
        assert "old-gpu (terminated)" in made.text
        table.select(f"{prep.id}/bert")
        await made.settle()
        # The fleet's clock stands since these tests began.
        ago = r"9h \d\dm ago, to end at about"
        assert re.search(rf"as at {re.escape(stamp(seen))}, {ago}", made.text)
        assert "data-prep is stopped. Its log can be read when it runs" in made.text
        for words in lines:
            assert words in made.text
        doing = next(line for line in made.text.splitlines() if line.startswith(" doing"))
        assert "1h 55m left" not in doing
        for key in ("enter", "a", "x", "r"):
            await made.press(key)
            assert made.said[-1] == "data-prep is stopped. Press 1, then u on it, to start it."
        table.select(f"{old.id}/lost")
        await made.press("enter")
        assert "is all that is left" in made.said[-1]
        await made.press("X")
        await in_front(made, Ask)
        assert "Forget lost on old-gpu?" in made.text
        assert "it cannot be seen again." in made.text
        await made.press("d")
        await done(made)
        assert made.bench.last_seen.forgotten == [("old-gpu", "lost")]
        await until(made, lambda: f"{old.id}/lost" not in table.keys_shown)


async def test_what_was_seen_before_stays_until_the_machine_is_asked() -> None:
    seen = NOW - timedelta(hours=9)
    earlier = (left(RUNNING, BERT.state), replace(FAILED, id="old"))
    async with console(listed(), size=(120, 34)) as made:
        made.bench.last_seen.earlier[BERT.id] = AwayRuns(BERT, seen, earlier)
        made.bench.jobs.answers["bert-gpu"] = (RUNNING,)
        await made.press("4")
        await in_front(made, RunsScreen)
        table = made.app.screen.query_one(RunsTable)
        await until(made, lambda: table.keys_shown[:2] == [f"{BERT.id}/bert", f"{BERT.id}/old"])
        assert table.cursor_row == 0
        assert "? unknown" in made.text
        assert "not asked" in made.text
        await shows(made, " ago: A asks every host.")
        for key in ("enter", "x", "X"):
            await made.press(key)
            assert made.said[-1] == "The runs of bert-gpu are not known yet. Press A to ask."
        await made.press("A")
        await shows(made, "● running")
        assert f"{BERT.id}/old" not in table.keys_shown
        assert "A asks every host" not in made.text


async def test_stop_rerun_and_remove_name_the_run_and_ask() -> None:
    async with console(listed(), size=(120, 34)) as made:
        made.bench.jobs.show(BERT, RUNNING, FAILED)
        await made.press("4")
        await made.press("X")
        assert made.said[-1] == "bert is running; x stops it first."
        await made.press("r")
        await in_front(made, Ask)
        assert "Start bert on bert-gpu a second time?" in made.text
        await made.press("enter")
        await done(made)
        assert made.bench.jobs.done == []
        await made.press("x")
        await in_front(made, Ask)
        assert "Stop bert on bert-gpu?" in made.text
        assert BERT.id in made.text
        await made.press("enter")
        await done(made)
        assert made.bench.jobs.done == []
        await made.press("x")
        await in_front(made, Ask)
        await made.press("s")
        await done(made)
        assert made.bench.jobs.done == [("stop", "bert-gpu", "bert")]
        assert made.bench.alerts.expected == [(BERT.id, "bert")]
        await shows(made, "× killed")
        await made.press("x")
        assert made.said[-1] == "bert has ended: killed (INT)."
        await made.press("r")
        await done(made)
        assert made.bench.jobs.done[-1] == ("rerun", "bert-gpu", "bert")
        await shows(made, "● running")
        assert made.app.screen.job.id == "bert-2"  # type: ignore[attr-defined]
        made.app.screen.query_one("RunsTable").select(f"{BERT.id}/prep")  # type: ignore[attr-defined]
        await made.press("X")
        await in_front(made, Ask)
        await made.press("d")
        await done(made)
        assert made.bench.jobs.done[-1] == ("remove", "bert-gpu", "prep")
        table: RunsTable = made.app.screen.query_one(RunsTable)
        await until(made, lambda: f"{BERT.id}/prep" not in table.keys_shown)
        made.bench.jobs.refusal = Refused("bert-gpu does not take that.")
        await made.press("up", "r")
        await done(made)
        assert made.said[-1] == "bert-gpu does not take that."
        made.app.screen.query_one(RunsTable).select(f"{BERT.id}/bert-2")
        await made.press("x")
        await in_front(made, Ask)
        await made.press("s")
        await until(made, lambda: made.said.count("bert-gpu does not take that.") == 2)
        assert len(made.bench.alerts.expected) == 1
        made.bench.read_only = True
        await made.press("r")
        assert "read-only" in made.said[-1]


async def test_all_that_ended_in_the_list_is_removed_at_once_after_a_question() -> None:
    async with console(listed(), size=(100, 30)) as made:
        made.bench.jobs.show(BERT, RUNNING, FAILED, OLD)
        made.bench.jobs.show(LAB, HAND, replace(OLD, instance_id=LAB.id, id="other"))
        await made.press("4")
        await in_front(made, RunsScreen)
        await made.press("slash", *"host:bert", "enter", "ctrl+d")
        await in_front(made, Ask)
        assert "Remove 2 runs that ended, of those that match 'host:bert'?" in made.text
        assert "other" not in made.text
        await made.press("enter")
        await done(made)
        assert made.bench.jobs.done == []
        await made.press("ctrl+d")
        await in_front(made, Ask)
        await made.press("d")
        await until(made, lambda: made.said[-1] == "Removed 2 runs, logs included.")
        gone = {("remove", "bert-gpu", "prep"), ("remove", "bert-gpu", "old")}
        assert set(made.bench.jobs.done) == gone
        await made.press("ctrl+d")
        assert made.said[-1] == "No run in the list has ended."


async def test_what_runs_stays_in_view_when_the_run_under_the_cursor_ends() -> None:
    many = [run(BERT, f"old-{n}", state=JobState.DONE, ended=NOW) for n in range(30)]
    first, other = run(BERT, "first", started=NOW), run(BERT, "other", started=NOW)
    async with console(listed(), size=(80, 24)) as made:
        made.bench.jobs.show(BERT, first, other, *many)
        await made.press("4")
        table = made.app.screen.query_one(RunsTable)
        table.select(f"{BERT.id}/first")
        await made.settle()
        ended = replace(first, state=JobState.DONE, ended=NOW + timedelta(hours=1))
        made.bench.jobs.show(BERT, ended, other, *many)
        await until(made, lambda: table.cursor_row == 1)
        assert table.key == f"{BERT.id}/first"
        assert table.scroll_offset.y == 0
        assert "other" in made.text


async def test_on_a_small_screen_time_left_and_exit_code_stay() -> None:
    async with console(listed(), size=(80, 24)) as made:
        why = "the run oom it came after failed (1)"
        never = run(BERT, "never", state=JobState.NOT_STARTED, exit_status=1, why=why)
        queued = run(BERT, "big", state=JobState.QUEUED, why="for eval", started=None)
        died = replace(FAILED, training=RUNNING.training, last_line="CUDA out of memory")
        made.bench.jobs.show(BERT, died, RUNNING, never, queued)
        await made.press("4")
        await in_front(made, RunsScreen)
        assert "for eval" in next(line for line in made.text.splitlines() if "◌ queued" in line)
        row = next(line for line in made.text.splitlines() if "× not started" in line)
        assert row.endswith(" -")
        table = made.app.screen.query_one(RunsTable)
        table.select(f"{BERT.id}/prep")
        await shows(made, "CUDA out of memory")
        table.select(f"{BERT.id}/never")
        await shows(made, f"not started: {why}")
        row = next(line for line in made.text.splitlines() if "● running" in line)
        assert "21 %      0.3248  1h 55m" in row
        assert "4,018/18,750" not in row
        assert next(line for line in made.text.splitlines() if "× failed" in line).endswith("127")


async def test_attach_copy_and_sessions_begun_by_hand() -> None:
    async with console(listed(), size=(120, 34)) as made:
        twin = replace(HAND, holder=Holder.SCREEN, session="9.notes")
        bare = run(LAB, "bare", holder=Holder.NONE, session="")
        made.bench.jobs.show(LAB, HAND, twin, bare)
        await made.press("4")
        await made.press("a")
        await done(made)
        assert made.said[-1] == "The full screen needs a real terminal, and there is none here."
        await made.press("c")
        await in_front(made, Choose)
        assert "log      ~/.local/share/cloudtui/runs/bare/log" in made.text
        await made.press("enter")
        await done(made)
        assert made.said[-1] == "Copied python3 train.py --epochs 3"
        await made.press("down", "r")
        assert "begun by hand" in made.said[-1]
        await made.press("X")
        assert made.said[-1] == "notes was begun by hand and has no record; x ends it."
        await made.press("x")
        await in_front(made, Destroy)
        for words in ("End the tmux session notes on jupyter-lab?", "jupyter-lab (i-", "(KILL)"):
            assert words in made.text, words
        await made.press("enter")
        await in_front(made, RunsScreen)
        assert made.bench.jobs.done == []
        assert made.text.count("● by hand") == 2
        await made.press("x", "s")
        await done(made)
        assert made.bench.jobs.done[-1][0::2] == ("stop", "notes")
        assert made.said[-1] == "Stopped notes on jupyter-lab."
        assert made.text.count("● by hand") == 1
        made.bench.jobs.sessions["notes"] = Session(Program.TMUX, "$7", "notes")
        await made.press("enter")
        await until(made, lambda: made.bench.sessions.attached)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_what_it_does_breaks_between_numbers_and_never_within_one(width: int) -> None:
    known = parts(RUNNING.training)
    lines = about_run(RUNNING, BERT, None, width=width).plain.splitlines()
    doing = [line[9:] for line in lines[: [line[:5] for line in lines].index("state")]]
    assert all(len(line) <= width - 9 for line in doing)
    assert "   ".join(doing).split("  ", 1)[1].split("   ") == known
