"""The header and the footer that every area has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from cloudtui.core.events import InventoryState
from cloudtui.model.instance import State
from cloudtui.model.words import since
from cloudtui.ui.actions import Where

if TYPE_CHECKING:
    from cloudtui.core.workbench import Workbench


TITLES = {
    Where.JUPYTER: "Jupyter",
    Where.FILES: "Files",
    Where.COPIES: "Copies",
    Where.MONITOR: "Monitor",
    Where.GROUPS: "Security groups",
    Where.ADDRESSES: "Elastic IPs",
    Where.KEYS: "Key pairs",
}
"""Screens without a place of their own in the line of areas."""

LIT = "bold $foreground"
"""The area that is open."""


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
        right = self._age()
        left = self._left(width - right.cell_length - 2)
        gap = " " * max(2, width - left.cell_length - right.cell_length)
        return Content.assemble(left, gap, right, "\n", self._areas())

    def _left(self, room: int) -> Content:
        state = self.state
        parts: list[Content] = [Content.styled("cloudtui", "bold $accent")]
        bench: Workbench = self.app.workbench  # type: ignore[attr-defined]
        if bench.read_only:
            parts.append(Content.styled("read-only", "bold $warning"))
        if who := self._who():
            parts.append(who)
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
            if cost := self._cost():
                parts.append(Content(cost))
        joined = Content("   ").join(parts)
        while joined.cell_length > room and len(parts) > 2:
            parts.pop()
            joined = Content("   ").join(parts)
        return joined

    def _cost(self) -> str:
        """`$7.32/h`, what is not known counted; empty when nothing costs."""
        bench: Workbench = self.app.workbench  # type: ignore[attr-defined]
        return bench.prices.bill(self.state.instances).words

    def _who(self) -> Content | None:
        """`nlp-lab@123456789012 +1`; in a warning colour when it is one to be careful with."""
        state = self.state
        if state.identity is None:
            words = " ".join(filter(None, state.profiles))
        else:
            root = " root user" if state.identity.root else ""
            more = f" +{len(state.profiles) - 1}" if len(state.profiles) > 1 else ""
            words = f"{state.identity.user}@{state.identity.account}{root}{more}"
        if not words:
            return None
        patterns = self.app.settings.warn_profiles  # type: ignore[attr-defined]
        names = [profile or "default" for profile in state.profiles]
        if any(fnmatchcase(name, pattern) for name in names for pattern in patterns):
            return Content.styled(f" {words} ", "bold $background on $warning")
        risky = any(identity.root for identity in state.identities.values())
        return Content.styled(words, "bold $warning" if risky else "")

    def _age(self) -> Content:
        state, now = self.state, datetime.now(UTC)
        age = f"{since(state.updated, now)} ago" if state.updated else ""
        old = f"rows from {since(state.old_since, now)} ago" if state.old_since else ""
        if state.slowed and state.next_look:
            left = since(now, max(now, state.next_look))
            return Content.styled(f"AWS asks to slow down, next look in {left}", "$warning")
        if state.errors:
            failed = {place.region for place, _ in state.errors} & set(state.regions)
            some = len(failed) < len(state.regions) and failed
            what = f"{len(failed)} of {len(state.regions)} regions failed" if some else "failed"
            return Content.styled(f"{what}; {old}" if old and not some else what, "$error")
        if state.loading and not state.updated:
            return Content.styled(f"listing; {old}" if old else "listing", "$foreground-muted")
        return Content.styled(f"updated {age}" if age else old, "$foreground-muted")

    def _areas(self) -> Content:
        entries = [
            ("go.machines", "1 Machines", Where.MACHINES),
            ("go.sessions", "2 Sessions", self._list_of_sessions()),
            ("go.tunnels", "3 Tunnels", Where.TUNNELS),
            ("go.runs", "4 Runs", Where.RUNS),
            ("go.hosts", "5 Hosts", Where.HOSTS),
            ("go.notebooks", "7 Notebooks", Where.NOTEBOOKS),
        ]
        parts = [
            _click(action, self._named(words, where), self._lit(where))
            for action, words, where in entries
        ]
        numbers = [
            part if self._lit(where) == LIT else _click(action, words[:1], self._lit(where))
            for part, (action, words, where) in zip(parts, entries, strict=True)
        ]
        title = TITLES.get(self._where, "")
        end = [Content.styled(self._named(title, self._where), "bold")] if title else []
        for gap in ("   ", "  ", " "):
            line = Content(gap).join([*parts, *end])
            if line.cell_length <= self.content_size.width:
                return line
        return Content("   ").join([*numbers, *end])

    def _list_of_sessions(self) -> Where:
        return Where.SESSIONS if self._where is Where.SESSIONS else Where.ALL_SESSIONS

    def _named(self, words: str, where: Where) -> str:
        return f"{words}  {self.machine}" if where is self._where and self.machine else words

    def _lit(self, where: Where) -> str:
        return LIT if where is self._where else "$foreground-muted"


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
