"""Questions: yes or no, a text, a choice. Cancel has the focus; Enter alone never agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from cloudtui.model.remote import HostKey

Answer = TypeVar("Answer")


BOX_ROWS = 0.9
"""Of the screen's rows the most that a dialog takes; as in the style sheet."""
KEYS_ROWS = 1
"""The line of keys below."""


class Body(VerticalScroll):
    """What a dialog says. It scrolls when the screen is too low, so that the question above it
    and the answers below stay in sight."""

    ALLOW_MAXIMIZE = False

    def __init__(self, *children: Widget) -> None:
        super().__init__(*children, classes="body", can_focus=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._tell()

    @on(events.Resize)
    def _tell(self) -> None:
        if isinstance(self.screen, Dialog):
            self.screen.call_after_refresh(self.screen.show_keys)

    def watch_virtual_size(self) -> None:
        self._tell()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        wanted = super().get_content_height(container, viewport, width)
        box = self.parent
        assert isinstance(box, Widget)
        room = (
            int((viewport.height - KEYS_ROWS) * BOX_ROWS)
            - box.gutter.height
            - self.styles.margin.height
        )
        for other in box.children:
            if other is not self and other.display:
                fixed = other.styles.height
                if fixed is not None and fixed.cells is not None:
                    room -= fixed.cells
                else:
                    room -= other.get_content_height(container, viewport, width)
                    room -= other.gutter.height
                room -= other.styles.margin.height
        return max(1, min(wanted, room))


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """A box in the middle; Esc cancels. Its own keys stand where the footer of the page is."""

    BINDINGS = [
        Binding("escape", "cancel", "cancel", show=False),
        Binding("ctrl+q", "leave", show=False, priority=True),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
    ]
    CSS_PATH = "dialogs.tcss"
    KEYS: ClassVar[str] = "Esc cancel"

    _answered = False
    _later: Answer | None = None

    @on(events.Mount)
    def _show_keys(self) -> None:
        self.mount(Static(self.KEYS, id="keys", markup=False))

    def show_keys(self) -> None:
        """The line of keys; it says so when there is more below what is seen."""
        told = self.KEYS.split("   ")
        if any(body.scroll_offset.y < body.max_scroll_y for body in self.query(Body)):
            told.insert(0, "↓ more below")
        while len(told) > 2 and cell_len("   ".join(told)) + 2 > self.size.width:
            del told[-2]  # how to leave stays
        for keys in self.query("#keys").results(Static):
            keys.update("   ".join(told))

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_leave(self) -> None:
        """Leave the console: a question that is not answered is a no."""
        self.app.leave()  # type: ignore[attr-defined]

    def action_scroll(self, rows: int) -> None:
        for body in self.query(Body):
            body.scroll_relative(y=rows, animate=False)

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Answer once: a second answer, as of a key pressed twice, would close what is below.

        Under another screen it waits until it is on top again.
        """
        if self._answered or not self.is_attached:
            return AwaitComplete()
        self._answered = True
        if self.app.screen is self:
            return super().dismiss(result)
        self._later = result
        return AwaitComplete()

    @on(events.ScreenResume)
    def _on_top_again(self) -> None:
        if self._answered:
            super().dismiss(self._later)


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
            with Body():
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
        (f"\n\n{key.note}" if key.note else "", "$warning"),
    )
    return Ask(f"First contact with {key.name or key.host}", body, "Trust this key", "y")


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
    """One of several; the answer is the option's key.

    Its keys act at once, so that what is typed after Enter goes where the answer leads.
    """

    BINDINGS = [
        Binding("j,down", "list('cursor_down')", show=False, priority=True),
        Binding("k,up", "list('cursor_up')", show=False, priority=True),
        Binding("home,g", "list('first')", show=False, priority=True),
        Binding("end,G", "list('last')", show=False, priority=True),
        Binding("pageup", "list('page_up')", show=False, priority=True),
        Binding("pagedown", "list('page_down')", show=False, priority=True),
        Binding("enter", "choose", show=False, priority=True),
        Binding("escape,q", "cancel", show=False, priority=True),
    ]
    KEYS = "Enter choose   Esc cancel"

    def __init__(self, title: str, options: Mapping[str, str]) -> None:
        super().__init__()
        self._title, self._options = title, dict(options)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            yield OptionList(
                *(Option(Content(text), id=key) for key, text in self._options.items())
            )

    def action_list(self, move: str) -> None:
        getattr(self.query_one(OptionList), f"action_{move}")()

    def action_choose(self) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self.dismiss(options.get_option_at_index(options.highlighted).id)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)
