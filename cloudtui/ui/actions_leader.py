"""The keys after the leader, in the shape of the other actions: hints, help and README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudtui.ui.actions import Action, Group, Where, key_words, with_keys
from cloudtui.ui.keyboard import normal_name

_PANE = ""
"""Handler of what the pane does itself."""


def _key(name: str, keys: tuple[str, ...], words: str, help: str, handler: str) -> Action:
    return Action(f"leader.{name}", keys, words, help, handler, (Where.PANE,), Group.PANE)


LEADER_ACTIONS: tuple[Action, ...] = (
    _key("detach", ("d",), "detach", "Detach this pane and go back; sessions go on.", _PANE),
    _key(
        "console", ("m",), "console",
        "Go back to the console; all panes stay attached. w on a list returns to them.",
        "show_console",
    ),
    _key("full", ("f",), "full screen",
         "Give this pane the whole terminal; the leader and d come back.", "full_screen"),
    _key("right", ("vertical_line",), "split right",
         "Open a pane beside this one, of any host.", "split_right"),
    _key("below", ("minus",), "split below", "Open a pane below this one.", "split_below"),
    _key("local", ("c",), "local shell",
         "Open a shell of this computer beside this pane.", "open_local"),
    _key("left_of", ("left",), "left", "Go to the pane to the left.", "focus_left"),
    _key("right_of", ("right",), "right", "Go to the pane to the right.", "focus_right"),
    _key("above", ("up",), "up", "Go to the pane above.", "focus_up"),
    _key("under", ("down",), "down", "Go to the pane below.", "focus_down"),
    _key("grow_left", ("H", "shift+left", "ctrl+left"), "border left",
         "Move the pane's border to the left.", "grow_left"),
    _key("grow_down", ("J", "shift+down", "ctrl+down"), "border down",
         "Move the pane's border down.", "grow_down"),
    _key("grow_up", ("K", "shift+up", "ctrl+up"), "border up",
         "Move the pane's border up.", "grow_up"),
    _key("grow_right", ("L", "shift+right", "ctrl+right"), "border right",
         "Move the pane's border to the right.", "grow_right"),
    _key("zoom", ("z",), "zoom", "Show this pane alone, and all of them again.", "toggle_zoom"),
    _key("swap_next", ("right_curly_bracket",), "swap next",
         "Change places with the next pane.", "swap_next"),
    _key("swap_previous", ("left_curly_bracket",), "swap previous",
         "Change places with the previous pane.", "swap_previous"),
    _key("close", ("x",), "close",
         "Close this pane and stay: a session is detached, a shell ends.", "close_pane"),
    _key("next_tab", ("n",), "next tab", "The next tab; 1 to 9 go to that tab.", "next_tab"),
    _key("previous_tab", ("N",), "previous tab", "The previous tab.", "previous_tab"),
    _key("own_tab", ("exclamation_mark",), "own tab",
         "Move this pane to a tab of its own.", "break_out"),
    _key("move", ("t",), "move to tab",
         "Move this pane beside the active one of another tab.", "move_to_tab"),
    _key("share", ("b",), "type to several",
         "Add this pane to those that get what is typed into any of them, or take it out. "
         "It ends when the tab is left.", "toggle_sharing"),
    _key("log", ("l",), "log", "Write what this pane prints to a file, or stop.", "toggle_log"),
    _key("layout", ("R",), "layout",
         "Open the panes of this host's last layout again, in a new tab.", "restore_layout"),
    _key("help", ("question_mark",), "help", "This page.", "open_help"),
    _key("scrollback", ("left_square_bracket",), "scrollback",
         "Scroll back; Esc or q ends that.", _PANE),
    _key("search", ("slash",), "search", "Search in the scrollback.", _PANE),
    _key("select", ("v",), "select", "Select text by keys and copy it.", _PANE),
    _key("paste", ("p",), "paste", "Paste what was copied last.", _PANE),
    _key("links", ("u",), "links", "Choose a link on the screen and open it.", _PANE),
)  # fmt: skip


def leader_keys(changes: Mapping[str, str], leader: str) -> dict[str, tuple[str, ...]]:
    """The keys by action id, with those that the user's settings give (`leader.zoom: Z`)."""
    return with_leader_keys(changes, leader)[0]


def with_all_keys(
    changes: Mapping[str, str], leader: str
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The keys of all other actions by action id, and a sentence for each change of the user's,
    of the keys after the leader too, that cannot be made."""
    leading = {action.id for action in LEADER_ACTIONS}
    keys, problems = with_keys({n: text for n, text in changes.items() if n not in leading})
    return keys, [*problems, *with_leader_keys(changes, leader)[1]]


def with_leader_keys(
    changes: Mapping[str, str], leader: str
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The keys by action id, and a sentence for each change that cannot be made."""
    keys = {action.id: action.keys for action in LEADER_ACTIONS}
    problems: list[str] = []
    for action in LEADER_ACTIONS:
        if action.id not in changes:
            continue
        text = changes[action.id]
        given = tuple(k for k in (normal_name(part) for part in text.split(",")) if k)
        if not given:
            problems.append(f"The action {action.id!r} needs a key.")
        elif not action.handler:
            problems.append(f"The key of {action.id} is always {key_words(action.keys[0])}.")
        elif reason := _taken(action.id, given, keys, normal_name(leader)):
            problems.append(f"{text!r} for {action.id} is taken by {reason}.")
        else:
            keys[action.id] = given
    return keys, problems


def _taken(
    action_id: str, given: Iterable[str], keys: Mapping[str, tuple[str, ...]], leader: str
) -> str:
    for key in given:
        if key == leader:
            return "the leader itself, which sends it twice pressed"
        if key == "escape":
            return "Esc, which ends the leader"
        if key.isdigit() and key != "0":
            return "the tabs 1 to 9"
        for other, names in keys.items():
            if other != action_id and key in map(normal_name, names):
                return other
    return ""


def leader_rows(leader: str, keys: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """(keys, help) of each, as the help shows them."""
    first = key_words(leader)
    rows = [
        (f"{first} {' '.join(key_words(key) for key in keys[action.id])}", action.help)
        for action in LEADER_ACTIONS
    ]
    return [*rows, (f"{first} {first}", "Send the key itself to the program.")]


def leader_table(leader: str = "ctrl+]") -> str:
    """The README's rows of the keys after the leader, in Markdown."""
    keys = {action.id: action.keys for action in LEADER_ACTIONS}
    rows = ((f"`{shown}`".replace("|", "\\|"), help) for shown, help in leader_rows(leader, keys))
    return "".join(f"| {shown} | | pane | {help} |\n" for shown, help in rows)
