"""What a run waits for and what follows it, checked before it starts and put into its record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from shlex import quote

from cloudtui.core.inventory import Inventory
from cloudtui.files.computer import computer, seal
from cloudtui.model.errors import CloudtuiError, NotFound, Refused, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job, JobSpec
from cloudtui.model.lifecycle import Verb
from cloudtui.model.then import Action, Kind, check_terminating, files, parse_all, stops
from cloudtui.model.words import plural
from cloudtui.ssh.connection import Connection

Confirm = Callable[[str], Awaitable[bool]]
"""Asks a yes-or-no question."""


async def record(
    inventory: Inventory,
    connection: Connection,
    instance: Instance,
    spec: JobSpec,
    find: Callable[[str], Awaitable[Job]],
    confirm: Confirm | None,
) -> Sequence[str]:
    """Lines of sh that complete the run's record; none for a run that nothing comes before or
    after. `find` finds a run of the host by its name, `confirm` asks whether a machine may be
    terminated by its shutdown.

    Raises:
        UsageError: an action that is none, or more GPUs than can be.
        NotFound: a run to come after is not there, or fewer GPUs than asked for.
        Refused: the machine has nothing to copy to S3 with, or cannot be shut down by you, or a
            shutdown would terminate it and that was not confirmed.
    """
    from cloudtui.ssh import then

    actions = parse_all(spec.then)
    if spec.gpus < 0:
        raise UsageError(f"{spec.gpus} GPUs cannot be waited for.")
    waiting = {name: "1\n" for name, on in (("queue", spec.queue), ("any", spec.after_any)) if on}
    if spec.after:
        waiting["after"] = "\n".join([(await find(name)).id for name in spec.after])
    if spec.gpus:
        waiting["gpus"] = str(spec.gpus)
    if not actions and not waiting:
        return ()
    terminates = False
    s3 = [action.text for action in actions if action.kind is Kind.S3]
    if spec.gpus or stops(actions) or s3:
        able = await then.able(connection, gpus=bool(spec.gpus), stop=stops(actions), s3=bool(s3))
        if able.no_s3:
            raise Refused(
                f"{instance.label} could not do {s3[0]!r}: it has neither aws nor Python's boto3.",
                hint="There: python3 -m pip install --user boto3",
            )
        if able.why_no_gpu:
            raise NotFound(
                f"{instance.label} has no GPU that a run could get: {able.why_no_gpu}.",
                hint="Leave out --gpu where no GPU is needed; otherwise see what nvidia-smi says "
                "there.",
            )
        if able.gpus < spec.gpus:
            raise NotFound(
                f"{instance.label} has {plural(able.gpus, 'GPU')}, fewer than the {spec.gpus} "
                "asked for.",
                hint="Leave out --gpu where no GPU is needed; nvidia-smi there lists them.",
            )
        if able.why_not_stop:
            raise Refused(
                f"{instance.label} cannot be shut down by a run: {able.why_not_stop}.",
                hint=how_to_stop(able.why_not_stop, instance),
            )
    if stops(actions):
        terminates = await _may_shut_down(inventory, instance, actions, confirm)
    folder = str(Path.cwd())
    written = {f"wait/{name}": text.strip("\n").encode() for name, text in waiting.items()}
    written |= files(
        actions,
        computer=_computer(actions),
        folder=folder,
        terminates=terminates,
        seal=lambda text, where: seal(instance.id, text, where),
    )
    return then.lines(written, waits=bool(waiting), follows=bool(actions))


def _computer(actions: Sequence[Action]) -> str:
    if not any(action.kind is Kind.COPY for action in actions):
        return ""
    try:
        seal()  # its key is kept, too
        return computer()
    except OSError as error:
        raise CloudtuiError(
            f"This computer cannot remember that it is to fetch a copy: {error.strerror}.",
            hint="Make ~/.local/state/cloudtui writable, or copy to S3.",
        ) from error


def how_to_stop(why: str, instance: Instance) -> str:
    """What to do about a machine that no run can shut down, for that reason."""
    if why.startswith("sudo "):
        return (
            'Leave out --then stop, or allow it there: echo "$USER ALL=(ALL) NOPASSWD: '
            '$(command -v shutdown)" | sudo tee /etc/sudoers.d/cloudtui'
        )
    return f"Leave out --then stop, and stop it from here: cloudtui stop {quote(instance.spoken)}"


async def _may_shut_down(
    inventory: Inventory, instance: Instance, actions: Sequence[Action], confirm: Confirm | None
) -> bool:
    """Whether its shutdown terminates the machine, and the user wants that."""
    terminates = await terminated_by_shutdown(inventory, instance)
    if terminates is False:
        return False
    check_terminating(actions, instance.label)
    if terminates:
        what = f"A shutdown of {instance.label} terminates it, for good and maybe with its disks."
    else:
        what = (
            f"EC2 did not say whether a shutdown of {instance.label} stops it or terminates it "
            "for good."
        )
    if confirm is None or not await confirm(f"{what} Start the run with `stop` behind it?"):
        raise Refused(
            f"The run was not started: {what[0].lower()}{what[1:]}",
            hint="Leave out --then stop, confirm it with --yes, or have a shutdown stop it: aws "
            f"ec2 modify-instance-attribute --instance-id {instance.id} "
            "--instance-initiated-shutdown-behavior stop",
        )
    return True


async def terminated_by_shutdown(inventory: Inventory, instance: Instance) -> bool | None:
    """Whether `shutdown` inside the machine terminates it; None when EC2 does not say."""
    from cloudtui.aws import lifecycle

    if instance.root_device == "instance-store":
        return True
    try:
        amazon = await inventory.amazon_for(instance)
        facts, _ = await lifecycle.facts(amazon, instance.region, Verb.START, [instance])
    except CloudtuiError:
        return None
    known = facts[instance.id]
    if known.shutdown == "terminate" or (instance.spot and known.spot_persistent is False):
        return True
    return False if known.shutdown else None
