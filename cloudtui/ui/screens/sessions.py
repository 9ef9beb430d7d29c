"""The sessions of one machine: tmux and GNU screen in one list."""

from __future__ import annotations

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from cloudtui.core.events import Event, SessionsChanged, SessionsState, Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import Area, bindings
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.sessions_table import SessionsTable

REFRESH_SECONDS = 5.0
"""How often the host is asked again while the list is in front."""

NEITHER = "Neither tmux nor screen is installed"


class SessionsScreen(Area):
    """The list with its four faces; Enter attaches, `n` makes a new session."""

    WHERE = Where.SESSIONS
    BINDINGS = bindings(Where.SESSIONS)
    CSS = """
    SessionsScreen #trouble { height: auto; max-height: 3; padding: 0 1; color: $warning; }
    """
    AUTO_FOCUS = "SessionsTable"

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._state = SessionsState(instance.id)

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield Static(id="trouble", markup=False)
        yield SessionsTable()
        yield Face(id="face")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        header = self.query_one(Header)
        header.state, header.machine = self.workbench.inventory.state, self._instance.spoken
        self._state = self.workbench.sessions.state(self._instance.id)
        self.set_interval(REFRESH_SECONDS, self._refresh_in_front)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._paint())
        self._paint()
        self.refresh_now()

    @property
    def table(self) -> SessionsTable:
        return self.query_one(SessionsTable)

    @property
    def instance(self) -> Instance:
        """The machine as it is now, or as it was when it vanished from the listing."""
        known = self.workbench.inventory.state.instances
        return next((i for i in known if i.id == self._instance.id), self._instance)

    @property
    def session(self) -> Session | None:
        """The session under the cursor."""
        listing, key = self._state.listing, self.table.key
        return next((s for s in listing.sessions if s.key == key), None) if listing else None

    def why_not(self, action: Action) -> str:
        if reason := super().why_not(action):
            return reason
        name = self.instance.spoken
        if action.id == "session.new" and self._without_programs:
            return f"{NEITHER} on {name}. Press s for a plain shell."
        if action.id == "session.attach":
            if self.session is None:
                return f"No session is selected on {name}. Press n to make one."
            if self.session.dead:
                return f"The screen session {self.session.name} is dead: its process is gone."
        return ""

    @property
    def _without_programs(self) -> bool:
        return self._state.listing is not None and not self._state.listing.programs

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, SessionsChanged) and event.state.instance_id == self._instance.id:
            self._state = event.state
            self._paint()

    def _paint(self) -> None:
        state, face = self._state, self.query_one(Face)
        sessions = state.listing.sessions if state.listing else ()
        self.table.show_sessions(sessions, stale=state.error is not None)
        face.display, self.table.display = not sessions, bool(sessions)
        if sessions and self.focused is None:
            self.table.focus()
        if not sessions:
            self._paint_face(face, state)
        trouble = self.query_one("#trouble", Static)
        trouble.display = bool(sessions and state.error)
        if state.error:
            trouble.update(f"× {state.error.title} Dimmed rows are old. Ctrl-r tries again.")
        self.refresh_footer()

    def _paint_face(self, face: Face, state: SessionsState) -> None:
        label = self.instance.label
        if state.error and not state.loading:
            face.fail(state.error, [("Ctrl-r", "try again now"), ("Esc", "go back")])
        elif state.listing is None:
            face.work(f"Asking {label} for its sessions …   Esc stops")
        elif self._without_programs:
            face.say(
                f"{NEITHER} on {label}.",
                "A session keeps a run going after the connection ends; it needs one of the two.",
                [
                    ("s", "open a plain shell, for instance to install one"),
                    ("sudo apt install tmux", "on Debian and Ubuntu, typed in that shell"),
                    ("sudo dnf install tmux", "on Amazon Linux and Fedora"),
                    ("Ctrl-r", "look again"),
                ],
            )
        else:
            programs = " and ".join(p.value for p in state.listing.programs)
            face.say(
                f"No session runs on {label}.",
                f"A session keeps a run going after the connection ends. Installed: {programs}.",
                [("n", "make a new session"), ("s", "open a plain shell")],
            )

    def open_sessions(self) -> None:
        """It is open."""

    def refresh_now(self) -> None:
        self._list()

    def _refresh_in_front(self) -> None:
        if self.is_current and not self._state.loading and not self.why_unreachable:
            self._list()

    @property
    def why_unreachable(self) -> str:
        return self.workbench.why_not("sessions", self.instance)

    @work(exclusive=True, group="list")
    async def _list(self) -> None:
        await self.workbench.sessions.list(self.instance)

    @on(KeyedTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_do("session.attach")

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self.refresh_footer()

    def attach(self) -> None:
        if self.session:
            self.cloudtui.open_session(self.instance, self.session)

    @work
    async def new_session(self) -> None:
        from cloudtui.ui.screens.dialogs import NewSession

        instance, listing = self.instance, self._state.listing
        if listing is None:
            self.cloudtui.say("The list is not there yet.", Severity.WARNING)
            return
        wanted = await self.app.push_screen_wait(NewSession(instance, listing))
        if wanted is None:
            return
        program, name = wanted
        try:
            session = await self.workbench.sessions.new(instance, program, name)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.table.select(session.key)
        self.cloudtui.open_session(instance, session)

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self._refresh_in_front()

    def next_order(self) -> None:
        self.table.order_next()

    def reverse_order(self) -> None:
        self.table.order(self.table.order_by, descending=not self.table.descending)

    def row_down(self) -> None:
        self.table.action_cursor_down()

    def row_up(self) -> None:
        self.table.action_cursor_up()

    def page_down(self) -> None:
        self.table.action_page_down()

    def page_up(self) -> None:
        self.table.action_page_up()

    def first_row(self) -> None:
        self.table.action_scroll_top()

    def last_row(self) -> None:
        self.table.action_scroll_bottom()
