"""An attachment through cuts of its connection, with a clock that the test holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from cloudtui.core.attachment import Attachment, AttachmentEnd, OnData
from cloudtui.core.events import SessionsState
from cloudtui.core.reattach import FRESH, KeptAttachment, Loss, same_session
from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    HostKeyChanged,
    Refused,
    Unreachable,
)
from cloudtui.model.instance import Instance, State
from cloudtui.model.session import Ending, Program, Session, SessionList

HOST = Instance("i-1", "us-east-1", State.RUNNING, name="bert-gpu")
BORN = datetime(2026, 11, 21, 9, tzinfo=UTC)
BERT = Session(Program.TMUX, "$0", "bert", created=BORN)
LOST = AttachmentEnd(Ending.LOST, "Connection lost.")


class Client:
    """One attached client."""

    def __init__(self, session: Session, size: tuple[int, int], on_data: OnData) -> None:
        self.session, self.size, self.print = session, size, on_data
        self.written = b""
        self.closed = False
        self.end: asyncio.Future[AttachmentEnd] = asyncio.get_running_loop().create_future()

    def write(self, data: bytes) -> None:
        self.written += data

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)

    async def wait(self) -> AttachmentEnd:
        return await asyncio.shield(self.end)

    async def close(self) -> None:
        self.closed = True


class Host:
    """What `sessions` is asked; `failures` are raised one after the other by `list`."""

    def __init__(self) -> None:
        self.there = [BERT]
        self.failures: list[CloudtuiError] = []
        self.clients: list[Client] = []
        self.listed = 0
        self.pauses: list[float] = []
        self.waits: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def list(self, instance: Instance) -> SessionsState:
        self.listed += 1
        error = self.failures.pop(0) if self.failures else None
        return SessionsState(instance.id, SessionList(tuple(self.there), "tmux 3.4"), error=error)

    async def attach(
        self, instance: Instance, session: Session, columns: int, rows: int, on_data: OnData
    ) -> Attachment:
        self.clients.append(Client(session, (columns, rows), on_data))
        return cast("Attachment", self.clients[-1])

    async def pause(self, seconds: float, enough: asyncio.Event) -> None:
        self.pauses.append(seconds)
        self.waits.put_nowait(enough)
        await enough.wait()


class Kept:
    """An open attachment with what it printed and which losses it told."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.printed = b""
        self.losses: list[Loss | None] = []
        self.attachment = KeptAttachment(
            host, HOST, BERT, self._take, on_change=self.losses.append, pause=host.pause
        )

    def _take(self, data: bytes) -> None:
        self.printed += data

    def cut(self) -> None:
        self.host.clients[-1].end.set_result(LOST)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not true():
                await asyncio.sleep(0)


@asynccontextmanager
async def kept() -> AsyncIterator[Kept]:
    made = Kept(Host())
    await made.attachment.open(80, 24)
    yield made
    await made.attachment.close()


async def test_after_a_cut_the_same_session_is_attached_at_the_size_of_now() -> None:
    async with kept() as it:
        it.host.failures = [Unreachable("Cannot reach bert-gpu.")]
        it.cut()
        await it.host.waits.get()
        it.attachment.resize(100, 30)
        it.attachment.try_now()
        await it.until(lambda: len(it.host.clients) == 2)
        assert it.host.clients[1].size == (100, 30)
        assert it.host.clients[1].session == BERT


async def test_keys_typed_meanwhile_are_dropped() -> None:
    async with kept() as it:
        it.host.failures = [Unreachable("Cannot reach bert-gpu.")]
        it.cut()
        await it.host.waits.get()
        it.attachment.write(b"rm -rf *\r")
        it.attachment.try_now()
        await it.until(lambda: it.attachment.attachment is not None)
        it.attachment.write(b"ls\r")
        assert [client.written for client in it.host.clients] == [b"", b"ls\r"]


async def test_the_terminal_is_reset_when_the_new_client_paints_and_not_before() -> None:
    async with kept() as it:
        it.host.clients[0].print(b"step 41\x1b[3")
        it.cut()
        await it.until(lambda: len(it.host.clients) == 2)
        assert it.printed == b"step 41\x1b[3"
        it.host.clients[1].print(b"step ")
        it.host.clients[1].print(b"42")
        assert it.printed == b"step 41\x1b[3" + FRESH + b"step 42"


