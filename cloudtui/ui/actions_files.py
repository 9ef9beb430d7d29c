"""The actions about files and copies."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_F, _C = (Where.FILES,), (Where.COPIES,)
_LISTS = (Where.MACHINES, Where.ALL_SESSIONS, Where.SESSIONS, Where.RUNS)


def _file(
    id: str, keys: tuple[str, ...], words: str, help: str, handler: str, *, footer: bool = False
) -> Action:
    return Action(f"files.{id}", keys, words, help, handler, _F, Group.FILES, footer=footer)


FILE_ACTIONS: tuple[Action, ...] = (
    Action(
        "machine.files",
        ("f",),
        "files",
        "Show the files here and those of the machine side by side.",
        "open_files",
        _LISTS,
        Group.MACHINE,
        rule="files",
        footer=True,
    ),
    _file("open", ("enter",), "open", "Go into the folder, or view the file.", "open_row"),
    _file("above", ("backspace",), "folder above", "Go to the folder above.", "go_up"),
    _file("again", ("ctrl+r",), "read again", "Read both folders again.", "refresh_now"),
    _file("other", ("tab",), "other side", "Go to the other side.", "other_side", footer=True),
    _file(
        "mark_file",
        ("space",),
        "mark file",
        "Mark the file, or take its mark away, and go one row down.",
        "mark_row",
    ),
    _file(
        "mark_other_files",
        ("asterisk",),
        "invert files",
        "Mark the rows shown that are not marked, and unmark the others.",
        "invert_marks",
    ),
    _file(
        "copy",
        ("f5", "c"),
        "copy",
        "Copy what is marked, or the row, to the folder on the other side, in the background.",
        "copy_files",
        footer=True,
    ),
    _file(
        "move",
        ("f6", "m"),
        "move",
        "Copy it to the other side, and take it away here once all of it is there; asks first.",
        "move_files",
        footer=True,
    ),
    _file(
        "view_file",
        ("f3", "v"),
        "view file",
        "Read the file: its first MiB, or with G its last.",
        "view_file",
        footer=True,
    ),
    _file(
        "edit_file",
        ("f4", "e"),
        "edit file",
        "Open the file in $VISUAL or $EDITOR; what is saved is written back, unless it was changed "
        "there meanwhile.",
        "edit_file",
        footer=True,
    ),
    _file("mkdir", ("f7", "n"), "new folder", "Make a folder.", "make_folder", footer=True),
    _file(
        "delete_files",
        ("f8", "delete", "x"),
        "delete files",
        "Delete what is marked, or the row, folders with all that is in them; asks first.",
        "delete_files",
        footer=True,
    ),
    _file("rename_file", ("f2", "r"), "rename file", "Give it another name.", "rename_file"),
    _file("goto", ("p",), "path", "Go to a folder by its path; ~ is home.", "go_to_path"),
    _file(
        "hidden",
        ("full_stop",),
        "hidden",
        "Show or hide names that begin with a dot.",
        "toggle_hidden",
    ),
    _file(
        "machine",
        ("H",),
        "machine",
        "Show another machine, or this computer, on this side.",
        "choose_machine",
    ),
    Action(
        "go.copies",
        ("B",),
        "copies",
        "Go to the copies: how far they are; they go on wherever you are.",
        "open_copies",
        (*_F, *_LISTS),
        Group.EVERYWHERE,
    ),
    Action(
        "copies.cancel",
        ("x",),
        "stop copy",
        "Stop the copy; the same one once more goes on where it was.",
        "cancel_copy",
        _C,
        Group.FILES,
        footer=True,
    ),
    Action(
        "copies.clear",
        ("c",),
        "clear",
        "List those that have ended no more.",
        "clear_copies",
        _C,
        Group.FILES,
        footer=True,
    ),
)
