"""What OpenSSH itself makes of a host: `ssh -G` over the user's config, with EC2's facts as the
last word that fills the gaps."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

from cloudtui.model.errors import Refused, Timeout, UsageError
from cloudtui.model.remote import Route
from cloudtui.ssh.child import begin, said

JUMP_LIMIT = 8
SECONDS = 10.0
SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")

Options = Mapping[str, Sequence[str]]
"""`ssh -G` as keyword -> values in order; keywords in lower case."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""One ssh is started at a time: each start holds the loop up for some milliseconds."""


async def resolve(
    alias: str, fallback: Route, config: Path | None = None, *, host: str = ""
) -> Route:
    """The route to `alias`: the ssh config's word first, then `fallback`'s, then OpenSSH's default.

    `host` goes before every HostName of the config. `config` is the user's file, `~/.ssh/config`
    by $HOME when None; it need not exist. Without an `ssh` program the fallback is used as it is.
    `Match exec` commands in the config are run by ssh, so this is for connecting, not for each
    keystroke.

    Raises:
        UsageError: ssh refuses the config or the name; its own words are the detail.
        Refused: the jump hosts lead in a circle or are more than 8.
        Timeout: ssh did not answer in 10 s.
    """
    user_config = config or Path.home() / ".ssh" / "config"
    try:
        options = await _ask_ssh([alias], user_config, fallback, host)
    except FileNotFoundError:
        return _with_defaults(fallback)
    route = _route(alias, options)
    jumps: tuple[Route, ...] = ()
    if jump := _first(options, "proxyjump"):
        jumps = await _jumps(jump, user_config, (alias,))
    return replace(
        route,
        jumps=jumps,
        config_line=fallback.config_line,
        machine=fallback.machine,
        name=fallback.name,
    )


async def _jumps(spec: str, config: Path, seen: tuple[str, ...]) -> tuple[Route, ...]:
    """Routes of `ProxyJump a,b,c`; only the first hop's own ProxyJump counts, as in OpenSSH."""
    if spec.lower() == "none":
        return ()
    routes: list[Route] = []
    for position, word in enumerate(spec.split(",")):
        hop = _Hop.parse(word)
        name = str(hop)
        if name in seen:
            raise _circle(*seen, name)
        if len(seen) + position > JUMP_LIMIT:
            raise Refused(f"{seen[0]} is reached through more than {JUMP_LIMIT} jump hosts.")
        try:
            options = await _ask_ssh(hop.arguments(), config, None)
        except UsageError as error:
            if "jumphost loop" in error.detail:
                raise _circle(*seen, name, name) from error
            raise
        route = _route(hop.host, options)
        if position == 0:
            own = _first(options, "proxyjump")
            routes += await _jumps(own, config, (*seen, name)) if own else ()
        else:
            route = replace(route, proxy_command="")
        routes.append(route)
    return tuple(routes)


def _circle(*names: str) -> Refused:
    return Refused(
        f"The jump hosts of {names[0]} lead in a circle: {' → '.join(names)}.",
        hint="Give the jump host a Host block of its own with ProxyJump none.",
    )


@dataclass(frozen=True, slots=True)
class _Hop:
    """One `[ssh://][user@]host[:port]` of a ProxyJump."""

    host: str
    user: str = ""
    port: str = ""

    @staticmethod
    def parse(word: str) -> _Hop:
        word = word.strip().removeprefix("ssh://").rstrip("/")
        user, _, place = word.rpartition("@")
        if place.startswith("["):
            host, _, port = place[1:].partition("]")
            return _Hop(host, user, port.removeprefix(":"))
        host, _, port = place.rpartition(":") if place.count(":") == 1 else (place, "", "")
        return _Hop(host, user, port)

    def arguments(self) -> list[str]:
        user = ["-l", self.user] if self.user else []
        port = ["-p", self.port] if self.port else []
        return [*user, *port, self.host]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


