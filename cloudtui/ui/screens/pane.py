"""One attached session, or a plain shell, on the whole screen."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget

from cloudtui.core.events import Severity
from cloudtui.model.instance import Instance
from cloudtui.model.session import Ending, Session
from cloudtui.ui.actions import Action, Where, key_words
from cloudtui.ui.screens.area import Area, bindings
from cloudtui.ui.widgets import pane_messages as said
from cloudtui.ui.widgets.frame import Footer
from cloudtui.ui.widgets.pane import Opener, Pane
from cloudtui.vt import engine as vt


class Title(Widget):
    """One line: what is attached, where, how big, and how to leave."""

    DEFAULT_CSS = """
    Title { height: 1; dock: top; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self, name: Content, leader: str) -> None:
        super().__init__()
        self._what, self._leader = name, leader
        self.extra = ""
        self.cells = (0, 0)

    def render(self) -> Content:
        columns, rows = self.cells
        right = Content.assemble(
            (f"{columns}×{rows}" if columns else "", "$foreground-muted"),
            "   ",
            (self._leader, "bold $footer-key-foreground"),
            (" d leaves", "$foreground-muted"),
        )
        left = self._what
        room = self.content_size.width - right.cell_length - 2
        if self.extra and left.cell_length + len(self.extra) + 3 <= room:
            left = Content.assemble(left, "   ", (self.extra, "$foreground-muted"))
        return Content.assemble(left, " " * max(2, room + 2 - left.cell_length), right)


class PaneScreen(Area):
    """All keys go to the program but the leader. After the end: Enter goes back, `r` once more."""

    WHERE = Where.PANE
    BINDINGS = bindings(Where.PANE)
    AUTO_FOCUS = ""
    CSS = """
    PaneScreen Pane { height: 1fr; }
    PaneScreen Footer { display: none; }
    PaneScreen.-ended Footer { display: block; }
    """

    def __init__(self, instance: Instance, session: Session | None) -> None:
        super().__init__()
        self._instance, self._session = instance, session
        self.ending: Ending | None = None
        """How it stopped; None while it is open or being opened."""

    def compose(self) -> ComposeResult:
        yield Title(self._what(), key_words(self.workbench.settings.leader))
        yield self._pane()
        yield Footer(self.footer_keys)

    @property
    def instance(self) -> Instance:
        return self._instance

    def _what(self) -> Content:
        if self._session is None:
            return Content.assemble(
                ("shell", "bold"), (f" on {self._instance.spoken}", "$foreground-muted")
            )
        return Content.assemble(
            (self._session.name, "bold"),
            (f" {self._session.program.value} on {self._instance.spoken}", "$foreground-muted"),
        )

    def _pane(self) -> Pane:
        what = f"session {self._session.name}" if self._session else "a shell"
        pane = Pane(
            self._opener(),
            leader=self.workbench.settings.leader,
            connecting=f"Opening {what} on {self._instance.label} …   Esc stops",
            hints="? help",
        )
        pane.can_focus = False
        return pane

    def _opener(self) -> Opener:
        instance, session, sessions = self._instance, self._session, self.workbench.sessions
        if session is None:
            return lambda columns, rows, data: sessions.shell(instance, columns, rows, data)
        return lambda columns, rows, data: sessions.attach(instance, session, columns, rows, data)

    def why_not(self, action: Action) -> str:
        if action.id == "pane.again" and self.ending is Ending.ENDED and self._session:
            return f"The session {self._session.name} has ended. Enter goes back."
        if action.id == "pane.again" and self.ending is None:
            return "It is still open."
        return super().why_not(action)

    @on(said.Opened)
    def _opened(self, event: said.Opened) -> None:
        event.pane.can_focus = True
        event.pane.focus()
        self._show_size()

    @on(said.Left)
    def _left(self) -> None:
        self.back()

    @on(said.Ended)
    def _ended(self, event: said.Ended) -> None:
        if event.ending is Ending.DETACHED:
            self.cloudtui.say(event.sentence)
            self.back()
            return
        severity = Severity.WARNING if event.ending is Ending.LOST else Severity.INFORMATION
        self.cloudtui.say(event.sentence, severity, toast=False)
        self._end(event.ending)

    @on(said.Failed)
    def _failed(self, event: said.Failed) -> None:
        self.cloudtui.fail(event.error, toast=False)
        self._end(Ending.FAILED)

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        pane = self.query_one(Pane)
        pane.can_focus = True
        pane.focus()
        self.add_class("-ended")
        self.refresh_footer()

    @on(said.TitleChanged)
    def _title_changed(self, event: said.TitleChanged) -> None:
        title = self.query_one(Title)
        title.extra = event.title
        title.refresh()

    @on(said.Bell)
    def _bell(self) -> None:
        self.app.bell()

    @on(said.Told)
    def _told(self, event: said.Told) -> None:
        match event.event:
            case vt.ClipboardWrite(text=text) if text:
                self.app.copy_to_clipboard(text)
            case vt.Notification(title=title, body=body):
                words = ": ".join(part for part in (title, body) if part)
                self.cloudtui.say(f"{self._instance.spoken}: {words}")

    @on(said.LeaderKey)
    def _leader_key(self, event: said.LeaderKey) -> None:
        if event.key == "question_mark":
            self.cloudtui.open_help()
            return
        keys = f"{key_words(self.workbench.settings.leader)} {key_words(event.key)}"
        self.cloudtui.say(f"{keys} does nothing.", Severity.WARNING)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_size)

    def _show_size(self) -> None:
        for pane in self.query(Pane):
            title = self.query_one(Title)
            title.cells = (pane.size.width, pane.size.height)
            title.refresh()

    async def _replace(self) -> None:
        self.ending = None
        self.remove_class("-ended")
        await self.query_one(Pane).remove()
        await self.mount(self._pane(), after=self.query_one(Title))

    def again(self) -> None:
        """Open it once more in a fresh pane."""
        self.run_worker(self._replace(), exclusive=True)
