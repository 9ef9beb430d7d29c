"""Amazon: the only room that talks to AWS."""

import importlib
import sys

_HIDDEN = [name for name in ("httpx", "httpx2") if name not in sys.modules]
# aiobotocore imports httpx where it is installed (Jupyter brings it along): 50 ms and 8 MB, for
# sessions that are aiohttp's here. None makes an import fail.
sys.modules.update(dict.fromkeys(_HIDDEN))  # type: ignore[arg-type]
try:
    importlib.import_module("aiobotocore._httpx")
finally:
    for _name in _HIDDEN:
        del sys.modules[_name]
