"""Key pairs against moto, a stub that is EC2's word where moto differs, and a real disk."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.errors import (
    Ambiguous,
    CloudtuiError,
    NotFound,
    Refused,
    UsageError,
)
from cloudtui.model.key_pair import KeyFormat, KeyType
from cloudtui.model.place import Place
from tests.core.test_details import NoPrompts, launched
from tests.moto_child import StubEndpoint
from tests.sshd import make_key, public_words

EAST = Place("", "us-east-1")
PAIRS = """<DescribeKeyPairsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><keySet>
{}</keySet></DescribeKeyPairsResponse>"""
PAIR = """<item><keyPairId>key-0{}</keyPairId><keyName>{}</keyName><keyType>{}</keyType>
<keyFingerprint>{}</keyFingerprint></item>"""


def _bench(*, regions: Sequence[str] = ("us-east-1",), **changes: Any) -> Workbench:
    return Workbench(Settings(**changes), NoPrompts(), regions=regions)  # type: ignore[arg-type]


def ran(*words: str | Path, stdin: bytes = b"") -> str:
    """What a program printed, its complaints too."""
    done = subprocess.run(
        list(words), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.stdout.decode("latin-1")


def read_by_ssh(path: Path, passphrase: str = "") -> list[str]:
    """Type and base64 that ssh-keygen reads from a private key."""
    return ran("ssh-keygen", "-y", "-P", passphrase, "-f", path).split()[:2]


@pytest.fixture
async def bench(aws_env: str) -> AsyncIterator[Workbench]:
    async with _bench() as made:
        yield made


async def never(path: Path, again: bool) -> str | None:
    raise AssertionError("nothing is to be asked")


async def nothing() -> str | None:
    return None


async def _names(bench: Workbench) -> list[str]:
    await bench.inventory.load()
    return [row.pair.name for row in (await bench.keys.list()).rows]


@pytest.mark.parametrize("kind", list(KeyType))
async def test_a_new_key_pair_is_saved_for_its_owner_alone(bench: Workbench, kind: KeyType) -> None:
    made = await bench.keys.create("lab", EAST, kind)
    assert made.path == Path.home() / ".ssh/lab.pem"
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o400
    assert [p.name for p in made.path.parent.iterdir()] == ["lab.pem"]
    await bench.inventory.load()
    (row,) = (await bench.keys.list()).rows
    assert row.pair.public_key.split()[:2] == read_by_ssh(made.path)
    assert (row.where, row.pair.type) == (str(made.path), kind.value)
    assert "PRIVATE" not in repr(made)


async def test_a_key_file_is_never_overwritten(bench: Workbench) -> None:
    path = Path.home() / ".ssh/lab.pem"
    path.write_text("mine")
    with pytest.raises(Refused, match="exists already"):
        await bench.keys.create("lab", EAST)
    path.unlink()
    path.symlink_to("/nowhere")
    with pytest.raises(Refused, match="exists already"):
        await bench.keys.create("lab", EAST)
    assert await _names(bench) == []
    other = Path.home() / "elsewhere/key"
    assert (await bench.keys.create("lab", EAST, path=other)).path == other
    with pytest.raises(Refused, match="There is a key pair lab"):
        await bench.keys.create("lab", EAST, path=Path.home() / "third")
    assert not (Path.home() / "third").exists()


async def test_a_folder_that_takes_no_files_is_found_out_before_ec2_is_asked(
    bench: Workbench,
) -> None:
    wall = Path.home() / "wall"
    wall.write_text("a file, no folder")
    with pytest.raises(Refused, match="cannot be written"):
        await bench.keys.create("lab", EAST, path=wall / "lab.pem")
    assert await _names(bench) == []


async def test_a_disk_that_fails_after_all_costs_the_key_pair(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CloudtuiError, match="deleted again") as caught:
        await bench.keys.create("lab", EAST)
    assert "No space left" in caught.value.detail
    assert await _names(bench) == []
    assert list((Path.home() / ".ssh").iterdir()) == []


async def test_who_stops_waiting_gets_the_private_key_all_the_same(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudtui.aws import key_pairs

    real, asked = key_pairs.create, asyncio.Event()

    async def create(*words: Any) -> Any:
        asked.set()
        return await real(*words)

    monkeypatch.setattr(key_pairs, "create", create)
    task = asyncio.create_task(bench.keys.create("lab", EAST))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _names(bench) == ["lab"]
    assert (Path.home() / ".ssh/lab.pem").exists()


@pytest.mark.parametrize("name", ["", "schlüssel", "x" * 300])
async def test_names_that_ec2_would_not_take(bench: Workbench, name: str) -> None:
    with pytest.raises(UsageError):
        await bench.keys.create(name, EAST)
    with pytest.raises(UsageError):
        await bench.keys.put(name, EAST, "ssh-rsa AAAA")


async def test_a_name_that_is_no_file_name_needs_a_file(bench: Workbench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file name"):
        await bench.keys.create("../lab", EAST)
    made = await bench.keys.create("../lab", EAST, path=tmp_path / "lab.pem")
    assert made.path == tmp_path / "lab.pem"


async def test_a_public_key_is_imported_and_found_here(bench: Workbench, tmp_path: Path) -> None:
    path = make_key(Path.home() / ".ssh/id_mine", "rsa")
    for name, file in (("one", path), ("two", Path(f"{path}.pub"))):
        await bench.keys.put(name, EAST, await bench.keys.files.public_key(file))
    await bench.inventory.load()
    rows = (await bench.keys.list()).rows
    assert [(row.pair.name, row.where) for row in rows] == [("one", str(path)), ("two", str(path))]
    ecdsa = make_key(tmp_path / "ecdsa", "ecdsa")
    with pytest.raises(UsageError, match="RSA and ed25519"):
        await bench.keys.put("three", EAST, public_words(ecdsa))
    with pytest.raises(NotFound):
        await bench.keys.files.public_key(tmp_path / "none")


async def test_a_key_pair_is_deleted_and_its_private_key_stays(bench: Workbench) -> None:
    made = await bench.keys.create("lab", EAST)
    (machine,) = await launched(bench)
    client: Any = await (await bench.inventory.amazon()).client("ec2", "us-east-1")
    await client.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="t3.micro", KeyName="lab"
    )
    await bench.inventory.load()
    row = await bench.keys.find("lab")
    assert [m.key_name for m in row.machines] == ["lab"]
    assert machine.id not in {m.id for m in row.machines}
    assert (await bench.keys.find(row.pair.id)).pair == row.pair
    await bench.keys.delete(row.pair)
    assert await _names(bench) == []
    assert made.path.exists()
    with pytest.raises(NotFound, match="No key pair is called 'lab'"):
        await bench.keys.find("lab")


async def test_a_name_in_two_regions_has_to_be_told_apart(aws_env: str) -> None:
    async with _bench(regions=("us-east-1", "eu-west-1")) as bench:
        await bench.keys.create("lab", EAST)
        await bench.keys.put(
            "lab", Place("", "eu-west-1"), public_words(make_key(Path.home() / "k"))
        )
        await bench.inventory.load()
        with pytest.raises(Ambiguous) as caught:
            await bench.keys.find("lab")
        assert len(caught.value.candidates) == 2
        assert await bench.keys.target() == EAST


async def test_read_only_changes_nothing(aws_env: str) -> None:
    path = make_key(Path.home() / ".ssh/id_mine")
    path.chmod(0o644)
    before = path.read_bytes()
    async with _bench(read_only=True) as bench:
        with pytest.raises(Refused):
            await bench.keys.create("lab", EAST)
        with pytest.raises(Refused):
            await bench.keys.put("lab", EAST, public_words(path))
        for change in (
            bench.keys.files.fix(path),
            bench.keys.files.convert(path, KeyFormat.PUTTY, None, never),
            bench.keys.files.change_passphrase(path, never, nothing),
        ):
            with pytest.raises(Refused):
                await change
        assert await _names(bench) == []
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (before, 0o644)


async def test_ec2s_own_fingerprints_are_matched(stub_endpoint: StubEndpoint) -> None:
    """EC2's word where moto differs: no public key told, SHA-1 of the private DER, base64."""
    folder = Path.home() / ".ssh"
    rsa = make_key(folder / "created.pem", "rsa", "", "-m", "PEM")
    mine = make_key(folder / "id_rsa", "rsa", "", "-m", "PEM")
    ed = make_key(folder / "id_ed25519")
    private = ran("openssl", "pkcs8", "-in", rsa, "-topk8", "-nocrypt", "-outform", "DER")
    public = ran("openssl", "rsa", "-in", mine, "-pubout", "-outform", "DER")
    public = public.removeprefix("writing RSA key\n").removesuffix("writing RSA key\n")

    def digest(kind: str, data: str) -> str:
        return ran("openssl", kind, "-c", stdin=data.encode("latin-1")).split("= ")[1].strip()

    printed = ran("ssh-keygen", "-l", "-f", ed)
    pairs = PAIR.format(1, "made-there", "rsa", digest("sha1", private))
    pairs += PAIR.format(2, "rsa-of-mine", "rsa", digest("md5", public))
    pairs += PAIR.format(
        3, "ed-of-mine", "ed25519", printed.split()[1].removeprefix("SHA256:") + "="
    )
    pairs += PAIR.format(4, "gone", "ed25519", "A" * 43 + "=")
    stub_endpoint.answer(200, PAIRS.format(pairs))
    async with _bench() as bench:
        await bench.inventory.load()
        rows = (await bench.keys.list()).rows
    assert {row.pair.name: row.where for row in rows} == {
        "made-there": str(rsa), "rsa-of-mine": str(mine), "ed-of-mine": str(ed), "gone": "",
    }  # fmt: skip


