"""The host keys that cloud-init prints on the console, judged by real keys and ssh-keygen."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.details import plain_lines
from cloudtui.model.host_key import NOT_PRINTED, Verdict, announces, compare, family_of
from cloudtui.model.remote import HostKey
from tests.sshd import make_key

BOOT = """\
[    0.000000] Linux version 6.8.0-1015-aws (buildd@lcy02) #16-Ubuntu SMP
[   12.481131] cloud-init[1063]: Cloud-init v. 24.2 running 'modules:final'
"""


class Keys(NamedTuple):
    """A host's keys of one type: what it offers, and what ssh-keygen and its .pub say of it."""

    offered: HostKey
    sha256: str
    md5: str
    line: str


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Keys]:
    folder = tmp_path_factory.mktemp("host")
    return {kind: _keys(folder / kind, kind) for kind in ("ed25519", "ecdsa", "rsa")}


def _keys(path: Path, kind: str) -> Keys:
    make_key(path, kind)

    def printed(hash: str) -> str:
        words = ["ssh-keygen", "-l", "-E", hash, "-f", f"{path}.pub"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    line = Path(f"{path}.pub").read_text().strip()
    algorithm, blob = line.split()[:2]
    sha256 = printed("sha256")
    return Keys(HostKey("h", 22, algorithm, sha256.split()[1], blob), sha256, printed("md5"), line)


def _console(prints: list[str], keys: list[str], *, prefix: str = "") -> str:
    told = [f"{prefix}{p}" for p in prints]
    return BOOT + "\n".join(
        [
            f"{prefix}#############################################################",
            f"{prefix}-----BEGIN SSH HOST KEY FINGERPRINTS-----",
            *told,
            f"{prefix}-----END SSH HOST KEY FINGERPRINTS-----",
            f"{prefix}#############################################################",
            "-----BEGIN SSH HOST KEY KEYS-----",
            *keys,
            "-----END SSH HOST KEY KEYS-----",
            "[   13.8] cloud-init[1063]: Cloud-init finished. Datasource DataSourceEc2Local.",
            "Ubuntu 24.04.1 LTS ip-172-31-5-6 ttyS0\n\nip-172-31-5-6 login: ",
        ]
    )


def _verdict(key: HostKey, text: str) -> Verdict:
    return compare(key, plain_lines(text)).verdict


UBUNTU = "<14>Nov 21 10:11:12 cloud-init: "
AMAZON = "ec2: "


@pytest.mark.parametrize("prefix", ["", UBUNTU, AMAZON, "<14>Nov 21 10:11:12 ec2: "])
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_what_cloud_init_prints_is_matched(
    host: dict[str, Keys], kind: str, prefix: str, tmp_path: Path
) -> None:
    sha = [keys.sha256 for keys in host.values()]
    lines = [keys.line for keys in host.values()]
    key = host[kind].offered
    other = _keys(tmp_path / "other", kind).offered
    for text in (
        _console(sha, lines, prefix=prefix),
        _console(sha, [], prefix=prefix),
        _console([], lines, prefix=prefix),
        _console([keys.md5 for keys in host.values()], [], prefix=prefix),
        _console(sha, lines, prefix=prefix).replace("\n", "\r\n"),
    ):
        assert _verdict(key, text) is Verdict.MATCH
        assert compare(other, plain_lines(text)).announced
        assert _verdict(other, text) is Verdict.MISMATCH


def test_amazon_linux_has_no_comment(host: dict[str, Keys]) -> None:
    key = host["ed25519"].offered
    text = _console([f"256 {key.fingerprint} no comment (ED25519)"], [], prefix=AMAZON)
    assert _verdict(key, text) is Verdict.MATCH
    bare = _console([f"256 {key.fingerprint} (ED25519)"], [], prefix=AMAZON)
    assert _verdict(key, bare) is Verdict.MATCH


def test_only_keys_of_the_same_type_are_compared(host: dict[str, Keys]) -> None:
    rsa_only = _console([host["rsa"].sha256], [host["rsa"].line])
    found = compare(host["ed25519"].offered, plain_lines(rsa_only))
    assert found.verdict is Verdict.SILENT
    assert "tells its RSA host keys, and no ED25519 key" in found.reason
    empty = compare(host["rsa"].offered, plain_lines(BOOT))
    assert (empty.verdict, empty.reason) == (Verdict.SILENT, NOT_PRINTED)
    assert not announces(plain_lines(BOOT))
    assert announces(plain_lines(rsa_only))
    assert family_of("ecdsa-sha2-nistp384") == "ECDSA"


def test_only_whole_blocks_count(host: dict[str, Keys]) -> None:
    key = host["ed25519"]
    for whole in (_console([key.sha256], []), _console([], [key.line])):
        for mark in ("BEGIN", "END"):
            kept = [line for line in whole.splitlines() if mark not in line]
            assert compare(key.offered, kept).verdict is Verdict.SILENT


def test_the_last_start_counts(host: dict[str, Keys], tmp_path: Path) -> None:
    new, old = host["ed25519"], _keys(tmp_path / "old", "ed25519")
    text = _console([old.sha256], [old.line]) + "\n" + _console([new.sha256], [new.line])
    assert _verdict(new.offered, text) is Verdict.MATCH
    assert _verdict(old.offered, text) is Verdict.MISMATCH


def test_a_console_that_contradicts_itself_settles_nothing(
    host: dict[str, Keys], tmp_path: Path
) -> None:
    one, two = host["ed25519"], _keys(tmp_path / "two", "ed25519")
    text = _console([one.sha256], [two.line])
    for key in (one.offered, two.offered):
        found = compare(key, plain_lines(text))
        assert found.verdict is Verdict.SILENT
        assert "contradicts itself" in found.reason


@given(data=st.data())
def test_no_cut_of_a_console_accuses_the_right_key_or_clears_a_wrong_one(
    host: dict[str, Keys], data: st.DataObject
) -> None:
    """EC2 keeps 64 KiB and lags: it may begin and end anywhere."""
    wrong = HostKey("h", 22, "ssh-ed25519", "SHA256:" + "A" * 43, "AAAA")
    text = _console([k.sha256 for k in host.values()], [k.line for k in host.values()])
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    cut = plain_lines(text[start:end])
    for keys in host.values():
        assert compare(keys.offered, cut).verdict is not Verdict.MISMATCH
    assert compare(wrong, cut).verdict is not Verdict.MATCH


@given(st.lists(st.text(max_size=60), max_size=20))
def test_noise_in_the_block_settles_nothing(noise: list[str]) -> None:
    wrong = HostKey("h", 22, "ssh-ed25519", "SHA256:" + "A" * 43, "AAAA")
    lines = ["-----BEGIN SSH HOST KEY KEYS-----", *noise, "-----END SSH HOST KEY KEYS-----"]
    assert compare(wrong, plain_lines("\n".join(lines))).verdict is Verdict.SILENT
