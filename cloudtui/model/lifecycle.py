"""Start, stop, hibernate, reboot, terminate: what a state allows, and what to know before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cloudtui.model.errors import CloudtuiError, Refused
from cloudtui.model.instance import Instance, State
from cloudtui.model.price import Price, Source
from cloudtui.model.words import listed, plural

GROUP_TAG = "aws:autoscaling:groupName"
STACK_TAG = "aws:cloudformation:stack-name"


class Verb(StrEnum):
    """What can be asked of a machine, in EC2's words."""

    START = "start"
    STOP = "stop"
    HIBERNATE = "hibernate"
    REBOOT = "reboot"
    TERMINATE = "terminate"

    @property
    def participle(self) -> str:
        return _WORDS[self][0]

    @property
    def gerund(self) -> str:
        return _WORDS[self][1]

    @property
    def goal(self) -> State:
        """The state in which it has been done."""
        return _WORDS[self][2]

    @property
    def on_the_way(self) -> State | None:
        """The state that leads to the goal; a reboot has none that EC2 would show."""
        return _WORDS[self][3]

    @property
    def patience(self) -> float:
        """Seconds after which following the change is given up; EC2 goes on."""
        return 1200.0 if self is Verb.HIBERNATE else 600.0


_WORDS: dict[Verb, tuple[str, str, State, State | None]] = {
    Verb.START: ("started", "starting", State.RUNNING, State.PENDING),
    Verb.STOP: ("stopped", "stopping", State.STOPPED, State.STOPPING),
    Verb.HIBERNATE: ("hibernated", "hibernating", State.STOPPED, State.STOPPING),
    Verb.REBOOT: ("rebooted", "rebooting", State.RUNNING, None),
    Verb.TERMINATE: ("terminated", "terminating", State.TERMINATED, State.SHUTTING_DOWN),
}
_STOPS = (Verb.STOP, Verb.HIBERNATE)


@dataclass(frozen=True, slots=True)
class Volume:
    """An EBS volume attached to the machine."""

    id: str
    size: int
    """GiB."""
    device: str = ""
    name: str = ""
    deleted: bool = False
    """Whether it goes with the machine: DeleteOnTermination."""

    @property
    def words(self) -> str:
        named = ", ".join(part for part in (self.name, self.device, f"{self.size} GiB") if part)
        return f"{self.id} ({named})"