async def test_a_region_that_refuses_is_said_and_the_disk_shown(
    stub_endpoint: StubEndpoint,
) -> None:
    path = make_key(Path.home() / ".ssh/id_mine")
    stub_endpoint.answer_error(403, "UnauthorizedOperation", "You are not authorized.")
    async with _bench() as bench:
        await bench.inventory.load()
        listing = await bench.keys.list()
        assert [place.region for place, _ in listing.errors] == ["us-east-1"]
        assert "do not allow" in listing.errors[0][1].title
        assert [key.path for key in listing.files] == [path]
        with pytest.raises(Refused, match="do not allow"):
            await bench.keys.find("lab")
        with pytest.raises(Refused, match="do not allow"):
            await bench.keys.create("lab", EAST)
    assert not (Path.home() / ".ssh/lab.pem").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidKeyPair.Duplicate", "There is a key pair lab in us-east-1 already"),
        ("InvalidKey.Format", "does not take this public key"),
        ("KeyPairLimitExceeded", "quota of key pairs"),
    ],
)
async def test_what_ec2_does_not_take(stub_endpoint: StubEndpoint, code: str, words: str) -> None:
    stub_endpoint.answer_error(400, code, "No.")
    async with _bench() as bench:
        with pytest.raises(CloudtuiError, match=words) as caught:
            await bench.keys.put("lab", EAST, "ssh-ed25519 AAAA")
    assert caught.value.detail == f"{code}: No."
    assert caught.value.hint
