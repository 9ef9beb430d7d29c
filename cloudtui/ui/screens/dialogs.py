"""Questions: yes or no, a text, a choice. Cancel has the focus; Enter alone never agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from cloudtui.model.instance import Instance
from cloudtui.model.remote import HostKey
from cloudtui.model.session import Program, SessionList

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """A box in the middle; Esc cancels."""

    BINDINGS = [Binding("escape", "cancel", "cancel", show=False)]
    CSS_PATH = "dialogs.tcss"

    def action_cancel(self) -> None:
        self.dismiss(None)


class Ask(Dialog[bool]):
    """A yes-or-no question. Cancel has the focus; `key` agrees."""

    BINDINGS = [
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, body: str | Content, agree: str, key: str = "y") -> None:
        super().__init__()
        self._title, self._body, self._agree, self._key = title, body, agree, key

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            with VerticalScroll(classes="body", can_focus=False):
                yield Static(self._body, markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel  Esc", id="cancel")
                yield Button(f"{self._agree}  {self._key}", id="agree")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    def on_key(self, event: events.Key) -> None:
        if event.key == self._key:
            event.stop()
            self.dismiss(True)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(False)

    @on(Button.Pressed, "#agree")
    def _agreed(self) -> None:
        self.dismiss(True)


def first_contact(key: HostKey) -> Ask:
    """The question about the key of a host that is not known yet."""
    port = f" port {key.port}" if key.port != 22 else ""
    body = Content.assemble(
        ("host         ", "$foreground-muted"),
        f"{key.host}{port}\n",
        ("algorithm    ", "$foreground-muted"),
        f"{key.algorithm}\n",
        ("fingerprint  ", "$foreground-muted"),
        (key.fingerprint, "bold"),
        "\n\n",
        (
            "Its key is not on record. Compare the fingerprint with the one in the instance's "
            "system log (EC2 console: Actions, Monitor, Get system log). Trusting it adds a line "
            "to known_hosts; a different key is refused from then on.",
            "$foreground-muted",
        ),
    )
    return Ask(f"First contact with {key.host}", body, "Trust this key", "y")


class Answers(Dialog[list[str] | None]):
    """One or more texts; a field that is not echoed is hidden. Enter in the last one sends all."""

    def __init__(self, title: str, fields: Sequence[tuple[str, bool]], note: str = "") -> None:
        super().__init__()
        self._title, self._fields, self._note = title, tuple(fields), note

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            if self._note:
                yield Static(self._note, classes="body", markup=False)
            for text, echo in self._fields:
                if text.strip():
                    yield Label(text.strip(), classes="label", markup=False)
                yield Input(password=not echo)
            yield Label("Enter sends   Esc cancels", id="hint")

    def on_mount(self) -> None:
        fields = self.query(Input)
        if fields:
            fields.first().focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        fields = list(self.query(Input))
        place = fields.index(event.input)
        if place + 1 < len(fields):
            fields[place + 1].focus()
        else:
            self.dismiss([field.value for field in fields])


class Choose(Dialog[str | None]):
    """One of several; the answer is the option's key."""

    BINDINGS = [
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
        Binding("q", "cancel", show=False),
    ]

    def __init__(self, title: str, options: Mapping[str, str]) -> None:
        super().__init__()
        self._title, self._options = title, dict(options)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            yield OptionList(
                *(Option(Content(text), id=key) for key, text in self._options.items())
            )

    def action_move(self, rows: int) -> None:
        options = self.query_one(OptionList)
        if rows > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)


class NewSession(Dialog[tuple[Program, str] | None]):
    """Program and name of a new session; the name is checked against those in use."""

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
            yield Input(self._suggestion())
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
        problem = self.problem(self.query_one(Input).value.strip())
        self.query_one("#hint", Label).update(
            problem or "Enter makes and attaches it   Esc cancels"
        )

    def problem(self, name: str) -> str:
        """Why the name cannot be used, or nothing."""
        if not name:
            return "It needs a name."
        if self.program is Program.TMUX and any(c in name for c in ".:"):
            return "A tmux name has no . and no : in it."
        if any(s.name == name and s.program is self.program for s in self._listing.sessions):
            return f"There is a {self.program.value} session {name} already."
        return ""

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        if not self.problem(name):
            self.dismiss((self.program, name))
