"""The tags of one or several machines as rows: edit, add, remove, look at the change, save."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from cloudtui.model.instance import Instance
from cloudtui.model.tags import (
    MOST,
    TagChange,
    diff,
    key_problem,
    reserved,
    shared,
    too_many,
    value_problem,
)
from cloudtui.model.words import plural
from cloudtui.ui.screens.dialogs import Ask, Dialog

KEY_WIDTH = 22
SIGN_STYLES = {"+": "$state-running", "~": "$warning", "-": "$error"}


def signed(lines: Sequence[tuple[str, str]]) -> Content:
    """A change as lines with a coloured sign."""
    return Content("\n").join(
        Content.assemble((f"{sign} ", f"bold {SIGN_STYLES[sign]}"), words) for sign, words in lines
    )


class EditTag(Dialog[tuple[str, str] | None]):
    """Key and value of one tag; checked while typed."""

    def __init__(self, key: str = "", value: str = "", *, taken: Sequence[str] = ()) -> None:
        super().__init__()
        self._key, self._value, self._taken = key, value, frozenset(taken)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            title = f"The tag {self._key}" if self._key else "A new tag"
            yield Label(title, id="title", markup=False)
            if not self._key:
                yield Label("key", classes="label")
                yield Input(id="key")
            yield Label("value", classes="label")
            yield Input(self._value, id="value", select_on_focus=False)
            yield Label("", id="hint", markup=False)

    def on_mount(self) -> None:
        self.query(Input).first().focus()
        self._hint()

    def _answer(self) -> tuple[str, str]:
        key = self._key or self.query_one("#key", Input).value.strip()
        return key, self.query_one("#value", Input).value

    @property
    def problem(self) -> str:
        key, value = self._answer()
        if key in self._taken:
            return f"There is a tag {key} already: change that one."
        return ("" if self._key else key_problem(key)) or value_problem(value)

    @on(Input.Changed)
    def _hint(self) -> None:
        self.query_one("#hint", Label).update(self.problem or "Enter takes it   Esc cancels")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "key":
            self.query_one("#value", Input).focus()
        elif not self.problem:
            self.dismiss(self._answer())


class TagsDialog(Dialog[TagChange | None]):
    """Rows with what will become of them; the answer is the change that was agreed to."""

    BINDINGS = [
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
        Binding("a", "add", show=False),
        Binding("x,delete", "remove", show=False),
        Binding("u", "undo", show=False),
        Binding("s,ctrl+s", "save", show=False),
    ]
    CSS = "TagsDialog #rows { min-height: 3; margin-bottom: 1; }"

    def __init__(self, machines: Sequence[Instance]) -> None:
        super().__init__()
        self._machines = tuple(machines)
        self._put: dict[str, str] = {}
        self._removed: set[str] = set()

    def compose(self) -> ComposeResult:
        one = len(self._machines) == 1
        whose = self._machines[0].label if one else plural(len(self._machines), "machine")
        with Vertical(id="box"):
            yield Label(f"Tags of {whose}", id="title", markup=False)
            yield OptionList(id="rows")
            yield Label("", id="hint", markup=False)

    def on_mount(self) -> None:
        self._paint()
        self.query_one(OptionList).focus()

    @property
    def change(self) -> TagChange:
        """What was edited so far, less what is so already."""
        known = {t.key: t for t in shared(self._machines)}
        everyone = len(self._machines)
        put = {
            key: value
            for key, value in self._put.items()
            if key not in known or known[key].value != value or known[key].count < everyone
        }
        return TagChange(put, frozenset(self._removed))

    @property
    def _keys(self) -> list[str]:
        known = [tag.key for tag in shared(self._machines)]
        return [*known, *(key for key in self._put if key not in known)]

    def _paint(self, select: str = "") -> None:
        rows = self.query_one(OptionList)
        at, keys = rows.highlighted or 0, self._keys
        rows.clear_options()
        rows.add_options([Option(self._line(key)) for key in keys])
        if keys:
            rows.highlighted = keys.index(select) if select in keys else min(at, len(keys) - 1)
        change = self.change
        counted = f"{len(diff(self._machines, change))} changed   s saves   " if change else ""
        words = "Enter edits   a adds   x removes   u undoes   Esc leaves"
        none = "" if keys else "No tag yet.   "
        self.query_one("#hint", Label).update(f"{none}{counted}{words}")

    def _line(self, key: str) -> Content:
        tag = next((t for t in shared(self._machines) if t.key == key), None)
        change = self.change
        sign = "-" if key in change.removed else ""
        if key in change.put:
            sign = "~" if tag else "+"
        if key in self._put:
            value = Content(self._put[key])
        elif tag is None or tag.value is None:
            value = Content.styled(f"{len(tag.values) if tag else 0} values", "$foreground-muted")
        else:
            value = Content(tag.value)
        style = "$foreground-muted strike" if sign == "-" else ""
        partly = tag is not None and tag.count < len(self._machines) and key not in self._put
        return Content.assemble(
            (f"{sign or ' '} ", f"bold {SIGN_STYLES.get(sign, '')}".strip()),
            (f"{key:<{KEY_WIDTH}} ", "$foreground-muted"),
            value.stylize(style) if style else value,
            (f"  on {tag.count} of {len(self._machines)}" if tag and partly else "", "$warning"),
            ("  AWS's own" if reserved(key) else "", "$foreground-muted"),
        )

    @property
    def _key(self) -> str:
        at = self.query_one(OptionList).highlighted
        keys = self._keys
        return keys[at] if at is not None and at < len(keys) else ""

    def action_move(self, rows: int) -> None:
        options = self.query_one(OptionList)
        if rows > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(OptionList.OptionSelected)
    @work
    async def _edit(self) -> None:
        key = self._key
        if reserved(key):
            self._say("Tags that begin with aws: are AWS's own and cannot be changed.")
            return
        tag = next((t for t in shared(self._machines) if t.key == key), None)
        value = self._put.get(key, (tag.value if tag else "") or "")
        if answer := await self.app.push_screen_wait(EditTag(key, value)):
            self._removed.discard(key)
            self._put[key] = answer[1]
            self._paint(key)

    @work
    async def action_add(self) -> None:
        taken = [key for key in self._keys if key not in self._removed]
        if answer := await self.app.push_screen_wait(EditTag(taken=taken)):
            key, value = answer
            self._removed.discard(key)
            self._put[key] = value
            self._paint(key)

    def action_remove(self) -> None:
        key = self._key
        if not key:
            return
        if reserved(key):
            self._say("Tags that begin with aws: are AWS's own and cannot be removed.")
            return
        self._put.pop(key, None)
        if any(tag.key == key for tag in shared(self._machines)):
            self._removed.symmetric_difference_update({key})
        self._paint(key)

    def action_undo(self) -> None:
        key = self._key
        self._put.pop(key, None)
        self._removed.discard(key)
        self._paint(key)

    def _say(self, words: str) -> None:
        self.query_one("#hint", Label).update(words)

    @work
    async def action_save(self) -> None:
        change = self.change
        if not change:
            self._say("Nothing is changed yet.   Esc leaves")
            return
        if full := too_many(self._machines, change):
            self._say(f"{full[0].label} would have more than {MOST} tags, which EC2 does not take.")
            return
        count = len(self._machines)
        whose = self._machines[0].label if count == 1 else plural(count, "machine")
        lines = diff(self._machines, change)
        question = Ask(f"Change the tags of {whose}", signed(lines), "Save", "s")
        if await self.app.push_screen_wait(question):
            self.dismiss(change)

    def action_cancel(self) -> None:
        """Esc: leave, after a question when something was edited."""
        self._leave()

    @work
    async def _leave(self) -> None:
        if self.change:
            question = Ask("Leave without saving", signed(diff(self._machines, self.change)),
                           "Throw away", "t")  # fmt: skip
            if not await self.app.push_screen_wait(question):
                return
        self.dismiss(None)
