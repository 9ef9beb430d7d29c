"""cloudtui keys, as typed, with a terminal and without."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cli.test_commands import cloudtui
from tests.sshd import make_key
from tests.terminal import Terminal


def test_create_list_and_delete(aws_env: str) -> None:
    told = cloudtui("keys", "create", "lab")
    path = Path.home() / ".ssh/lab.pem"
    assert (told.returncode, told.stdout) == (0, f"{path}\n")
    secret = path.read_text().splitlines()[1]
    assert secret not in told.stdout + told.stderr
    assert cloudtui("keys", "create", "lab").returncode == 4
    listed = cloudtui("keys").stdout.splitlines()
    assert listed[1].split()[:4] == ["lab", "us-east-1", "ed25519", "~/.ssh/lab.pem"]
    document = json.loads(cloudtui("keys", "ls", "--json").stdout)
    assert document["key_pairs"][0]["private_keys"] == [str(path)]
    assert document["private_keys"][0]["mode"] == "0400"
    assert secret not in json.dumps(document)
    refused = cloudtui("keys", "delete", "lab")
    assert refused.returncode == 4
    assert "--yes" in refused.stderr
    assert cloudtui("keys", "delete", "lab", "--yes", "--read-only").returncode == 4
    told = cloudtui("keys", "delete", "lab", "--yes", "--json")
    assert json.loads(told.stdout)["deleted"] is True
    assert f"The private key stays: ~/.ssh/{path.name}" in told.stderr
    assert cloudtui("keys", "delete", "lab", "--yes").returncode == 3
    assert path.exists()


def test_modes_are_fixed_after_a_question(aws_env: str, terminal: Terminal) -> None:
    path = make_key(Path.home() / ".ssh/lab.pem")
    path.chmod(0o644)
    assert "cloudtui keys fix" in cloudtui("keys", "ls").stderr
    assert cloudtui("keys", "fix").returncode == 4
    terminal.cloudtui("keys", "fix")
    terminal.shows("Give 1 file the mode 0400? [y/N]")
    terminal.type("Enter")
    terminal.shows("Nothing was changed")
    assert path.stat().st_mode & 0o777 == 0o644
    terminal.cloudtui("keys", "fix")
    terminal.shows("[y/N]")
    terminal.type("y", "Enter")
    terminal.shows("has mode 0400 now")
    assert path.stat().st_mode & 0o777 == 0o400
    assert cloudtui("keys", "fix").returncode == 0
    assert cloudtui("keys", "fix", "/nowhere").returncode == 3


def test_a_passphrase_is_typed_and_not_shown(aws_env: str, terminal: Terminal) -> None:
    path = make_key(Path.home() / ".ssh/lab.pem")
    terminal.cloudtui("keys", "passphrase", str(path))
    terminal.shows("New passphrase")
    terminal.type("geheim", "Enter")
    terminal.shows("same again")
    terminal.type("geheim", "Enter")
    assert "geheim" not in terminal.shows("under the new passphrase")
    subprocess.run(
        ["ssh-keygen", "-y", "-P", "geheim", "-f", path], check=True, capture_output=True
    )
    assert cloudtui("keys", "passphrase", str(path)).returncode == 6
    told = cloudtui("keys", "convert", str(path), "--to", "ppk")
    assert told.returncode == 6
    assert "No passphrase was given" in told.stderr


def test_a_public_key_is_imported(aws_env: str) -> None:
    path = make_key(Path.home() / ".ssh/id_ed25519")
    told = cloudtui("keys", "import", f"{path}.pub", "--name", "laptop")
    assert told.stdout.startswith("Imported ~/.ssh/id_ed25519.pub as the key pair laptop (key-")
    listed = json.loads(cloudtui("keys", "--json").stdout)["key_pairs"]
    assert listed[0]["private_keys"] == [str(path)]
    empty = Path.home() / "empty.pem"
    empty.touch()
    told = cloudtui("keys", "import", str(empty))
    assert told.returncode == 1
    assert "is empty" in told.stderr
    assert json.loads(cloudtui("keys", "agent", "--json").stdout) == {"agent": []}


def test_doctor_names_keys_that_ssh_does_not_read(aws_env: str) -> None:
    path = make_key(Path.home() / ".ssh/lab.pem")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    found = [f for f in json.loads(cloudtui("doctor", "--json").stdout) if f["check"] == "key file"]
    assert [f["health"] for f in found] == ["warning"]
    assert found[0]["seen"] == f"{path} has Windows line ends, which ssh does not read"
    assert found[0]["cure"] == f"Write it anew: cloudtui keys convert {path}"
