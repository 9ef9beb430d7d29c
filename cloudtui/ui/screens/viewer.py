"""A long text to read: a machine's console output, or its user data."""

from __future__ import annotations

from collections.abc import Sequence

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.words import plural, stamp
from cloudtui.ui.actions import Where
from cloudtui.ui.screens.area import Scrolled, bindings
from cloudtui.ui.screens.searched_text import Finding
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer


class ViewerScreen(Finding, Scrolled):
    """Lines to scroll and search. The text lives on this screen only."""

    WHERE = Where.VIEWER
    BINDINGS = bindings(Where.VIEWER)
    AUTO_FOCUS = "VerticalScroll"
    CSS = """
    ViewerScreen #title { padding: 0 1; height: 2; }
    ViewerScreen VerticalScroll { padding: 0 1; scrollbar-size-vertical: 1; }
    ViewerScreen #lines { height: auto; }
    ViewerScreen Input { height: 1; border: none; padding: 0 1; background: $panel; dock: bottom; }
    ViewerScreen Input:focus { border: none; background-tint: transparent; }
    """
    TITLE_WORDS = ""
    NOTHING = ""
    AT_END = False

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._lines: tuple[str, ...] = ()
        self._about = ""
        self._hits: list[int] = []
        self._hit = -1

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield Face(id="face")
        with VerticalScroll():
            yield Static(id="lines")
        yield Input(placeholder="find", id="find")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self.query_one(VerticalScroll).display = False
        self.query_one(Face).work(f"Asking EC2 for the {self.TITLE_WORDS} …")
        self._title()
        self._load()

    @property
    def instance(self) -> Instance:
        return self._instance

    async def read(self) -> tuple[Sequence[str], str]:
        """The lines, and a word about them for the title."""
        raise NotImplementedError

    @work(exclusive=True, group="read")
    async def _load(self) -> None:
        face, scroll = self.query_one(Face), self.query_one(VerticalScroll)
        try:
            lines, self._about = await self.read()
        except CloudtuiError as error:
            scroll.display, face.display = False, True
            face.fail(error, [("Ctrl-r", "try again now"), ("Esc", "go back")])
            return
        self._lines = tuple(lines)
        face.display, scroll.display = not self._lines, bool(self._lines)
        if not self._lines:
            face.say(self.NOTHING, self._about, [("Ctrl-r", "ask again now"), ("Esc", "go back")])
        self.find(self.query_one(Input).value, move=False)
        self._title()
        if self.AT_END:
            self.call_after_refresh(scroll.scroll_end, animate=False)
        if self.focused is None:
            scroll.focus()

    def _title(self) -> None:
        count = plural(len(self._lines), "line") if self._lines else ""
        found = f"{self._hit + 1} of {len(self._hits)} found" if self._hits else ""
        more = "   ".join(part for part in (self._about, count, found) if part)
        words = f"{self.TITLE_WORDS.capitalize()} of {self._instance.label}"
        title = Content.assemble((words, "bold"), (f"   {more}", "$foreground-muted"))
        self.query_one("#title", Static).update(title)

    def _paint(self) -> None:
        words = self.query_one(Input).value.casefold()
        current = self._hits[self._hit] if self._hits else -1
        lines = []
        for number, line in enumerate(self._lines):
            shown = Content(line)
            if words and words in line.casefold():
                at = line.casefold().find(words)
                style = "reverse" if number == current else "$accent underline"
                shown = shown.stylize(style, at, at + len(words))
            lines.append(shown)
        self.query_one("#lines", Static).update(Content("\n").join(lines))

    def find(self, words: str, *, move: bool = True) -> None:
        words = words.casefold()
        self._hits = [n for n, line in enumerate(self._lines) if words and words in line.casefold()]
        self._hit = len(self._hits) - 1 if self.AT_END else 0
        self._paint()
        self._title()
        if move:
            self._go()

    def _go(self) -> None:
        if self._hits:
            scroll = self.query_one(VerticalScroll)
            line = self._hits[self._hit]
            self.call_after_refresh(
                scroll.scroll_to, y=max(0, line - scroll.size.height // 2), animate=False
            )

    @property
    def hits(self) -> Sequence[object]:
        return self._hits

    def step(self, by: int) -> bool:
        if not self._hits:
            return False
        self._hit = (self._hit + by) % len(self._hits)
        self._paint()
        self._title()
        self._go()
        return True

    def copy(self) -> None:
        """Put the whole text on the clipboard."""
        self.app.copy_to_clipboard("\n".join(self._lines))
        self.cloudtui.say(f"Copied {plural(len(self._lines), 'line')}")

    def refresh_now(self) -> None:
        self._load()


class ConsoleOutputScreen(ViewerScreen):
    """The serial console's last 64 KiB, the newest line in sight."""

    TITLE_WORDS = "console output"
    NOTHING = "EC2 has no console output of this machine yet."
    AT_END = True

    async def read(self) -> tuple[Sequence[str], str]:
        output = await self.workbench.details.console_output(self._instance)
        when = f"as of {stamp(output.when)}" if output.when else ""
        how = "" if output.latest else "EC2's own copy, minutes old"
        return output.lines, "   ".join(part for part in (when, how) if part)


class UserDataScreen(ViewerScreen):
    """User data, read again each time it is opened."""

    TITLE_WORDS = "user data"
    NOTHING = "There is no text to show."

    async def read(self) -> tuple[Sequence[str], str]:
        data = await self.workbench.details.user_data(self._instance)
        if not data.size:
            return (), "The machine was launched without user data."
        size = f"{data.size:,} bytes{', gzipped' if data.packed else ''}"
        if data.binary:
            return (), f"The user data is binary ({size})."
        return data.text.split("\n"), f"{size}   may hold secrets"
