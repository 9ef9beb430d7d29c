"""The questions of the panel of notebooks: a new server, and whether to end something."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from cloudtui.core.jupyter import Wish
from cloudtui.model.environment import Environment
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.kernel import Kernel, NotebookServer
from cloudtui.model.words import data_size, plural
from cloudtui.ui.screens.dialogs import Dialog
from cloudtui.ui.screens.session_dialogs import Destroy

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

USUAL = "the Jupyter that is found first"


class NewServer(Dialog[Wish | None]):
    """Folder and Python environment of a new server; environments come in while it is open."""

    BINDINGS = [
        Binding("up", "move('up')", show=False, priority=True),
        Binding("down", "move('down')", show=False, priority=True),
        Binding("enter", "start", show=False, priority=True),
    ]
    KEYS = "Enter start   ↑↓ environment   Esc cancel"

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._found: tuple[Environment, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            title = f"New Jupyter server on {self._instance.label}"
            yield Label(title, id="title", markup=False)
            yield Label("folder", classes="label")
            yield Input(placeholder="the home folder, or for instance ~/data", id="folder")
            yield Label("environment", classes="label")
            yield OptionList(Option(Content(USUAL), id=""))
            told = f"Looking for conda and virtual environments on {self._instance.spoken} …"
            yield Static(told, id="told", markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = False
        self.query_one(OptionList).highlighted = 0
        self.query_one(Input).focus()
        self._look()

    @work
    async def _look(self) -> None:
        workbench = cast("CloudtuiApp", self.app).workbench
        told = self.query_one("#told", Static)
        try:
            self._found = await workbench.jupyter.environments(self._instance)
        except CloudtuiError as error:
            told.update(str(error))
            return
        options = self.query_one(OptionList)
        options.add_options(
            Option(Content(each.words), id=each.path, disabled=each.has.name == "NOTHING")
            for each in self._found
        )
        if not self._found:
            told.update("No conda or virtual environment was found there.")
        elif all(each.ready for each in self._found):
            told.update("")
        else:
            told.update("Into one without Jupyter pip can install it, after a question.")

    def action_move(self, where: str) -> None:
        getattr(self.query_one(OptionList), f"action_cursor_{where}")()

    @on(OptionList.OptionSelected)
    def action_start(self) -> None:
        options = self.query_one(OptionList)
        chosen = options.highlighted or 0
        environment = options.get_option_at_index(chosen).id or ""
        folder = self.query_one(Input).value.strip()
        self.dismiss(Wish(folder=folder, environment=environment, new=True))


def _about(*lines: tuple[str, str]) -> Content:
    width = max(len(name) for name, _ in lines) + 2
    return Content("\n").join(
        Content.assemble((name.ljust(width), "$foreground-muted"), (text, "bold"))
        for name, text in lines
    )


def kernel_lines(instance: Instance, server: NotebookServer, kernel: Kernel) -> Content:
    memory = f", {data_size(kernel.memory)}" if kernel.memory is not None else ""
    clients = f", {plural(kernel.connections, 'client')}" if kernel.connections else ""
    return _about(
        ("notebook", kernel.path or "none"),
        ("kernel", f"{kernel.name} {kernel.id}"),
        ("state", f"{kernel.state}{memory}{clients}"),
        ("server", f"port {server.server.port} of {instance.label}"),
    )


def kernel_question(
    instance: Instance, server: NotebookServer, kernel: Kernel, *, restart: bool
) -> Destroy:
    """Whether a kernel is to be ended or begun anew; its notebook and host are named."""
    cell = "The cell that it runs is ended. " if kernel.busy else ""
    lost = f"\n\n{cell}Its variables are lost; the notebook's file stays as it is."
    name = f"{kernel.spoken} on {instance.spoken}"
    verb, agree, key = ("Restart", "Restart it", "y") if restart else ("Shut down", "End it", "e")
    body = Content.assemble(kernel_lines(instance, server, kernel), lost)
    return Destroy(f"{verb} the kernel of {name}?", body, agree, key)


def terminal_question(instance: Instance, server: NotebookServer, name: str) -> Destroy:
    """Whether a terminal of a server is to be ended."""
    body = Content.assemble(
        _about(("terminal", name), ("server", f"port {server.server.port} of {instance.label}")),
        "\n\nWhat runs in it ends with it.",
    )
    return Destroy(f"Shut down terminal {name} on {instance.spoken}?", body, "End it", "e")


def server_question(instance: Instance, server: NotebookServer) -> Destroy:
    """Whether a whole server is to be ended; what ends with it is counted."""
    busy = [kernel for kernel in server.kernels if kernel.busy]
    lines = [
        ("server", f"port {server.server.port} of {instance.label}"),
        ("folder", server.server.root_dir or "unknown"),
        ("kernels", f"{len(server.kernels)}, {len(busy)} busy"),
        ("terminals", str(len(server.terminals))),
    ]
    names = "".join(f"\n  busy: {kernel.spoken}" for kernel in busy[:5])
    body = Content.assemble(
        _about(*lines),
        "\n\nAll its kernels and terminals end with it, and their variables are lost.",
        names,
    )
    where = f"port {server.server.port} on {instance.spoken}"
    return Destroy(f"Shut down the Jupyter server of {where}?", body, "End it", "e")