async def test_tries_back_off_from_half_a_second_to_thirty() -> None:
    async with kept() as it:
        it.host.failures = [Unreachable("Cannot reach bert-gpu.") for _ in range(9)]
        it.cut()
        for _ in range(9):
            (await it.host.waits.get()).set()
        await it.until(lambda: len(it.host.clients) == 2)
        steps = [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
        for step, seconds in zip(steps, it.host.pauses, strict=True):
            assert 0.8 * step <= seconds <= 1.2 * step


async def test_a_loss_is_told_with_its_reason_and_its_end() -> None:
    async with kept() as it:
        it.host.failures = [Unreachable("Cannot reach bert-gpu.")]
        it.cut()
        await it.host.waits.get()
        trying, waiting = it.losses
        assert trying
        assert waiting
        assert "Connecting again" in trying.words(datetime.now(UTC))
        words = waiting.words(waiting.since + timedelta(seconds=0))
        assert words.startswith("Connection lost 0 s ago. Next try in ")
        assert words.endswith("Enter tries now. Cannot reach bert-gpu.")
        it.attachment.try_now()
        await it.until(lambda: it.losses[-1] is None)


@pytest.mark.parametrize(
    "error",
    [
        CredentialsProblem("The key is not accepted."),
        HostKeyChanged("The host key has changed."),
        Refused("bert-gpu is stopped."),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_what_was_refused_is_not_tried_again(error: CloudtuiError) -> None:
    async with kept() as it:
        it.host.failures = [error]
        it.cut()
        end = await it.attachment.wait()
        assert end.ending is Ending.FAILED
        assert error.title in end.sentence
        assert it.host.listed == 1
        assert it.losses[-1] is None


async def test_a_session_that_is_gone_ended_meanwhile() -> None:
    async with kept() as it:
        it.host.there = [replace(BERT, id="$1", name="eval")]
        it.cut()
        end = await it.attachment.wait()
        assert end.ending is Ending.ENDED
        assert "The tmux session bert ended on bert-gpu while" in end.sentence


async def test_an_end_that_is_no_cut_is_the_end() -> None:
    async with kept() as it:
        said = AttachmentEnd(Ending.ENDED, "It has ended.")
        it.host.clients[0].end.set_result(said)
        assert await it.attachment.wait() == said
        assert it.host.listed == 0


async def test_closing_ends_the_tries_and_the_waiting() -> None:
    it = Kept(Host())
    await it.attachment.open(80, 24)
    it.host.failures = [Unreachable("Cannot reach bert-gpu.")]
    it.cut()
    await it.host.waits.get()
    await it.attachment.close()
    assert (await it.attachment.wait()).ending is Ending.DETACHED
    assert len(it.host.clients) == 1


async def test_closing_detaches_the_client() -> None:
    async with kept() as it:
        pass
    assert it.host.clients[0].closed


@pytest.mark.parametrize(
    ("there", "same"),
    [
        ([BERT], BERT),
        ([replace(BERT, name="renamed")], replace(BERT, name="renamed")),
        (
            [
                replace(BERT, name="other", created=BORN + timedelta(hours=1)),
                replace(BERT, id="$4"),
            ],
            replace(BERT, id="$4"),
        ),
        ([replace(BERT, program=Program.SCREEN)], None),
        ([replace(BERT, name="other", created=BORN + timedelta(hours=1))], None),
        ([], None),
    ],
    ids=["by id", "renamed", "id of another one", "other program", "id alone", "gone"],
)
def test_the_same_session_is_found_by_id_and_birth_or_else_by_name(
    there: list[Session], same: Session | None
) -> None:
    assert same_session(BERT, SessionList(tuple(there))) == same


def test_a_screen_is_found_by_pid_and_name_or_else_by_name() -> None:
    prep = Session(Program.SCREEN, "4711.prep", "prep", created=BORN)
    older = replace(prep, created=BORN - timedelta(seconds=1))
    again = replace(prep, id="99.prep")
    assert same_session(prep, SessionList((older,))) == older
    assert same_session(prep, SessionList((replace(older, dead=True), again))) == again


async def test_a_bug_of_the_keeper_is_told_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    told: asyncio.Queue[object] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.put_nowait(context["exception"]))
    host = Host()
    kept = KeptAttachment(host, HOST, BERT, lambda _: None, pause=host.pause)
    await kept.open(80, 24)
    host.there = None  # type: ignore[assignment]
    host.clients[0].end.set_result(LOST)
    assert isinstance(await asyncio.wait_for(told.get(), 30), TypeError)
    with pytest.raises(TypeError):
        await kept.close()
