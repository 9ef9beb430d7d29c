from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.widgets import Button, Input, OptionList

from cloudtui.core.events import InventoryState
from cloudtui.core.jupyter import Wish
from cloudtui.model.environment import Environment, Has, Kind
from cloudtui.model.errors import READ_ONLY, CloudtuiError, NotFound, Unreachable
from cloudtui.model.place import Place
from cloudtui.ui.screens.jupyter import JupyterScreen
from cloudtui.ui.screens.notebook_dialogs import NewServer
from cloudtui.ui.screens.notebooks import NotebooksScreen
from cloudtui.ui.screens.session_dialogs import Destroy
from tests.ui.fake_notebooks import LOCKED, LOOKING, SERVER, TRAINING, Servers
from tests.ui.fakes import FLEET, Console, console, listed

HOSTS = ("bert-gpu", "jupyter-lab", "llm-sweep")
ANSWERS: dict[str, Servers | CloudtuiError] = {
    "jupyter-lab": (SERVER,),
    "bert-gpu": (),
    "llm-sweep": (LOCKED,),
}


@asynccontextmanager
async def panel(
    connected: tuple[str, ...] = HOSTS,
    answers: dict[str, Servers | CloudtuiError] = ANSWERS,
    state: InventoryState | None = None,
    size: tuple[int, int] = (130, 34),
) -> AsyncIterator[Console]:
    """The console on the panel of notebooks; three machines run."""
    async with console(state or listed(), size=size) as ui:
        ui.bench.notebooks.connected = set(connected)
        ui.bench.notebooks.answers = dict(answers)
        await ui.press("7")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        yield ui


def screen_of(ui: Console) -> NotebooksScreen:
    assert isinstance(ui.app.screen, NotebooksScreen)
    return ui.app.screen


async def select(ui: Console, host: str, rest: str) -> None:
    machine = next(i for i in FLEET if i.name == host)
    screen_of(ui).table.select(f"{machine.id}/{rest}")
    await ui.settle()


def rows(ui: Console) -> list[list[str]]:
    return [line.split() for line in ui.text.splitlines()]


async def test_servers_kernels_and_terminals_of_every_running_machine() -> None:
    async with panel() as ui:
        shown = [row[:8] for row in rows(ui)]
        assert ["jupyter-lab", "8888", "server", "/home/ubuntu", "●", "up", "83.9", "MiB"] in shown
        assert ["jupyter-lab", "8888", "kernel", "train.ipynb", "●", "busy"] in [
            row[:6] for row in shown
        ]
        assert ["jupyter-lab", "8888", "kernel", "sub/eda.ipynb", "○", "idle", "5h"] in [
            row[:7] for row in shown
        ]
        assert "4.5 GiB" in ui.text
        assert ["jupyter-lab", "8888", "terminal", "terminal", "1"] in shown
        assert ["bert-gpu", "no", "Jupyter", "server", "runs"] in shown
        assert any(row[-2:] == ["wants", "password"] for row in rows(ui) if "8890" in row)
        assert "data-prep" not in ui.text
        assert "s3cret" not in ui.text
        assert "7 Notebooks" in ui.text


async def test_it_fits_eighty_columns() -> None:
    async with panel(size=(80, 24)) as ui:
        line = next(line for line in ui.text.splitlines() if "train.ipynb" in line)
        for word in ("jupyter-lab", "8888", "● busy", "4.5 GiB"):
            assert word in line


async def test_hosts_without_a_connection_are_not_asked_by_themselves() -> None:
    async with panel(connected=("bert-gpu",)) as ui:
        assert "2 hosts not asked yet: A connects to them." in ui.text
        assert "train.ipynb" not in ui.text
        await ui.press("A")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert "train.ipynb" in ui.text
        ui.bench.notebooks.hold.clear()
        await ui.press("A")
        assert "Asking every host" in ui.text
        await ui.press("escape")
        await ui.settle()
        assert ui.bench.notebooks.stopped
        screen_of(ui)


async def test_a_host_that_fails_keeps_its_rows_and_says_why() -> None:
    async with panel() as ui:
        ui.bench.notebooks.answers["jupyter-lab"] = Unreachable("It timed out.", hint="Look at it.")
        await ui.press("ctrl+r")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert "× It timed out." in ui.text
        assert "train.ipynb" in ui.text
        await select(ui, "jupyter-lab", "")
        assert "Look at it." in ui.text


async def test_the_other_faces() -> None:
    async with panel(state=InventoryState(loading=True)) as ui:
        assert "Listing the instances" in ui.text
        ui.bench.inventory.show(loading=False, errors=((Place(""), Unreachable("No network.")),))
        await ui.settle()
        assert "No network." in ui.text
        ui.bench.inventory.show(errors=())
        await ui.settle()
        assert "No machine runs." in ui.text


async def test_the_filter_and_the_order() -> None:
    async with panel() as ui:
        await ui.press("slash", *"state:busy", "enter")
        assert "train.ipynb" in ui.text
        assert "eda.ipynb" not in ui.text
        await ui.press("slash", *" nothing", "enter")
        assert "Nothing matches the filter." in ui.text
        await ui.press("escape")
        screen_of(ui).table.order("memory")
        await ui.settle()
        keys = screen_of(ui).table.keys_shown
        assert keys[0].endswith(TRAINING.id)
        assert keys[1].endswith(LOOKING.id)


