"""How a change of an instance comes along: asked, changing, done, failed, or left to EC2."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.lifecycle import Verb
from cloudtui.model.words import duration


class Phase(StrEnum):
    """How far a machine has come."""

    ASKED = "asked"
    CHANGING = "changing"
    DONE = "done"
    FAILED = "failed"
    LEFT = "left"
    """The time limit was over; EC2 goes on."""


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one machine so far."""

    verb: Verb
    before: Instance
    """As it was when it was asked for."""
    now: Instance
    phase: Phase
    elapsed: float = 0.0
    """Seconds since it was asked for."""
    error: CloudtuiError | None = field(default=None, compare=False)
    answers: bool | None = None
    """Whether SSH answers since it was seen to go down; None before, and where nobody looks."""

    @property
    def ended(self) -> bool:
        return self.phase in (Phase.DONE, Phase.FAILED, Phase.LEFT)

    @property
    def already(self) -> bool:
        """Whether it was as wanted before anything was asked."""
        return self.verb is not Verb.REBOOT and self.before.state is self.verb.goal

    @property
    def sentence(self) -> str:
        """`bert-gpu (i-0f3c...) is stopped after 34 s.`"""
        label, took = self.before.label, duration(self.elapsed)
        match self.phase:
            case Phase.FAILED:
                return (
                    self.error.title if self.error else f"{label} was not {self.verb.participle}."
                )
            case Phase.LEFT if self.verb is Verb.REBOOT:
                return f"{label} was rebooted, and SSH does not answer after {took}."
            case Phase.LEFT:
                return (
                    f"{label} is still {self.now.state.value} after {took}. EC2 goes on; "
                    "cloudtui no longer follows it."
                )
            case Phase.DONE if self.already:
                return f"{label} is {self.now.state.value} already."
            case Phase.DONE if self.verb is Verb.REBOOT and self.answers:
                return f"{label} has rebooted: SSH answers again after {took}."
            case Phase.DONE if self.verb is Verb.REBOOT and self.elapsed:
                return f"{label} was asked to reboot, and SSH answered all the while, for {took}."
            case Phase.DONE if self.verb is Verb.REBOOT:
                return f"{label} reboots. EC2 shows it as running meanwhile."
            case Phase.DONE if self.verb is Verb.START:
                at = f" at {self.now.address}" if self.now.address else ""
                return f"{label} runs{at} after {took}."
            case Phase.DONE:
                return f"{label} is {self.verb.goal.value} after {took}."
            case Phase.ASKED:
                return f"EC2 was asked to {self.verb.value} {label}."
            case Phase.CHANGING if self.verb is Verb.REBOOT:
                way = "is going down" if self.answers is None else "is coming up"
                return f"{label} {way}, {took}."
            case Phase.CHANGING:
                return f"{label} is {self.now.state.value}, {took}."


def advanced(step: Step, now: Instance | None, elapsed: float) -> Step:
    """The step after a look at EC2; `now` is None when EC2 no longer lists the machine."""
    verb = step.verb
    if now is None:
        if verb is Verb.TERMINATE:
            gone = replace(step.now, state=State.TERMINATED)
            return replace(step, now=gone, phase=Phase.DONE, elapsed=elapsed)
        return _failed(step, step.now, elapsed, "is no longer listed by EC2")
    if now.state is verb.goal:
        if verb is Verb.START and _waits_for_address(step, now):
            return replace(step, now=now, phase=Phase.CHANGING, elapsed=elapsed)
        return replace(step, now=now, phase=Phase.DONE, elapsed=elapsed)
    if now.state is verb.on_the_way:
        return replace(step, now=now, phase=Phase.CHANGING, elapsed=elapsed)
    if now.state in (State.SHUTTING_DOWN, State.TERMINATED):
        return _failed(step, now, elapsed, f"is {now.state.value} instead", now.state_reason)
    seen = step.now.state is verb.on_the_way
    told = now.state_reason != step.before.state_reason
    if verb is Verb.START and now.state is State.STOPPED and (seen or told):
        return _failed(step, now, elapsed, "did not start", now.state_reason)
    if verb in (Verb.STOP, Verb.HIBERNATE) and now.state is State.RUNNING and seen:
        return _failed(step, now, elapsed, "runs again: someone else started it")
    return replace(step, elapsed=elapsed)


GOING_DOWN_SECONDS = 120.0
"""How long a machine that reboots is waited for to go down: its services may take their time."""


def rebooted(step: Step, answers: bool | None, elapsed: float) -> Step:
    """The step of a reboot after a look at SSH: `answers` is None while it was not down yet."""
    step = replace(step, answers=answers, elapsed=elapsed, phase=Phase.CHANGING)
    if answers or (answers is None and elapsed > GOING_DOWN_SECONDS):
        return replace(step, phase=Phase.DONE)
    return step if elapsed <= step.verb.patience else replace(step, phase=Phase.LEFT)


def _waits_for_address(step: Step, now: Instance) -> bool:
    """Running is told a moment before the public address is: one more look is worth it."""
    return step.now.state is not State.RUNNING and not (now.public_ip or now.ipv6)


def _failed(step: Step, now: Instance, elapsed: float, what: str, why: str = "") -> Step:
    known = next((hint for code, hint in _START_REASONS if code in why), "")
    error = CloudtuiError(
        f"{step.before.label} {what}.", why, known or "Look at it: cloudtui ls, or its details."
    )
    return replace(step, now=now, phase=Phase.FAILED, elapsed=elapsed, error=error)


_START_REASONS = (
    (
        "InsufficientInstanceCapacity",
        "AWS has none of its type free in its zone. Try again in some minutes, or give it "
        "another type while it is stopped.",
    ),
    ("InvalidKmsKey", "The key that encrypts its volumes is disabled or not allowed."),
    ("VolumeLimitExceeded", "The account's quota of EBS storage is used up."),
)
