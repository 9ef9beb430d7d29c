"""The words of `cloudtui keys`."""

from __future__ import annotations

import argparse
from pathlib import Path

FORMATS = {"openssh": "OpenSSH's own", "ppk": "PuTTY's"}


def add_words(keys: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Give `cloudtui keys` its own verbs; without one it is `ls`."""
    verbs = keys.add_subparsers(dest="keys_verb", metavar="WHAT", title="what to do with them")
    json = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    json.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def verb(name: str, help: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=help, description=help, parents=[common, json])

    verb("ls", "List the key pairs, the private key of each here, and the machines that use it.")

    create = verb("create", "Let EC2 make a key pair; its private key is saved as ~/.ssh/NAME.pem.")
    create.add_argument("name", metavar="NAME")
    create.add_argument(
        "--type",
        choices=["ed25519", "rsa"],
        default="ed25519",
        help="default ed25519; Windows machines need rsa",
    )
    create.add_argument("--file", type=Path, metavar="PATH", help="where the private key goes")

    put = verb("import", "Give EC2 a public key: of FILE.pub, or of a private key.")
    put.add_argument("file", type=Path, metavar="FILE")
    put.add_argument("--name", default="", help="of the key pair (default: the file's)")

    delete = verb("delete", "Delete a key pair in EC2; asks first. Private keys here stay.")
    delete.add_argument("name", metavar="NAME", help="its name or id")

    fix = verb("fix", "Close private keys that others may read (mode 0400); asks first.")
    fix.add_argument("files", type=Path, nargs="*", metavar="FILE", help="default: all of them")

    convert = verb("convert", "Write a private key anew in another format, to a new file.")
    convert.add_argument("file", type=Path, metavar="FILE")
    convert.add_argument(
        "--to",
        choices=list(FORMATS),
        help="default: openssh; ppk is PuTTY's and needs puttygen",
    )
    convert.add_argument("--out", type=Path, metavar="PATH", help="the new file")

    passphrase = verb("passphrase", "Change, set or remove the passphrase of a private key.")
    passphrase.add_argument("file", type=Path, metavar="FILE")

    verb("agent", "List the keys that the ssh agent holds.")