async def test_enter_opens_the_notebook_in_the_browser_without_showing_its_token() -> None:
    async with panel() as ui:
        await select(ui, "jupyter-lab", f"8888/kernel/{LOOKING.id}")
        await ui.press("enter")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert isinstance(ui.app.screen, JupyterScreen)
        there = "http://localhost:8888/lab/tree/sub/eda.ipynb"
        assert ui.bench.browsed == [f"{there}?token=s3cret-token"]
        assert f"{there}?token=…" in ui.text
        assert "s3cret" not in ui.text
        assert not any("s3cret" in f"{n.text}{n.detail}" for n in ui.bench.notes)
        await ui.press("escape")
        screen_of(ui)


@pytest.mark.parametrize(
    ("rest", "key", "agree", "title", "done"),
    [
        (
            f"8888/kernel/{TRAINING.id}",
            "x",
            "e",
            "Shut down the kernel of train.ipynb on jupyter-lab?",
            ("shut down", "jupyter-lab", "8888", "train.ipynb"),
        ),
        (
            f"8888/kernel/{TRAINING.id}",
            "r",
            "y",
            "Restart the kernel of train.ipynb on jupyter-lab?",
            ("restart", "jupyter-lab", "8888", "train.ipynb"),
        ),
        (
            "8888/terminal/1",
            "x",
            "e",
            "Shut down terminal 1 on jupyter-lab?",
            ("shut down terminal", "jupyter-lab", "8888", "1"),
        ),
        (
            "8888",
            "x",
            "e",
            "Shut down the Jupyter server of port 8888 on jupyter-lab?",
            ("shut down server", "jupyter-lab", "8888"),
        ),
    ],
)
async def test_what_ends_something_asks_and_enter_never_agrees(
    rest: str, key: str, agree: str, title: str, done: tuple[str, ...]
) -> None:
    async with panel(size=(80, 24)) as ui:
        await select(ui, "jupyter-lab", rest)
        await ui.press(key)
        assert isinstance(ui.app.screen, Destroy)
        assert title in ui.text
        assert "i-00003c0ffee000003" in ui.text
        assert ui.app.screen.query_one("#cancel", Button).has_focus
        await ui.press("enter")
        screen_of(ui)
        assert ui.bench.notebooks.done == []
        await ui.press(key)
        await ui.press(key)
        assert isinstance(ui.app.screen, Destroy), "the key that asks does not agree"
        await ui.press(agree)
        await ui.app.workers.wait_for_complete()
        assert ui.bench.notebooks.done == [done]


async def test_interrupt_and_what_cannot_be_done() -> None:
    async with panel() as ui:
        await select(ui, "jupyter-lab", f"8888/kernel/{TRAINING.id}")
        await ui.press("i")
        assert ui.bench.notebooks.done == [("interrupt", "jupyter-lab", "8888", "train.ipynb")]
        ui.bench.notebooks.refusal = NotFound("Jupyter has no such kernel.")
        await ui.press("i")
        assert ui.said[-1] == "Jupyter has no such kernel."
        await select(ui, "jupyter-lab", "8888")
        await ui.press("i")
        assert ui.said[-1] == "No kernel is selected."
        await select(ui, "bert-gpu", "")
        await ui.press("x")
        assert ui.said[-1] == "No Jupyter server of bert-gpu is known."
        ui.bench.read_only = True
        await ui.press("x")
        assert ui.said[-1] == READ_ONLY


async def test_the_password_of_a_server_is_given_with_a_key() -> None:
    async with panel() as ui:
        await select(ui, "llm-sweep", "8890")
        assert "p gives it" in ui.text
        await ui.press("p")
        assert ui.bench.notebooks.done == [("log in", "llm-sweep", "8890")]
        await select(ui, "jupyter-lab", "8888")
        await ui.press("p")
        assert ui.said[-1] == "No server that wants its password is selected."


async def test_a_new_server_in_its_folder_and_environment() -> None:
    torch = Environment("/opt/conda/envs/torch", Kind.CONDA, Has.LAB, "3.12.4", "torch")
    bare = replace(torch, path="/opt/bare", name="bare", has=Has.NOTHING)
    async with panel(size=(80, 24)) as ui:
        ui.bench.jupyter.found = (torch, bare)
        await select(ui, "bert-gpu", "")
        await ui.press("n")
        await ui.settle()
        form = ui.app.screen
        assert isinstance(form, NewServer)
        assert form.query_one(Input).has_focus
        assert "torch  conda, Python 3.12.4, JupyterLab" in ui.text
        await ui.press(*"~/data", "down", "down", "down")
        assert form.query_one(OptionList).highlighted == 1, "the one without pip is passed over"
        await ui.press("enter")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert isinstance(ui.app.screen, JupyterScreen)
        assert ui.bench.jupyter.wishes == [Wish(None, "~/data", torch.path, True)]


async def test_a_form_whose_host_does_not_answer_still_starts_one() -> None:
    async with panel() as ui:
        ui.bench.jupyter.refusal = Unreachable("It timed out.")
        await ui.press("n")
        await ui.settle()
        assert "It timed out." in ui.text
        ui.bench.jupyter.refusal = None
        await ui.press("enter")
        await ui.app.workers.wait_for_complete()
        assert ui.bench.jupyter.wishes == [Wish(new=True)]
