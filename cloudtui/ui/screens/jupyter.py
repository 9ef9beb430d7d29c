"""Jupyter of one machine: the steps of opening it, then its address."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cloudtui.core.events import Event, Severity, TunnelsChanged
from cloudtui.core.jupyter import ANY, INSTALLING, Wish
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.notebook import JupyterServer, OpenJupyter
from cloudtui.model.tunnel import TunnelPhase, TunnelState
from cloudtui.model.words import plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import Area, bindings
from cloudtui.ui.widgets.face import TURN_SECONDS, TURNS
from cloudtui.ui.widgets.frame import Footer, Header

STEPS_SHOWN = 12
"""Of a long installation only the last lines stay in sight."""

OPEN = {
    False: "The tunnel is open as long as cloudtui runs.",
    True: "The tunnel is open until it is closed, here or with 3.",
}
"""By whether tunnels outlive the console."""


class JupyterScreen(Area):
    """Esc while it opens stops the opening; Esc afterwards leaves the tunnel open."""

    WHERE = Where.JUPYTER
    BINDINGS = bindings(Where.JUPYTER)
    CSS = """
    JupyterScreen VerticalScroll { padding: 1 4; }
    JupyterScreen #text { height: auto; }
    """

    def __init__(
        self,
        instance: Instance,
        wish: Wish = ANY,
        *,
        server: JupyterServer | None = None,
        notebook: str = "",
    ) -> None:
        """A `server` that is known is opened as it is, else the one that is meant; `notebook` is
        the path of the notebook to show."""
        super().__init__()
        self._instance = instance
        self._wish = wish
        self._server = server
        self._notebook = notebook
        self._steps: list[str] = []
        self._turn = 0
        self._opened: OpenJupyter | None = None
        self._error: CloudtuiError | None = None
        self._browser = ""
        self._token_shown = False
        self._tunnel_up = False

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        with VerticalScroll(can_focus=False):
            yield Static(id="text")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        header = self.query_one(Header)
        header.state, header.machine = self.workbench.inventory.state, self._instance.spoken
        tunnels = self.workbench.tunnels.states
        self._tunnel_up = any(
            t.instance_id == self._instance.id and t.phase is TunnelPhase.UP for t in tunnels
        )
        self.set_interval(TURN_SECONDS, self._advance)
        self._open()

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def tunnel(self) -> TunnelState | None:
        """The tunnel of the server that was opened, while there is one."""
        port = self._opened.local_port if self._opened else None
        return next((t for t in self.workbench.tunnels.states if t.local_port == port), None)

    def why_not(self, action: Action) -> str:
        if action.id == "jupyter.again":
            return "" if self._error else "There is nothing to try again: it has not failed."
        if action.id.startswith("jupyter.") and self._opened is None:
            return "Jupyter is not open yet." if self._error is None else "Jupyter did not open."
        if action.id == "jupyter.token" and self._opened and not self._opened.server.token:
            return "This server has no token."
        return super().why_not(action)

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, TunnelsChanged):
            tunnels = [t for t in event.tunnels if t.instance_id == self._instance.id]
            back = any(t.phase is TunnelPhase.UP for t in tunnels)
            if self._error and back and not self._tunnel_up:
                self._open()
            self._tunnel_up = back
            self._paint()

    @work(exclusive=True, group="open")
    async def _open(self) -> None:
        self._steps, self._error, self._opened = [], None, None
        self._paint()
        try:
            self._opened = await self._forwarded()
        except CloudtuiError as error:
            self._error = error
            self.cloudtui.fail(error, toast=False)
        else:
            page = self._url(token=False)
            self.cloudtui.say(f"Jupyter on {self._instance.spoken} is open at {page}", toast=False)
        self._paint()
        self.refresh_footer()
        if self._opened and self.workbench.settings.open_browser:
            await self._browse()

    async def _forwarded(self) -> OpenJupyter:
        jupyter = self.workbench.jupyter
        if self._server:
            return await jupyter.forward(self._instance, self._server, on_step=self._step)
        return await jupyter.open(
            self._instance, ask_install=self._ask_install, on_step=self._step, wish=self._wish
        )

    def _step(self, sentence: str) -> None:
        if self._steps and self._steps[-1].startswith(INSTALLING) and INSTALLING in sentence:
            self._steps.pop()
        self._steps.append(sentence)
        self._paint()

    async def _ask_install(self, sentence: str) -> bool:
        from cloudtui.ui.screens.dialogs import Ask

        question = Ask(f"Install Jupyter on {self._instance.label}", sentence, "Install", "i")
        agreed = await self.app.push_screen_wait(question)
        return agreed is True

    async def _browse(self) -> None:
        if self._opened is None:
            return
        opened = await self.workbench.browse(self._url())
        self._browser = (
            "The browser was asked to open it."
            if opened
            else "No browser could be started here. Press c to copy the address."
        )
        self._paint()

    def _advance(self) -> None:
        self._turn = (self._turn + 1) % len(TURNS)
        if self._opened is None and self._error is None:
            self._paint()

    def _paint(self) -> None:
        what = self._notebook or "Jupyter"
        parts = [Content.styled(f"{what} on {self._instance.label}", "bold"), Content("")]
        if self._opened is None or self._error:
            parts += self._step_lines()
        if self._error:
            parts += ["", *_failure(self._error)]  # type: ignore[list-item]
        elif self._opened:
            parts += self._result(self._opened)
        else:
            parts += [Content(""), Content.styled("Esc stops", "$foreground-muted")]
        text = Content("\n").join([Content(p) if isinstance(p, str) else p for p in parts])
        self.query_one("#text", Static).update(text)

    def _step_lines(self) -> list[Content]:
        shown = self._steps[-STEPS_SHOWN:]
        lines = [
            Content.assemble(("✓ ", "$state-running"), (step, "$foreground-muted"))
            for step in shown[:-1]
        ]
        sign = ("× ", "$error") if self._error else (f"{TURNS[self._turn]} ", "$accent")
        return [*lines, *(Content.assemble(sign, step) for step in shown[-1:])]

    def _result(self, opened: OpenJupyter) -> list[Content]:
        how = "was started there" if opened.started else "was already running there"
        if opened.password:
            how += " and asks for its password in the browser"
        tunnel = self.tunnel
        lines = [
            Content.styled(self.address, "bold $footer-key-foreground"),
            Content(""),
            Content(
                f"The server {how}, on port {opened.server.port}; it goes on without cloudtui."
            ),
        ]
        if opened.others and not opened.started:
            more = plural(len(opened.others), "other server")
            lines.append(Content(f"{more} of the machine: press 7."))
        if opened.moved:
            lines.append(Content(opened.moved))
        if tunnel is None:
            lines.append(
                Content.styled("The tunnel is closed. Press J on the machine again.", "$warning")
            )
        elif tunnel.phase is not TunnelPhase.UP:
            why = f" {tunnel.error.title}" if tunnel.error else ""
            lines.append(Content.styled(f"The tunnel is {tunnel.phase.value}.{why}", "$warning"))
        else:
            lines.append(Content(OPEN[self.workbench.keeps_tunnels]))
        if self._browser:
            lines += [Content(""), Content.styled(self._browser, "$foreground-muted")]
        return lines

    @property
    def address(self) -> str:
        """The address as shown; the token is hidden until asked for."""
        if self._opened is None:
            return ""
        if self._token_shown or not self._opened.server.token:
            return self._url()
        return f"{self._url(token=False)}?token=…"

    def _url(self, *, token: bool = True) -> str:
        assert self._opened
        server, port = self._opened.server, self._opened.local_port
        return server.url(port, token=token, notebook=self._notebook)

    def copy(self) -> None:
        if self._opened:
            self.app.copy_to_clipboard(self._url())
            its = " with its token" if self._opened.server.token else ""
            self.cloudtui.say(f"Copied the address{its}.")

    @work(exclusive=True, group="browse")
    async def browse(self) -> None:
        await self._browse()

    def toggle_token(self) -> None:
        self._token_shown = not self._token_shown
        self._paint()

    def again(self) -> None:
        self._open()

    @work(exclusive=True, group="close")
    async def close_tunnel(self) -> None:
        tunnel = self.tunnel
        if tunnel is None:
            self.cloudtui.say("The tunnel is closed already.", Severity.WARNING)
            return
        await self.workbench.tunnels.close_one(tunnel.key)
        self.cloudtui.say(
            f"Closed the tunnel localhost:{tunnel.local_port}. Jupyter on "
            f"{self._instance.spoken} goes on."
        )
        self.back()


def _failure(error: CloudtuiError) -> list[Content]:
    lines = [Content.styled(error.title, "bold $error")]
    lines += [Content.styled(line, "$foreground-muted") for line in error.detail.splitlines()]
    if error.hint:
        lines += [Content(""), Content(error.hint)]
    lines += [Content(""), Content.styled("r tries again   Esc goes back", "$foreground-muted")]
    return lines
