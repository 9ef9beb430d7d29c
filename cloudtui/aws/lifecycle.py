"""EC2's calls that start, stop, reboot and terminate, and what to look up before them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import AWS_ERRORS, explain, translated
from cloudtui.aws.listing import instances, read_page
from cloudtui.aws.quiet import LISTING, beside
from cloudtui.aws.refusals import said
from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    NotFound,
    Refused,
    Unreachable,
    UsageError,
)
from cloudtui.model.instance import Instance
from cloudtui.model.lifecycle import Facts, Verb, Volume

T = TypeVar("T")

BATCH = 100
"""The most machines in one request."""
AT_ONCE = 6
"""Requests under way while machines are asked about one by one."""

_FILTER_VALUES = 200
ALLOWED = "DryRunOperation"

Outcome = CloudtuiError | None
"""Why it was refused, or None when EC2 took it."""


async def change(
    amazon: Amazon,
    region: str,
    verb: Verb,
    machines: Sequence[Instance],
    *,
    force: bool = False,
    dry_run: bool = False,
) -> dict[str, Outcome]:
    """Ask EC2 for it, and give each id its outcome.

    EC2 refuses a request as a whole for one machine in it; then each is asked for by itself, so
    that none hides the others. With `dry_run` nothing is changed: EC2 says whether it would be
    allowed.
    """
    outcomes: dict[str, Outcome] = {}
    for start in range(0, len(machines), BATCH):
        batch = machines[start : start + BATCH]
        error = await _ask(amazon, region, verb, batch, force, dry_run)
        if error is None or len(batch) == 1 or _same_for_all(error):
            outcomes |= dict.fromkeys((i.id for i in batch), error)
            continue
        single = await _each(batch, lambda one: _ask(amazon, region, verb, [one], force, dry_run))
        outcomes |= {i.id: told for i, told in zip(batch, single, strict=True)}
    return outcomes


async def _ask(
    amazon: Amazon,
    region: str,
    verb: Verb,
    machines: Sequence[Instance],
    force: bool,
    dry_run: bool,
) -> Outcome:
    wanted: dict[str, Any] = {"InstanceIds": [i.id for i in machines], "DryRun": dry_run}
    try:
        client: Any = await amazon.client("ec2", region)
        match verb:
            case Verb.START:
                await client.start_instances(**wanted)
            case Verb.STOP:
                await client.stop_instances(**wanted, **({"Force": True} if force else {}))
            case Verb.HIBERNATE:
                await client.stop_instances(**wanted, Hibernate=True)
            case Verb.REBOOT:
                await client.reboot_instances(**wanted)
            case Verb.TERMINATE:
                await client.terminate_instances(**wanted)
    except AWS_ERRORS as error:
        if dry_run and isinstance(error, ClientError) and said(error)[0] == ALLOWED:
            return None
        return _told(error, verb, machines, region, amazon.profile)
    return None


def _same_for_all(error: CloudtuiError) -> bool:
    """Whether it has nothing to do with one machine of the request."""
    return isinstance(error, (CredentialsProblem, Unreachable, UsageError))


_REFUSALS: Mapping[str, tuple[str, str]] = {
    "IncorrectInstanceState": (
        "its state does not allow it now",
        "Look at its state (cloudtui ls, Ctrl-r in the console) and try again when it has settled.",
    ),
    "OperationNotPermitted": (
        "it is protected",
        "Termination protection is lifted with: aws ec2 modify-instance-attribute --instance-id "
        "{id} --no-disable-api-termination --region {region}; stop protection with "
        "--no-disable-api-stop.",
    ),
    "UnsupportedOperation": (
        "a machine of its kind does not allow it",
        "A Spot machine of a one-time request, or one with its root disk on instance store, can "
        "only be rebooted or terminated.",
    ),
    "UnsupportedHibernationConfiguration": (
        "it cannot hibernate",
        "That is switched on when a machine is launched. Stop it instead: cloudtui stop {spoken}",
    ),
    "IncorrectSpotRequestState": (
        "its Spot request does not allow it now",
        "Look at the request: aws ec2 describe-spot-instance-requests --region {region}",
    ),
}
_GONE = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed", "InvalidInstanceID")
_CAPACITY = ("InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity")


def _told(
    error: Exception, verb: Verb, machines: Sequence[Instance], region: str, profile: str
) -> CloudtuiError:
    """The error as a sentence with the machine's name."""
    one = machines[0] if len(machines) == 1 else None
    doing = f"{verb.value} {one.label if one else f'{len(machines)} machines'}"
    if one is None or not isinstance(error, ClientError):
        return explain(error, doing, region, profile)
    code, _, detail = said(error)
    if code in _GONE:
        return NotFound(f"Cannot {doing}: {region} has no such machine any more.", detail)
    if code in _CAPACITY:
        return CloudtuiError(
            f"Cannot {doing}: AWS has no {one.type or 'such machine'} free in "
            f"{one.zone or region} now.",
            detail,
            "Try again in some minutes, or give it another type while it is stopped.",
        )
    if code in _REFUSALS:
        why, hint = _REFUSALS[code]
        filled = hint.format(id=one.id, region=region, spoken=one.spoken)
        return Refused(f"Cannot {doing}: {why}.", detail, filled)
    return explain(error, doing, region, profile)


