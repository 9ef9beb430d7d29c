from __future__ import annotations

from dataclasses import replace

import pytest

from cloudtui.model.errors import Ambiguous, NotFound
from cloudtui.model.instance import (
    GLYPHS,
    Instance,
    State,
    next_step,
    resolve,
    why_not_connect,
)

GPU = Instance(
    "i-0aa1",
    "us-east-1",
    State.RUNNING,
    name="bert-gpu",
    type="g5.2xlarge",
    zone="us-east-1a",
    public_ip="54.1.2.3",
    private_ip="10.0.0.4",
    key_name="lab",
    tags={"Name": "bert-gpu", "team": "nlp", "project": "bert"},
)
LAB = Instance(
    "i-0ab2",
    "eu-west-1",
    State.STOPPED,
    name="jupyter-lab",
    type="t3.medium",
    lifecycle="spot",
    tags={"Name": "jupyter-lab", "team": "vision"},
)
GONE = Instance("i-0ac3", "us-east-1", State.TERMINATED, name="bert-gpu")
ALL = (GPU, LAB, GONE)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("bert-gpu", GPU),
        ("i-0aa1", GPU),
        ("bert", GPU),
        ("i-0ab", LAB),
        ("jup", LAB),
        ("i-0ac3", GONE),
    ],
)
def test_a_name_is_a_name_tag_an_id_or_a_unique_prefix(name: str, wanted: Instance) -> None:
    assert resolve(name, ALL) is wanted


def test_an_exact_name_wins_over_longer_ones() -> None:
    longer = Instance("i-1", "r", State.RUNNING, name="bert-gpu-2")
    assert resolve("bert-gpu", (*ALL, longer)) is GPU


def test_ambiguity_lists_the_candidates() -> None:
    twin = Instance("i-9", "us-east-1", State.RUNNING, name="bert-gpu")
    with pytest.raises(Ambiguous) as caught:
        resolve("bert-gpu", (GPU, twin))
    assert caught.value.exit_code == 3
    assert [line.split()[0] for line in caught.value.candidates] == ["i-0aa1", "i-9"]


def test_a_name_of_hundreds_lists_the_first_of_them() -> None:
    fleet = [replace(GPU, id=f"i-{number:04}") for number in range(250)]
    with pytest.raises(Ambiguous) as caught:
        resolve("bert-gpu", fleet)
    assert "250 instances" in caught.value.title
    assert caught.value.candidates[0].startswith("i-0000")
    assert caught.value.candidates[-1] == "… and 230 more"
    assert len(caught.value.candidates) == 21


@pytest.mark.parametrize("name", ["nosuch", "", "i-0ac"])
def test_unknown_names_say_what_there_is(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        resolve(name, (LAB, GONE) if name != "" else ())
    assert caught.value.exit_code == 3
    assert "cloudtui ls" in caught.value.hint


def test_every_state_has_a_glyph_and_a_reason() -> None:
    assert set(GLYPHS) == set(State)
    for state in State:
        reason = why_not_connect(Instance("i-1", "r", state, public_ip="1.2.3.4"))
        assert bool(reason) == (state is not State.RUNNING)


def test_the_next_step_of_a_stopped_machine_is_its_start() -> None:
    assert next_step(LAB) == "Start it first: cloudtui start jupyter-lab"
    assert next_step(GPU) == ""
    assert "Try again" in next_step(Instance("i-1", "r", State.PENDING))


def test_a_machine_without_any_address_cannot_be_reached() -> None:
    assert "no address" in why_not_connect(Instance("i-1", "r", State.RUNNING))
