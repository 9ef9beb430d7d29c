"""The ports that programs of a host listen on, as its kernel and `ss` tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cloudtui.model.tunnel import PORT_NAMES, usual_first

LISTENING = """\
for f in /proc/net/tcp /proc/net/tcp6; do
  [ -r "$f" ] && while read -r n l r s x; do [ "$s" = 0A ] && echo "P $l"; done <"$f"
done
command -v ss >/dev/null && ss -Htlnp 2>/dev/null | sed 's/^/S /'
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
    found: dict[int, ListeningPort] = {}
    programs: dict[int, str] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "P":
            address, _, port = rest.partition(":")
            if not (_HEX.fullmatch(address) and _HEX.fullmatch(port)):
                continue
            number, everywhere = int(port, 16), not address.strip("0")
            before = found.get(number)
            found[number] = ListeningPort(
                number, "", everywhere or bool(before and before.everywhere)
            )
        elif kind == "S" and (match := _SS.search(rest)):
            programs[int(match[1])] = match[2]
    for number, program in programs.items():
        if number in found:
            found[number] = ListeningPort(number, program, found[number].everywhere)
    return tuple(found[p] for p in usual_first(_offered(found)))


def _offered(ports: Iterable[int]) -> list[int]:
    return [p for p in ports if 0 < p < 65_536 and p not in _NOT_OFFERED]


_HEX = re.compile("[0-9A-Fa-f]{1,32}")
_SS = re.compile(r':(\d{1,5})\s+\S+:\*\s+users:\(\("([^"]{1,60})"')
