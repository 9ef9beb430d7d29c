"""The private key of a machine under another name, in another format, or gone."""

from __future__ import annotations

import subprocess

import pytest

from cloudtui.model.errors import CredentialsProblem
from tests.lab import Lab
from tests.network import Net
from tests.sshd import make_key, public_words


class Box:
    """A machine of the key pair `box` that no ssh config entry names, and its private key."""

    def __init__(self, lab: Lab, net: Net) -> None:
        self.lab, self.key = lab, make_key(lab.home / ".ssh/box.pem")
        words = public_words(self.key)
        self.put("box.pem.pub", None)
        lab.ec2.import_key_pair(KeyName="box", PublicKeyMaterial=words.encode())
        lab.launch("boxed", KeyName="box")
        lab.sshd.authorized.write_text(words + "\n")
        net.config.write_text(f"{net.config.read_text()}  User {lab.sshd.user}\n")
        net.settle()

    def put(self, name: str, data: bytes | None) -> None:
        """Make a file of ~/.ssh hold this, or be gone."""
        path = self.key.with_name(name)
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
            path.chmod(0o400)

    @property
    def ppk(self) -> bytes:
        words = ["puttygen", str(self.key), "-O", "private", "-o", "/dev/stdout"]
        return subprocess.run(words, capture_output=True, check=True).stdout

    async def reach(self) -> str:
        async with self.lab.bench() as bench:
            connection = await bench.connections.get(await bench.inventory.find("boxed"))
            return str((await connection.run("echo in")).stdout)


@pytest.fixture
def box(lab: Lab, net: Net) -> Box:
    return Box(lab, net)


async def test_it_is_found_under_another_name(box: Box) -> None:
    data = box.key.read_bytes()
    box.put("my-laptop-key", data)
    box.put("box.pem", None)
    assert await box.reach() == "in\n"


async def test_one_that_is_gone_is_said_with_the_places(box: Box) -> None:
    box.put("box.pem", None)
    make_key(box.lab.home / ".ssh/other.pem")
    with pytest.raises(CredentialsProblem, match="its private key was not found") as caught:
        await box.reach()
    assert "under any name, in ~/.ssh" in caught.value.detail
    assert "cloudtui ssh boxed --instance-connect" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "words", "cure"),
    [
        ("ppk", r"PuTTY's \.ppk under another name", "cloudtui keys convert"),
        ("public", "is a public key, not a private one", "--instance-connect"),
        ("empty", "is empty", "--instance-connect"),
    ],
)
async def test_what_is_named_like_it_is_said_to_be_what_it_is(
    box: Box, content: str, words: str, cure: str
) -> None:
    public = public_words(box.lab.sshd.key).encode()
    contents = {"ppk": box.ppk, "public": public, "empty": b""}
    box.put("box.pem", contents[content])
    with pytest.raises(CredentialsProblem, match=words) as caught:
        await box.reach()
    assert cure in caught.value.hint
