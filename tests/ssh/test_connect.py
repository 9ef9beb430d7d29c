"""Host keys, logins and what goes wrong on the way, against a real OpenSSH server."""

# ruff: noqa: ASYNC221, ASYNC240

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from cloudtui.model.errors import (
    CredentialsProblem,
    HostKeyChanged,
    NamesUnanswered,
    Refused,
    Timeout,
    Unreachable,
)
from cloudtui.model.remote import Route
from cloudtui.ssh.connect import connect
from tests.ssh.conftest import Answers
from tests.sshd import Sshd, free_port, make_key, public_words


async def logs_in(route: Route, prompts: Answers) -> str:
    """Connect, say who is there, close."""
    connection = await connect(route, prompts)
    try:
        return (await connection.run("id -un")).stdout.strip()
    finally:
        await connection.close()


class TestHostKeys:
    @pytest.fixture
    def known(self, tmp_path: Path) -> Path:
        return tmp_path / "dot-ssh" / "known_hosts"

    async def test_first_contact_asks_and_remembers(
        self, sshd: Sshd, prompts: Answers, known: Path
    ) -> None:
        route = sshd.route(known_hosts=(known,))
        assert await logs_in(route, prompts) == sshd.user
        (shown,) = prompts.keys
        listed = subprocess.run(
            ["ssh-keygen", "-lf", f"{sshd.host_key}.pub"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert shown.fingerprint == listed.split()[1]
        assert (shown.host, shown.port, shown.algorithm) == (sshd.host, sshd.port, "ssh-ed25519")
        assert stat.S_IMODE(known.stat().st_mode) == 0o600
        assert stat.S_IMODE(known.parent.stat().st_mode) == 0o700
        assert await logs_in(route, prompts) == sshd.user
        assert len(prompts.keys) == 1

    async def test_openssh_accepts_the_line_written(
        self, sshd: Sshd, prompts: Answers, known: Path
    ) -> None:
        known.parent.mkdir()
        known.write_text("other.example ssh-ed25519 AAAA")
        await logs_in(sshd.route(known_hosts=(known,)), prompts)
        _, line = known.read_text().splitlines()
        assert line == f"[127.0.0.1]:{sshd.port} {public_words(sshd.host_key)}"
        options = ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "BatchMode=yes"]
        command = ["ssh", "-F", "none", *(w for o in options for w in ("-o", o)), "-i", sshd.key]
        done = await asyncio.create_subprocess_exec(
            *map(str, command), "-p", str(sshd.port), sshd.host, "echo", "fine",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await done.communicate()
        assert out == b"fine\n", err

    async def test_an_untrusted_key_sends_nothing(
        self, sshd: Sshd, prompts: Answers, known: Path
    ) -> None:
        prompts.trust = False
        with pytest.raises(Refused, match="not trusted") as caught:
            await connect(sshd.route(known_hosts=(known,)), prompts)
        assert "SHA256:" in caught.value.detail
        assert not known.exists()
        assert "Accepted" not in sshd.log

    async def test_a_changed_key_is_refused(
        self, sshd: Sshd, prompts: Answers, known: Path, tmp_path: Path
    ) -> None:
        known.parent.mkdir()
        known.write_text("# mine\n")
        sshd.known_hosts(known, make_key(tmp_path / "other"))
        with pytest.raises(HostKeyChanged) as caught:
            await connect(sshd.route(known_hosts=(known,)), prompts)
        assert f"{known} line 2" in caught.value.detail
        assert f"ssh-keygen -f '{known}' -R '[127.0.0.1]:{sshd.port}'" in caught.value.hint
        assert caught.value.exit_code == 4
        assert not prompts.keys

    async def test_the_cure_named_works(
        self, sshd: Sshd, prompts: Answers, known: Path, tmp_path: Path
    ) -> None:
        known.parent.mkdir()
        sshd.known_hosts(known, make_key(tmp_path / "other"))
        route = sshd.route(known_hosts=(known,))
        with pytest.raises(HostKeyChanged) as caught:
            await connect(route, prompts)
        cure = caught.value.hint.partition("with: ")[2]
        subprocess.run(cure, shell=True, check=True, capture_output=True)
        assert await logs_in(route, prompts) == sshd.user

    async def test_another_type_on_record_counts_as_changed(
        self, sshd: Sshd, prompts: Answers, known: Path, tmp_path: Path
    ) -> None:
        known.parent.mkdir()
        sshd.known_hosts(known, make_key(tmp_path / "rsa", "rsa"))
        with pytest.raises(HostKeyChanged, match="another host key"):
            await connect(sshd.route(known_hosts=(known,)), prompts)

    async def test_the_type_on_record_is_asked_for(
        self, sshd: Sshd, prompts: Answers, known: Path
    ) -> None:
        ecdsa = make_key(sshd.folder / "host_ecdsa", "ecdsa")
        rsa = make_key(sshd.folder / "host_rsa", "rsa")
        sshd.config = [f"HostKey {ecdsa}", f"HostKey {rsa}"]
        sshd.restart()
        for number, key in enumerate((ecdsa, rsa)):
            file = sshd.known_hosts(sshd.folder / f"known{number}", key)
            assert await logs_in(sshd.route(known_hosts=(file,)), prompts) == sshd.user
        assert not prompts.keys

    async def test_a_revoked_key_is_refused(
        self, sshd: Sshd, prompts: Answers, known: Path
    ) -> None:
        known.parent.mkdir()
        sshd.known_hosts(known)
        known.write_text(known.read_text() + f"@revoked * {public_words(sshd.host_key)}\n")
        with pytest.raises(HostKeyChanged, match="revoked") as caught:
            await connect(sshd.route(known_hosts=(known,)), prompts)
        assert f"{known} line 2" in caught.value.detail

    async def test_a_host_certificate_of_a_trusted_authority(
        self, sshd: Sshd, prompts: Answers, known: Path, tmp_path: Path
    ) -> None:
        authority = make_key(tmp_path / "authority")
        subprocess.run(
            ["ssh-keygen", "-q", "-s", authority, "-I", "h", "-h", "-n", sshd.host,
             f"{sshd.host_key}.pub"],
            check=True, capture_output=True,
        )  # fmt: skip
        sshd.config = [f"HostCertificate {sshd.host_key}-cert.pub"]
        sshd.restart()
        known.parent.mkdir()
        known.write_text(f"@cert-authority [127.*]:* {public_words(authority)}\n")
        assert await logs_in(sshd.route(known_hosts=(known,)), prompts) == sshd.user
        assert not prompts.keys

    async def test_strictness_yes_refuses_unasked(
        self, sshd: Sshd, prompts: Answers, known: Path
    ) -> None:
        with pytest.raises(Refused, match="not on record"):
            await connect(sshd.route(known_hosts=(known,), strict_host_keys="yes"), prompts)
        assert not prompts.keys
        assert not known.exists()

    @pytest.mark.parametrize("strict", ["accept-new", "no"])
    async def test_strictness_that_remembers_unasked(
        self, sshd: Sshd, prompts: Answers, known: Path, strict: str
    ) -> None:
        route = sshd.route(known_hosts=(known,), strict_host_keys=strict)
        assert await logs_in(route, prompts) == sshd.user
        assert not prompts.keys
        assert public_words(sshd.host_key) in known.read_text()

    async def test_a_changed_key_passes_only_with_no(
        self, sshd: Sshd, prompts: Answers, known: Path, tmp_path: Path
    ) -> None:
        known.parent.mkdir()
        sshd.known_hosts(known, make_key(tmp_path / "other"))
        before = known.read_text()
        route = sshd.route(known_hosts=(known,), strict_host_keys="accept-new")
        with pytest.raises(HostKeyChanged):
            await connect(route, prompts)
        assert await logs_in(replace(route, strict_host_keys="no"), prompts) == sshd.user
        assert known.read_text() == before

    async def test_dev_null_is_no_record(self, sshd: Sshd, prompts: Answers) -> None:
        route = sshd.route(known_hosts=(Path("/dev/null"),), strict_host_keys="no")
        assert await logs_in(route, prompts) == sshd.user
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)

    async def test_hashed_names_are_found(self, sshd: Sshd, prompts: Answers, known: Path) -> None:
        known.parent.mkdir()
        sshd.known_hosts(known)
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
        assert known.read_text().startswith("|1|")
        assert await logs_in(sshd.route(known_hosts=(known,)), prompts) == sshd.user
        assert not prompts.keys

    async def test_an_alias_stands_for_any_address(
        self, sshd: Sshd, prompts: Answers, known: Path
    ) -> None:
        route = sshd.route(known_hosts=(known,), host_key_alias="i-0abc")
        await logs_in(route, prompts)
        assert known.read_text().startswith("i-0abc ssh-ed25519 ")
        await logs_in(replace(route, host="localhost"), prompts)
        assert len(prompts.keys) == 1

    async def test_a_file_full_of_rubbish(self, sshd: Sshd, prompts: Answers, known: Path) -> None:
        known.parent.mkdir()
        known.write_bytes(
            b"\xff\xfe oops\nlonely\n|1|x|y z w\n|1|\xff|y z w\n@odd\nh ssh-ed25519 !!!\n"
        )
        sshd.known_hosts(known)
        assert await logs_in(sshd.route(known_hosts=(known,)), prompts) == sshd.user
        assert not prompts.keys


class TestKeys:
    async def test_an_open_key_file_is_refused(self, sshd: Sshd, prompts: Answers) -> None:
        sshd.key.chmod(0o644)
        sshd.stop()
        with pytest.raises(Refused, match="mode 0644") as caught:
            await connect(sshd.route(), prompts)
        assert caught.value.hint.endswith(f"chmod 400 {sshd.key}")

    async def test_one_open_file_does_not_spoil_the_rest(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        opened = make_key(tmp_path / "open")
        opened.chmod(0o640)
        route = sshd.route(identity_files=(opened, sshd.key))
        assert await logs_in(route, prompts) == sshd.user

    @pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
    async def test_other_kinds_and_pem_files(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path, kind: str
    ) -> None:
        key = make_key(tmp_path / "lab.pem", kind, "", "-m", "PEM")
        assert b"OPENSSH" not in key.read_bytes()
        sshd.authorized.write_text(public_words(key))
        (tmp_path / "lab.pem.pub").unlink()
        assert await logs_in(sshd.route(identity_files=(key,)), prompts) == sshd.user

    async def test_a_certificate_of_another_key_is_passed_over(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        authority, other = make_key(tmp_path / "authority"), make_key(tmp_path / "other")
        sign = [
            "ssh-keygen",
            "-q",
            "-s",
            str(authority),
            "-I",
            "x",
            "-n",
            sshd.user,
            f"{other}.pub",
        ]
        subprocess.run(sign, check=True)
        (tmp_path / "other-cert.pub").rename(f"{sshd.key}-cert.pub")
        assert await logs_in(sshd.route(), prompts) == sshd.user

    async def test_a_client_certificate(self, sshd: Sshd, prompts: Answers, tmp_path: Path) -> None:
        authority = make_key(tmp_path / "authority")
        key = make_key(tmp_path / "key")
        subprocess.run(
            ["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", sshd.user, f"{key}.pub"],
            check=True, capture_output=True,
        )  # fmt: skip
        sshd.authorized.write_text(f"cert-authority {public_words(authority)}\n")
        assert await logs_in(sshd.route(identity_files=(key,)), prompts) == sshd.user

    @pytest.mark.parametrize(
        ("kind", "form"), [("ed25519", "RFC4716"), ("rsa", "RFC4716"), ("rsa", "PEM")]
    )
    @pytest.mark.parametrize("public", [True, False], ids=["pub", "no-pub"])
    async def test_the_right_passphrase(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path, kind: str, form: str, public: bool
    ) -> None:
        key = make_key(tmp_path / "locked", kind, "s3cret", "-m", form, "-a", "4")
        sshd.authorized.write_text(public_words(key))
        if not public:
            (tmp_path / "locked.pub").unlink()
        prompts.passphrases = ["wrong", "s3cret"]
        assert await logs_in(sshd.route(identity_files=(key,)), prompts) == sshd.user
        assert prompts.asked == [(key, False), (key, True)]

    async def test_a_key_the_server_does_not_want_is_not_unlocked(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        locked = make_key(tmp_path / "locked", "ed25519", "s3cret")
        route = sshd.route(identity_files=(locked, sshd.key))
        assert await logs_in(route, prompts) == sshd.user
        sshd.authorized.write_text("")
        with pytest.raises(CredentialsProblem):
            await connect(route, prompts)
        assert not prompts.asked

    async def test_three_wrong_passphrases(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        key = make_key(tmp_path / "locked", "ed25519", "s3cret", "-a", "4")
        sshd.authorized.write_text(public_words(key))
        prompts.passphrases = ["a", "b", "", "s3cret"]
        with pytest.raises(CredentialsProblem, match="does not let") as caught:
            await connect(sshd.route(identity_files=(key,)), prompts)
        assert f"The passphrase of {key} was wrong 3 times." in caught.value.detail
        assert len(prompts.asked) == 3
        assert "s3cret" not in str(caught.value)

    async def test_no_passphrase_given(self, sshd: Sshd, prompts: Answers, tmp_path: Path) -> None:
        key = make_key(tmp_path / "locked", "ed25519", "s3cret")
        sshd.authorized.write_text(public_words(key))
        with pytest.raises(CredentialsProblem) as caught:
            await connect(sshd.route(identity_files=(key,)), prompts)
        assert f"No passphrase was given for {key}." in caught.value.detail
        assert len(prompts.asked) == 1

    async def test_a_slow_typist_is_waited_for(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = make_key(tmp_path / "locked", "ed25519", "s3cret", "-a", "4")
        sshd.authorized.write_text(public_words(key))
        monkeypatch.setattr("cloudtui.ssh.connect.LOGIN_STEP", 0.2)

        class Slow(Answers):
            async def passphrase(self, key_file: Path, again: bool) -> str | None:
                await asyncio.sleep(0.3)
                monkeypatch.setattr("cloudtui.ssh.connect.LOGIN_STEP", 30)
                return "s3cret"

        route = sshd.route(identity_files=(key,))
        assert await logs_in(route, Slow()) == sshd.user

    async def test_a_question_can_be_abandoned(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        key = make_key(tmp_path / "locked", "ed25519", "s3cret")
        sshd.authorized.write_text(public_words(key))
        asked = asyncio.Event()
        gone: list[bool] = []

        class Endless(Answers):
            async def passphrase(self, key_file: Path, again: bool) -> str | None:
                asked.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    gone.append(True)
                return None

        task = asyncio.create_task(connect(sshd.route(identity_files=(key,)), Endless()))
        await asyncio.wait_for(asked.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gone

    async def test_no_key_is_accepted(self, sshd: Sshd, prompts: Answers, tmp_path: Path) -> None:
        keys = tuple(make_key(tmp_path / name) for name in ("one", "two"))
        with pytest.raises(CredentialsProblem, match=f"let {sshd.user} in") as caught:
            await connect(sshd.route(identity_files=keys), prompts)
        assert caught.value.detail == f"Keys tried: {keys[0]}, {keys[1]}."
        assert "ubuntu, ec2-user, admin" in caught.value.hint
        assert caught.value.exit_code == 6

    async def test_no_key_at_all(self, sshd: Sshd, prompts: Answers) -> None:
        with pytest.raises(CredentialsProblem) as caught:
            await connect(sshd.route(identity_files=()), prompts)
        assert caught.value.detail == "Keys tried: none."

    async def test_a_file_that_is_no_key(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        rubbish = tmp_path / "rubbish.pem"
        rubbish.write_bytes(b"\x00hello")
        rubbish.chmod(0o600)
        with pytest.raises(CredentialsProblem) as caught:
            await connect(sshd.route(identity_files=(rubbish,)), prompts)
        assert f"{rubbish} holds no private key" in caught.value.detail
        assert await logs_in(sshd.route(identity_files=(rubbish, sshd.key)), prompts) == sshd.user

    async def test_too_many_keys(self, sshd: Sshd, prompts: Answers, tmp_path: Path) -> None:
        sshd.config = ["MaxAuthTries 2"]
        sshd.restart()
        keys = tuple(make_key(tmp_path / f"k{n}") for n in range(4))
        with pytest.raises(CredentialsProblem, match="too many keys") as caught:
            await connect(sshd.route(identity_files=keys), prompts)
        assert "IdentitiesOnly" in caught.value.hint


class TestAgent:
    @pytest.fixture
    def agent(self, short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        path = short_tmp / "agent"
        process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield path
        process.terminate()
        process.wait(5)

    def load(self, key: Path) -> None:
        subprocess.run(["ssh-add", "-q", str(key)], check=True, stdin=subprocess.DEVNULL)

    @pytest.mark.parametrize("kind", ["ed25519", "rsa"])
    async def test_a_key_in_the_agent(
        self, agent: Path, sshd: Sshd, prompts: Answers, tmp_path: Path, kind: str
    ) -> None:
        key = make_key(tmp_path / "key", kind)
        sshd.authorized.write_text(public_words(key))
        self.load(key)
        assert await logs_in(sshd.route(identity_files=()), prompts) == sshd.user

    async def test_the_agent_named_by_the_config(
        self, agent: Path, sshd: Sshd, prompts: Answers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.load(sshd.key)
        monkeypatch.delenv("SSH_AUTH_SOCK")
        route = sshd.route(identity_files=(), identity_agent=str(agent))
        assert await logs_in(route, prompts) == sshd.user

    async def test_a_locked_file_held_by_the_agent_asks_nothing(
        self, agent: Path, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        self.load(sshd.key)
        locked = tmp_path / "locked"
        locked.write_bytes(sshd.key.read_bytes())
        locked.chmod(0o600)
        subprocess.run(
            ["ssh-keygen", "-q", "-p", "-N", "s3cret", "-f", locked], check=True,
            capture_output=True,
        )  # fmt: skip
        route = sshd.route(identity_files=(locked,))
        assert await logs_in(route, prompts) == sshd.user
        sshd.authorized.write_text("")
        with pytest.raises(CredentialsProblem) as caught:
            await connect(route, prompts)
        assert caught.value.detail == "Keys tried: client_key (agent)."
        assert not prompts.asked

    async def test_other_agent_keys_are_left_out_when_asked(
        self, agent: Path, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        self.load(sshd.key)
        only = make_key(tmp_path / "only")
        route = sshd.route(identity_files=(only,), identities_only=True)
        with pytest.raises(CredentialsProblem) as caught:
            await connect(route, prompts)
        assert caught.value.detail == f"Keys tried: {only}."
        public = sshd.key.with_name("client_key.pub")
        route = sshd.route(identity_files=(public,), identities_only=True)
        assert await logs_in(route, prompts) == sshd.user

    async def test_the_file_named_comes_before_a_crowded_agent(
        self, agent: Path, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        for number in range(8):
            self.load(make_key(tmp_path / f"k{number}"))
        assert await logs_in(sshd.route(), prompts) == sshd.user

    async def test_a_stale_socket_is_no_hindrance(
        self, sshd: Sshd, prompts: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
        assert await logs_in(sshd.route(), prompts) == sshd.user


class TestQuestions:
    """Keyboard-interactive logins, against asyncssh's server: sshd without PAM has none."""

    @pytest.fixture
    async def server(self, sshd: Sshd) -> AsyncIterator[Route]:
        class Code(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def kbdint_auth_supported(self) -> bool:
                return True

            def get_kbdint_challenge(
                self, username: str, lang: str, submethods: str
            ) -> tuple[str, str, str, list[tuple[str, bool]]]:
                return "Two steps", "Look at your phone", "", [("Code: ", False)]

            def validate_kbdint_response(
                self, username: str, responses: object
            ) -> bool | tuple[str, str, str, list[tuple[str, bool]]]:
                if responses == ["again"]:
                    return self.get_kbdint_challenge(username, "", "")
                return responses == ["123456"]

        acceptor = await asyncssh.create_server(
            Code, "127.0.0.1", 0, server_host_keys=[str(sshd.host_key)]
        )
        yield replace(sshd.route(), port=acceptor.get_port(), strict_host_keys="no")
        acceptor.close()
        await acceptor.wait_closed()

    async def test_the_right_code(self, server: Route, prompts: Answers) -> None:
        prompts.replies = [["123456"]]
        connection = await connect(server, prompts)
        await connection.close()
        assert prompts.titles == [("Two steps Look at your phone", (("Code: ", False),))]

    async def test_giving_up(self, server: Route, prompts: Answers) -> None:
        with pytest.raises(CredentialsProblem):
            await connect(server, prompts)
        assert len(prompts.titles) == 1

    async def test_wrong_codes_end(self, server: Route, prompts: Answers) -> None:
        prompts.replies = [["1"], ["2"], ["3"], ["4"]]
        with pytest.raises(CredentialsProblem):
            await connect(server, prompts)
        assert len(prompts.titles) == 3

    async def test_the_same_question_over_and_over_ends(
        self, server: Route, prompts: Answers
    ) -> None:
        prompts.replies = [["again"]] * 9
        with pytest.raises(CredentialsProblem):
            await connect(server, prompts)
        assert len(prompts.titles) == 3


class TestUnreachable:
    async def test_nothing_listens(self, sshd: Sshd, prompts: Answers) -> None:
        sshd.stop()
        with pytest.raises(Unreachable, match="refuses connections") as caught:
            await connect(sshd.route(), prompts)
        assert f"port {sshd.port}" in caught.value.hint
        assert "security group" in caught.value.hint
        assert caught.value.exit_code == 5

    async def test_not_an_ssh_server(self, sshd: Sshd, prompts: Answers) -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(Unreachable, match="not as an SSH server"):
                await connect(sshd.route(port=port), prompts)

    async def test_a_port_that_says_nothing(self, sshd: Sshd, prompts: Answers) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            route = sshd.route(port=silent.getsockname()[1], connect_timeout=0.4)
            with pytest.raises(Timeout, match=r"said nothing for 0\.4 s"):
                await connect(route, prompts)

    async def test_a_server_that_hangs(self, sshd: Sshd, prompts: Answers) -> None:
        assert sshd.process
        os.kill(sshd.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Timeout, match="said nothing"):
                await connect(sshd.route(connect_timeout=0.4), prompts)
        finally:
            os.kill(sshd.process.pid, signal.SIGCONT)

    async def test_packets_dropped(self, sshd: Sshd, prompts: Answers) -> None:
        listener = socket.socket()
        with listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            place = listener.getsockname()
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(place)
            with pytest.raises(Timeout, match=r"did not answer within 0\.4 s") as caught:
                await connect(sshd.route(port=place[1], connect_timeout=0.4), prompts)
            for filler in fillers:
                filler.close()
        assert "security group" in caught.value.hint

    async def test_a_name_without_address(
        self, sshd: Sshd, prompts: Answers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = threading.Event()

        def looked_up(host: str, *_: object) -> list[object]:
            if host == "silent.invalid":
                answers.wait()
            again = host != "no-such-host.invalid"
            raise socket.gaierror(socket.EAI_AGAIN if again else socket.EAI_NONAME, "no")

        monkeypatch.setattr(socket, "getaddrinfo", looked_up)
        with pytest.raises(Unreachable, match="has no address"):
            await connect(sshd.route(host="no-such-host.invalid"), prompts)
        with pytest.raises(NamesUnanswered, match=r"network\.invalid was not looked up"):
            await connect(sshd.route(host="network.invalid"), prompts)
        try:
            with pytest.raises(NamesUnanswered, match=r"silent\.invalid was not looked up"):
                await connect(sshd.route(host="silent.invalid", connect_timeout=0.1), prompts)
        finally:
            answers.set()

    async def test_hung_up_on_during_the_login(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        key = make_key(tmp_path / "locked", "ed25519", "s3cret", "-a", "4")
        sshd.authorized.write_text(public_words(key))

        class Cutter(Answers):
            async def passphrase(self, key_file: Path, again: bool) -> str | None:
                sshd.cut()
                await asyncio.sleep(0.1)
                return "s3cret"

        with pytest.raises(Unreachable, match="closed the connection during the login"):
            await connect(sshd.route(identity_files=(key,)), Cutter())


class TestJumps:
    async def test_two_hops(self, sshd: Sshd, prompts: Answers) -> None:
        hop = sshd.route()
        route = replace(sshd.route(), jumps=(hop, hop))
        connection = await connect(route, prompts)
        assert (await connection.run("echo far")).stdout == "far\n"
        assert len([line for line in sshd.log.splitlines() if "Accepted publickey" in line]) == 3
        await connection.close()

    async def test_first_contact_at_each_hop(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        hop = sshd.route(known_hosts=(tmp_path / "a",))
        route = replace(sshd.route(known_hosts=(tmp_path / "b",)), jumps=(hop,))
        assert await logs_in(route, prompts) == sshd.user
        assert len(prompts.keys) == 2

    async def test_the_target_is_closed(self, sshd: Sshd, prompts: Answers) -> None:
        route = replace(sshd.route(port=free_port()), jumps=(sshd.route(),))
        with pytest.raises(Unreachable, match="The jump host cannot reach"):
            await connect(route, prompts)

    async def test_a_cut_hop_is_a_loss(self, sshd: Sshd, prompts: Answers) -> None:
        route = replace(sshd.route(), jumps=(sshd.route(),))
        connection = await connect(route, prompts)
        lost = asyncio.Event()
        connection.on_lost(lambda _: lost.set())
        sshd.cut()
        await asyncio.wait_for(lost.wait(), 30)
        await connection.close()

    async def test_hops_before_a_lost_one_are_let_go(self, sshd: Sshd, prompts: Answers) -> None:
        route = replace(sshd.route(), jumps=(sshd.route(),))
        connection = await connect(route, prompts)
        first, last = connection._chain
        last.abort()
        await asyncio.wait_for(first.wait_closed(), 30)
        assert connection.lost is not None
        await connection.close()


class TestProxyCommand:
    PIPE = (
        "exec python3 -c 'import socket,sys,threading,os\n"
        's=socket.create_connection(("{host}",{port}))\n'
        "def up():\n"
        "  while d:=os.read(0,65536): s.sendall(d)\n"
        "threading.Thread(target=up,daemon=True).start()\n"
        "while d:=s.recv(65536): os.write(1,d)'"
    )

    async def test_a_shell_command_with_words_on_stderr(self, sshd: Sshd, prompts: Answers) -> None:
        pipe = self.PIPE.format(host=sshd.host, port=sshd.port)
        route = sshd.route(proxy_command=f"echo chatter >&2; {pipe}")
        assert await logs_in(route, prompts) == sshd.user

    async def test_a_command_that_fails(self, sshd: Sshd, prompts: Answers) -> None:
        route = sshd.route(proxy_command="echo no tunnel today >&2; exit 1")
        with pytest.raises(Unreachable, match=r"ProxyCommand to 127\.0\.0\.1 failed") as caught:
            await connect(route, prompts)
        assert caught.value.detail == "no tunnel today"

    async def test_the_command_ends_with_the_connection(
        self, sshd: Sshd, prompts: Answers, tmp_path: Path
    ) -> None:
        pid = tmp_path / "pid"
        pipe = self.PIPE.format(host=sshd.host, port=sshd.port).removeprefix("exec ")
        connection = await connect(
            sshd.route(proxy_command=f"echo $$ >{pid}; trap '' HUP TERM; {pipe}; sleep 60"), prompts
        )
        os.kill(int(pid.read_text()), 0)
        await connection.close()
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)
