"""The help of where you are, made from the table of actions."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import HorizontalGroup, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cloudtui.model.filter import WORDS
from cloudtui.ui.actions import ACTIONS, Action, Group, Where, key_words
from cloudtui.ui.actions_leader import leader_keys, leader_rows
from cloudtui.ui.screens.area import Scrolled, bindings
from cloudtui.ui.widgets.frame import Footer
from cloudtui.ui.widgets.key_lines import key_lines

KEYS_WIDTH = 13

_TOLD = ("state", "type", "region", "zone", "name", "id", "ip", "key", "tag", "spot")
FILTER_WORDS = (
    ("bert", "in any visible field, tags included; brt where nothing matches exactly"),
    ("state:running", "begins so; state:run,stop for either"),
    ("-state:stopped", "all but those; ! does the same"),
    ("type:g5*", "instance type; * and ? stand for anything"),
    ("region:eu-*", "region, zone:, name:, id: in the same way"),
    ("ip:10.0.", "public or private address"),
    ("key:team", "name of the key pair"),
    ("tag:team=nlp", "a tag's value; tag:team for any value"),
    ("spot:yes", "only Spot machines; spot:no for the others"),
    ('"two words"', "as they stand, also after a colon"),
    ("and", " ".join(f"{word}:" for word in WORDS if word not in _TOLD)),
)
"""Each word of a filter must hold; without a colon it is looked for everywhere."""

SESSION_WORDS = (
    ("bert", "in the host, name, program, id or what runs"),
    ("host:gpu*", "the machine; name:, program:, id: in the same way"),
    ("runs:python", "the program in the session's pane"),
    ("attached:yes", "someone is attached; attached:no for nobody"),
)

ASKED = (
    ("by itself", "only hosts whose connection is open are asked, every 5 s and with Ctrl-r"),
    (
        "lost",
        "connected to again by itself, where nothing has to be asked for that",
    ),
    ("A", "asks the others too; a host key or a passphrase is asked for one host at a time"),
    ("Esc", "in a question leaves that host out, in the list stops asking"),
)

NESTED = (
    ("first", "cloudtui's leader; every other key goes to the session in the pane"),
    ("Ctrl-b", "so it is the prefix of the session in the pane"),
    ("Ctrl-b twice", "when cloudtui itself runs in a tmux, which takes the first for itself"),
    ("once more", "for each tmux within the attached one; Ctrl-a a in screen"),
)

SCROLLBACK = (
    ("↑ ↓ PgUp PgDn", "move, as j k and Ctrl-b Ctrl-f; g and G go to its ends"),
    ("v, y", "begin to select, copy what is selected"),
    ("/ n N", "search, the next older match, the next newer one"),
    ("Esc", "back to the program, as q"),
)

MOUSE = (
    ("drag", "selects and copies; with Shift where the program has the mouse itself"),
    ("click twice", "a word; three times a line"),
    ("wheel", "the scrollback; in a program that fills the screen it scrolls there"),
    ("Ctrl click", "opens an address; a localhost of the host through a tunnel"),
)

_GENERAL = (Group.MOVE, Group.EVERYWHERE)


class HelpScreen(Scrolled):
    """Actions by group: those of the screen it was opened from first, then all the others."""

    WHERE = Where.HELP
    BINDINGS = bindings(Where.HELP)
    CSS = """
    HelpScreen #title { padding: 0 1; height: 2; text-style: bold; }
    HelpScreen VerticalScroll { padding: 0 1; scrollbar-size-vertical: 1; }
    HelpScreen HorizontalGroup { height: auto; }
    HelpScreen .column { width: 1fr; height: auto; padding-right: 3; }
    HelpScreen.-narrow HorizontalGroup { layout: vertical; }
    """

    def __init__(self, about: Where) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        titles = {Where.LOG: "messages", Where.PANE: "a pane"}
        yield Static(f"Help: {titles.get(self._about, self._about.value)}", id="title")
        with VerticalScroll(), HorizontalGroup():
            yield Static(classes="column", id="left")
            yield Static(classes="column", id="right")
        yield Footer(self.footer_keys)

    def on_resize(self) -> None:
        width = self.size.width - 3 if self.size.width < 100 else self.size.width // 2 - 2
        left, right = self._columns(max(30, width - 3))
        self.query_one("#left", Static).update(left)
        self.query_one("#right", Static).update(right)

    def _columns(self, width: int) -> tuple[Content, Content]:
        here = [a for a in ACTIONS if self._about in a.where and a.group not in _GENERAL]
        keys = self.cloudtui.keys
        in_order = sorted(ACTIONS, key=lambda action: _place_of(keys[action.id]))
        general = [a for a in in_order if a.group in _GENERAL]
        elsewhere = [a for a in ACTIONS if a not in here and a.group not in _GENERAL]
        settings = self.workbench.settings
        pane = (
            "In a pane, after the leader key",
            leader_rows(settings.leader, leader_keys(settings.keys, settings.leader)),
        )
        filters = ("Words of the filter", list(FILTER_WORDS))
        nested = ("A tmux within a tmux", list(NESTED))
        if self._about is Where.PANE:
            over = [row for _, rows in _groups(here, keys) for row in rows]
            left = [pane]
            right = [
                ("In the scrollback", list(SCROLLBACK)),
                ("With the mouse", list(MOUSE)),
                nested,
                ("When a pane has ended", over),
            ]
        elif self._about in (Where.SESSIONS, Where.ALL_SESSIONS):
            asked = ("Which hosts are asked", list(ASKED))
            words = ("Words of the filter", list(SESSION_WORDS))
            left = [*_groups(here, keys), asked, words, nested]
            right = [*_groups(general, keys), *_groups(elsewhere, keys), pane, filters]
        else:
            left = [*_groups(here, keys), filters]
            right = [*_groups(general, keys), *_groups(elsewhere, keys), pane]
        blank = Content("\n\n")
        return (
            blank.join([_section(title, rows, width) for title, rows in left]),
            blank.join([_section(title, rows, width) for title, rows in right]),
        )

    def open_help(self) -> None:
        """The key that opened it closes it."""
        self.back()


Section = tuple[str, list[tuple[str, str]]]


def _place_of(keys: tuple[str, ...]) -> str:
    """The areas first, by their digits; the others as they stand in the table."""
    return keys[0] if keys and keys[0].isdigit() else "~"


def _groups(actions: list[Action], keys: Mapping[str, tuple[str, ...]]) -> list[Section]:
    sections: list[Section] = []
    for group in Group:
        rows = [
            (" ".join(key_words(key) for key in keys[action.id]), action.help)
            for action in actions
            if action.group is group
        ]
        if rows:
            sections.append((group.value, rows))
    return sections


def _section(title: str, rows: list[tuple[str, str]], width: int) -> Content:
    heading = Content.styled(title, "bold $accent")
    return Content("\n").join([heading, *key_lines(rows, width, KEYS_WIDTH)])
