"""One SSH session on a pretend host: a shell or a command, on a pseudo-terminal or on pipes."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.stream import SSHServerStreamSession

from cloudtui.demo.flow import Inlet, Outlet

if TYPE_CHECKING:
    from cloudtui.demo.host import Host

_ON_A_TERMINAL = 'exec 3<>"$0" && exec 3>&-; cd; exec "$@"'
"""Opening the terminal makes it the controlling one of the new session."""
_ACCEPTED = ("LANG", "COLORTERM")
_IUTF8 = 0o40000


class Session(SSHServerStreamSession[bytes]):
    """What runs behind one channel; SFTP is left to asyncssh's own server."""

    def __init__(self, host: Host) -> None:
        super().__init__(None, host.sftp, 3)
        self._host = host
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._pid = 0
        self._status: int | None = None
        self._inlet: Inlet | None = None
        self._outlets: list[Outlet] = []
        self._master = -1

    def connection_made(self, chan: Any) -> None:
        super().connection_made(chan)
        self._channel = chan

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Any
    ) -> bool:
        return True

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        return True

    def session_started(self) -> None:
        channel = self._chan_open
        if channel.get_subsystem():
            super().session_started()
            return
        command = channel.get_command()
        argv = ["/bin/bash", "-l"] if command is None else ["/bin/bash", "-c", command]
        try:
            if channel.get_terminal_type() is None:
                self._start_on_pipes(argv)
            else:
                self._start_on_terminal(argv)
        except OSError as error:
            channel.write_stderr(f"{argv[0]}: {error.strerror}\n".encode())
            channel.exit(127)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._pid:
            if self._inlet:
                self._inlet.write(data)
        else:
            super().data_received(data, datatype)

    def eof_received(self) -> bool:
        if not self._pid:
            return super().eof_received()
        if self._inlet and self._master < 0:
            self._inlet.end()
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        for outlet in self._outlets:
            outlet.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        for outlet in self._outlets:
            outlet.resume()

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._master >= 0:
            termios.tcsetwinsize(self._master, (height, width))

    def signal_received(self, name: str) -> None:
        number = getattr(signal, f"SIG{name}", None)
        if number is not None and self._pid and self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, number)

    def break_received(self, msec: int) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: a terminal hangs up, a pipe breaks."""
        super().connection_lost(exc)
        self._host.sessions.discard(self)
        self._close_files()

    def hang_up(self) -> None:
        """Close the channel from the host's side."""
        self._chan_open.close()

    @property
    def _chan_open(self) -> asyncssh.SSHServerChannel[bytes]:
        if self._channel is None:
            raise RuntimeError("the session has no channel yet")
        return self._channel

    def _environment(self) -> dict[str, str]:
        channel = self._chan_open
        sent = {
            name: value
            for name, value in channel.get_environment().items()
            if name in _ACCEPTED or name.startswith("LC_")
        }
        client = channel.get_extra_info("peername") or ("127.0.0.1", 0)
        server = channel.get_extra_info("sockname") or ("127.0.0.1", 22)
        sent["SSH_CLIENT"] = f"{client[0]} {client[1]} {server[1]}"
        sent["SSH_CONNECTION"] = f"{client[0]} {client[1]} {server[0]} {server[1]}"
        terminal = channel.get_terminal_type()
        if terminal:
            sent["TERM"] = terminal
        return self._host.environment | sent

    def _start_on_terminal(self, argv: list[str]) -> None:
        channel = self._chan_open
        master, slave = os.openpty()
        try:
            _make_utf8(slave)
            width, height, *_ = channel.get_terminal_size()
            termios.tcsetwinsize(slave, (height or 24, width or 80))
            name = os.ttyname(slave)
            os.set_blocking(master, False)
            self._pid = self._host.reaper.start(
                ["/bin/sh", "-c", _ON_A_TERMINAL, name, *argv],
                env=self._environment() | {"SSH_TTY": name},
                cwd=self._host.home,
                fds=(slave, slave, slave),
                ended=self._program_ended,
            )
        except OSError:
            os.close(master)
            raise
        finally:
            os.close(slave)
        self._master = master
        self._inlet = Inlet(os.dup(master), channel.pause_reading, channel.resume_reading)
        self._outlets = [Outlet(master, channel.write, self._output_ended)]
        self._host.sessions.add(self)

    def _start_on_pipes(self, argv: list[str]) -> None:
        channel = self._chan_open
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        try:
            for fd in (ours_in, ours_out, ours_err):
                os.set_blocking(fd, False)
            self._pid = self._host.reaper.start(
                argv,
                env=self._environment(),
                cwd=self._host.home,
                fds=(theirs_in, theirs_out, theirs_err),
                ended=self._program_ended,
            )
        except OSError:
            for fd in (ours_in, ours_out, ours_err):
                os.close(fd)
            raise
        finally:
            for fd in (theirs_in, theirs_out, theirs_err):
                os.close(fd)
        self._inlet = Inlet(ours_in, channel.pause_reading, channel.resume_reading)
        self._outlets = [
            Outlet(ours_out, channel.write, self._output_ended),
            Outlet(ours_err, channel.write_stderr, self._output_ended),
        ]
        self._host.sessions.add(self)

    def _program_ended(self, status: int) -> None:
        self._status = status
        self._output_ended()

    def _output_ended(self) -> None:
        """Report the end once the program is gone and all it printed has been read."""
        if self._status is None or any(outlet.open for outlet in self._outlets):
            return
        self._close_files()
        channel = self._chan_open
        if channel.is_closing():
            return
        if self._status < 0:
            name = signal.Signals(-self._status).name.removeprefix("SIG")
            channel.exit_with_signal(name)
        else:
            channel.exit(self._status)

    def _close_files(self) -> None:
        if self._inlet:
            self._inlet.close()
        for outlet in self._outlets:
            outlet.close()
        self._master = -1


def _make_utf8(terminal: int) -> None:
    """Let the line editor of the kernel erase whole characters, where it can (Linux)."""
    attributes = termios.tcgetattr(terminal)
    attributes[0] |= getattr(termios, "IUTF8", _IUTF8)
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
