"""How runs are told apart in a list, and the words that it is filtered with."""

from __future__ import annotations

import fnmatch

from cloudtui.model.job import Job


def name_in_list(job: Job) -> str:
    """Unique on its host: sessions begun by hand may be called as runs and each other are."""
    return f"{job.holder}:{job.session}" if job.by_hand else job.id


def job_matches(job: Job, host: str, query: str) -> bool:
    """Whether a run passes the filter: every word must hold; case never matters.

    `state:`, `host:`, `name:`, `command:` and `in:` (tmux, screen, none, hand) look at one field,
    `exit:` at the exit code; any other word is looked for in all of them and in the last line. A
    `-` in front turns a word round.
    """
    fields = {
        "state": job.state.value,
        "host": host,
        "name": job.id,
        "command": " ".join(job.command),
        "in": "hand" if job.by_hand else job.holder.value,
        "exit": "" if job.exit_status is None else str(job.exit_status),
    }
    everywhere = [*fields.values(), job.last_line]
    for word in query.casefold().split():
        wanted = word.removeprefix("-") or word
        key, colon, value = wanted.partition(":")
        if colon and key in fields:
            text = fields[key].casefold()
            holds = text == value if key == "exit" else fnmatch.fnmatchcase(text, f"{value}*")
        else:
            holds = any(wanted in text.casefold() for text in everywhere)
        if holds is (wanted != word):
            return False
    return True
