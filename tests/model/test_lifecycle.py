"""What a state allows, what is said before, and how a change is followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.instance import Instance, State
from cloudtui.model.lifecycle import (
    GROUP_TAG,
    STACK_TAG,
    UNKNOWN,
    Caution,
    Facts,
    Plan,
    Standing,
    Ties,
    Verb,
    Volume,
    begins_to_cost,
    cautions,
    cure,
    make,
    standing,
    why_not,
)
from cloudtui.model.price import Price, Source
from cloudtui.model.progress import GOING_DOWN_SECONDS, Phase, Step, advanced, rebooted
from cloudtui.model.words import listed

GPU = Instance("i-0f3c", "us-east-1", State.RUNNING, "bert-gpu", public_ip="54.1.2.3")
VOLUMES = (
    Volume("vol-1", 200, "/dev/sda1", deleted=True),
    Volume("vol-2", 500, "/dev/sdf", "data"),
)

instances = st.builds(
    Instance,
    id=st.just("i-1"),
    region=st.just("eu-west-1"),
    state=st.sampled_from(State),
    name=st.sampled_from(["", "bert-gpu"]),
    lifecycle=st.sampled_from(["", "spot"]),
    root_device=st.sampled_from(["", "ebs", "instance-store"]),
    hibernation=st.booleans(),
    public_ip=st.sampled_from(["", "54.1.2.3"]),
    state_reason=st.sampled_from(["", "Client.UserInitiatedShutdown"]),
)
facts = st.builds(
    Facts,
    termination_protected=st.sampled_from([None, True, False]),
    stop_protected=st.sampled_from([None, True, False]),
    spot_persistent=st.sampled_from([None, True, False]),
    elastic_ips=st.sampled_from([None, (), ("3.3.3.3",)]),
    volumes=st.sampled_from([None, (), VOLUMES]),
    local_disks=st.sampled_from([None, 0, 450]),
)
verbs = st.sampled_from(Verb)


def texts(found: tuple[Caution, ...]) -> str:
    return "\n".join(caution.text for caution in found)


@given(verbs, instances, facts, st.booleans())
def test_a_reason_names_the_machine_exactly_when_it_is_not_possible(
    verb: Verb, instance: Instance, known: Facts, force: bool
) -> None:
    reason = why_not(verb, instance, known, force=force)
    possible = standing(verb, instance, known, force=force) is Standing.POSSIBLE
    assert bool(reason) is not possible
    assert not reason or (reason.startswith(instance.label) and reason.endswith("."))
    target = make(verb, instance, known, force=force)
    assert (target.error is not None) is (target.standing is Standing.IMPOSSIBLE)
    assert not possible or not cure(verb, instance, known)


@given(instances, facts)
def test_terminated_machines_stay_so_and_all_others_can_be_terminated_unless_protected(
    instance: Instance, known: Facts
) -> None:
    found = standing(Verb.TERMINATE, instance, known)
    if instance.state is State.TERMINATED:
        assert found is Standing.DONE
        others = (Verb.START, Verb.STOP, Verb.HIBERNATE, Verb.REBOOT)
        assert all(standing(v, instance, known) is Standing.IMPOSSIBLE for v in others)
    elif instance.state is not State.SHUTTING_DOWN:
        protected = known.termination_protected or known.stop_protected
        assert found is (Standing.IMPOSSIBLE if protected else Standing.POSSIBLE)
        assert bool(cure(Verb.TERMINATE, instance, known)) is bool(protected)


@given(instances, facts)
def test_what_can_be_hibernated_can_be_stopped(instance: Instance, known: Facts) -> None:
    if standing(Verb.HIBERNATE, instance, known) is Standing.POSSIBLE:
        assert standing(Verb.STOP, instance, known) is Standing.POSSIBLE
        assert instance.hibernation


@given(verbs, instances, facts)
def test_losses_are_told_first(verb: Verb, instance: Instance, known: Facts) -> None:
    losses = [c.loss for c in cautions(verb, instance, known, Ties(("train",), (8888,)))]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(
    ("verb", "changes", "known", "words"),
    [
        (Verb.STOP, {"lifecycle": "spot"}, Facts(spot_persistent=False), "one-time"),
        (Verb.STOP, {"root_device": "instance-store"}, UNKNOWN, "instance store"),
        (Verb.STOP, {}, Facts(stop_protected=True), "stop protection"),
        (Verb.HIBERNATE, {}, UNKNOWN, "cannot hibernate"),
        (Verb.STOP, {"state": State.PENDING}, UNKNOWN, "still starting"),
        (Verb.START, {"state": State.STOPPING}, UNKNOWN, "still stopping"),
        (Verb.REBOOT, {"state": State.STOPPED}, UNKNOWN, "Only a running one"),
        (Verb.START, {}, UNKNOWN, "running already"),
        (
            Verb.TERMINATE,
            {},
            Facts(termination_protected=True, stop_protected=True),
            "termination protection and stop protection",
        ),
    ],
)
def test_reasons(verb: Verb, changes: dict[str, object], known: Facts, words: str) -> None:
    assert words in why_not(verb, replace(GPU, **changes), known)  # type: ignore[arg-type]


def test_terminate_names_the_volumes_that_go_and_those_that_stay() -> None:
    known = Facts(volumes=VOLUMES, elastic_ips=("3.3.3.3",), local_disks=450)
    told = texts(cautions(Verb.TERMINATE, GPU, known, Ties(("train", "eval"))))
    for words in (
        "Deleted with it, for good: vol-1 (/dev/sda1, 200 GiB).",
        "Kept, and goes on costing: vol-2 (data, /dev/sdf, 500 GiB).",
        "Elastic IP 3.3.3.3 is kept",
        "450 GB",
        "train and eval",
    ):
        assert words in told


def test_stop_tells_of_addresses_costs_and_groups() -> None:
    free = texts(cautions(Verb.STOP, GPU, Facts(elastic_ips=(), volumes=VOLUMES)))
    assert "54.1.2.3 is given up" in free
    assert "2 volumes (700 GiB) go on costing" in free
    assert "Unless 54.1.2.3 is an Elastic IP" in texts(cautions(Verb.STOP, GPU))
    assert "stays its own" in texts(cautions(Verb.STOP, GPU, Facts(elastic_ips=("54.1.2.3",))))
    grouped = replace(GPU, tags={GROUP_TAG: "workers", STACK_TAG: "lab"})
    assert "workers takes it for broken" in texts(cautions(Verb.STOP, grouped))
    ended = texts(cautions(Verb.TERMINATE, grouped))
    assert "workers launches another" in ended
    assert "stack lab" in ended


def test_persistent_spot_requests_are_told_of() -> None:
    spot = replace(GPU, lifecycle="spot", spot_request_id="sir-1")
    known = Facts(spot_persistent=True)
    assert standing(Verb.STOP, spot, known) is Standing.POSSIBLE
    assert "disabled" in texts(cautions(Verb.STOP, spot, known))
    assert "--spot-instance-request-ids sir-1" in texts(cautions(Verb.TERMINATE, spot, known))
    assert "one-time request EC2 refuses" in texts(cautions(Verb.STOP, spot))


def test_hibernating_keeps_sessions_and_a_stop_ends_them() -> None:
    ties = Ties(("train",), (8888, 8889), connected=True)
    stopped, kept = (
        texts(cautions(v, replace(GPU, hibernation=True), UNKNOWN, ties))
        for v in (Verb.STOP, Verb.HIBERNATE)
    )
    assert "The session train on it ends" in stopped
    assert "go on later" in kept
    assert "localhost:8888 and localhost:8889 break." in stopped
    assert not any("session" in c.text for c in cautions(Verb.START, GPU, UNKNOWN, ties))


def test_what_is_typed_to_terminate() -> None:
    one = Plan(Verb.TERMINATE, (make(Verb.TERMINATE, GPU),))
    assert one.question == "Terminate bert-gpu (i-0f3c)?"
    assert one.accepts("bert-gpu")
    assert one.accepts(" i-0f3c ")
    assert not one.accepts("bert")
    assert not one.accepts("")
    two = Plan(Verb.TERMINATE, tuple(make(Verb.TERMINATE, replace(GPU, id=i)) for i in "ab"))
    assert two.accepts("terminate 2")
    assert not two.accepts("bert-gpu")
    nameless = Plan(Verb.TERMINATE, (make(Verb.TERMINATE, replace(GPU, name="")),))
    assert nameless.answers == ("i-0f3c",)
    assert not Plan(Verb.TERMINATE, ()).accepts("")


def started(**now: object) -> Step:
    stopped = replace(GPU, state=State.STOPPED, public_ip="", state_reason="User initiated")
    return Step(Verb.START, stopped, replace(stopped, **now), Phase.ASKED)  # type: ignore[arg-type]


def test_a_start_ends_when_the_address_is_known() -> None:
    asked = started()
    assert advanced(asked, asked.now, 1).phase is Phase.ASKED
    pending = advanced(asked, replace(GPU, state=State.PENDING, public_ip=""), 2)
    assert pending.phase is Phase.CHANGING
    early = advanced(pending, replace(GPU, public_ip="", private_ip="10.0.0.1"), 3)
    assert early.phase is Phase.CHANGING
    assert advanced(early, early.now, 4).phase is Phase.DONE
    done = advanced(early, GPU, 34)
    assert done.sentence == "bert-gpu (i-0f3c) runs at 54.1.2.3 after 34 s."


def test_a_start_that_falls_back_is_a_failure_with_its_reason() -> None:
    why = "Server.InsufficientInstanceCapacity: Insufficient capacity"
    back = replace(GPU, state=State.STOPPED, state_reason=why)
    for before in (started(), started(state=State.PENDING)):
        step = advanced(before, back, 5)
        assert step.phase is Phase.FAILED
        assert step.error is not None
        assert step.error.detail == why
        assert "another type" in step.error.hint


@given(verbs.filter(lambda v: v is not Verb.REBOOT), instances, st.floats(0, 900))
def test_a_look_ends_a_change_only_with_its_goal_or_a_reason(
    verb: Verb, now: Instance, elapsed: float
) -> None:
    before = replace(now, state=State.STOPPED if verb is Verb.START else State.RUNNING)
    step = advanced(Step(verb, before, before, Phase.ASKED), now, elapsed)
    assert (step.phase is Phase.FAILED) is (step.error is not None)
    if step.phase is Phase.DONE:
        assert now.state is verb.goal
    assert before.label in step.sentence


def test_a_machine_that_vanished_was_terminated_and_otherwise_is_lost() -> None:
    assert advanced(Step(Verb.TERMINATE, GPU, GPU, Phase.ASKED), None, 3).phase is Phase.DONE
    assert advanced(Step(Verb.STOP, GPU, GPU, Phase.ASKED), None, 3).phase is Phase.FAILED


def test_a_stop_that_somebody_undoes_is_said() -> None:
    stopping = Step(Verb.STOP, GPU, replace(GPU, state=State.STOPPING), Phase.CHANGING)
    step = advanced(stopping, GPU, 9)
    assert step.error is not None
    assert "someone else" in step.error.title
    gone = advanced(stopping, replace(GPU, state=State.TERMINATED), 9)
    assert gone.error is not None
    assert "terminated instead" in gone.error.title


def test_long_lists_end_in_a_number() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefgh")) == "a, b, c, d, e and 3 more"


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (Price(1.212, date(2026, 7, 20)), "costs $1.21 an hour while it runs (as of 2026-07-20)"),
        (Price(0.3, date(2026, 7, 20), Source.SPOT), "about $0.30 an hour"),
        (None, "not known: no table has g9.huge"),
    ],
)
def test_a_start_says_what_it_begins_to_cost(price: Price | None, words: str) -> None:
    assert words in begins_to_cost(price, "no table has g9.huge").text


def test_a_reboot_is_done_when_ssh_was_gone_and_answers_again() -> None:
    step = Step(Verb.REBOOT, GPU, GPU, Phase.ASKED)
    step = rebooted(step, None, 3.0)
    assert step.sentence == "bert-gpu (i-0f3c) is going down, 3 s."
    step = rebooted(step, False, 9.0)
    assert (step.phase, step.sentence) == (Phase.CHANGING, "bert-gpu (i-0f3c) is coming up, 9 s.")
    late = rebooted(step, False, Verb.REBOOT.patience + 1)
    assert late.phase is Phase.LEFT
    assert "SSH does not answer after" in late.sentence
    step = rebooted(step, True, 31.0)
    assert step.phase is Phase.DONE
    assert step.sentence == "bert-gpu (i-0f3c) has rebooted: SSH answers again after 31 s."


def test_a_machine_that_never_goes_down_is_waited_for_a_while_only() -> None:
    step = Step(Verb.REBOOT, GPU, GPU, Phase.ASKED)
    assert rebooted(step, None, GOING_DOWN_SECONDS).phase is Phase.CHANGING
    done = rebooted(step, None, GOING_DOWN_SECONDS + 1)
    assert done.phase is Phase.DONE
    assert "SSH answered all the while, for 2m" in done.sentence
