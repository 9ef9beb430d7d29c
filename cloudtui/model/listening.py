"""The ports that programs of a host listen on, as its kernel and `ss` tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cloudtui.model.tunnel import PORT_NAMES, usual_first

LISTENING = """\
if told=$(ss -Htlnp 2>/dev/null); then
  printf '%s\\n' "$told" | sed 's/^/S /'
else
  for f in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$f" ] && while read -r n l r s x; do [ "$s" = 0A ] && echo "P $l"; done <"$f"
  done
fi
exit 0
"""
"""Sh that prints what `parse_listening` reads; empty where the host is no Linux."""

_NOT_OFFERED = frozenset({22, 53, 111, 631})
"""SSH itself, and what no one wants forwarded."""


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """A port of the host that accepts connections."""

    port: int
    program: str = ""
    """Its name, where the login user may see it."""
    everywhere: bool = False
    """Whether it listens on every address, not on loopback alone."""

    @property
    def name(self) -> str:
        """`Jupyter`, else the program's name, else nothing."""
        return PORT_NAMES.get(self.port, "") or self.program


def parse_listening(text: str) -> tuple[ListeningPort, ...]:
    """The ports worth a tunnel, those with a usual name first."""
    found = _listening(text)
    return tuple(found[p] for p in usual_first(_offered(found)))


def listening_ports(text: str) -> frozenset[int]:
    """All of them, whatever they are; empty where the host does not tell."""
    return frozenset(_listening(text))


def _listening(text: str) -> dict[int, ListeningPort]:
    found: dict[int, ListeningPort] = {}
    programs: dict[int, str] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "P":
            address, _, port = rest.partition(":")
            if not (_HEX.fullmatch(address) and _HEX.fullmatch(port)):
                continue
            number, everywhere = int(port, 16), not address.strip("0")
        elif kind == "S" and (match := _SS.search(rest)):
            number, everywhere = int(match["port"]), match["address"] in _EVERY_ADDRESS
            if match["program"]:
                programs[number] = match["program"]
        else:
            continue
        everywhere = everywhere or (number in found and found[number].everywhere)
        found[number] = ListeningPort(number, programs.get(number, ""), everywhere)
    return found


def _offered(ports: Iterable[int]) -> list[int]:
    return [p for p in ports if 0 < p < 65_536 and p not in _NOT_OFFERED]


_HEX = re.compile("[0-9A-Fa-f]{1,32}")
_EVERY_ADDRESS = ("*", "0.0.0.0", "[::]")
_SS = re.compile(
    r"\s(?P<address>\S+):(?P<port>\d{1,5})\s+\S+:\*"
    r'(?:\s+users:\(\("(?P<program>[^"]{1,60})")?'
)
