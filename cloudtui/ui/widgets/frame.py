"""The header and the footer that every area has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from cloudtui.core.events import InventoryState
from cloudtui.model.instance import State
from cloudtui.model.words import since
from cloudtui.ui.actions import Where


class Header(Widget):
    """Whose account, which regions, how many run, and how old that is; then the areas."""

    ALLOW_SELECT = True
    DEFAULT_CSS = """
    Header { height: 2; dock: top; background: $background; padding: 0 1; }
    """

    state: reactive[InventoryState] = reactive(InventoryState, layout=False)
    machine: reactive[str] = reactive("")
    """The machine that the screen is about; empty on the screen of all machines."""

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.set_reactive(Header.auto_links, False)
        self._where = where

    def on_mount(self) -> None:
        self.set_interval(1, self.refresh)

    def render(self) -> Content:
        width = self.content_size.width
        left, right = self._left(width), self._age()
        gap = " " * max(2, width - left.cell_length - right.cell_length)
        return Content.assemble(left, gap, right, "\n", self._areas())

    def _left(self, width: int) -> Content:
        state = self.state
        parts: list[Content] = [Content.styled("cloudtui", "bold $accent")]
        if state.identity:
            who = f"{state.identity.user}@{state.identity.account}"
            parts.append(Content.styled(who, "$warning" if state.identity.root else ""))
        elif any(state.profiles):
            parts.append(Content(" ".join(filter(None, state.profiles))))
        if state.regions:
            more = f" +{len(state.regions) - 1}" if len(state.regions) > 1 else ""
            parts.append(Content.styled(state.regions[0] + more, "$foreground-muted"))
        if state.instances:
            running = sum(i.state is State.RUNNING for i in state.instances)
            parts.append(
                Content.styled(
                    f"{running} running", "$state-running" if running else "$state-stopped"
                )
            )
        joined = Content("   ").join(parts)
        return joined if joined.cell_length <= width - 22 else Content("  ").join(parts[:3])

    def _age(self) -> Content:
        state = self.state
        age = f"{since(state.updated, datetime.now(UTC))} ago" if state.updated else ""
        if state.errors:
            return Content.styled(f"failed; rows from {age}" if age else "failed", "$error")
        if state.loading and not state.updated:
            return Content.styled("listing", "$foreground-muted")
        return Content.styled(f"updated {age}" if age else "", "$foreground-muted")

    def _areas(self) -> Content:
        entries = [
            ("go.machines", "1 Machines", Where.MACHINES),
            ("go.sessions", "2 Sessions", self._list_of_sessions()),
        ]
        parts = [
            _click(action, self._named(words, where), self._lit(where))
            for action, words, where in entries
        ]
        if self._where is Where.JUPYTER:
            parts.append(Content.styled(self._named("Jupyter", self._where), "bold"))
        return Content("   ").join(parts)

    def _list_of_sessions(self) -> Where:
        return Where.SESSIONS if self._where is Where.SESSIONS else Where.ALL_SESSIONS

    def _named(self, words: str, where: Where) -> str:
        return f"{words}  {self.machine}" if where is self._where and self.machine else words

    def _lit(self, where: Where) -> str:
        return "bold $foreground" if where is self._where else "$foreground-muted"


@dataclass(frozen=True, slots=True)
class FooterKey:
    """One entry of the footer; `greyed` when the action cannot be done now."""

    action: str
    key: str
    words: str
    greyed: bool = False


class Footer(Widget):
    """The keys that matter here; those that do not fit are left to the help.

    The last two, how to leave and the help, are always there.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Footer { height: 1; dock: bottom; background: $background; padding: 0 1; }
    """

    def __init__(self, keys: Callable[[], Sequence[FooterKey]]) -> None:
        super().__init__()
        self.set_reactive(Footer.auto_links, False)
        self._keys = keys

    def render(self) -> Content:
        keys = list(self._keys())
        others, kept = keys[:-2], keys[-2:]
        room = self.content_size.width - sum(_width(entry) + 3 for entry in kept) + 3
        shown: list[FooterKey] = []
        for entry in others:
            if _width(entry) + 3 > room:
                break
            room -= _width(entry) + 3
            shown.append(entry)
        return Content("   ").join([_entry(entry) for entry in (*shown, *kept)])


def _width(entry: FooterKey) -> int:
    return cell_len(entry.key) + 1 + cell_len(entry.words)


def _entry(entry: FooterKey) -> Content:
    key, words = (
        ("$foreground-muted 60%", "$foreground-muted 60%")
        if entry.greyed
        else ("bold $footer-key-foreground", "$foreground-muted")
    )
    text = Content.assemble((entry.key, key), " ", (entry.words, words))
    return text.stylize(Style.from_meta({"@click": f"screen.do('{entry.action}')"}))


def _click(action: str, words: str, style: str) -> Content:
    text = Content.styled(words, style)
    return text.stylize(Style.from_meta({"@click": f"screen.do('{action}')"}))
