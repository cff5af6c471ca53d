"""The app behind a real uvicorn: in the test's own event loop (`serving`), or as a process (`spawned`)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import httpx
import uvicorn

from tests.support.listeners import accept_no_more
from tests.support.processes import Process, remove
from tests.support.waiting import WAIT_TIMEOUT_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_SECONDS = 90  # until a process responds
PORTS = range(11_000, 32_000)  # ports that no system gives to clients, and that no browser refuses
PORTS_PER_PROCESS = 250
KEEP_ALIVE_SECONDS = 600  # with uvicorn's 5, a client on a slow machine would use a connection that just closed
SHUTDOWN_TIMEOUT_SECONDS = 5  # for open requests when a server ends


class Server(uvicorn.Server):
    """A uvicorn that leaves signals to pytest, stops at once, and serves connections that it accepted before."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._stopping.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._stopping.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await accept_no_more(*self.servers)
        await super().shutdown(sockets)


@dataclass(frozen=True)
class Site:
    """A served app. `stop` has the effect of SIGTERM; the end of the block calls it anyway."""

    url: str
    server: Server

    @property
    def state(self) -> Any:
        """The state of the app: its Parley, and the other parts that `app.main` starts."""
        app: Any = self.server.config.app
        return app.state

    def client(self, **options: Any) -> httpx.AsyncClient:
        """A new person's browser, with cookies of its own."""
        return browser(self.url, **options)

    def stop(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)


def browser(url: str, **options: Any) -> httpx.AsyncClient:
    # Without TLS. Loading the machine's certificates would take 27 ms for each client, and a context of its own 1 ms.
    return httpx.AsyncClient(
        base_url=url, **{"trust_env": False, "verify": _no_tls(), "timeout": WAIT_TIMEOUT_SECONDS, **options}
    )


@cache
def _no_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@asynccontextmanager
async def serving(app: Any, *, port: int = 0, **options: Any) -> AsyncIterator[Site]:
    """Serve `app` with its lifespan on `port` or a free one, and stop it after the block. `options` are uvicorn's."""
    with socket.create_server(("127.0.0.1", port or free_port())) as listener:
        # asyncio sets this for its own sockets. Without it each response waits 40 ms for an ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            app,
            **{
                "lifespan": "on",
                "log_config": None,
                "timeout_graceful_shutdown": SHUTDOWN_TIMEOUT_SECONDS,
                "timeout_keep_alive": KEEP_ALIVE_SECONDS,
                **options,
            },
        )
        site = Site(f"http://127.0.0.1:{listener.getsockname()[1]}", Server(config))
        running = asyncio.create_task(site.server.serve(sockets=[listener]))
        try:
            await wait_until(lambda: site.server.started or running.done(), "the app to start")
            if running.done():
                await running  # raises its error
                raise AssertionError("the app's lifespan failed; its error is in the log")
            yield site
        finally:
            site.stop()
            try:
                await running
            finally:
                _reset_sse_starlette()


def _reset_sse_starlette() -> None:
    # sse_starlette remembers for the whole process that a server ends, but the next test starts another server.
    from sse_starlette.sse import AppStatus

    AppStatus.should_exit = False


@dataclass(frozen=True)
class Spawned:
    url: str
    process: Process

    def client(self, **options: Any) -> httpx.AsyncClient:
        return browser(self.url, **options)


@asynccontextmanager
async def spawned(
    environment: Mapping[str, str],
    *arguments: str,
    checkout: Path = ROOT,
    module: str = "uvicorn",
    python: Path | str = sys.executable,
) -> AsyncIterator[Spawned]:
    """Run `uvicorn app.main:app` or `python -m app` with only this environment and PATH; yield when /healthz is OK."""
    directory = Path(tempfile.mkdtemp(prefix="parley-app-"))
    port = free_port()
    served = ["app.main:app", "--port", str(port)] if module == "uvicorn" else []
    command = [python, "-m", module, *served, *arguments]
    process = Process(
        command,
        checkout,
        directory / "log",
        stop_signal=signal.SIGTERM,
        trash=[directory],
        environment={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "PORT": str(port), **environment},
    )
    app = Spawned(f"http://127.0.0.1:{port}", process)
    try:
        async with app.client() as client:
            await wait_until(lambda: _healthy(client, process), f"{app.url}/healthz", START_TIMEOUT_SECONDS)
        yield app
    except BaseException as error:
        error.add_note(f"log of uvicorn:\n{process.log}")
        raise
    finally:
        await asyncio.to_thread(process.end)
        remove(directory)


async def _healthy(client: httpx.AsyncClient, process: Process) -> bool:
    assert process.alive, f"the app ended while it started:\n{process.log}"
    try:
        return (await client.get("/healthz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A free port. No other test process gets it, and this process gets it again only after all others."""
    ports = _own_ports()
    while True:
        port = next(ports)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


@cache
def _own_ports() -> Iterator[int]:
    """Cycle through a block of `PORTS`. A lock on a file reserves the block for this process while it runs."""
    directory = Path(tempfile.gettempdir(), f"parley-ports-{os.getuid()}")
    directory.mkdir(exist_ok=True)
    for first in PORTS[::PORTS_PER_PROCESS]:
        file = (directory / str(first)).open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        _locks.append(file)
        return cycle(range(first, min(first + PORTS_PER_PROCESS, PORTS.stop)))
    raise AssertionError("all blocks of ports are taken by other test processes")


_locks: list[TextIO] = []
