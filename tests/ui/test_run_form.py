"""The form of a new run."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Checkbox, Input

from cloudtui.model.errors import Refused
from cloudtui.model.job import Holder
from cloudtui.ui.screens.dialogs import Choose
from cloudtui.ui.screens.run_form import RunForm
from cloudtui.ui.screens.runs import RunsScreen
from cloudtui.ui.screens.session_dialogs import Destroy
from tests.ui.fake_jobs import run
from tests.ui.fakes import FLEET, Console, console, listed
from tests.ui.test_runs import done, in_front, shows, until

BERT = FLEET[0]


def fill(made: Console, **fields: str) -> None:
    for name, text in fields.items():
        made.app.screen.query_one(f"#{name}", Input).value = text


async def take(made: Console, field: str, word: str) -> None:
    """Wait for what the field proposes, and take it."""
    typed = made.app.screen.query_one(f"#{field}", Input)
    await until(made, lambda: typed._suggestion == word)
    await made.press("right")
    assert typed.value == word


async def test_a_run_is_typed_started_shown_and_remembered() -> None:
    async with console(listed(), size=(80, 24)) as made:
        made.bench.jobs.show(BERT, run(BERT, "prep"), run(BERT, "mine", by_hand=True))
        await made.press("r")
        await in_front(made, RunForm)
        for words in ("New run on bert-gpu", "command", "upload", "then", "queue", "Ctrl-s",
                      "(•) any  ( ) tmux  ( ) screen  ( ) none",
                      "[ ] however they end"):  # fmt: skip
            assert words in made.text, words
        for tick in made.app.screen.query(Checkbox):
            box = [part.style for part in tick.render_line(0) if set(part.text) & set("[]")]
            assert box, tick.id
            for style in box:
                assert style is not None
                assert style.color != style.bgcolor, tick.id
        await made.press("ctrl+s")
        assert "It needs a command." in made.text
        fill(made, command="python train.py | tee ou")
        await made.press("end", "t", "enter")
        assert "name      train" in made.text
        fill(made, cwd="~/bert", env="SEED=1 KEY=s3cret")
        await made.press(*"bert", "tab", "down", "down", "enter")
        await made.press(*"x", "enter")
        await shows(made, "There: prep (running).")
        await made.press(*"pre", "ctrl+s")
        assert "A number up to 64." in made.text
        assert "No run pre there." in made.text
        await made.press("backspace", "enter", "end", "backspace", "e")
        await take(made, "after", "prep")
        await made.press("enter", "space", "enter", *"st")
        await take(made, "then", "stop")
        await made.press("tab", "right", "right", "left", "tab", "space")
        told = " ".join(made.text.split())
        assert "Starts bert on bert-gpu in ~/bert; it goes on without this computer." in told
        assert "It waits for prep, however they end." in told
        assert "Its terminal is shown in tmux." in told
        assert "copy:out:results" not in told
        made.bench.jobs.refusal = Refused("bert-gpu does not take that.", "", "Ask for less.")
        await made.press("ctrl+s")
        await shows(made, "bert-gpu does not take that.")
        made.bench.jobs.refusal = None
        made.bench.jobs.question = "Its shutdown terminates it."
        await made.press("ctrl+s")
        await in_front(made, Destroy)
        await made.press("enter")
        await shows(made, "Its shutdown would terminate it.")
        await made.press("ctrl+s")
        await in_front(made, Destroy)
        await made.press("t")
        await in_front(made, RunsScreen)
        await done(made)
        spec = made.bench.jobs.specs[-1]
        assert spec.command == ("sh", "-c", "python train.py | tee out")
        assert (spec.name, spec.cwd, spec.env) == (
            "bert", "~/bert", (("SEED", "1"), ("KEY", "s3cret")),
        )  # fmt: skip
        assert (spec.after, spec.then, spec.queue, spec.gpus) == (("prep",), ("stop",), True, 0)
        assert (spec.after_any, spec.holder) == (True, Holder.TMUX)
        assert made.app.screen.job.id == "bert"  # type: ignore[attr-defined]
        await made.press("n")
        await in_front(made, RunForm)
        assert "python train.py | tee out" in made.text
        assert "s3cret" not in made.text
        for words in ("[x] queue", "[x] however", "(•) tmux"):
            assert words in made.text, words


async def test_what_was_given_up_is_not_remembered_and_the_machine_is_asked_for() -> None:
    async with console(listed()) as made:
        for machine in (BERT, FLEET[2], FLEET[4]):
            made.bench.jobs.show(machine)
        await made.press("4", "n")
        await in_front(made, Choose)
        assert "A run on which machine?" in made.text
        await made.press("enter")
        await in_front(made, RunForm)
        await made.press(*"make all", "escape")
        await done(made)
        await made.press("n", "enter")
        await in_front(made, RunForm)
        assert "make all" not in made.text
        await made.press("escape")
        made.bench.read_only = True
        await done(made)
        await made.press("n")
        assert "read-only" in made.said[-1]


async def test_a_folder_is_sent_first_and_a_large_one_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with console(listed()) as made:
        made.bench.jobs.show(BERT)
        await made.press("r")
        await in_front(made, RunForm)
        fill(made, command="python t.py", sync="nowhere:~/x")
        await made.settle()
        assert "No such folder here." in made.text
        (tmp_path / "data").mkdir()
        fill(made, sync="")
        made.app.screen.query_one("#sync", Input).focus()
        await made.press(*"da")
        await take(made, "sync", "data")
        await made.press("tab", "space")
        await shows(made, "to ~/data, also over what")
        await made.press("space")
        fill(made, sync=f"{tmp_path}:~/x")
        await made.settle()
        assert "Sends what changed" in made.text
        made.bench.uploads.size = 2 << 30
        await made.press("ctrl+s")
        await in_front(made, Destroy)
        assert "2 GiB  data.bin" in made.text
        await made.press("escape")
        await shows(made, "the run was not started.")
        assert made.bench.uploads.sent == []
        await made.press("ctrl+s")
        await in_front(made, Destroy)
        await made.press("s")
        await in_front(made, RunsScreen)
        assert made.bench.uploads.sent == [(str(tmp_path), "~/x")]
        assert made.bench.jobs.specs[-1].cwd == "~/x"
        await until(made, lambda: "Changed there, and left so: t.py." in made.said)
        assert made.bench.uploads.overwrites == [False, False]
