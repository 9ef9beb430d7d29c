"""What ended while nobody looked, at the start of the console."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cloudtui.model.digest import Away, Digest, Ended, Known
from cloudtui.model.instance import State
from cloudtui.model.job import JobState
from cloudtui.model.then import StepState, ThenStep
from cloudtui.ui.screens.digest import DigestScreen, DigestTable
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.screens.run_log import RunLogScreen
from tests.ui.fake_jobs import NOW, run
from tests.ui.fakes import FLEET, console, listed
from tests.ui.test_runs import done, in_front

BERT = FLEET[0]
FAILED = run(BERT, "bert", state=JobState.FAILED, exit_status=1, ended=NOW)
DONE = run(BERT, "prep", state=JobState.DONE, exit_status=0, ended=NOW - timedelta(hours=1))
NEVER = run(
    BERT, "next", state=JobState.NOT_STARTED, exit_status=1, ended=NOW, started=None,
    why="the run bert it came after failed (1)",
)  # fmt: skip
DIGEST = Digest(
    NOW - timedelta(days=1),
    (
        Ended(BERT, FAILED, ("Traceback:", "CUDA out of memory"), 3.88),
        Ended(BERT, DONE, ("ok",), 2.5),
    ),
    (Away("i-1", "spot-1", State.TERMINATED, (Known("sweep", 1.0),)),),
    ((BERT, run(BERT, "next")),),
)


async def test_it_comes_after_the_list_and_enter_opens_a_log() -> None:
    async with console(listed(), size=(110, 30)) as made:
        made.bench.digests.answer = DIGEST
        made.bench.digests.hold.clear()
        made.bench.inventory.show(loading=True, updated=None)
        await made.settle()
        assert made.bench.digests.looks == 0
        made.bench.inventory.show(loading=False, updated=NOW)
        await made.settle()
        assert isinstance(made.app.screen, MachinesScreen)
        made.bench.digests.hold.set()
        await in_front(made, DigestScreen)
        for words in ("2 runs ended since", "1 goes on.", "× failed (1)", "✓ done", "$3.88",
                      "CUDA out of memory", 
                      "sweep was running on spot-1, which is terminated"):  # fmt: skip
            assert words in made.text, words
        assert (made.bench.digests.watched, made.bench.digests.shown) == (1, [DIGEST])
        await made.press("down")
        assert "ok" in made.text
        assert "CUDA" not in made.text
        await made.press("enter")
        await in_front(made, RunLogScreen)
        assert "prep on bert-gpu" in made.text
        await made.press("escape", "escape")
        await in_front(made, MachinesScreen)
        made.bench.inventory.show(updated=NOW)
        await made.settle()
        assert made.bench.digests.looks == 1
        step = ThenStep("run:./tell.sh", StepState.DONE, "told")
        made.bench.jobs.show(BERT, replace(FAILED, then=(step,)))
        await made.press("N")
        await in_front(made, DigestScreen)
        assert "CUDA out of memory" in made.text
        assert "✓ run:./tell.sh   told" in made.text
        assert "Ended ▼" in made.text
        table = made.app.screen.query_one(DigestTable)
        assert [key.rpartition("/")[2] for key in table.keys_shown] == ["bert", "prep"]
        table.order("cost")
        assert [key.rpartition("/")[2] for key in table.keys_shown] == ["prep", "bert"]


@pytest.mark.parametrize("keys", [["slash"], ["question_mark"], ["j"]])
async def test_it_does_not_come_over_what_is_being_done(keys: list[str]) -> None:
    async with console(listed()) as made:
        made.bench.digests.answer = DIGEST
        made.bench.digests.hold.clear()
        made.bench.inventory.show(updated=NOW)
        await made.settle()
        await made.press(*keys)
        screen = made.app.screen
        made.bench.digests.hold.set()
        await done(made)
        assert made.app.screen is screen
        assert "2 runs ended since" in made.said[-1]
        assert "Press N to see it." in made.said[-1]
        assert made.bench.digests.shown == []


async def test_what_was_never_started_takes_no_room_from_the_others() -> None:
    async with console(listed(), size=(80, 24)) as made:
        made.bench.digests.answer = replace(DIGEST, ended=(*DIGEST.ended, Ended(BERT, NEVER)))
        await made.press("N")
        await in_front(made, DigestScreen)
        assert "× not started" in made.text
        assert "Exit" in made.text
        assert "$3.88" in made.text


async def test_nothing_new_is_said_only_when_asked() -> None:
    async with console(listed()) as made:
        made.bench.inventory.show(updated=NOW)
        await done(made)
        assert isinstance(made.app.screen, MachinesScreen)
        assert made.said == []
        await made.press("N")
        await done(made)
        assert made.said[-1] == "No run ended since the last visit."
        made.bench.digests.answer = replace(DIGEST, ended=())
        await made.press("N")
        await in_front(made, DigestScreen)
        assert "which is terminated" in made.text
        await made.press("enter")
        assert made.said[-1] == "No run is selected."
