"""Changes of machines against moto, and EC2's refusals from an endpoint that gives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest

from cloudtui.aws import lifecycle as calls
from cloudtui.aws.clients import Amazon
from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, NotFound, Refused
from cloudtui.model.instance import Instance, State
from cloudtui.model.lifecycle import Standing, Verb
from cloudtui.model.progress import Phase, Step
from tests.lab import Lab, Person
from tests.moto_child import StubEndpoint

GPU = Instance("i-0f3c", "us-east-1", State.RUNNING, "bert-gpu", "g5.xlarge", "us-east-1a")
LAB = replace(GPU, id="i-0ab2", name="jupyter-lab")


class Account:
    """Machines made in moto, by name."""

    def __init__(self) -> None:
        self.ec2: Any = boto3.client("ec2", region_name="us-east-1")
        images = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["*ubuntu*"]}])
        self.image = images["Images"][0]["ImageId"]

    def launch(self, name: str) -> str:
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        made = self.ec2.run_instances(
            ImageId=self.image,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            TagSpecifications=tags,
        )
        return str(made["Instances"][0]["InstanceId"])

    def protect(self, instance_id: str) -> None:
        self.ec2.modify_instance_attribute(
            InstanceId=instance_id, DisableApiTermination={"Value": True}
        )


@pytest.fixture
def account(aws_env: str) -> Account:
    return Account()


@asynccontextmanager
async def opened(**more: Any) -> AsyncIterator[Workbench]:
    async with Workbench(Settings(), Person(), **more) as bench:
        await bench.inventory.load()
        yield bench


async def ends(steps: AsyncIterator[Step]) -> dict[str, Step]:
    return {step.before.name: step async for step in steps if step.ended}


async def test_stop_and_start_are_followed_to_their_end(account: Account) -> None:
    account.launch("bert-gpu")
    account.launch("jupyter-lab")
    async with opened() as bench:
        plan = await bench.lifecycle.plan(Verb.STOP, bench.inventory.state.instances)
        assert plan.problems == ()
        assert plan.question == "Stop 2 machines?"
        done = await ends(bench.lifecycle.perform(plan))
        assert {s.phase for s in done.values()} == {Phase.DONE}
        assert done["bert-gpu"].now.state is State.STOPPED
        await bench.inventory.load()
        machine = await bench.inventory.find("bert-gpu")
        again = await bench.lifecycle.plan(Verb.STOP, [machine])
        assert again.targets[0].standing is Standing.DONE
        done = await ends(
            bench.lifecycle.perform(await bench.lifecycle.plan(Verb.START, [machine]))
        )
        assert done["bert-gpu"].now.address


async def test_a_plan_knows_the_volumes_and_the_elastic_ip(account: Account) -> None:
    gpu = account.launch("bert-gpu")
    address = account.ec2.allocate_address(Domain="vpc")
    account.ec2.associate_address(InstanceId=gpu, AllocationId=address["AllocationId"])
    async with opened() as bench:
        plan = await bench.lifecycle.plan(Verb.TERMINATE, bench.inventory.state.instances)
    told = " ".join(c.text for c in plan.targets[0].cautions)
    assert f"Elastic IP {address['PublicIp']} is kept" in told
    assert "vol-" in told


async def test_a_type_that_the_region_has_no_more_hides_no_other(account: Account) -> None:
    gpu, old = account.launch("bert-gpu"), account.launch("old-box")
    for machine, kind in ((gpu, "g5.xlarge"), (old, "g99.huge")):
        account.ec2.stop_instances(InstanceIds=[machine])
        account.ec2.modify_instance_attribute(InstanceId=machine, InstanceType={"Value": kind})
        account.ec2.start_instances(InstanceIds=[machine])
    async with opened() as bench:
        plan = await bench.lifecycle.plan(Verb.STOP, bench.inventory.state.instances)
    assert plan.problems == ()
    told = [c.text for t in plan.targets for c in t.cautions if t.instance.id == gpu]
    assert any("250 GB of instance store" in text for text in told), told


async def test_protection_is_known_before_and_does_not_hide_the_others(account: Account) -> None:
    account.protect(account.launch("bert-gpu"))
    account.launch("jupyter-lab")
    async with opened() as bench:
        plan = await bench.lifecycle.plan(Verb.TERMINATE, bench.inventory.state.instances)
        assert [t.instance.name for t in plan.possible] == ["jupyter-lab"]
        assert "--no-disable-api-termination" in plan.left_out[0].cure
        done = await ends(bench.lifecycle.perform(plan))
        assert done["jupyter-lab"].phase is Phase.DONE
        assert isinstance(done["bert-gpu"].error, Refused)


async def test_protection_that_came_in_between_fails_only_its_machine(account: Account) -> None:
    gpu = account.launch("bert-gpu")
    account.launch("jupyter-lab")
    async with opened() as bench:
        plan = await bench.lifecycle.plan(Verb.TERMINATE, bench.inventory.state.instances)
        account.protect(gpu)
        done = await ends(bench.lifecycle.perform(plan))
    assert done["jupyter-lab"].phase is Phase.DONE
    error = done["bert-gpu"].error
    assert isinstance(error, Refused)
    assert error.title == f"Cannot terminate bert-gpu ({gpu}): it is protected."


async def test_a_dry_run_changes_nothing(account: Account) -> None:
    account.launch("bert-gpu")
    async with opened() as bench:
        for verb in (Verb.STOP, Verb.REBOOT, Verb.TERMINATE):
            plan = await bench.lifecycle.plan(verb, bench.inventory.state.instances)
            (trial,) = await bench.lifecycle.dry_run(plan)
            assert trial.error is None
        state = await bench.inventory.load()
    assert state.instances[0].state is State.RUNNING


async def test_a_reboot_is_followed_until_ssh_answers_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudtui.ssh.greeting.PROBE_SECONDS", 0.5)
    async with lab.bench() as bench:
        machine = await bench.inventory.find("bert-gpu")
        steps = bench.lifecycle.perform(await bench.lifecycle.plan(Verb.REBOOT, [machine]))
        assert (await anext(steps)).phase is Phase.ASKED
        lab.sshd.stop()
        try:
            async for step in steps:
                if step.answers is False:
                    break
            assert step.phase is Phase.CHANGING
        finally:
            lab.sshd.start()
        async for step in steps:
            last = step
    assert (last.phase, last.answers) == (Phase.DONE, True)


async def test_a_reboot_that_cannot_be_seen_is_done_when_ec2_took_it(lab: Lab) -> None:
    lab.name_in_config("bert-gpu", "ProxyJump elsewhere")
    async with lab.bench() as bench:
        machine = await bench.inventory.find("bert-gpu")
        plan = await bench.lifecycle.plan(Verb.REBOOT, [machine])
        steps = [step async for step in bench.lifecycle.perform(plan)]
    assert [step.phase for step in steps] == [Phase.DONE]
    assert "EC2 shows it as running" in steps[0].sentence


async def test_a_start_says_what_it_begins_to_cost(account: Account) -> None:
    names = ("bert-gpu", "jupyter-lab")
    account.ec2.stop_instances(InstanceIds=[account.launch(name) for name in names])
    async with opened() as bench:
        machines = bench.inventory.state.instances
        plan = await bench.lifecycle.plan(Verb.START, machines)
        one = await bench.lifecycle.plan(Verb.START, machines[:1])
    for target in plan.targets:
        told = [caution.text for caution in target.cautions]
        assert any(text.startswith("It costs $0.010 an hour while it runs") for text in told), told
    assert (plan.cost, one.cost) == ("Together they cost $0.021/h.", "")


async def test_read_only_refuses_all_of_it(account: Account) -> None:
    account.launch("bert-gpu")
    async with opened() as bench:
        plan = await bench.lifecycle.plan(Verb.STOP, bench.inventory.state.instances)
    async with opened(read_only=True) as bench:
        with pytest.raises(Refused) as caught:
            await bench.lifecycle.plan(Verb.STOP, bench.inventory.state.instances)
        assert caught.value.exit_code == 4
        with pytest.raises(Refused):
            await bench.lifecycle.dry_run(plan)
        with pytest.raises(Refused):
            await ends(bench.lifecycle.perform(plan))
        assert "read-only" in bench.why_not("lifecycle.stop", bench.inventory.state.instances[0])


async def test_a_change_that_never_ends_is_left(account: Account) -> None:
    account.launch("bert-gpu")
    async with opened() as bench:
        plan = await bench.lifecycle.plan(Verb.STOP, bench.inventory.state.instances)
        stuck = Step(Verb.STOP, GPU, replace(GPU, state=State.STOPPING), Phase.CHANGING)
        step = bench.lifecycle._next(Verb.STOP, stuck, {GPU.id: stuck.now}, plan.verb.patience + 1)
        assert step.phase is Phase.LEFT
        assert "still stopping" in step.sentence
        lost = CredentialsProblem("The credentials have expired.", login="sso")
        step = bench.lifecycle._next(Verb.STOP, stuck, lost, 3.0)
        assert isinstance(step.error, CredentialsProblem)
        assert step.error.login == "sso"


async def refused(stub: StubEndpoint, verb: Verb, *machines: Instance, **more: bool) -> Any:
    async with Amazon(regions=["us-east-1"]) as amazon:
        return await calls.change(amazon, "us-east-1", verb, machines or (GPU,), **more)


@pytest.mark.parametrize(
    ("verb", "code", "kind", "words"),
    [
        (Verb.START, "InsufficientInstanceCapacity", CloudtuiError, "no g5.xlarge free"),
        (Verb.STOP, "IncorrectInstanceState", Refused, "its state does not allow it"),
        (Verb.TERMINATE, "OperationNotPermitted", Refused, "it is protected"),
        (Verb.STOP, "UnsupportedOperation", Refused, "does not allow it"),
        (Verb.HIBERNATE, "UnsupportedHibernationConfiguration", Refused, "cannot hibernate"),
        (Verb.STOP, "InvalidInstanceID.NotFound", NotFound, "no such machine any more"),
        (Verb.STOP, "VcpuLimitExceeded", CloudtuiError, "quota"),
    ],
)
async def test_refusals_name_the_machine(
    stub_endpoint: StubEndpoint, verb: Verb, code: str, kind: type[CloudtuiError], words: str
) -> None:
    stub_endpoint.answer_error(400, code, "EC2's own words about i-0f3c")
    error = (await refused(stub_endpoint, verb))[GPU.id]
    assert type(error) is kind
    assert error.title.startswith(f"Cannot {verb.value} bert-gpu (i-0f3c)")
    assert words in error.title
    assert "EC2's own words" in error.detail


async def test_a_dry_run_that_is_denied_names_the_action(stub_endpoint: StubEndpoint) -> None:
    said = "You are not authorized to perform: ec2:StopInstances on resource: arn:aws:ec2:x"
    stub_endpoint.answer_error(403, "UnauthorizedOperation", said)
    error = (await refused(stub_endpoint, Verb.STOP, dry_run=True))[GPU.id]
    assert isinstance(error, Refused)
    assert "ec2:StopInstances" in error.title
    assert "DryRun=true" in stub_endpoint.requests[0].body
    stub_endpoint.answer_error(412, "DryRunOperation", "Request would have succeeded")
    assert await refused(stub_endpoint, Verb.STOP, dry_run=True) == {GPU.id: None}


async def test_one_bad_machine_does_not_hide_the_others(stub_endpoint: StubEndpoint) -> None:
    bad = (
        "<Response><Errors><Error><Code>IncorrectInstanceState</Code><Message>i-0f3c</Message>"
        "</Error></Errors><RequestID>1</RequestID></Response>"
    )
    good = "<StopInstancesResponse><instancesSet/></StopInstancesResponse>"
    stub_endpoint.answer_in_turn((400, bad), (400, bad), (200, good))
    told = await refused(stub_endpoint, Verb.STOP, GPU, LAB)
    assert len(stub_endpoint.requests) == 3
    assert sorted(error is None for error in told.values()) == [False, True]


async def test_credentials_that_are_refused_are_asked_for_once(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer_error(400, "RequestExpired", "Request has expired.")
    told = await refused(stub_endpoint, Verb.STOP, GPU, LAB)
    assert all(isinstance(error, CredentialsProblem) for error in told.values())
    assert len(stub_endpoint.requests) == 1


async def test_what_may_not_be_looked_up_is_left_unknown(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer_error(403, "UnauthorizedOperation", "You are not authorized.")
    async with Amazon(regions=["us-east-1"]) as amazon:
        known, problems = await calls.facts(amazon, "us-east-1", Verb.TERMINATE, [GPU, LAB])
    assert set(known) == {GPU.id, LAB.id}
    assert known[GPU.id].volumes is None
    assert known[GPU.id].termination_protected is None
    assert any("volumes" in problem.title for problem in problems)


async def test_leaving_the_loop_leaves_ec2_at_work(account: Account) -> None:
    account.launch("bert-gpu")
    async with opened() as bench:
        plan = await bench.lifecycle.plan(Verb.STOP, bench.inventory.state.instances)

        async def follow() -> None:
            async for _ in bench.lifecycle.perform(plan):
                asyncio.current_task().cancel()  # type: ignore[union-attr]

        task = asyncio.create_task(follow())
        await asyncio.wait([task])
        assert task.cancelled()
        assert (await bench.inventory.load()).instances[0].state is State.STOPPED
