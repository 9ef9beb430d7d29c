"""Private keys in every format; ssh-keygen, openssl and puttygen are the judges."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudtui.model.errors import CloudtuiError, CredentialsProblem, NotFound
from cloudtui.model.key_pair import KeyFormat, KeyPair, LocalKey
from cloudtui.ssh import puttygen
from cloudtui.ssh.private_keys import agent_keys, look, public_key, rewritten
from tests.sshd import make_key, public_words

SECRET = "correct horse"


def _run(*words: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(list(words), input=stdin, capture_output=True, check=True).stdout


def _look(path: Path) -> LocalKey:
    pub = path.with_name(f"{path.name}.pub")
    return look(path, path.read_bytes(), 0o400, pub.read_bytes() if pub.exists() else b"")


def _pair(fingerprint: str) -> KeyPair:
    return KeyPair("lab", "us-east-1", fingerprint=fingerprint)


def _openssl_digest(kind: str, der: bytes) -> str:
    return _run("openssl", kind, "-c", stdin=der).decode().split("= ")[1].strip()


def test_an_rsa_key_that_ec2_made_is_known_by_the_sha1_of_its_private_der(tmp_path: Path) -> None:
    path = make_key(tmp_path / "rsa", "rsa", "", "-m", "PEM")
    der = _run("openssl", "pkcs8", "-in", path, "-topk8", "-nocrypt", "-outform", "DER")
    assert _look(path).matches(_pair(_openssl_digest("sha1", der)))


def test_an_imported_rsa_key_is_known_by_the_md5_of_its_public_der(tmp_path: Path) -> None:
    path = make_key(tmp_path / "rsa", "rsa", "", "-m", "PEM")
    der = _run("openssl", "rsa", "-in", path, "-pubout", "-outform", "DER")
    assert _look(path).matches(_pair(_openssl_digest("md5", der)))
    locked = make_key(tmp_path / "locked", "rsa", SECRET)
    _run("ssh-keygen", "-p", "-P", SECRET, "-N", "", "-m", "PEM", "-f", locked)
    der = _run("openssl", "rsa", "-in", locked, "-pubout", "-outform", "DER")
    _run("ssh-keygen", "-p", "-P", "", "-N", SECRET, "-f", locked)
    assert _look(locked).encrypted
    assert _look(locked).matches(_pair(_openssl_digest("md5", der)))


@pytest.mark.parametrize("passphrase", ["", SECRET])
def test_an_ed25519_key_is_known_by_what_ssh_keygen_prints(tmp_path: Path, passphrase: str) -> None:
    path = make_key(tmp_path / "ed", passphrase=passphrase)
    printed = _run("ssh-keygen", "-l", "-f", path).decode().split()[1]
    assert _look(path).matches(_pair(printed.removeprefix("SHA256:") + "="))
    assert _look(path).matches(_pair(printed))
    assert not _look(path).matches(_pair(printed.swapcase()))


def _formats(folder: Path) -> dict[str, Path]:
    """One RSA key in every format that it comes in."""
    made = {"pkcs1": make_key(folder / "pkcs1", "rsa", "", "-m", "PEM")}
    for name, words in {
        "pkcs8": ("pkcs8", "-topk8", "-nocrypt"),
        "pkcs8 locked": ("pkcs8", "-topk8", "-passout", f"pass:{SECRET}"),
        "pkcs1 der": ("rsa", "-outform", "DER"),
        "pkcs8 der": ("pkcs8", "-topk8", "-nocrypt", "-outform", "DER"),
    }.items():
        made[name] = folder / name
        _run("openssl", words[0], "-in", made["pkcs1"], *words[1:], "-out", made[name])
    for name, data in {
        "crlf": made["pkcs1"].read_bytes().replace(b"\n", b"\r\n"),
        "words before": b"Bag Attributes\n" + made["pkcs1"].read_bytes(),
        "openssh": rewritten(made["pkcs1"], made["pkcs1"].read_bytes(), "", ""),
        "openssh locked": rewritten(made["pkcs1"], made["pkcs1"].read_bytes(), "", SECRET),
    }.items():
        made[name] = folder / name
        made[name].write_bytes(data)
    for path in made.values():
        path.chmod(0o600)
    return made


def test_one_key_in_every_format_is_the_same_key(tmp_path: Path) -> None:
    made = _formats(tmp_path)
    wanted = public_words(made["pkcs1"])
    for name, path in made.items():
        if name == "pkcs8 locked":
            assert _look(path).encrypted
            path.with_name(f"{path.name}.pub").write_text(wanted + " beside\n")
        assert _look(path).public_key == wanted, name
        assert _look(path).encrypted is ("locked" in name), name
        secret = SECRET if "locked" in name else ""
        again = tmp_path / "again"
        again.write_bytes(rewritten(path, path.read_bytes(), secret, ""))
        again.chmod(0o600)
        assert _run("ssh-keygen", "-y", "-f", again).decode().split()[:2] == wanted.split(), name


def test_what_is_said_to_be_unreadable_is_so_for_ssh(tmp_path: Path) -> None:
    """And what is not, ssh-keygen reads."""
    made = _formats(tmp_path)
    ed = make_key(tmp_path / "ed")
    for name, data in {
        "ed crlf": ed.read_bytes().replace(b"\n", b"\r\n"),
        "ed bom": b"\xef\xbb\xbf" + ed.read_bytes(),
    }.items():
        made[name] = tmp_path / name
        made[name].write_bytes(data)
        made[name].chmod(0o600)
    problems = {name for name, path in made.items() if _look(path).problem}
    assert problems == {"pkcs1 der", "pkcs8 der", "ed crlf", "ed bom"}
    for name, path in made.items():
        secret = SECRET if "locked" in name else ""
        read = subprocess.run(["ssh-keygen", "-y", "-P", secret, "-f", path], capture_output=True)
        assert (read.returncode != 0) is (name in problems), name


def test_what_is_no_private_key_says_what_it_is(tmp_path: Path) -> None:
    ed = make_key(tmp_path / "ed")
    _run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
         "-keyout", tmp_path / "k", "-out", tmp_path / "certificate.pem")  # fmt: skip
    contents = {
        "empty.pem": (b"", "is empty"),
        "blank.pem": (b"\n \n", "is empty"),
        "public.pem": ((tmp_path / "ed.pub").read_bytes(), "is a public key, not a private one"),
        "rfc.pem": (_run("ssh-keygen", "-e", "-f", ed), "is a public key, not a private one"),
        "certificate.pem": ((tmp_path / "certificate.pem").read_bytes(), "is a certificate"),
        "cut.pem": (ed.read_bytes()[:200], "is damaged or cut off"),
        "zip.pem": (b"PK\x03\x04\0\0", "holds no private key"),
        "der.pem": (b"\x30\x82\x04\xa4\x02", "holds no private key"),
        "changed.pem": (ed.read_bytes().replace(b"AAAA", b"AAAB", 1), "is damaged or cut off"),
    }
    for name, (data, words) in contents.items():
        found = look(tmp_path / name, data, 0o400)
        assert words in found.problem, name
        assert not found.public_key, name
        with pytest.raises(CloudtuiError):
            rewritten(tmp_path / name, data, "", "")


@pytest.mark.parametrize("form", [["--ppk-param", "version=2"], ["--ppk-param", "version=3"]])
def test_a_ppk_tells_its_public_half(tmp_path: Path, form: list[str]) -> None:
    path, ppk = make_key(tmp_path / "ed"), tmp_path / "given-as.pem"
    _run("puttygen", path, "-O", "private", "-o", ppk, *form)
    found = _look(ppk)
    assert (found.format, found.public_key) == (KeyFormat.PUTTY, public_words(path))
    assert "PuTTY's .ppk under another name" in found.problem
    assert "keys convert" in found.cure
    crlf = look(ppk, ppk.read_bytes().replace(b"\n", b"\r\n"), 0o400)
    assert crlf.public_key == found.public_key


def test_the_public_half_of_anything(tmp_path: Path) -> None:
    path = make_key(tmp_path / "ed")
    pub = tmp_path / "ed.pub"
    for file in (path, pub):
        assert public_key(file, file.read_bytes()) == public_words(path)
    rfc = _run("ssh-keygen", "-e", "-f", pub)
    assert public_key(tmp_path / "rfc", rfc) == public_words(path)
    with pytest.raises(CloudtuiError, match="holds no public key"):
        public_key(tmp_path / "none", b"hello")
    rsa = _formats(tmp_path)["pkcs8 locked"]
    with pytest.raises(CredentialsProblem, match="hides its public key"):
        public_key(rsa, rsa.read_bytes())


def test_a_passphrase_is_put_on_and_taken_off(tmp_path: Path) -> None:
    path = make_key(tmp_path / "ed")
    path.write_bytes(rewritten(path, path.read_bytes(), "", SECRET))
    assert subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", path], capture_output=True
    ).returncode
    read = _run("ssh-keygen", "-y", "-P", SECRET, "-f", path).decode().split()
    assert read == [*public_words(path).split(), "ed"]  # its comment is kept
    with pytest.raises(CredentialsProblem, match="not the passphrase"):
        rewritten(path, path.read_bytes(), "wrong", "")
    path.write_bytes(rewritten(path, path.read_bytes(), SECRET, ""))
    _run("ssh-keygen", "-y", "-P", "", "-f", path)


@pytest.mark.parametrize("passphrase", ["", SECRET, "pä ß-- $x"])
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
async def test_there_and_back_through_puttys_format(
    tmp_path: Path, kind: str, passphrase: str
) -> None:
    path = make_key(tmp_path / "key", kind, passphrase)
    ppk = await puttygen.to_putty(path, path.read_bytes(), passphrase)
    found = look(tmp_path / "key.ppk", ppk, 0o400)
    assert found.public_key == public_words(path)
    assert found.encrypted is bool(passphrase)
    back = tmp_path / "back"
    back.write_bytes(await puttygen.from_putty(tmp_path / "key.ppk", ppk, passphrase))
    back.chmod(0o600)
    assert look(back, back.read_bytes(), 0o400).encrypted is bool(passphrase)
    read = _run("ssh-keygen", "-y", "-P", passphrase, "-f", back).decode().split()
    assert read[:2] == public_words(path).split()


async def test_a_ppk_under_another_passphrase(tmp_path: Path) -> None:
    path = make_key(tmp_path / "ed", passphrase=SECRET)
    ppk = await puttygen.to_putty(path, path.read_bytes(), SECRET)
    with pytest.raises(CredentialsProblem, match=r"not the passphrase of .*ed\.ppk"):
        await puttygen.from_putty(tmp_path / "ed.ppk", ppk, "wrong")
    with pytest.raises(CloudtuiError, match="did not convert"):
        await puttygen.from_putty(tmp_path / "no.ppk", b"hello", "")


async def test_without_puttygen_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match="puttygen") as caught:
        await puttygen.to_putty(tmp_path / "ed", b"", "")
    assert "apt install putty-tools" in caught.value.hint


@contextmanager
def _agent(folder: Path) -> Iterator[str]:
    path = folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL) as agent:
        try:
            while not path.exists():
                assert agent.poll() is None
            yield str(path)
        finally:
            agent.terminate()


async def test_what_the_agent_holds(
    short_tmp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rsa, ed = make_key(tmp_path / "rsa", "rsa"), make_key(tmp_path / "ed")
    with _agent(short_tmp) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        assert await agent_keys(place) == ()
        _run("ssh-add", "-q", rsa, ed)
        found = await agent_keys(place)
        listed = _run("ssh-add", "-l").decode()
    assert {key.public_key for key in found} == {public_words(rsa), public_words(ed)}
    assert [key.fingerprint for key in found] == [line.split()[1] for line in listed.splitlines()]
    with pytest.raises(OSError):
        await agent_keys(str(short_tmp / "none"))
