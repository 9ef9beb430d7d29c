"""The one table of actions: keys, footer, palette, help and the README's key table come from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudtui.ui.action import Action, Group, Where
from cloudtui.ui.action_names import names, unknown
from cloudtui.ui.actions_details import DETAIL_ACTIONS
from cloudtui.ui.actions_files import FILE_ACTIONS
from cloudtui.ui.actions_hosts import HOST_ACTIONS
from cloudtui.ui.actions_jupyter import JUPYTER_ACTIONS
from cloudtui.ui.actions_keys import KEY_ACTIONS
from cloudtui.ui.actions_list import LIST_ACTIONS
from cloudtui.ui.actions_machines import MACHINE_ACTIONS
from cloudtui.ui.actions_monitor import MONITOR_ACTIONS
from cloudtui.ui.actions_moves import moves
from cloudtui.ui.actions_network import NETWORK_ACTIONS
from cloudtui.ui.actions_notebooks import NOTEBOOK_ACTIONS
from cloudtui.ui.actions_places import PLACE_ACTIONS
from cloudtui.ui.actions_runs import RUN_ACTIONS, TO_RUNS
from cloudtui.ui.actions_sessions import SESSION_ACTIONS
from cloudtui.ui.actions_tunnels import TUNNEL_ACTIONS

__all__ = [
    "ACTIONS",
    "BY_ID",
    "Action",
    "Group",
    "Where",
    "at",
    "key_table",
    "key_words",
    "with_keys",
]

_M, _S, _P, _J = Where.MACHINES, Where.SESSIONS, Where.PANE, Where.JUPYTER
_A = Where.ALL_SESSIONS
_ALL = (Where.EVERYWHERE,)
_LISTS = (_M, _A, _S)
_D, _V = Where.DETAILS, Where.VIEWER
_H = Where.HOSTS
_N = (_H, Where.GROUPS, Where.ADDRESSES, Where.TUNNELS, Where.KEYS, Where.RUNS, Where.NOTEBOOKS)
_R, _L = Where.RUNS, Where.RUN_LOG
_FILES = (Where.FILES, Where.COPIES)
_K = Where.KERNEL_LOG
_G = Where.DIGEST
_SCROLLING = (_M, _A, _S, *_N, _D, _V, _L, _K, _G, Where.LOG, Where.HELP)

ACTIONS: tuple[Action, ...] = (
    Action(
        "machine.sessions",
        ("enter",),
        "sessions",
        "Show the tmux and screen sessions of the machine.",
        "open_sessions",
        (_M,),
        Group.MACHINE,
        rule="sessions",
        footer=True,
    ),
    *RUN_ACTIONS,
    *SESSION_ACTIONS,
    *NOTEBOOK_ACTIONS,
    Action(
        "machine.shell",
        ("s",),
        "shell",
        "Open a plain shell on the machine in a pane. It ends when its connection does.",
        "open_shell",
        (*_LISTS, Where.NOTEBOOKS, _H, _R),
        Group.MACHINE,
        rule="shell",
        footer=True,
    ),
    Action(
        "machine.full_screen",
        ("S",),
        "full screen",
        "Give the whole terminal to the selected session, or to a shell on the machine.",
        "open_full_screen_here",
        (*_LISTS, _H, _R),
        Group.MACHINE,
        rule="shell",
    ),
    Action(
        "go.panes",
        ("w",),
        "panes",
        "Go back to the panes that are open; they stay attached while cloudtui runs.",
        "open_workspace",
        (*_LISTS, _H, _R),
        Group.EVERYWHERE,
    ),
    Action(
        "machine.jupyter",
        ("J",),
        "jupyter",
        "Open JupyterLab: find or start the server, open a tunnel, open the browser.",
        "open_jupyter",
        (*_LISTS, Where.NOTEBOOKS),
        Group.MACHINE,
        rule="jupyter",
        footer=True,
    ),
    Action(
        "machine.details",
        ("d",),
        "details",
        "Show or hide the details of the machine, or of the run.",
        "toggle_details",
        (_M, _R),
        Group.MACHINE,
        footer=True,
    ),
    *DETAIL_ACTIONS,
    Action(
        "machine.copy",
        ("c",),
        "copy",
        "Copy the machine's id, an address or its ssh command to the clipboard.",
        "copy",
        (_M,),
        Group.MACHINE,
        rule="copy",
        footer=True,
    ),
    *MACHINE_ACTIONS,
    *MONITOR_ACTIONS,
    *NETWORK_ACTIONS,
    *HOST_ACTIONS,
    *KEY_ACTIONS,
    *TUNNEL_ACTIONS,
    *FILE_ACTIONS,
    *TO_RUNS,
    Action(
        "list.filter",
        ("slash",),
        "filter",
        "Show only the rows that match; every word must hold.",
        "start_filter",
        (*_LISTS, *_FILES, *_N),
        Group.FIND,
        footer=True,
        at_once=True,
    ),
    Action(
        "list.order",
        ("o",),
        "order",
        "Order by the next column; a click on a heading orders by that column.",
        "next_order",
        (*_LISTS, *_FILES, *_N),
        Group.FIND,
        footer=True,
    ),
    Action(
        "list.reverse",
        ("O",),
        "reverse",
        "Turn the order round.",
        "reverse_order",
        (*_LISTS, *_FILES, *_N),
        Group.FIND,
    ),
    *LIST_ACTIONS,
    Action(
        "pane.again",
        ("r",),
        "attach again",
        "After a shell was lost or an attachment refused: open it again.",
        "again",
        (_P,),
        Group.PANE,
        footer=True,
    ),
    Action(
        "pane.done",
        ("enter",),
        "back",
        "After the end: go back.",
        "back",
        (_P,),
        Group.PANE,
        palette=False,
    ),
    *JUPYTER_ACTIONS,
    *moves((*_SCROLLING, *_FILES, Where.MONITOR)),
    Action(
        "go.machines",
        ("1",),
        "machines",
        "Go to the machines.",
        "go_machines",
        (_M, *_FILES, _A, _S, _J, _D, _L, _G, _K, *_N, Where.MONITOR),
        Group.EVERYWHERE,
    ),
    Action(
        "go.sessions",
        ("2",),
        "sessions",
        "Go to the sessions of every running machine.",
        "open_all_sessions",
        (_M, *_FILES, _A, _S, _J, _D, _L, _G, _K, _H, Where.KEYS, *_N, Where.MONITOR),
        Group.EVERYWHERE,
    ),
    *PLACE_ACTIONS,
    Action(
        "go.refresh",
        ("ctrl+r",),
        "refresh",
        "Ask again now.",
        "refresh_now",
        (*_LISTS, Where.COPIES, *_N, _D, _V, _L, _K, Where.MONITOR),
        Group.EVERYWHERE,
    ),
    Action(
        "go.theme",
        ("T",),
        "theme",
        "The next theme; it is remembered.",
        "next_theme",
        _ALL,
        Group.EVERYWHERE,
    ),
    Action(
        "go.palette",
        ("colon", "ctrl+p"),
        "commands",
        "Find any action by its words.",
        "open_palette",
        _ALL,
        Group.EVERYWHERE,
        palette=False,
    ),
    Action(
        "go.log",
        ("tilde",),
        "messages",
        "Everything that was said since the start.",
        "open_log",
        _ALL,
        Group.EVERYWHERE,
    ),
    Action(
        "go.back",
        ("escape",),
        "back",
        "Go back; clear the filter, then the marks; stop what is being opened.",
        "back",
        _ALL,
        Group.EVERYWHERE,
        footer=True,
        palette=False,
    ),
    Action(
        "go.quit",
        ("q",),
        "quit",
        "Leave cloudtui from the machines; go back from anywhere else.",
        "back_or_quit",
        _ALL,
        Group.EVERYWHERE,
        footer=True,
    ),
    Action(
        "go.quit_now",
        ("ctrl+q",),
        "quit now",
        "Leave cloudtui from anywhere. Sessions go on; tunnels close.",
        "leave",
        _ALL,
        Group.EVERYWHERE,
    ),
    Action(
        "go.help",
        ("question_mark", "f1"),
        "help",
        "This page: what can be done here, and with which key.",
        "open_help",
        _ALL,
        Group.EVERYWHERE,
        footer=True,
    ),
)

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}

_KEY_WORDS = {
    "enter": "Enter",
    "escape": "Esc",
    "slash": "/",
    "colon": ":",
    "tilde": "~",
    "question_mark": "?",
    "exclamation_mark": "!",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "down": "↓",
    "up": "↑",
    "home": "Home",
    "end": "End",
    "space": "Space",
    "asterisk": "*",
    "tab": "Tab",
    "backspace": "Backspace",
    "delete": "Del",
    "full_stop": ".",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "backslash": "\\",
    "vertical_line": "|",
    "minus": "-",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "left": "←",
    "right": "→",
    "dollar_sign": "$",
}
_KEY_NAMES = {written: name for name, written in _KEY_WORDS.items()}


def key_words(key: str) -> str:
    """A key as people write it: `Ctrl-r`, `Esc`, `?`."""
    *modifiers, name = key.split("+")
    written = _KEY_WORDS.get(name, name.upper() if name[1:].isdigit() else name)
    return "-".join([*(m.capitalize() for m in modifiers), written])


def typed_key(text: str) -> str:
    """A key as Textual names it, from how people write it: `Ctrl-r` and `$` too."""
    *modifiers, name = text.replace("Ctrl-", "ctrl+").replace("Alt-", "alt+").split("+")
    return "+".join([*modifiers, _KEY_NAMES.get(name, name)]) if name else text


def at(where: Where) -> tuple[Action, ...]:
    """The actions of one screen, its own first, then those of everywhere."""
    own = tuple(a for a in ACTIONS if where in a.where)
    return (*own, *(a for a in ACTIONS if Where.EVERYWHERE in a.where))


def with_keys(changes: Mapping[str, str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The keys of every action after the user's `changes` (its name -> keys, comma separated).

    Returns the keys by action id, and a sentence for each change that cannot be made.
    """
    keys = {action.id: action.keys for action in ACTIONS}
    problems: list[str] = []
    known = names(ACTIONS)
    for name, text in changes.items():
        wanted = tuple(typed_key(k) for k in (p.strip() for p in text.split(",")) if k)
        action_id = known.get(name, "")
        if not action_id:
            problems.append(unknown(name, ACTIONS))
        elif not wanted:
            problems.append(f"The action {action_id!r} needs a key.")
        elif clash := _clash(action_id, wanted, keys):
            problems.append(f"{text!r} for {action_id} is taken by {clash}.")
        else:
            keys[action_id] = wanted
    return keys, problems


def _clash(action_id: str, wanted: Iterable[str], keys: Mapping[str, tuple[str, ...]]) -> str:
    mine = BY_ID[action_id]
    for other in ACTIONS:
        together = set(mine.where) & set(other.where) or Where.EVERYWHERE in (
            *mine.where,
            *other.where,
        )
        if other.id != action_id and together and set(wanted) & set(keys[other.id]):
            return other.id
    return ""


def key_table() -> str:
    """The README's table of keys, in Markdown."""
    lines = ["| key | name | where | what it does |", "|---|---|---|---|"]
    for group in Group:
        for action in ACTIONS:
            if action.group is group:
                keys = " ".join(f"`{key_words(k)}`" for k in action.keys)
                where = ", ".join(w.value for w in action.where)
                lines.append(f"| {keys} | `{action.id}` | {where} | {action.help} |")
    return "\n".join(lines) + "\n"