@dataclass(frozen=True, slots=True)
class Facts:
    """What EC2 says of a machine beside its row; None where it was not asked or did not say."""

    termination_protected: bool | None = None
    stop_protected: bool | None = None
    spot_persistent: bool | None = None
    elastic_ips: tuple[str, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    local_disks: int | None = None
    """GB of instance store that come with its type; 0 for none."""
    shutdown: str = ""
    """What a shutdown from inside does: `stop` or `terminate`."""


UNKNOWN = Facts()


@dataclass(frozen=True, slots=True)
class Ties:
    """What of ours hangs on the machine."""

    sessions: tuple[str, ...] = ()
    """Names of tmux and screen sessions, as last listed."""
    ports: tuple[int, ...] = ()
    """Local ports of tunnels to it."""
    connected: bool = False
    unseen: str = ""
    """Why its sessions, which were wanted, are not known."""


class Standing(StrEnum):
    """Where a machine stands to what is asked of it."""

    POSSIBLE = "possible"
    UNDER_WAY = "under way"
    DONE = "done"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Caution:
    """Something to know before; `loss` when data or a machine is lost by it."""

    text: str
    loss: bool = False


def standing(
    verb: Verb, instance: Instance, facts: Facts = UNKNOWN, *, force: bool = False
) -> Standing:
    """Whether the verb can be asked for, is being done, or was done already."""
    state = instance.state
    if verb is not Verb.REBOOT:
        if state is verb.goal:
            return Standing.DONE
        if state is verb.on_the_way and not (force and verb is Verb.STOP):
            return Standing.UNDER_WAY
    return Standing.IMPOSSIBLE if _obstacle(verb, instance, facts, force) else Standing.POSSIBLE


def why_not(verb: Verb, instance: Instance, facts: Facts = UNKNOWN, *, force: bool = False) -> str:
    """Why the verb cannot be done to the machine now, as a sentence; empty when it can."""
    match standing(verb, instance, facts, force=force):
        case Standing.POSSIBLE:
            return ""
        case Standing.DONE:
            return f"{instance.label} is {verb.goal.value} already."
        case Standing.UNDER_WAY:
            return f"{instance.label} is {instance.state.value} already."
        case Standing.IMPOSSIBLE:
            return f"{instance.label} {_obstacle(verb, instance, facts, force)}"


def _obstacle(verb: Verb, instance: Instance, facts: Facts, force: bool) -> str:
    """What stands against it, to be read after the machine's name; empty when nothing does."""
    state = instance.state
    if verb is Verb.TERMINATE:
        return _protection(verb, facts)
    if state in (State.SHUTTING_DOWN, State.TERMINATED):
        return f"is {state.value}: it cannot be {verb.participle} any more."
    if verb is Verb.START:
        if state is State.STOPPING:
            return "is still stopping. It can be started when it has stopped."
        return ""
    if state is State.PENDING:
        return f"is still starting. It can be {verb.participle} when it runs."
    if verb is Verb.REBOOT:
        return "" if state is State.RUNNING else f"is {state.value}. Only a running one reboots."
    if instance.root_device == "instance-store":
        return (
            "has its root disk on instance store: it cannot be stopped, only rebooted or "
            "terminated, and its data ends with it."
        )
    if instance.spot and facts.spot_persistent is False:
        return (
            "is a Spot machine of a one-time request: it cannot be stopped, only rebooted or "
            "terminated."
        )
    if verb is Verb.HIBERNATE and not instance.hibernation:
        return (
            "cannot hibernate: that has to be switched on when a machine is launched. "
            "It can be stopped."
        )
    return _protection(verb, facts)


def _protection(verb: Verb, facts: Facts) -> str:
    """Stop protection keeps a machine from being terminated too."""
    on = []
    if verb is Verb.TERMINATE and facts.termination_protected:
        on.append("termination protection")
    if facts.stop_protected:
        on.append("stop protection")
    return f"has {' and '.join(on)} on." if on else ""


def cure(verb: Verb, instance: Instance, facts: Facts = UNKNOWN) -> str:
    """What lifts the obstacle, to type; empty where nothing does."""
    if instance.state in (State.SHUTTING_DOWN, State.TERMINATED) or verb in (
        Verb.START,
        Verb.REBOOT,
    ):
        return ""
    if not _protection(verb, facts):
        return ""
    commands = [
        f"aws ec2 modify-instance-attribute --instance-id {instance.id} {option} "
        f"--region {instance.region}"
        for on, option in (
            (
                verb is Verb.TERMINATE and facts.termination_protected,
                "--no-disable-api-termination",
            ),
            (facts.stop_protected, "--no-disable-api-stop"),
        )
        if on
    ]
    return f"Lift it: {' ; '.join(commands)}"


def cautions(
    verb: Verb, instance: Instance, facts: Facts = UNKNOWN, ties: Ties = Ties()
) -> tuple[Caution, ...]:
    """What to know before it is done, losses first."""
    found = [
        *_about_disks(verb, instance, facts),
        *_about_ties(verb, ties),
        *_about_owners(verb, instance, facts),
        *_about_address(verb, instance, facts),
        *_about_costs(verb, facts),
        *_about_unknowns(verb, instance, facts),
    ]
    return tuple(sorted(found, key=lambda caution: not caution.loss))


def _about_disks(verb: Verb, instance: Instance, facts: Facts) -> Iterable[Caution]:
    if verb is Verb.TERMINATE:
        volumes = facts.volumes or ()
        gone = [v.words for v in volumes if v.deleted]
        kept = [v.words for v in volumes if not v.deleted]
        if gone:
            yield Caution(f"Deleted with it, for good: {', '.join(gone)}.", loss=True)
        if kept:
            verb_form = "goes" if len(kept) == 1 else "go"
            yield Caution(f"Kept, and {verb_form} on costing: {', '.join(kept)}.")
        if instance.root_device == "instance-store":
            yield Caution("Its root disk is on instance store and is erased.", loss=True)
    if verb in (*_STOPS, Verb.TERMINATE) and facts.local_disks:
        yield Caution(
            f"Its local disks ({facts.local_disks} GB of instance store) are erased.", loss=True
        )


def _about_ties(verb: Verb, ties: Ties) -> Iterable[Caution]:
    if verb is Verb.START:
        return
    if ties.sessions:
        names = listed(ties.sessions)
        if verb is Verb.HIBERNATE:
            yield Caution(f"Its sessions ({names}) are kept with its memory and go on later.")
        else:
            one = len(ties.sessions) == 1
            yield Caution(
                f"{'The session' if one else 'The sessions'} {names} on it "
                f"{'ends' if one else 'end'}, with what runs in {'it' if one else 'them'}.",
                loss=True,
            )
    elif ties.unseen:
        yield Caution(f"Its tmux and screen sessions were not looked at: {ties.unseen}")
    if ties.ports:
        where, one = listed([f"localhost:{port}" for port in ties.ports]), len(ties.ports) == 1
        yield Caution(f"The tunnel at {where} breaks." if one else f"The tunnels at {where} break.")
    elif ties.connected:
        yield Caution("The open connection to it ends, with its panes and shells.")


def _about_owners(verb: Verb, instance: Instance, facts: Facts) -> Iterable[Caution]:
    group, stack = instance.tags.get(GROUP_TAG), instance.tags.get(STACK_TAG)
    if group and verb in _STOPS:
        yield Caution(
            f"Its Auto Scaling group {group} takes it for broken, terminates it and launches "
            "another.",
            loss=True,
        )
    if group and verb is Verb.TERMINATE:
        yield Caution(f"Its Auto Scaling group {group} launches another in its place.")
    if stack and verb is Verb.TERMINATE:
        yield Caution(f"Its CloudFormation stack {stack} is not told and will miss it.")
    if not (instance.spot and facts.spot_persistent):
        return
    if verb in _STOPS:
        yield Caution("Its Spot request waits, disabled, until the machine is started again.")
    elif verb is Verb.START:
        yield Caution("It starts only while there is Spot capacity for it.")
    elif verb is Verb.TERMINATE:
        request = instance.spot_request_id
        yield Caution(
            "Its Spot request is persistent and launches another unless it is cancelled first: "
            f"aws ec2 cancel-spot-instance-requests --spot-instance-request-ids {request} "
            f"--region {instance.region}"
        )


def _about_address(verb: Verb, instance: Instance, facts: Facts) -> Iterable[Caution]:
    elastic = listed(facts.elastic_ips or ())
    if verb is Verb.TERMINATE and elastic:
        yield Caution(f"Its Elastic IP {elastic} is kept, and goes on costing until released.")
    if verb in _STOPS and elastic:
        yield Caution(f"Its Elastic IP {elastic} stays its own, and goes on costing.")
    elif verb in _STOPS and instance.public_ip:
        sure = facts.elastic_ips is not None
        yield Caution(
            f"Its public address {instance.public_ip} is given up; the next start brings another."
            if sure
            else f"Unless {instance.public_ip} is an Elastic IP, the next start brings another "
            "address."
        )
    elif verb is Verb.START and facts.elastic_ips == ():
        yield Caution("A public address, if it gets one, is not the one it had before.")


def _about_costs(verb: Verb, facts: Facts) -> Iterable[Caution]:
    if verb in _STOPS and facts.volumes:
        size, many = sum(v.size for v in facts.volumes), len(facts.volumes) > 1
        which = f"{len(facts.volumes)} volumes" if many else "volume"
        yield Caution(f"Its {which} ({size} GiB) {'go' if many else 'goes'} on costing.")
    if verb is Verb.HIBERNATE:
        yield Caution("If it does not manage to hibernate, it is shut down as by a stop.")
    if verb is Verb.START and facts.shutdown == "terminate":
        yield Caution("A shutdown typed inside it terminates it.", loss=True)


def _about_unknowns(verb: Verb, instance: Instance, facts: Facts) -> Iterable[Caution]:
    if verb in _STOPS and instance.spot and facts.spot_persistent is None:
        yield Caution("It is a Spot machine; with a one-time request EC2 refuses to stop it.")
    if verb is Verb.TERMINATE and facts.volumes is None:
        yield Caution("Which of its volumes go with it is not known.", loss=True)


def begins_to_cost(price: Price | None, why: str) -> Caution:
    """What a start begins to cost; `why` says why the price is not known."""
    if price is None:
        return Caution(f"What it costs an hour is not known: {why}.")
    if price.source is Source.SPOT:
        return Caution(f"It costs about ${price.words} an hour while it runs, as Spot is now.")
    return Caution(f"It costs ${price.words} an hour while it runs (as of {price.as_of}).")


@dataclass(frozen=True, slots=True)
class Target:
    """One machine of a plan."""

    instance: Instance
    standing: Standing
    reason: str = ""
    """Why it is left out."""
    cure: str = ""
    cautions: tuple[Caution, ...] = ()

    @property
    def error(self) -> CloudtuiError | None:
        """Why it cannot be done, for one that it cannot be done to."""
        if self.standing is not Standing.IMPOSSIBLE:
            return None
        return Refused(self.reason, hint=self.cure)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, machine by machine, and what to know before."""

    verb: Verb
    targets: tuple[Target, ...]
    force: bool = False
    problems: tuple[CloudtuiError, ...] = ()
    """What could not be looked up."""
    cost: str = ""
    """What several machines begin to cost together, as a sentence."""

    @property
    def possible(self) -> tuple[Target, ...]:
        return tuple(t for t in self.targets if t.standing is Standing.POSSIBLE)

    @property
    def left_out(self) -> tuple[Target, ...]:
        return tuple(t for t in self.targets if t.standing is not Standing.POSSIBLE)

    @property
    def question(self) -> str:
        """`Stop bert-gpu (i-0f3c...)?`, `Stop 3 machines?`."""
        return f"{self.verb.value.capitalize()} {self.whom}?"

    @property
    def whom(self) -> str:
        """The machines that it can be done to, as a sentence names them."""
        return whom([target.instance for target in self.possible])

    @property
    def answers(self) -> tuple[str, ...]:
        """What may be typed to terminate: the one name or id, or `terminate 3`."""
        found = self.possible
        if len(found) == 1:
            return tuple(filter(None, (found[0].instance.name, found[0].instance.id)))
        return (f"{self.verb.value} {len(found)}",) if found else ()

    def accepts(self, typed: str) -> bool:
        """Whether what was typed names what is to be done."""
        return typed.strip() in self.answers


def make(
    verb: Verb,
    instance: Instance,
    facts: Facts = UNKNOWN,
    ties: Ties = Ties(),
    *,
    force: bool = False,
) -> Target:
    """One machine's place in a plan."""
    where = standing(verb, instance, facts, force=force)
    if where is not Standing.POSSIBLE:
        reason = why_not(verb, instance, facts, force=force)
        return Target(instance, where, reason, cure(verb, instance, facts))
    known = cautions(verb, instance, facts, ties)
    if force and verb is Verb.STOP:
        lost = "It is cut off without a shutdown: what is not on disk is lost."
        known = (Caution(lost, loss=True), *known)
    return Target(instance, where, cautions=known)


def whom(instances: Sequence[Instance]) -> str:
    """One machine by name and id, several by their number."""
    return instances[0].label if len(instances) == 1 else plural(len(instances), "machine")
