"""Ssh configs to edit: seventeen nasty ones by hand, and as many as wanted at random."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random

Files = Mapping[str, bytes]
"""Content by path below ~/.ssh; the main file is `config`."""

SAMPLES: dict[str, Files] = {
    "include first": {
        "config": b"Include config.d/*\n\nHost web\n  HostName 10.0.0.1\n  User u\n\nHost *\n"
        b"  ServerAliveInterval 30\n",
        "config.d/work": b"Host other\n  HostName 10.9.9.9\n",
    },
    "match block": {
        "config": b"Match originalhost web,db\n  User matched\n\nHost web\n  HostName 10.0.0.1\n"
        b'\nMatch host 10.0.0.* exec "test -d /"\n  Port 2200\nHost other\n  HostName 10.0.0.7\n',
    },
    "shared host": {
        "config": b"# three at once\nHost db web cache\n  HostName 10.0.0.1\n  User u # all\n\n"
        b"Host other\n  User o\n",
    },
    "crlf": {
        "config": b"Host web\r\n  HostName 10.0.0.1\r\n\tUser u\r\n\r\nHost other\r\n  Port 1\r\n",
    },
    "tabs": {
        "config": b"Host\tweb\n\tHostName\t\t10.0.0.1\n\t\tUser\tu\nHost\tother\n\tUser\to\n",
    },
    "key=value": {
        "config": b"Host=web\nHostName=10.0.0.1\nUser =u\nPort= 23\n\nHost = other\n = User o\n",
    },
    "quotes": {
        "config": b'Host "web" \'db\'\n  HostName "10.0.0.1"\n'
        b'  IdentityFile "~/.ssh/my \\"k\\".pem"\n'
        b'Host other\n  ProxyCommand nc -x "a b" %h %p # no comment\n  "User" o\n',
    },
    "comment after value": {
        "config": b"Host web # the web\n  HostName 10.0.0.1   # moved # twice\n  User u#1\n"
        b"#Host web\n#  HostName 1.1.1.1\nHost other # it\n  User o # o\n",
    },
    "not utf-8": {
        "config": b"# Rechner f\xfcr B\xe4rbel\nHost web\n  HostName 10.0.0.1 # \xff\xfe\n"
        b"  IdentityFile ~/.ssh/schl\xfcssel\nHost other\n  User j\xf6rg\n",
    },
    "no final newline": {"config": b"Host other\n  User o\nHost web\n  HostName 10.0.0.1"},
    "capitals": {
        "config": b"HOST web\n  HOSTNAME 10.0.0.1\n  uSER u\nhost Web\n  hostname 10.0.0.2\n"
        b"hOsT other\n  IDENTITIESONLY YES\n",
    },
    "negated patterns": {
        "config": b"Host * !web !db\n  User stranger\nHost web !other\n  HostName 10.0.0.1\n"
        b"Host web* !web2\n  Port 24\nHost other !web\n  User o\n",
    },
    "duplicate alias": {
        "config": b"Host web\n  User first\n\nHost other\n  User o\n\nHost web\n"
        b"  HostName 10.0.0.1\n  User second\n",
    },
    "nested include": {
        "config": b"User everyone\nHost o*\n  Include parts/[ab]*.conf\n"
        b"Host *\n  Include parts/c\n",
        "parts/a.conf": b"Host other\n  Port 77\n",
        "parts/b.conf": b"Host *\n  Port 78\n  Include ~/.ssh/deep/?\n",
        "parts/c": b"Host web\n  HostName 10.0.0.1\nInclude deep/* none/*\n",
        "deep/1": b"Host other\n  HostName 10.0.0.3\n",
        "deep/2": b"Host *\n  ConnectTimeout 9\n",
    },
    "global options": {
        "config": b"\n\nIgnoreUnknown UseKeychain,Nice\nUseKeychain yes\nPort 2022\n\n\n"
        b"ForwardAgent no\n\nHost web\nHostName 10.0.0.1\n\n\n\nHost other\nUser o\n",
    },
    "match final": {
        "config": b"Host web\n  HostName 10.0.0.1\nHost other\n  HostName web\n"
        b"Match final host 10.*\n  User final\nMatch final all\n  Port 2023\n"
        b"Host 10.0.0.1\n  ConnectTimeout 8\n",
    },
    "trailing blanks": {
        "config": b"  \t \nHost web  \t\n  HostName 10.0.0.1 \t \n \f\n"
        b"  User u \x0c\n \t# x  \n\t\nHost other   \n   User o\t\n   \n\n \n",
    },
}


def write(home: Path, files: Files) -> Path:
    """~/.ssh with these files and nothing else; the main file."""
    folder = home / ".ssh"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
    return folder / "config"


def contents(home: Path) -> dict[str, bytes]:
    """What ~/.ssh holds now."""
    folder = home / ".ssh"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def resolved(main: Path, hosts: Iterable[str]) -> dict[str, str]:
    """What `ssh -G` says of each host, its refusal when it refuses."""
    asked = {
        host: subprocess.Popen(
            ["ssh", "-G", "-T", "-F", str(main), "--", host],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for host in hosts
    }
    told = {}
    for host, process in asked.items():
        out, err = process.communicate()
        told[host] = (out if process.returncode == 0 else b"refused: " + err).decode(
            errors="surrogateescape"
        )
    return told


def option(told: str, keyword: str) -> list[str]:
    """The values of a keyword in what `resolved` says of a host."""
    begin = keyword.lower() + " "
    return [line.removeprefix(begin) for line in told.split("\n") if line.startswith(begin)]


NAMES = ("web", "db", "web2", "gpu-1", "Web", "10.0.0.1", "x.ex")
_PATTERNS = (*NAMES, "*", "web*", "gpu-?", "w?b", "10.*", "!db", "!web*", "other", "*.ex", "!x.ex")
_VALUES: Mapping[str, tuple[str, ...]] = {
    "HostName": ("10.0.0.1", "10.0.0.2", "%h.ex", "web", "Web", "db", "x%%.ex"),
    "User": ("u", "ubuntu", '"a b"', "j\xf6"),
    "Port": ("22", "2222", '"2022"'),
    "IdentityFile": ("~/.ssh/a", '"~/.ssh/b c"', "~/.ssh/%h", "none"),
    "IdentitiesOnly": ("yes", "no"),
    "HostKeyAlias": ("i-0abc", "i-0def"),
    "ProxyJump": ("jump", "db", "u@jump:2022", "none"),
    "ProxyCommand": ("nc %h %p", 'nc -x "a b" %h # c', "none"),
    "LocalForward": ("8888 localhost:8888", "9000 127.0.0.1:9000"),
    "SendEnv": ("LANG LC_*", "A"),
    "SetEnv": ('A=b C="d e"', "F=g"),
    "UserKnownHostsFile": ("/dev/null", "~/.ssh/k1 ~/.ssh/k2"),
    "ServerAliveInterval": ("30", "60"),
    "ForwardAgent": ("yes",),
    "Compression": ("yes", "no"),
}
_MATCHES = (
    "all",
    "host web,db*",
    "host 10.0.0.*",
    "originalhost web",
    "originalhost !web,*",
    "user ubuntu",
    "host *.ex exec true",
    'exec "false"',
)
_FINAL_MATCHES = ("final all", "final host web*", "canonical all")


def random_files(random: Random) -> Files:
    """A config at random, of a few files; ssh reads nearly all of them."""
    crlf = random.random() < 0.15
    final = random.random() < 0.25
    files = {}
    names = ["config", *(n for n in ("more/1", "more/2", "one") if random.random() < 0.4)]
    for name in names:
        lines: list[str] = []
        if random.random() < 0.3:
            lines += _directives(random, random.randint(1, 2), "")
        if name == "config" and random.random() < 0.1:
            lines += ["CanonicalizeHostname no", "CanonicalDomains ex"]
        for _ in range(random.randint(0 if name != "config" else 1, 5)):
            lines += _block(random, final)
            if name == "config" and random.random() < 0.3:
                lines.append(random.choice(("Include more/*", "Include one", "include ~/.ssh/one")))
        ending = "\r\n" if crlf else "\n"
        text = ending.join(line + random.choice(("", "", "", " ", "\t")) for line in lines)
        if random.random() < 0.8:
            text += ending
        files[name] = text.encode("latin-1")
    return files


def _block(random: Random, final: bool) -> list[str]:
    lines = random.choice(([], [""], ["# note"], ["", "#Host web"], ["# f\xfcr"]))
    indent = random.choice(("  ", "\t", "    ", ""))
    if random.random() < 0.2:
        head = "Match " + random.choice(_MATCHES + _FINAL_MATCHES if final else _MATCHES)
    else:
        patterns = random.sample(_PATTERNS, random.choice((1, 1, 1, 2, 3)))
        head = random.choice(("Host ", "host ", "Host\t", "HOST = ")) + " ".join(patterns)
    if random.random() < 0.2:
        head += " # which"
    return [*lines, head, *_directives(random, random.randint(0, 4), indent)]


def _directives(random: Random, count: int, indent: str) -> list[str]:
    lines = []
    for _ in range(count):
        keyword = random.choice(list(_VALUES))
        value = random.choice(_VALUES[keyword])
        spelled = random.choice((keyword, keyword, keyword.lower(), keyword.upper()))
        line = indent + spelled + random.choice((" ", " ", "\t", "=", " = ")) + value
        if random.random() < 0.15 and keyword not in ("ProxyCommand",):
            line += random.choice((" # why", "\t#x"))
        lines.append(line)
        if random.random() < 0.1:
            lines.append(random.choice(("", indent + "# inside")))
    return lines


def random_edit(random: Random) -> tuple[str, dict[str, str | None] | None]:
    """An alias and what to do to it: values to put, or None to remove it."""
    alias = random.choice((*NAMES, "fresh"))
    if random.random() < 0.2:
        return alias, None
    wanted: dict[str, str | None] = {
        "HostName": random.choice(("203.0.113.7", "ec2-1.compute.amazonaws.com")),
        "User": random.choice(("ec2-user", "two words")),
        "Port": "2200",
        "IdentityFile": random.choice(("~/.ssh/new.pem", "~/.ssh/new key.pem")),
        "IdentitiesOnly": "yes",
        "HostKeyAlias": "i-0123456789abcdef0",
        "ProxyJump": "bastion",
        "ServerAliveInterval": None,
        "LocalForward": "7777 localhost:7777",
    }
    keys = random.sample(list(wanted), random.randint(1, 4))
    return alias, {key: wanted[key] for key in keys}


def mutated(random: Random, files: Files) -> Files:
    """The same config with lines changed by anybody, anywhere."""
    changed = dict(files)
    for _ in range(random.randint(1, 3)):
        name = random.choice(list(changed))
        lines = changed[name].split(b"\n")
        at = random.randrange(len(lines))
        match random.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[random.randrange(len(lines))])
            case 2:
                lines[at:at] = [x.encode("latin-1") for x in _block(random, True)]
            case 3:
                lines[at:at] = [x.encode("latin-1") for x in _directives(random, 1, " ")]
            case _:
                other = random.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        changed[name] = b"\n".join(lines)
    return changed


def others(files: Files, alias: str) -> list[str]:
    """The hosts that an edit of `alias` must leave alone: named in the config or not.

    Another spelling of the alias that the config does not name is no other host: `Match final`
    looks at names in lower case.
    """
    named = b" ".join(files.values()).split()
    return [
        host
        for host in (*NAMES, "other", "fresh", "gpu-9", "somebody", "y.ex")
        if host != alias and (host.lower() != alias.lower() or host.encode() in named)
    ]
