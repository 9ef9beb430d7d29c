"""The words of `cloudtui hosts`."""

from __future__ import annotations

import argparse

from cloudtui.cli import access_arguments


def add_words(hosts: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Give `cloudtui hosts` its own verbs; without one it is `ls`."""
    verbs = hosts.add_subparsers(dest="hosts_verb", metavar="WHAT", title="what to do with them")
    json = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    json.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def verb(name: str, help: str, *more: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=help, description=help, parents=[common, *more])

    ls = verb("ls", "List the entries, the instance of each, and what is wrong with it.", json)
    ls.add_argument("words", nargs="*", default=[], metavar="WORD", help="all must be found")

    add = verb(
        "add",
        "Add an instance to the ssh config, or bring its entry up to date: ssh NAME works then.",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--alias", default="", help="what ssh calls it (default: its Name tag)")
    add.add_argument("--private", action="store_true", help="take its private address")
    add.add_argument(
        "--no-connect", action="store_true", help="do not look at its host key and try the login"
    )
    _add_values(add)

    edit = verb("edit", "Change an entry; the change is shown first.")
    edit.add_argument("alias", metavar="ALIAS")
    edit.add_argument(
        "--hostname", metavar="ADDRESS", help="the address, or `none` for no HostName"
    )
    _add_values(edit)
    edit.add_argument(
        "--set",
        action="append",
        default=[],
        dest="options",
        metavar="KEYWORD=VALUE",
        help="any keyword of ssh_config; without a VALUE its line goes. Repeat it for several",
    )

    remove = verb("rm", "Remove entries; asks first.")
    remove.add_argument("aliases", nargs="+", metavar="ALIAS")

    sync = verb(
        "sync", "Write the addresses as they are now, and offer to remove entries of what is gone."
    )
    diff = verb("diff", "Show what sync would change; change nothing.", json)
    for each in (sync, diff):
        each.add_argument("aliases", nargs="*", default=[], metavar="ALIAS", help="default: all")

    access_arguments.add_words(verb, json)

    verb("undo", "Take the last change of the ssh config back; it is shown first.")


def _add_values(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--user", help="the login user")
    verb.add_argument("--key", metavar="FILE", help="the private key")
    verb.add_argument("--port", type=_port, metavar="PORT")
    verb.add_argument(
        "--jump", metavar="HOST", help="ProxyJump: [user@]host[:port], an alias, or `none`"
    )


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return port
