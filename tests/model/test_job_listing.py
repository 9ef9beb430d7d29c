"""A run's training is read on from one answer of its host to the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloudtui.model.job import Job, JobState
from cloudtui.model.job_listing import parse_jobs

BEGUN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def answer(
    log: str, seconds: int, before: tuple[Job, ...], started: int = 0, facts: str = ""
) -> Job:
    """What a host says of one run, so many seconds after `BEGUN`."""
    now = BEGUN + timedelta(seconds=seconds)
    begun = int(BEGUN.timestamp()) + started
    text = (
        f"x HOST {int(now.timestamp())} boot\nx JOB bert\nx = started {begun}\nx = pid alive\n"
        f"{facts}"
        "x END\nx FILES command\n==> /root/runs/bert/command <==\npython\0\n==> /dev/null <==\n\n"
        f"x END\nx FILES log\n==> /root/runs/bert/log <==\n{log[-400:]}\n==> /dev/null <==\n\n"
        "x END\n"
        f"x LOG {len(log)} {int(now.timestamp())} /root/runs/bert/log\n"
    )
    (job,) = parse_jobs(text, "x", "i-1", now, before=before) or ()
    return job


def test_losses_count_once_and_the_end_comes_from_the_pace() -> None:
    log = ""
    known: tuple[Job, ...] = ()
    for step in range(1, 61):
        log += f"Epoch [1/1], Step [{step}/100], Loss: {1 - step / 1000}\n"
        if step % 5 == 0:
            known = (answer(log, 30 + step * 10, known),)
    (job,) = known
    assert job.training.losses == tuple(1 - n / 1000 for n in range(1, 61))
    assert job.training.eta is not None
    assert abs(job.training.eta - 400) < 30
    ended = f"x = exit 130 {int(BEGUN.timestamp()) + 700} INT\n"
    full = f"x = missing {int(BEGUN.timestamp()) + 650}\n"
    over = answer(log + "stopped\n", 700, known, facts=ended + full)
    assert (job.missing, over.missing) == (None, BEGUN + timedelta(seconds=650))
    assert "full at 2026-11-21" in over.lost_words
    assert (over.state, over.training.step) == (JobState.KILLED, 60)
    assert over.training.eta is None, "a run that is over has no time left"
    told = answer("==> /var/log <==\n==> other/log <==\nlast words\n", 5, ())
    assert (told.command, told.last_line) == (("python",), "last words")
    again = answer("step 1 loss=2.5\n", 900, known, started=800)
    assert again.training.losses == (2.5,)
