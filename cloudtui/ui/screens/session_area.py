"""What the two lists of sessions share: the actions on a session, the filter and the preview."""

from __future__ import annotations

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from cloudtui.core.events import SessionsState
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session
from cloudtui.model.words import plural
from cloudtui.ui.actions import Action
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.pane_colors import PaneColors
from cloudtui.ui.widgets.preview import PreviewPanel
from cloudtui.ui.widgets.sessions_table import SessionsTable, session_key

NEITHER = "Neither tmux nor screen is installed"

PREVIEW_SECONDS = 1.0
"""How often the selected session is looked at."""
PREVIEW_FROM = 24
"""Terminal rows from which the preview is shown unless it is switched off."""


class SessionArea(ListArea):
    """A list of sessions over a preview of the selected one.

    A preview is one small question over the connection that is kept; there is never more than one
    under way, so moving fast through the list asks only for where the cursor comes to rest.
    """

    AUTO_FOCUS = "SessionsTable"
    HOSTS = False

    def __init__(self) -> None:
        super().__init__()
        self._wish: bool | None = None
        """The preview is shown; None: when the terminal is tall enough."""
        self._looking = False
        self._failed: dict[str, str] = {}
        """Why the last look failed, by the session's key."""
        self._looked_at = ""
        """The key of the session that was asked for last."""

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as bert, host:gpu*, program:tmux, runs:python")
        yield Static(id="trouble", markup=False)
        yield SessionsTable(hosts=self.HOSTS)
        yield Face(id="face")
        yield PreviewPanel()
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(PREVIEW_SECONDS, self.look)

    # What is under the cursor

    @property
    def table(self) -> SessionsTable:
        return self.query_one(SessionsTable)

    @property
    def session(self) -> Session | None:
        """The session under the cursor."""
        raise NotImplementedError

    @property
    def listed(self) -> SessionsState | None:
        """What is known of the sessions of the machine under the cursor."""
        return self.workbench.sessions.state(self.instance.id) if self.instance else None

    def why_not(self, action: Action) -> str:
        if reason := super().why_not(action):
            return reason
        name = self.instance.spoken if self.instance else ""
        listing = self.listed.listing if self.listed else None
        if action.id == "session.new":
            if listing is None:
                return f"{name} was not asked for its sessions yet. Enter asks it."
            if not listing.programs:
                return f"{NEITHER} on {name}. Press s for a plain shell."
        if action.id == "session.wipe" and not (listing and any(s.dead for s in listing.sessions)):
            return f"No screen of {name} is dead."
        return self._why_not_session(action, self.session, name)

    def _why_not_session(self, action: Action, session: Session | None, name: str) -> str:
        if action.id not in ON_A_SESSION:
            return ""
        if session is None:
            return f"No session is selected on {name}. Press n to make one."
        if session.dead:
            return f"The screen session {session.name} is dead: its process is gone."
        if action.id == "session.detach" and not session.attached:
            return f"Nobody is attached to {session.name}."
        return ""

    # Actions

    def attach(self) -> None:
        if self.instance and self.session:
            self.cloudtui.open_session(self.instance, self.session)

    @work
    async def new_session(self) -> None:
        from cloudtui.ui.screens.session_dialogs import NewSession

        instance, state = self.instance, self.listed
        if instance is None or state is None or state.listing is None:
            return
        wanted = await self.app.push_screen_wait(NewSession(instance, state.listing))
        if wanted is None:
            return
        try:
            session = await self.workbench.sessions.new(
                instance, wanted.program, wanted.name, wanted.command, wanted.folder
            )
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.table.select(session_key(instance, session) if self.HOSTS else session.key)
        self.cloudtui.open_session(instance, session)

    @work
    async def rename_session(self) -> None:
        from cloudtui.ui.screens.session_dialogs import Rename

        instance, session, state = self.instance, self.session, self.listed
        if instance is None or session is None or state is None or state.listing is None:
            return
        name = await self.app.push_screen_wait(Rename(instance, session, state.listing))
        if name and await self.went_well(self.workbench.sessions.rename(instance, session, name)):
            self.cloudtui.say(f"{session.name} on {instance.spoken} is called {name} now.")

    @work
    async def kill_session(self) -> None:
        from cloudtui.ui.screens.session_dialogs import kill_question

        instance, session = self.instance, self.session
        if instance is None or session is None:
            return
        agreed = await self.app.push_screen_wait(kill_question(instance, session))
        if agreed and await self.went_well(self.workbench.sessions.kill(instance, session)):
            self.cloudtui.say(f"The session {session.name} on {instance.spoken} was ended.")

    @work
    async def detach_others(self) -> None:
        instance, session = self.instance, self.session
        if instance is None or session is None:
            return
        try:
            count = await self.workbench.sessions.detach(instance, session)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        who = plural(count, "other client") if count else "No other client"
        verb = "were" if count > 1 else "was"
        self.cloudtui.say(f"{who} of {session.name} on {instance.spoken} {verb} detached.")

    @work
    async def wipe_dead(self) -> None:
        from cloudtui.ui.screens.session_dialogs import wipe_question

        instance, state = self.instance, self.listed
        if instance is None or state is None or state.listing is None:
            return
        dead = [s for s in state.listing.sessions if s.dead]
        if not await self.app.push_screen_wait(wipe_question(instance, dead)):
            return
        try:
            count = await self.workbench.sessions.wipe(instance)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.cloudtui.say(f"Removed {plural(count, 'dead socket')} on {instance.spoken}.")

    @work
    async def windows(self) -> None:
        from cloudtui.ui.screens.session_dialogs import Windows

        instance, session = self.instance, self.session
        if instance is None or session is None:
            return
        try:
            panes = await self.workbench.sessions.panes(instance, session)
            pane = await self.app.push_screen_wait(Windows(instance, session, panes))
            if pane is None:
                return
            session = await self.workbench.sessions.choose(instance, session, pane)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.cloudtui.open_session(instance, session)

    # The preview

    @property
    def panel(self) -> PreviewPanel:
        return self.query_one(PreviewPanel)

    def toggle_preview(self) -> None:
        self._wish = not self.panel.display
        self.show_preview()

    def show_preview(self) -> None:
        """Draw what is known of the selected session, and look at it again."""
        panel, instance, session = self.panel, self.instance, self.session
        tall = self.app.size.height >= PREVIEW_FROM
        wanted = tall if self._wish is None else self._wish
        panel.display = wanted and self.table.display and instance is not None
        if not panel.display or instance is None:
            return
        if session is None:
            panel.title(instance.spoken, "")
            panel.say(self.about_host())
            return
        if session.dead:
            panel.title(session.name, f"{session.program} on {instance.spoken}")
            panel.say("Its process is gone; W removes what it left behind.")
        elif not self._draw_kept(instance, session):
            panel.title(session.name, f"{session.program} on {instance.spoken}")
            panel.say(self._failed.get(session_key(instance, session), ""))
        if session_key(instance, session) != self._looked_at:
            self.look()

    def about_host(self) -> str:
        """What to say where a row is a host's own."""
        return ""

    def _colours(self) -> PaneColors:
        _, _, base, ink = self.panel.colors
        return PaneColors(self.app.theme_variables, ink.rgb, base.rgb, self.app.current_theme.dark)

    def recolour(self) -> None:
        self.panel.repaint()
        self.paint()

    def look(self) -> None:
        """Ask for the selected session's picture, unless one is under way already."""
        if not (self.app.screen is self and self.panel.display and self.session):
            return
        if not self._looking and not self.session.dead:
            self._look()

    @work(group="preview")
    async def _look(self) -> None:
        instance, session = self.instance, self.session
        if instance is None or session is None:
            return
        key, self._looking = session_key(instance, session), True
        self._looked_at = key
        try:
            preview = await self.workbench.sessions.preview(instance, session)
            self.panel.keep(key, preview)
            self._failed.pop(key, None)
        except CloudtuiError as error:
            self._failed = {key: error.title}
        finally:
            self._looking = False
        now = session_key(self.instance, self.session) if self.instance and self.session else ""
        if now != key:
            self.look()
        elif key in self._failed:
            self.panel.say(self._failed[key])
        elif self.panel.display:
            self._draw_kept(instance, session)

    def _draw_kept(self, instance: Instance, session: Session) -> bool:
        """Draw what the session showed when last looked at; False when it never was."""
        kept = self.panel.kept(session_key(instance, session))
        if kept is None:
            return False
        size = f"{kept.columns}×{kept.rows}" if kept.columns else ""
        plain = "" if kept.coloured else "screen tells no colours"
        about = f"{session.program} on {instance.spoken}"
        parts = (about, kept.about, size, plain)
        self.panel.title(session.name, "   ".join(part for part in parts if part))
        self.panel.draw(kept, self._colours())
        return True

    # Keys

    @on(KeyedTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_do("session.attach")

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self.show_preview()
        self.refresh_footer()

    def on_resize(self) -> None:
        self.show_preview()


ON_A_SESSION = frozenset(
    {"session.attach", "session.rename", "session.kill", "session.detach", "session.windows"}
)
"""Actions that need a session under the cursor."""
