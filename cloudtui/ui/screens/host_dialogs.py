"""An entry of the ssh config as a form, and a change of the config to be looked at and saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Label, Static

from cloudtui.core.hosts import Planned
from cloudtui.files.paths import short
from cloudtui.model.host_drift import HostRow, alias_problem
from cloudtui.model.host_entry import why_not_value
from cloudtui.ui.screens.dialogs import Ask, Body, Dialog

FIELDS = {
    "HostName": "address",
    "User": "user",
    "Port": "port, 22 when empty",
    "IdentityFile": "private key",
    "ProxyJump": "jump host: [user@]host[:port] or another entry",
}
"""The keywords of the form, in its order, and how they are called."""

DIFF_STYLES = {"+": "$state-running", "-": "$error", "@": "$foreground-muted"}


class HostForm(Dialog[dict[str, str] | None]):
    """The answer is `alias` and the keywords of `FIELDS`, empty where the keyword has no value."""

    BINDINGS = [Binding("ctrl+s", "agree", show=False, priority=True)]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]

    def __init__(
        self, title: str, values: Mapping[str, str], *, alias: str = "", note: str = ""
    ) -> None:
        """With an `alias` the name can be changed too."""
        super().__init__()
        self._title, self._values, self._alias, self._note = title, values, alias, note

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            with Body():
                if self._note:
                    yield Static(self._note, id="note", classes="body", markup=False)
                if self._alias:
                    yield Label("name, as in ssh NAME", classes="label")
                    yield Input(self._alias, id="alias", select_on_focus=False)
                for keyword, words in FIELDS.items():
                    yield Label(words, classes="label")
                    yield Input(self._values.get(keyword, ""), id=keyword, select_on_focus=False)
            yield Label("", id="hint", markup=False)

    def on_mount(self) -> None:
        self.query(Input).first().focus()
        self._hint()

    @property
    def answer(self) -> dict[str, str]:
        found = {field.id or "": field.value.strip() for field in self.query(Input)}
        return {"alias": self._alias} | found

    @property
    def problem(self) -> str:
        answer = self.answer
        if self._alias and (why := alias_problem(answer["alias"])):
            return why
        port = answer["Port"]
        if port and not (port.isdecimal() and 1 <= int(port) <= 65_535):
            return "A port is a number from 1 to 65535."
        wrong = (why_not_value(k, answer[k]) for k in FIELDS if answer[k])
        return next(filter(None, wrong), "")

    @on(Input.Changed)
    def _hint(self) -> None:
        words = "Tab next field   Enter shows the change   Esc cancels"
        self.query_one("#hint", Label).update(self.problem or words)

    @on(Input.Submitted)
    def action_agree(self) -> None:
        if not self.problem:
            self.dismiss(self.answer)


class SaveChange(Ask):
    """The lines that change, then yes or no. Cancel has the focus; Enter never agrees."""

    BINDINGS = [
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
    ]

    def __init__(self, planned: Planned, why: str = "", *, agree: str = "Save") -> None:
        parts = [Content.styled(why, "$warning"), Content("")] if why else []
        super().__init__(
            planned.change.title, Content("\n").join([*parts, diff(planned.change.diff)]), agree
        )

    def action_scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def diff(text: str) -> Content:
    """A unified diff in colours; each file by its name alone."""
    lines: list[Content] = []
    for line in text.splitlines():
        if line.startswith("--- "):
            continue
        if line.startswith("+++ "):
            name = line[4:].partition("\t")[0]
            lines.append(Content.styled(short(Path(name)), "bold"))
        else:
            lines.append(Content.styled(line, DIFF_STYLES.get(line[:1], "")))
    return Content("\n").join(lines)


def described(row: HostRow) -> Content:
    """What an entry says and what is wrong with it."""
    entry = row.entry
    lines = [Content.styled(f"{short(entry.file)} line {entry.line}", "$foreground-muted")]
    lines += [Content(f"Host {entry.alias}")]
    lines += [Content(f"    {name} {value}") for name, value in entry.values]
    if entry.also:
        lines.append(Content.styled(f"also {', '.join(entry.also)}", "$foreground-muted"))
    if row.instance:
        where = row.instance.address or "no address"
        words = f"{row.instance.label}, {row.instance.state.value}, at {where}"
        lines += [Content(""), Content.assemble(("machine  ", "$foreground-muted"), words)]
    for drift in row.drifts:
        lines += [Content(""), Content.styled(f"! {drift.words}", "$warning")]
    return Content("\n").join(lines)
