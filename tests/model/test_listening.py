"""The ports of a host that are worth a tunnel."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.listening import ListeningPort, parse_listening

CAPTURED = """\
P 00000000:0016
P 0100007F:22B8
P 0100007F:270F
P 00000000000000000000000000000000:0016
P 00000000000000000000000000000000:1776
P 00000000000000000000000001000000:22B8
S LISTEN 0      128        127.0.0.1:8888      0.0.0.0:*    users:(("jupyter-lab",pid=811,fd=7))
S LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=1,fd=3))
S LISTEN 0      100        127.0.0.1:9999      0.0.0.0:*    users:(("python3",pid=90,fd=3))
S LISTEN 0      4096               *:6006            *:*
"""


def test_captured_lines() -> None:
    found = parse_listening(CAPTURED)
    assert found == (
        ListeningPort(6006, "", True),
        ListeningPort(8888, "jupyter-lab", False),
        ListeningPort(9999, "python3", False),
    )
    assert [p.name for p in found] == ["TensorBoard", "Jupyter", "python3"]


@given(st.text(max_size=200))
def test_noise_gives_ports_or_nothing(text: str) -> None:
    for port in parse_listening(text):
        assert 0 < port.port < 65_536
