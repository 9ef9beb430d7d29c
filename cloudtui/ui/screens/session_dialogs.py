"""The questions about sessions: a new one, another name, an end, a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from cloudtui.model.errors import UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.preview import Pane
from cloudtui.model.session import Program, Session, SessionList, check_name
from cloudtui.model.words import plural
from cloudtui.ui.screens.dialogs import Ask, Dialog


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session to be made."""

    program: Program
    name: str
    folder: str = ""
    command: str = ""


class NewSession(Dialog[Wanted | None]):
    """Program, name, folder and command of a new session; the name is checked while typed."""

    BINDINGS = [Binding("ctrl+t", "other_program", show=False)]

    def __init__(self, instance: Instance, listing: SessionList) -> None:
        super().__init__()
        self._instance, self._listing = instance, listing
        self.program = listing.programs[0]

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(f"New session on {self._instance.label}", id="title", markup=False)
            yield Label("program", classes="label")
            yield Static(id="program", classes="body")
            yield Label("name", classes="label")
            yield Input(self._suggestion(), id="name")
            yield Label("folder", classes="label")
            yield Input(placeholder="the home folder, or for instance ~/data", id="folder")
            yield Label("command", classes="label")
            yield Input(placeholder="the login shell", id="command")
            yield Label("", id="hint", markup=False)

    def on_mount(self) -> None:
        self._show_program()
        self._hint()
        self.query_one(Input).focus()

    def _suggestion(self) -> str:
        taken = {s.name for s in self._listing.sessions}
        names = ("work", *(f"work-{n}" for n in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)

    def _show_program(self) -> None:
        parts = []
        for program in self._listing.programs:
            chosen = program is self.program
            mark = "●" if chosen else "○"
            text = Content.styled(
                f"{mark} {program.value}",
                "bold $footer-key-foreground" if chosen else "$foreground-muted",
            )
            parts.append(text)
        more = "   Ctrl-t changes it" if len(parts) > 1 else ""
        line = Content.assemble(Content("   ").join(parts), (more, "$foreground-muted"))
        self.query_one("#program", Static).update(line)

    def action_other_program(self) -> None:
        programs = self._listing.programs
        self.program = programs[(programs.index(self.program) + 1) % len(programs)]
        self._show_program()
        self._hint()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._hint()

    def _hint(self) -> None:
        problem = self.problem(self._text("name"))
        self.query_one("#hint", Label).update(
            problem or "Enter makes and attaches it   Esc cancels"
        )

    def _text(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()

    def problem(self, name: str) -> str:
        """Why the name cannot be used, or nothing."""
        return name_problem(self.program, name, self._listing)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        name = self._text("name")
        if not self.problem(name):
            self.dismiss(Wanted(self.program, name, self._text("folder"), self._text("command")))


class Rename(Dialog[str | None]):
    """Another name for a session."""

    def __init__(self, instance: Instance, session: Session, listing: SessionList) -> None:
        super().__init__()
        self._instance, self._session, self._listing = instance, session, listing

    def compose(self) -> ComposeResult:
        what = f"{self._session.program} session {self._session.name}"
        with Vertical(id="box"):
            yield Label(f"Rename the {what} on {self._instance.label}", id="title", markup=False)
            yield Input(self._session.name)
            yield Label("", id="hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def problem(self, name: str) -> str:
        if name == self._session.name:
            return ""
        return name_problem(self._session.program, name, self._listing)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        problem = self.problem(event.value.strip())
        self.query_one("#hint", Label).update(problem or "Enter renames it   Esc cancels")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        if not self.problem(name):
            self.dismiss(name if name != self._session.name else None)


class Destroy(Ask):
    """A question whose yes cannot have the focus: Enter never agrees, only its key or a click."""

    def on_mount(self) -> None:
        self.query_one("#agree").can_focus = False
        super().on_mount()


def kill_question(instance: Instance, session: Session) -> Destroy:
    """Whether the session is to be ended, by name and host."""
    runs = f"What runs in it ends with it: {session.command}." if session.command else ""
    there = session.attached
    clients = "" if not there else "Someone is attached to it now.\n"
    if there > 1:
        clients = f"{there} clients are attached to it now.\n"
    body = Content.assemble(
        ("session  ", "$foreground-muted"),
        (f"{session.name}  {session.program.value} {session.id}\n", "bold"),
        ("host     ", "$foreground-muted"),
        (f"{instance.label}\n\n", "bold"),
        clients,
        runs or "What runs in it ends with it.",
    )
    name = f"{session.name} on {instance.spoken}"
    return Destroy(f"Kill the session {name}?", body, "Kill it", "k")


def wipe_question(instance: Instance, dead: Sequence[Session]) -> Destroy:
    """Whether the sockets of dead screens are to be removed."""
    names = "\n".join(session.id for session in dead)
    body = f"{names}\n\nTheir processes are gone; what is removed is what they left behind."
    return Destroy(
        f"Remove {plural(len(dead), 'dead socket')} on {instance.label}?", body, "Remove", "k"
    )


class Windows(Dialog[Pane | None]):
    """The windows and panes of a session; Enter attaches at the one under the cursor."""

    BINDINGS = [
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
        Binding("q", "cancel", show=False),
    ]

    def __init__(self, instance: Instance, session: Session, panes: Sequence[Pane]) -> None:
        super().__init__()
        self._instance, self._session, self._panes = instance, session, tuple(panes)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            where = f"{self._session.name} on {self._instance.label}"
            yield Label(f"Windows of {where}", id="title", markup=False)
            yield OptionList(*(Option(self._line(p), id=p.id) for p in self._panes))
            yield Label("Enter attaches there; whoever is attached sees it too   Esc", id="hint")

    def on_mount(self) -> None:
        active = next((n for n, pane in enumerate(self._panes) if pane.active), 0)
        self.query_one(OptionList).highlighted = active
        self.query_one(OptionList).focus()

    def _line(self, pane: Pane) -> Content:
        first = all(p.index >= pane.index for p in self._panes if p.window == pane.window)
        window = f"{pane.window:>2} {pane.window_name}" if first else ""
        if not pane.columns:
            return Content.assemble(("● " if pane.active else "  ", "$state-running"), window)
        size = f"{pane.columns}×{pane.rows}"
        return Content.assemble(
            ("● " if pane.active else "  ", "$state-running"),
            f"{window:<24.24} {pane.index}  {pane.command:<18.18} ",
            (size, "$foreground-muted"),
        )

    def action_move(self, rows: int) -> None:
        options = self.query_one(OptionList)
        if rows > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._panes[event.option_index])


def name_problem(program: Program, name: str, listing: SessionList) -> str:
    """Why a session cannot have the name, or nothing."""
    if not name:
        return "It needs a name."
    if any(s.name == name and s.program is program and not s.dead for s in listing.sessions):
        return f"There is a {program.value} session {name} already."
    try:
        check_name(program, name)
    except UsageError as error:
        return error.title
    return ""
