from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from cloudtui.files.settings import Settings
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.tunnel import TunnelPhase, TunnelState
from cloudtui.ui.screens.dialogs import Ask
from cloudtui.ui.screens.jupyter import JupyterScreen
from cloudtui.ui.screens.machines import MachinesScreen
from tests.ui.fakes import FLEET, Console, FakeWorkbench, console, listed
from tests.ui.test_attached import until

ADDRESS = "http://localhost:8888/lab?token=s3cret-token"


def nothing(_: FakeWorkbench) -> None:
    """Leave the workbench as it is."""


@asynccontextmanager
async def jupyter(
    prepare: Callable[[FakeWorkbench], None] = nothing, *, open_browser: bool = True
) -> AsyncIterator[Console]:
    """The console on Jupyter of bert-gpu."""
    async with console(listed(), settings=Settings(open_browser=open_browser)) as ui:
        prepare(ui.bench)
        await ui.do("machine.jupyter")
        yield ui


async def test_it_opens_the_browser_and_hides_the_token() -> None:
    async with jupyter() as ui:
        await until(ui, lambda: ui.bench.browsed == [ADDRESS])
        await until(ui, lambda: "asked to open it." in ui.text and bool(ui.said))
        assert "http://localhost:8888/lab?token=…" in ui.text
        assert "s3cret" not in ui.text
        assert "s3cret" not in "".join(n.text + n.detail for n in ui.bench.notes)
        assert ui.said == ["Jupyter on bert-gpu is open at http://localhost:8888/lab"]


async def test_the_token_is_shown_on_demand() -> None:
    async with jupyter() as ui:
        await until(ui, lambda: bool(ui.bench.browsed))
        await ui.press("v")
        assert ADDRESS in ui.text
        await ui.press("v")
        assert "s3cret" not in ui.text


async def test_the_whole_address_is_copied() -> None:
    async with jupyter() as ui:
        await until(ui, lambda: bool(ui.bench.browsed))
        await ui.press("c")
        assert ui.app.clipboard == ADDRESS
        assert "s3cret" not in "".join(ui.said)


async def test_the_browser_can_be_asked_again_or_not_at_all() -> None:
    async with jupyter(open_browser=False) as ui:
        await until(ui, lambda: "token=…" in ui.text)
        assert ui.bench.browsed == []
        await ui.press("o")
        await until(ui, lambda: ui.bench.browsed == [ADDRESS])


async def test_without_a_browser_it_says_what_to_do() -> None:
    def prepare(bench: FakeWorkbench) -> None:
        bench.browser_works = False

    async with jupyter(prepare) as ui:
        await until(ui, lambda: "No browser could be started here. Press c" in ui.text)


async def test_a_taken_port_is_told() -> None:
    def prepare(bench: FakeWorkbench) -> None:
        bench.jupyter.port = 8890

    async with jupyter(prepare) as ui:
        await until(ui, lambda: "Port 8888 is taken here, so it is 8890." in ui.text)


async def test_steps_are_shown_and_escape_stops_the_opening() -> None:
    def prepare(bench: FakeWorkbench) -> None:
        bench.jupyter.hold.clear()

    async with jupyter(prepare) as ui:
        assert "✓ Connecting to bert-gpu" in ui.text
        assert "Looking for a running Jupyter server" in ui.text
        await ui.press("c")
        assert ui.said == ["Jupyter is not open yet."]
        await ui.press("escape")
        assert isinstance(ui.app.screen, MachinesScreen)
        await until(ui, lambda: ui.bench.jupyter.cancelled)


async def test_a_failure_shows_the_last_lines_and_r_tries_again() -> None:
    def prepare(bench: FakeWorkbench) -> None:
        bench.jupyter.refusal = CloudtuiError(
            "Jupyter did not start.", "OSError: no space\nexit 1", "Free some space."
        )

    async with jupyter(prepare) as ui:
        await until(ui, lambda: "Jupyter did not start." in ui.text)
        for words in ("OSError: no space", "exit 1", "Free some space."):
            assert words in ui.text
        ui.bench.jupyter.refusal = None
        await ui.press("r")
        await until(ui, lambda: "token=…" in ui.text)


async def test_installing_is_asked_first_and_enter_alone_does_not_agree() -> None:
    def prepare(bench: FakeWorkbench) -> None:
        bench.jupyter.installed = False

    async with jupyter(prepare) as ui:
        await until(ui, lambda: isinstance(ui.app.screen, Ask))
        assert FLEET[0].label in ui.text
        assert "This runs: pip install jupyter" in ui.text
        await ui.press("enter")
        await until(ui, lambda: "Jupyter is not installed there." in ui.text)
        await ui.press("r")
        await until(ui, lambda: isinstance(ui.app.screen, Ask))
        await ui.press("i")
        await until(ui, lambda: "token=…" in ui.text)


async def test_escape_leaves_the_tunnel_and_x_closes_it() -> None:
    async with jupyter() as ui:
        await until(ui, lambda: bool(ui.bench.browsed))
        await ui.press("escape")
        assert len(ui.bench.tunnels.states) == 1
        await ui.do("machine.jupyter")
        await until(ui, lambda: isinstance(ui.app.screen, JupyterScreen) and "token=" in ui.text)
        await ui.press("x")
        await until(ui, lambda: isinstance(ui.app.screen, MachinesScreen))
        assert not ui.bench.tunnels.states
        await until(ui, lambda: ui.said[-1].startswith("Closed the tunnel localhost:8888."))


async def test_a_tunnel_that_goes_is_told() -> None:
    async with jupyter() as ui:
        await until(ui, lambda: bool(ui.bench.browsed))
        ui.bench.tunnels.show()
        await ui.settle()
        assert "The tunnel is closed." in ui.text


async def test_a_tunnel_that_comes_back_replaces_the_failure() -> None:
    def prepare(bench: FakeWorkbench) -> None:
        bench.jupyter.refusal = CloudtuiError("No way there.")

    async with jupyter(prepare) as ui:
        await until(ui, lambda: "No way there." in ui.text)
        ui.bench.jupyter.refusal = None
        up = TunnelState(
            FLEET[0].id, "Jupyter", 8888, 8888, TunnelPhase.RECONNECTING, datetime.now(UTC)
        )
        ui.bench.tunnels.show(up)
        await ui.settle()
        assert "No way there." in ui.text
        ui.bench.tunnels.show(replace(up, phase=TunnelPhase.UP))
        await until(ui, lambda: "token=…" in ui.text)
        assert "No way there." not in ui.text


async def test_lines_of_an_installation_replace_each_other() -> None:
    def prepare(bench: FakeWorkbench) -> None:
        bench.jupyter.hold.clear()

    async with jupyter(prepare) as ui:
        screen = ui.app.screen
        assert isinstance(screen, JupyterScreen)
        for line in ("", ": Collecting jupyterlab", ": Downloading six"):
            screen._step(f"Installing JupyterLab{line}")
        screen._step("Starting Jupyter")
        await ui.settle()
        assert "Installing JupyterLab: Downloading six" in ui.text
        assert "Collecting" not in ui.text
