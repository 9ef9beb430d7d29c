"""The actions about what notebooks print while nobody looks."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_N = (Where.NOTEBOOKS,)
_BOTH = (*_N, Where.KERNEL_LOG)

RECORDING_ACTIONS: tuple[Action, ...] = (
    Action(
        "notebooks.log",
        ("l",),
        "log",
        "Show what the kernel printed, also while no browser was open, and go on with what comes.",
        "open_kernel_log",
        _N,
        Group.NOTEBOOK,
        rule="jupyter",
        footer=True,
    ),
    Action(
        "notebooks.record",
        ("R",),
        "record",
        "Switch recording of what notebooks print on the machine on or off. It goes on there "
        "without cloudtui; what was recorded stays.",
        "toggle_recording",
        _BOTH,
        Group.NOTEBOOK,
        rule="notebooks.change",
        footer=True,
    ),
    Action(
        "notebooks.run_all",
        ("a",),
        "run all",
        "Run every cell of the notebook on the machine, after a question: it goes on there without "
        "cloudtui or a browser, and the outputs are saved in the notebook.",
        "run_all_cells",
        _BOTH,
        Group.NOTEBOOK,
        rule="notebooks.change",
        footer=True,
    ),
)
