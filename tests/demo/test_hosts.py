"""The hosts as OpenSSH's client meets them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncssh
import pytest

from cloudtui.model.listening import LISTENING, ListeningPort, parse_listening
from tests.demo.conftest import Site, until

SERVICE = (
    "python3 -u -c '"
    + (
        'import socket; s = socket.create_server(("127.0.0.1", 0)); '
        "print(s.getsockname()[1], flush=True)\n"
        'while True: c = s.accept()[0]; c.sendall(b"own service"); c.close()'
    )
    + "'"
)


def test_commands_keep_output_errors_and_status_apart(site: Site) -> None:
    answer = site.ssh("bert-gpu", "echo out; echo err >&2; exit 7")
    assert (answer.returncode, answer.stdout) == (7, b"out\n")
    assert answer.stderr.endswith(b"err\n")


def test_a_script_on_standard_input(site: Site) -> None:
    answer = site.ssh("bert-gpu", "sh -s", stdin=b"echo from stdin\nexit 3\n")
    assert (answer.returncode, answer.stdout) == (3, b"from stdin\n")


def test_megabytes_in_and_out(site: Site) -> None:
    sent = os.urandom(6_000_000)
    answer = site.ssh("bert-gpu", "cat", stdin=sent)
    assert answer.returncode == 0
    assert answer.stdout == sent


def test_a_slow_reader_on_the_host_holds_the_client_back(site: Site) -> None:
    answer = site.ssh("bert-gpu", "sleep 0.3; wc -c", stdin=bytes(8_000_000))
    assert answer.stdout.strip() == b"8000000"


def test_a_killed_command_is_a_signal(site: Site) -> None:
    assert site.ssh("bert-gpu", "kill -TERM $$").returncode == 255


def test_the_name_of_the_machine_is_its_own(site: Site) -> None:
    assert site.ssh("bert-gpu", "hostname; hostname -s").stdout == b"bert-gpu\nbert-gpu\n"
    assert site.ssh("bert-gpu", "hostname --version").stdout.startswith(b"hostname")


def test_a_terminal_is_a_terminal(site: Site) -> None:
    said = site.ssh("bert-gpu", "tty; stty size; exit 4", options=("-tt",))
    assert said.returncode == 4
    assert said.stdout.startswith(b"/dev/")
    shell = site.ssh("bert-gpu", options=("-tt",), stdin=b"echo $((6*7)); hostname\nexit 5\n")
    assert shell.returncode == 5
    assert b"42\r\nbert-gpu\r\n" in shell.stdout
    assert "ubuntu@bert-gpu" in shell.stdout.decode()


async def test_control_c_reaches_the_foreground(site: Site) -> None:
    async with connection(site, "bert-gpu") as conn:
        program = await conn.create_process(
            "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done",
            term_type="xterm-256color",
        )
        await program.stdout.readuntil("ready\r\n")
        program.stdin.write("\x03")
        ended = await program.wait()
    assert ended.exit_status == 9
    assert "caught" in str(ended.stdout)


async def test_window_size_and_hang_up(site: Site) -> None:
    async with connection(site, "bert-gpu") as conn:
        shell = await conn.create_process(
            "trap 'stty size' WINCH; trap 'touch ~/hung-up; exit' HUP; stty size; echo ready;"
            " while :; do sleep 0.05; done",
            term_type="xterm-256color",
            term_size=(100, 31),
        )
        assert await shell.stdout.readline() == "31 100\r\n"
        await shell.stdout.readuntil("ready\r\n")
        shell.change_terminal_size(90, 20)
        assert await shell.stdout.readline() == "20 90\r\n"
    await until(lambda: site.ssh("bert-gpu", "rm hung-up").returncode == 0, "the hang-up")


def test_the_training_run_moves_in_tmux(site: Site) -> None:
    listed = site.say("bert-gpu", "tmux -u list-sessions -F '#{session_name}'")
    assert listed == "bert\n"

    def lines() -> list[str]:
        shown = site.say("bert-gpu", "tmux -u capture-pane -p -J -S -50 -t bert")
        return [line for line in shown.splitlines() if line.startswith("{'loss': ")]

    deadline = time.monotonic() + 90
    while len(first := lines()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    while len(lines()) <= len(first):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "'epoch':" in first[-1]
    assert "it/s]" in site.say("bert-gpu", "tmux -u capture-pane -p -t bert")


def test_the_screen_session_is_there(site: Site) -> None:
    assert ".prep\t" in site.ssh("bert-gpu", "screen -ls").stdout.decode()


def test_jupyter_is_for_login_shells_of_one_host(site: Site) -> None:
    assert site.ssh("jupyter-lab", "command -v jupyter").returncode != 0
    found = site.say("jupyter-lab", "bash -lc 'command -v jupyter-lab'")
    assert found.endswith("/.local/bin/jupyter-lab\n")
    assert site.ssh("bert-gpu", "bash -lc 'command -v jupyter'").returncode != 0
    assert "bert-finetune.ipynb" in site.say("jupyter-lab", "ls")


def test_only_the_demo_key_and_user_get_in(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(other)
    other.chmod(0o600)
    config = tmp_path / "config"
    theirs = site.demo.ssh_config.read_text()
    config.write_text(theirs.replace(str(site.demo.key), str(other)))
    argv = ["ssh", "-o", "BatchMode=yes", "-F", str(config), site.addresses["bert-gpu"], "id"]
    refused = subprocess.run(argv, capture_output=True, check=False)
    assert refused.returncode == 255
    assert b"Permission denied (publickey)" in refused.stderr
    root = site.ssh("bert-gpu", "id", options=("-l", "root"))
    assert b"Permission denied (publickey)" in root.stderr


@pytest.mark.parametrize("target", ["localhost", "127.0.0.1"])
async def test_a_forward_reaches_the_hosts_own_service(site: Site, target: str) -> None:
    async with connection(site, "bert-gpu") as conn:
        service = await conn.create_process(SERVICE)
        port = (await service.stdout.readline()).strip()
        answer = site.ssh("bert-gpu", options=("-W", f"{target}:{port}"))
        assert answer.stdout == b"own service"
        listed = parse_listening(site.say("bert-gpu", LISTENING))
        assert ListeningPort(int(port), "python3") in listed
        assert len(listed) < 5  # and not this computer's
        elsewhere = site.ssh("jupyter-lab", options=("-W", f"{target}:{port}"))
        assert elsewhere.returncode == 255
        assert b"open failed" in elsewhere.stderr
        service.terminate()


async def test_a_port_of_the_host_leads_to_this_computer(site: Site) -> None:
    async with connection(site, "bert-gpu") as conn:
        with pytest.raises(asyncssh.ChannelListenError):
            await conn.start_server(lambda *_: None, "0.0.0.0", 0)

        async def serve(_: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
            writer.write(b"from here")
            writer.close()

        listener = await conn.start_server(lambda *_: serve, "localhost", 0)
        read = f"exec 3<>/dev/tcp/127.0.0.1/{listener.get_port()}; cat <&3"
        told = await asyncio.to_thread(site.say, "bert-gpu", f"bash -c '{read}'")
        assert told == "from here"
        listener.close()


def test_a_forward_to_a_foreign_service_is_refused(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        refused = site.ssh("bert-gpu", options=("-W", f"127.0.0.1:{port}"))
    assert refused.returncode == 255
    assert b"open failed" in refused.stderr
    api = site.ssh("bert-gpu", options=("-W", site.demo.url.removeprefix("http://")))
    assert api.returncode == 255


def test_sftp_begins_in_the_home(site: Site, tmp_path: Path) -> None:
    (tmp_path / "up.bin").write_bytes(bytes(range(256)) * 5_000)
    batch = f"put {tmp_path}/up.bin up.bin\nls\nget up.bin {tmp_path}/down.bin\nrm up.bin\npwd\n"
    answer = subprocess.run(
        ["sftp", "-F", str(site.demo.ssh_config), "-b", "-", site.addresses["jupyter-lab"]],
        input=batch.encode(),
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert b"bert-finetune.ipynb" in answer.stdout
    assert b"/home/ubuntu\n" in answer.stdout
    assert (tmp_path / "down.bin").read_bytes() == (tmp_path / "up.bin").read_bytes()


def connection(site: Site, name: str) -> asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]:
    return asyncssh.connect(
        site.addresses[name],
        config=[str(site.demo.ssh_config)],
        known_hosts=None,
    )


def test_a_jupyter_with_kernels_runs_on_one_host(site: Site) -> None:
    def kernels(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k not in site.demo.unset}
        return subprocess.run(
            [sys.executable, "-m", "cloudtui", "kernels", *words],
            env=environment | site.demo.environment,
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    told = kernels("bert-gpu", "--json")
    assert told.returncode == 0, told.stderr
    (server,) = json.loads(told.stdout)["servers"]
    assert {(k["notebook"], k["state"]) for k in server["kernels"]} >= {("eda.ipynb", "idle")}
    here = ("--server", str(server["port"]))
    stopped = kernels("stop", "bert-gpu", "evaluate.ipynb", *here, "--yes", "--json")
    assert stopped.returncode == 0, stopped.stderr
    changed = json.loads(stopped.stdout)
    assert (changed["done"], changed["notebook"]) == ("stop", "bert-finetune/evaluate.ipynb")
    assert "evaluate" not in kernels("bert-gpu").stdout
    run = kernels("run", "bert-gpu", "eda.ipynb")
    assert run.returncode == 1
    assert "made up and run no cell. For a real one: cloudtui jupyter jupyter-lab.\n" in run.stderr