async def _ask_ssh(
    arguments: list[str], config: Path, fallback: Route | None, above: str = ""
) -> Options:
    """Runs `ssh -G`; FileNotFoundError when there is no ssh."""
    # Not in a thread: one that nobody waits for any more would leave the file.
    path = _write_config(config, fallback, above)
    try:
        *flags, host = arguments
        async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            process = await begin(
                *("ssh", "-G", "-F", str(path), *flags, "--", host),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        try:
            stdout, stderr = await said(process, seconds=SECONDS)
        except TimeoutError:
            raise Timeout(
                f"ssh -G {host} gave no answer within {SECONDS:.0f} s.",
                hint=f"Look for a slow Match exec in {config}.",
            ) from None
    finally:
        path.unlink(missing_ok=True)
    if process.returncode:
        words = stderr.decode(errors="replace").replace("\r", "").strip()
        raise UsageError(
            f"ssh cannot make sense of its config for {host}.",
            words,
            f"Correct it, then see what ssh makes of it with: ssh -G {host}",
        )
    options: dict[str, list[str]] = {}
    for line in stdout.decode(errors="replace").splitlines():
        keyword, _, value = line.partition(" ")
        options.setdefault(keyword.lower(), []).append(value)
    return options


def _write_config(config: Path, fallback: Route | None, host: str) -> Path:
    """A private config that reads the user's, the system's, then fills gaps; first value wins."""
    known = f"{Path.home()}/.ssh/known_hosts"
    lines = [
        *([f"HostName {_quoted(host)}"] if host else []),
        f"Include {_quoted(config.absolute())}",
        f"Include {_quoted(SYSTEM_CONFIG)}",
        "Match all",
    ]
    if fallback:
        lines += [f"  HostName {_quoted(fallback.host)}", f"  Port {fallback.port}"]
        if fallback.user:
            lines.append(f"  User {_quoted(fallback.user)}")
        if fallback.host_key_alias:
            lines.append(f"  HostKeyAlias {_quoted(fallback.host_key_alias)}")
        lines += [
            f"  IdentityFile {_quoted(str(f).replace('%', '%%'))}" for f in fallback.identity_files
        ]
        if fallback.identities_only:
            lines.append("  IdentitiesOnly yes")
        if fallback.known_hosts:
            files = " ".join(_quoted(f) for f in fallback.known_hosts)
            lines.append(f"  UserKnownHostsFile {files}")
    lines.append(f"  UserKnownHostsFile {_quoted(known)} {_quoted(known + '2')}")
    descriptor, name = tempfile.mkstemp(prefix="cloudtui-ssh-", text=False)
    with os.fdopen(descriptor, "wb") as file:
        file.write("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
    return Path(name)


def _quoted(value: str | Path) -> str:
    text = str(value)
    if any(c in text for c in '"\n\r'):
        raise UsageError(f"{text!r} holds a character that no ssh config can hold.")
    return f'"{text}"'


def _first(options: Options, keyword: str) -> str:
    values = options.get(keyword, ("",))
    return values[0]


def _route(alias: str, options: Options) -> Route:
    """One host's options as a Route without its jumps."""
    host = _first(options, "hostname") or alias
    user = _first(options, "user") or getpass.getuser()
    port = int(_first(options, "port") or 22)
    key_alias = _first(options, "hostkeyalias")
    if key_alias == "none":
        key_alias = ""
    tokens = _tokens(alias, host, port, user, key_alias)
    command = _first(options, "proxycommand")
    strict = _first(options, "stricthostkeychecking").lower()
    return Route(
        alias=alias,
        host=host,
        port=port,
        user=user,
        identity_files=_identity_files(options.get("identityfile", ()), tokens),
        identities_only=_first(options, "identitiesonly") == "yes",
        identity_agent=_agent(_first(options, "identityagent"), tokens),
        known_hosts=_files(_first(options, "userknownhostsfile"), tokens),
        global_known_hosts=_files(_first(options, "globalknownhostsfile"), tokens),
        host_key_alias=key_alias,
        strict_host_keys={"true": "yes", "false": "no", "off": "no", "": "ask"}.get(strict, strict),
        proxy_command="" if command in ("", "none") else expand(command, tokens),
        connect_timeout=_seconds(_first(options, "connecttimeout"), 10.0),
        keepalive_interval=_seconds(_first(options, "serveraliveinterval"), 5.0),
        keepalive_count_max=int(_seconds(_first(options, "serveralivecountmax"), 3)),
    )


def _with_defaults(route: Route) -> Route:
    """The fallback alone, with OpenSSH's places for known hosts and keys."""
    folder = Path.home() / ".ssh"
    names = ("id_rsa", "id_ecdsa", "id_ed25519")
    keys = route.identity_files or tuple(p for n in names if (p := folder / n).exists())
    return replace(
        route,
        user=route.user or getpass.getuser(),
        identity_files=keys,
        known_hosts=route.known_hosts or (folder / "known_hosts",),
    )


def _seconds(word: str, default: float) -> float:
    """Numbers of `ssh -G`; `none` and 0 mean not configured."""
    return float(word) if word.isdigit() and int(word) else default


def _tokens(alias: str, host: str, port: int, user: str, key_alias: str) -> dict[str, str]:
    """The tokens of ssh_config(5) that make sense on this side."""
    local = socket.gethostname()
    return {
        "%": "%",
        "d": str(Path.home()),
        "h": host,
        "i": str(os.getuid()),
        "k": key_alias or alias,
        "L": local.partition(".")[0],
        "l": local,
        "n": alias,
        "p": str(port),
        "r": user,
        "u": getpass.getuser(),
    }


def expand(text: str, tokens: Mapping[str, str]) -> str:
    """`%h`-style tokens expanded once; unknown ones stay as they are."""
    return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)


def _path(word: str, tokens: Mapping[str, str]) -> Path:
    """A file name with `~`, tokens and `${ENV}` expanded; `~` is $HOME."""
    word = re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], found[0]), word)
    word = expand(word, tokens)
    if word == "~" or word.startswith("~/"):
        word = str(Path.home()) + word[1:]
    return Path(word).expanduser() if word.startswith("~") else Path(word)


def _identity_files(words: Sequence[str], tokens: Mapping[str, str]) -> tuple[Path, ...]:
    """Key files that exist, each once; a missing private key counts by its .pub (agent keys)."""
    found: dict[Path, None] = {}
    for word in words:
        if word.lower() == "none":
            continue
        path = _path(word, tokens)
        public = path.with_name(path.name + ".pub")
        if path.is_file():
            found[path] = None
        elif public.is_file():
            found[public] = None
    return tuple(found)


def _files(words: str, tokens: Mapping[str, str]) -> tuple[Path, ...]:
    names = [word for word in words.split() if word.lower() != "none"]
    return tuple(_path(word, tokens) for word in names)


def _agent(word: str, tokens: Mapping[str, str]) -> str:
    if word in ("", "SSH_AUTH_SOCK"):
        return ""
    if word.lower() == "none":
        return "none"
    if word.startswith("$") and not word.startswith("${"):
        return os.environ.get(word[1:], "none")
    return str(_path(word, tokens))
