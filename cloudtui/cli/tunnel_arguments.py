"""The words of `cloudtui tunnel`."""

from __future__ import annotations

import argparse

FORMS = """\
a tunnel is PORT, LISTEN:PORT, LISTEN:HOST:PORT or BIND:LISTEN:HOST:PORT; a PORT may be a name:
jupyter, tensorboard, ray, dask, mlflow, streamlit, gradio, vscode

  cloudtui tunnel NAME                      the ports that programs there listen on
  cloudtui tunnel NAME 8888                 localhost:8888 here is port 8888 there
  cloudtui tunnel NAME 6006 8265 8787       three at once
  cloudtui tunnel NAME 9000:db.internal:5432
  cloudtui tunnel NAME -R 9000:5000         port 9000 there is port 5000 here
  cloudtui tunnel NAME -D 1080              a SOCKS proxy that connects from there
  cloudtui tunnel NAME 8888 --background    goes on without this terminal
  cloudtui tunnel ls                        those in the background
  cloudtui tunnel retry 8888                connect it again now; without a port all that are cut
  cloudtui tunnel stop 8888                 close one of them; NAME closes those of a machine, --all
                                            every one
"""


def add_words(tunnel: argparse.ArgumentParser) -> None:
    """`cloudtui tunnel NAME TUNNEL...`, `tunnel ls`, `tunnel stop` and `tunnel retry`."""
    tunnel.epilog = FORMS
    tunnel.add_argument("name", metavar="NAME|ls|stop|retry")
    tunnel.add_argument(
        "tunnels", nargs="*", default=[], metavar="TUNNEL", help="as ssh -L takes it"
    )
    tunnel.add_argument(
        "-L", dest="local", action="append", default=[], metavar="TUNNEL",
        help="the same as TUNNEL alone",
    )  # fmt: skip
    tunnel.add_argument(
        "-R", dest="remote", action="append", default=[], metavar="TUNNEL",
        help="the instance listens, and this computer's port is reached from there; refused when "
        "read-only",
    )  # fmt: skip
    tunnel.add_argument(
        "-D", dest="dynamic", action="append", default=[], metavar="PORT",
        help="a SOCKS proxy: connections go out from the instance",
    )  # fmt: skip
    tunnel.add_argument(
        "--local-port", type=_port, metavar="PORT", help="the port here, for one TUNNEL"
    )
    tunnel.add_argument(
        "--background", action="store_true", help="keep it open without this terminal"
    )
    tunnel.add_argument("--all", action="store_true", help="with stop: every one")


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65_536:
        return int(text)
    raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