async def look(amazon: Amazon, region: str, ids: Iterable[str]) -> dict[str, Instance]:
    """The machines as they are now, by id; those that EC2 no longer lists are left out.

    Raises:
        CloudtuiError: AWS was not reached or refused.
    """
    wanted, found = sorted(set(ids)), dict[str, Instance]()
    for start in range(0, len(wanted), _FILTER_VALUES):
        some = wanted[start : start + _FILTER_VALUES]
        with translated("look at instances", region, amazon.profile):
            client: Any = await amazon.client("ec2", region)
            listing = LISTING.set(True)
            try:
                # A filter, because InstanceIds fails as a whole when one is gone.
                answer = await client.describe_instances(
                    Filters=[{"Name": "instance-id", "Values": some}]
                )
            finally:
                LISTING.reset(listing)
            page = await beside(partial(read_page, answer["Body"]))
        found |= {i.id: i for i in instances(page, region, amazon.profile)}
    return found


async def facts(
    amazon: Amazon, region: str, verb: Verb, machines: Sequence[Instance]
) -> tuple[dict[str, Facts], list[CloudtuiError]]:
    """What is to be known before `verb`, by id, and what could not be looked up.

    Each question is asked by itself: one that is denied leaves its field None.
    """
    asked = _Questions(amazon, region, machines)
    stops = verb in (Verb.STOP, Verb.HIBERNATE, Verb.TERMINATE)
    questions: dict[str, Awaitable[Mapping[str, Any]]] = {}
    if verb is not Verb.REBOOT:
        questions["elastic_ips"] = asked.elastic_ips()
        questions["spot_persistent"] = asked.spot_persistent()
    if stops:
        questions["volumes"] = asked.volumes()
        questions["local_disks"] = asked.local_disks()
        questions["stop_protected"] = asked.attribute("disableApiStop", "DisableApiStop")
    if verb is Verb.TERMINATE:
        questions["termination_protected"] = asked.attribute(
            "disableApiTermination", "DisableApiTermination"
        )
    if verb is Verb.START:
        questions["shutdown"] = asked.attribute(
            "instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior"
        )
    answers = await asyncio.gather(*questions.values(), return_exceptions=True)
    problems = asked.problems
    known: dict[str, dict[str, Any]] = {i.id: {} for i in machines}
    for name, answer in zip(questions, answers, strict=True):
        if isinstance(answer, CloudtuiError):
            problems.append(answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            for instance_id, value in answer.items():
                known[instance_id][name] = value
    return {instance_id: Facts(**fields) for instance_id, fields in known.items()}, problems


class _Questions:
    """One region's questions; each answers by instance id and raises a CloudtuiError."""

    def __init__(self, amazon: Amazon, region: str, machines: Sequence[Instance]) -> None:
        self._amazon, self._region, self._machines = amazon, region, machines
        self.problems: list[CloudtuiError] = []
        """What single machines were not told of."""
        self._ids = [i.id for i in machines]

    async def _ask(self, doing: str, operation: str, **parameters: Any) -> Any:
        with translated(doing, self._region, self._amazon.profile):
            client: Any = await self._amazon.client("ec2", self._region)
            return await getattr(client, operation)(**parameters)

    async def elastic_ips(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = dict.fromkeys(self._ids, ())
        for some in _parts(self._ids):
            answer = await self._ask(
                "look up Elastic IP addresses",
                "describe_addresses",
                Filters=[{"Name": "instance-id", "Values": some}],
            )
            for address in answer.get("Addresses", ()):
                if address.get("InstanceId") in found:
                    found[address["InstanceId"]] += (address.get("PublicIp", ""),)
        return found

    async def volumes(self) -> dict[str, tuple[Volume, ...]]:
        found: dict[str, tuple[Volume, ...]] = dict.fromkeys(self._ids, ())
        for some in _parts(self._ids):
            token = ""
            while True:
                answer = await self._ask(
                    "look up the volumes",
                    "describe_volumes",
                    Filters=[{"Name": "attachment.instance-id", "Values": some}],
                    **({"NextToken": token} if token else {}),
                )
                for volume in answer.get("Volumes", ()):
                    for attached in volume.get("Attachments", ()):
                        if attached.get("InstanceId") in found:
                            found[attached["InstanceId"]] += (_volume(volume, attached),)
                token = answer.get("NextToken") or ""
                if not token:
                    break
        return {owner: tuple(sorted(held, key=lambda v: v.device)) for owner, held in found.items()}

    async def spot_persistent(self) -> dict[str, bool]:
        requests = {i.spot_request_id: i.id for i in self._machines if i.spot_request_id}
        found: dict[str, bool] = {}
        for some in _parts(list(requests)):
            answer = await self._ask(
                "look up the Spot requests",
                "describe_spot_instance_requests",
                Filters=[{"Name": "spot-instance-request-id", "Values": some}],
            )
            for request in answer.get("SpotInstanceRequests", ()):
                owner = requests.get(request.get("SpotInstanceRequestId", ""))
                if owner and request.get("Type"):
                    found[owner] = request["Type"] == "persistent"
        return found

    async def local_disks(self) -> dict[str, int]:
        types = sorted({i.type for i in self._machines if i.type})
        sizes: dict[str, int] = {}
        for some in _parts(types, 100):
            # A filter, because InstanceTypes fails as a whole for a type the region has no more.
            answer = await self._ask(
                "look up the instance types",
                "describe_instance_types",
                Filters=[{"Name": "instance-type", "Values": some}],
            )
            for kind in answer.get("InstanceTypes", ()):
                store = kind.get("InstanceStorageInfo") or {}
                sizes[kind["InstanceType"]] = int(store.get("TotalSizeInGB") or 0)
        return {i.id: sizes[i.type] for i in self._machines if i.type in sizes}

    async def attribute(self, name: str, key: str) -> dict[str, Any]:
        """One attribute of each; Spot machines cannot be protected and are not asked."""

        async def one(instance: Instance) -> Any:
            if instance.spot and key.startswith("DisableApi"):
                return False
            answer = await self._ask(
                f"look up {name} of {instance.label}",
                "describe_instance_attribute",
                InstanceId=instance.id,
                Attribute=name,
            )
            return (answer.get(key) or {}).get("Value")

        values = await _each(self._machines, one)
        for value in values:
            if isinstance(value, CloudtuiError):
                self.problems.append(value)
                break
        pairs = zip(self._machines, values, strict=True)
        return {i.id: v for i, v in pairs if v is not None and not isinstance(v, CloudtuiError)}


def _volume(volume: Mapping[str, Any], attached: Mapping[str, Any]) -> Volume:
    tags = {tag["Key"]: tag["Value"] for tag in volume.get("Tags", ())}
    return Volume(
        volume.get("VolumeId", ""),
        int(volume.get("Size", 0)),
        attached.get("Device", ""),
        tags.get("Name", ""),
        bool(attached.get("DeleteOnTermination")),
    )


def _parts(words: list[str], size: int = _FILTER_VALUES) -> list[list[str]]:
    return [words[start : start + size] for start in range(0, len(words), size)]


async def _each(
    machines: Sequence[Instance], question: Callable[[Instance], Awaitable[T]]
) -> list[T | CloudtuiError]:
    """The answers in the machines' order, some questions at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(instance: Instance) -> T | CloudtuiError:
        async with gate:
            try:
                return await question(instance)
            except CloudtuiError as error:
                return error

    return await asyncio.gather(*(ask(instance) for instance in machines))
