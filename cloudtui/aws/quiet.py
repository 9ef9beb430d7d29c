"""Parts of botocore made quiet: nothing here holds the event loop for more than a few ms.

botocore parses JSON models and XML answers in single C calls, which keep Python's global lock
to the end: even in a thread they would freeze the screen. The parts below do the same work in
a thread and let go of the lock every few milliseconds. The cycle collector is the third
thing that freezes: what botocore builds is large and free of cycles, so it is kept out of it.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.parsers import AioEC2QueryParser, AioQueryParser, AioResponseParserFactory
from botocore.loaders import JSONFileLoader
from botocore.parsers import ResponseParserError

from cloudtui.aws.listing import GZIP, next_token, unpacked

T = TypeVar("T")

LISTING: ContextVar[bool] = ContextVar("LISTING", default=False)
"""Set around a call of DescribeInstances: its answer's body is handed over as it is."""

_CHUNK = 64 * 1024
_SMALL = 16 * 1024
"""Bodies up to this many bytes parse in well under 5 ms: not worth a thread."""


class _Collector:
    """Pauses Python's cycle collector while any thread builds a large tree."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses = 0
        self._resume = False
        self._frozen: set[str] = set()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No collection inside; pauses of several threads may overlap."""
        with self._lock:
            if self._pauses == 0:
                self._resume = gc.isenabled()
                gc.disable()
            self._pauses += 1
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if self._pauses == 0 and self._resume:
                    gc.enable()

    def spare(self, model: str) -> None:
        """Never look again at what exists now: a model was just loaded, and stays to the end."""
        with self._lock:
            if model not in self._frozen:
                self._frozen.add(model)
                gc.freeze()


COLLECTOR = _Collector()


async def in_thread(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on an event loop of its own in a thread, with the collector paused."""
    return await asyncio.to_thread(_run, work)


async def beside(work: Callable[[], T]) -> T:
    """Call it in a thread, with the collector paused."""

    def quiet() -> T:
        with COLLECTOR.paused():
            return work()

    return await asyncio.to_thread(quiet)


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with COLLECTOR.paused():
        return asyncio.run(work())


def _ordered(pairs: list[tuple[str, Any]]) -> OrderedDict[str, Any]:
    """A Python function, so that json.loads runs bytecode and can be interrupted by the loop."""
    return OrderedDict(pairs)


class ModelLoader(JSONFileLoader):
    """Reads botocore's models (EC2's has 9 MB) without holding the global lock throughout."""

    def load_file(self, file_path: str) -> Any:
        """The parsed `FILE_PATH.json` or `FILE_PATH.json.gz`, or None when there is neither."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            data = plain.read_bytes()
        elif packed.is_file():
            data = gzip.decompress(packed.read_bytes())
        else:
            return None
        return json.loads(data, object_pairs_hook=_ordered)


class _XMLAnswer:
    """The parts that EC2's and STS's parsers share."""

    DEFAULT_ENCODING = "utf-8"

    async def parse(self, response: dict[str, Any], shape: Any) -> Any:
        """botocore's parsed answer, or `{"Body": bytes, "NextToken": str}` while LISTING is set;
        large bodies are unpacked and parsed in a thread."""
        listed = LISTING.get() and shape is not None and shape.name == "DescribeInstancesResult"
        work = self._keep_body if listed and response["status_code"] < 300 else self._parse
        if len(response["body"]) <= _SMALL and not response["body"].startswith(GZIP):
            return await work(response, shape)
        return await in_thread(lambda: work(response, shape))

    async def _parse(self, response: dict[str, Any], shape: Any) -> Any:
        response["body"] = body = unpacked(response["body"])
        try:
            return await super().parse(response, shape)  # type: ignore[misc]
        except KeyError:  # the wrapper that a query answer has is not there
            raise ResponseParserError(f"XML of another kind: {_excerpt(body)}") from None

    async def _keep_body(self, response: dict[str, Any], _shape: Any) -> Any:
        status = {"HTTPStatusCode": response["status_code"], "HTTPHeaders": response["headers"]}
        body = unpacked(response["body"])
        return {"Body": body, "NextToken": next_token(body), "ResponseMetadata": status}

    def _parse_xml_string_to_dom(self, xml_string: bytes) -> ElementTree.Element:
        parser = ElementTree.XMLParser(
            target=ElementTree.TreeBuilder(), encoding=self.DEFAULT_ENCODING
        )
        try:
            for start in range(0, len(xml_string), _CHUNK):
                parser.feed(xml_string[start : start + _CHUNK])
            root: ElementTree.Element = parser.close()
        except ElementTree.ParseError as error:
            raise ResponseParserError(f"{error}: {_excerpt(xml_string)}") from None
        # A well-formed login page is XML too, and would read as an empty answer.
        if root.tag.rpartition("}")[2].lower() == "html":
            raise ResponseParserError(f"an HTML page: {_excerpt(xml_string)}")
        return root


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:2000].decode("utf-8", "replace").split())
    return text if len(text) <= 160 else text[:160] + "…"


class _EC2Parser(_XMLAnswer, AioEC2QueryParser):  # type: ignore[misc]
    pass


class _QueryParser(_XMLAnswer, AioQueryParser):  # type: ignore[misc]
    pass


class ParserFactory(AioResponseParserFactory):
    """botocore's parsers, with the XML ones replaced by those above."""

    _QUIET = {"ec2": _EC2Parser, "query": _QueryParser}

    def create_parser(self, protocol_name: str) -> Any:
        """A parser for one answer of a service that speaks `protocol_name`."""
        quiet = self._QUIET.get(protocol_name)
        return quiet() if quiet else super().create_parser(protocol_name)


_Contexts = tuple[ssl.SSLContext, ssl.SSLContext | None]


class _Gzipped:
    """aiobotocore asks for plain bodies, always; a listing is 36 times smaller with gzip.

    Only for that one question: other services' answers are read by parsers that do not unpack.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    async def request(self, method: str, *, headers: Any, data: Any = None, **more: Any) -> Any:
        body = data.encode() if isinstance(data, str) else data
        if isinstance(body, bytes) and b"Action=DescribeInstances&" in body:
            headers["Accept-Encoding"] = "gzip"
        return await self._session.request(method, headers=headers, data=data, **more)


class HTTPSession(AIOHTTPSession):
    """aiohttp below aiobotocore, with one TLS context for all clients of the same settings.

    A context costs about 15 ms and a megabyte; with 17 regions that is felt.
    """

    _verify: bool | str
    _cert_file: str | None
    _key_file: str | None
    _contexts: dict[tuple[object, ...], _Contexts] = {}
    _building = threading.Lock()

    async def _get_session(self, proxy_url: str | None) -> Any:
        return _Gzipped(await super()._get_session(proxy_url))  # type: ignore[misc]

    def _build_ssl_contexts(self, proxy_url: str | None) -> _Contexts:
        settings = (self._verify, self._cert_file, self._key_file, proxy_url)
        with self._building:
            if settings not in self._contexts:
                self._contexts[settings] = super()._build_ssl_contexts(proxy_url)  # type: ignore[misc]
            return self._contexts[settings]
