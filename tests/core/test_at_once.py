"""A machine is reached where an earlier run left it, when it proves to be it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudtui.core import at_once
from cloudtui.core.at_once import doubts
from cloudtui.core.events import InventoryChanged, InventoryState
from cloudtui.model.instance import Instance, State
from tests.lab import Lab
from tests.sshd import free_port

LISTED = datetime(2026, 11, 21, tzinfo=UTC)


def heard(text: str) -> None:
    raise AssertionError(text)


async def test_without_aws_only_where_its_key_is_on_record(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once, "SECONDS", 60.0)
    async with lab.bench() as bench:
        first = await bench.find("bert-gpu", heard)
        await bench.connections.get(first)
    async with lab.bench() as bench:
        again = await bench.find("bert", heard)
        assert again.id == first.id
        assert bench.connections.peek(again)
        assert bench.inventory._amazons._open == {}, "AWS was not asked"
        assert await bench.inventory.recalled("no-such") is None
    (lab.home / ".ssh/known_hosts").unlink()
    async with lab.bench() as bench:
        found = await bench.find("bert-gpu", heard)
        assert bench.connections.peek(found) is None
        assert bench.inventory.state.updated, "AWS was asked"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("lab",), []),
        (("lab", "lab"), ["This is i-0."]),
        (("other",), ["AWS lists no lab any more. This is lab (i-0)."]),
    ],
)
def test_what_aws_says_later_is_told_once(names: tuple[str, ...], words: list[str]) -> None:
    taken = Instance("i-0", "us-east-1", State.RUNNING, name="lab")
    said: list[str] = []
    listener = doubts("lab", taken, said.append)
    rows = tuple(
        Instance(f"i-{n}", "us-east-1", State.RUNNING, name=name) for n, name in enumerate(names)
    )
    listener(InventoryChanged(InventoryState(instances=(), loading=True)))
    for _ in range(2):
        listener(InventoryChanged(InventoryState(instances=rows, updated=LISTED)))
    assert len(said) == len(words)
    assert all(text.endswith(end) for text, end in zip(said, words, strict=True))


async def test_images_are_kept_for_the_next_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab.bench() as bench:
        gpu = await bench.inventory.find("bert-gpu")
        names = await bench.inventory.image(gpu)
        assert "ubuntu" in names[0]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    async with lab.bench() as bench:
        assert await bench.inventory.image(gpu) == names
    (lab.home / ".cache/cloudtui/images.json").write_text('{"ami-1": 3, "x"')
    async with lab.bench() as bench:
        assert await bench.inventory.image(gpu) == ("", "")
