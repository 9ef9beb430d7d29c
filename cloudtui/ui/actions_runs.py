"""The actions about runs: the list, the log, what ended while nobody looked."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_M, _A, _S, _D = Where.MACHINES, Where.ALL_SESSIONS, Where.SESSIONS, Where.DETAILS
_R = (Where.RUNS,)
_L = (Where.RUN_LOG,)
_LOGS = (*_L, Where.KERNEL_LOG)
_BOTH = (*_R, *_L)
_G = (Where.DIGEST,)

TO_RUNS: tuple[Action, ...] = (
    Action(
        "machine.run",
        ("r",),
        "run",
        "Start a command on the machine that goes on when the connection ends: a form asks for "
        "command, folder, upload, GPUs, what it waits for and what follows.",
        "run_here",
        (_M, _D),
        Group.RUN,
        rule="jobs.new",
        footer=True,
    ),
    Action(
        "go.news",
        ("N",),
        "news",
        "What ended since the last visit: it is shown at the start, and with this key again.",
        "open_digest",
        (
            _M,
            _A,
            _S,
            _D,
            *_R,
            Where.TUNNELS,
            Where.HOSTS,
            Where.KEYS,
            Where.ADDRESSES,
            Where.GROUPS,
        ),
        Group.RUN,
    ),
    Action(
        "go.runs",
        ("4",),
        "runs",
        "Go to the runs of every running machine: state, progress, loss, exit code.",
        "open_runs",
        (
            _M,
            _A,
            _S,
            Where.FILES,
            Where.COPIES,
            Where.JUPYTER,
            Where.NOTEBOOKS,
            Where.MONITOR,
            _D,
            *_BOTH,
            *_G,
            Where.TUNNELS,
            Where.HOSTS,
            Where.KEYS,
            Where.ADDRESSES,
            Where.GROUPS,
        ),
        Group.EVERYWHERE,
    ),
)
"""The ways to runs from elsewhere."""

RUN_ACTIONS: tuple[Action, ...] = (
    Action(
        "run.view",
        ("enter",),
        "view log",
        "Show the log of the run and follow it; a session begun by hand is attached.",
        "open_run_log",
        (*_R, *_G),
        Group.RUN,
        footer=True,
    ),
    Action(
        "run.new_run",
        ("n",),
        "new run",
        "Start a run on the machine under the cursor.",
        "new_run",
        _R,
        Group.RUN,
        rule="jobs.new",
        footer=True,
    ),
    Action(
        "run.attach_run",
        ("a",),
        "attach run",
        "Attach the tmux or screen session that shows the run, in a pane.",
        "attach_run",
        _BOTH,
        Group.RUN,
        rule="sessions",
        footer=True,
    ),
    Action(
        "run.stop_run",
        ("x",),
        "stop run",
        "Stop the run, after a question: INT, then TERM, then KILL; of a session begun by hand all "
        "that runs in it.",
        "stop_run",
        _BOTH,
        Group.RUN,
        rule="jobs.change",
        footer=True,
    ),
    Action(
        "run.rerun",
        ("r",),
        "rerun",
        "Start the same command once more: same folder, environment and next steps; asks while it "
        "runs.",
        "rerun",
        _R,
        Group.RUN,
        rule="jobs.new",
        footer=True,
    ),
    Action(
        "run.copy",
        ("c",),
        "copy",
        "Copy the run's command, its log's path, its id or its folder.",
        "copy",
        _R,
        Group.RUN,
        footer=True,
    ),
    Action(
        "run.remove_run",
        ("X",),
        "remove run",
        "Remove the record and the log of a run that has ended, after a question.",
        "remove_run",
        _R,
        Group.RUN,
        rule="jobs.change",
    ),
    Action(
        "run.remove_ended",
        ("ctrl+d",),
        "remove ended",
        "Remove the records and logs of all runs in the list that have ended, after a question; a "
        "filter narrows them down.",
        "remove_ended",
        _R,
        Group.RUN,
        rule="jobs.change",
    ),
    Action(
        "run.wrap",
        ("w",),
        "wrap",
        "Let long lines go on in the next row, or beyond the right side.",
        "toggle_wrap",
        _LOGS,
        Group.RUN,
        footer=True,
    ),
    Action(
        "run.left",
        ("h", "left"),
        "left",
        "See what of a log is further left.",
        "log_left",
        _LOGS,
        Group.RUN,
        palette=False,
    ),
    Action(
        "run.right",
        ("l", "right"),
        "right",
        "See what of a log is further right.",
        "log_right",
        _LOGS,
        Group.RUN,
        palette=False,
    ),
)
"""What is done to a run; those that move through its log are in `actions`."""
