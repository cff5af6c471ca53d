"""The proxy injects each of its faults, and can remove them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from tests.chaos.proxy import BAD_GATEWAY, HELD_BACK, PER_BYTE, Ends, Proxy, Weather, to_port
from tests.support.waiting import wait_until

TIMEOUT_SECONDS = 40.0  # long, because the machine may be busy
SILENCE_SECONDS = 0.1  # that a test observes; on a slow machine the tests pass more easily, never less


@dataclass
class Road:
    """A proxy and a server behind it. The test has both ends of each connection."""

    proxy: Proxy
    near: list[Ends] = field(default_factory=list)
    far: list[Ends] = field(default_factory=list)

    async def knock(self) -> Ends:
        """Open a connection, and return the client's end."""
        self.near.append(await asyncio.open_connection("127.0.0.1", self.proxy.port))
        return self.near[-1]

    async def visit(self) -> tuple[Ends, Ends]:
        """Open a connection, and return both ends: (client, server)."""
        known, connected = len(self.far), self.proxy.connected
        near = await self.knock()
        await wait_until(
            lambda: len(self.far) > known and self.proxy.connected > connected,
            "the connection to reach the server, and the proxy to know it",
            TIMEOUT_SECONDS,
        )
        return near, self.far[-1]

    async def close(self) -> None:
        for _, writer in [*self.near, *self.far]:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def open_road(narrow: bool = False) -> AsyncIterator[Road]:
    far: list[Ends] = []
    server = await asyncio.start_server(lambda *ends: far.append(ends), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Proxy(to_port(lambda: port), narrow) as proxy:
        road = Road(proxy, far=far)
        try:
            yield road
        finally:
            await road.close()
    server.close()
    await server.wait_closed()


@pytest.fixture
async def road() -> AsyncIterator[Road]:
    async with open_road() as road:
        yield road


async def heard(end: Ends, most: int = 1 << 16) -> bytes:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return await end[0].read(most)


async def nothing(end: Ends) -> bool:
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            await end[0].read(1)
    except TimeoutError:
        return True
    except ConnectionError:
        pass
    return False


async def gone(end: Ends) -> bool:
    try:
        return await heard(end) == b""
    except ConnectionError:
        return True


async def test_bytes_are_forwarded_in_both_directions(road: Road) -> None:
    near, far = await road.visit()
    near[1].write(b"hello")
    assert await heard(far) == b"hello"
    far[1].write(b"and good bye")
    far[1].close()
    assert await heard(near) == b"and good bye"
    assert await heard(near) == b""
    near[1].close()
    await wait_until(lambda: len(road.proxy) == 0, "the connection to close", TIMEOUT_SECONDS)


async def test_a_half_closed_request_still_gets_its_response(road: Road) -> None:
    near, far = await road.visit()
    near[1].write_eof()
    assert await heard(far) == b""
    far[1].write(b"late")
    assert await heard(near) == b"late"


async def test_a_cut_connection_is_reset_on_both_sides(road: Road) -> None:
    near, far = await road.visit()
    road.proxy.cut()
    assert await gone(near)
    assert await gone(far)


async def test_one_side_of_a_half_open_connection_notices_it_only_at_the_repair(road: Road) -> None:
    first, second = await road.visit(), await road.visit()
    road.proxy.half_open()
    assert await gone(first[0])
    assert await gone(second[1])
    assert await nothing(first[1])
    assert await nothing(second[0])
    road.proxy.mend()
    assert [await gone(end) for ends in (first, second) for end in ends] == [True] * 4


async def test_only_the_far_side_notices_a_silent_connection(road: Road) -> None:
    near, far = await road.visit()
    road.proxy.fall_silent()
    assert await gone(far)
    near[1].write(b"is anybody there?")
    assert await nothing(near)
    near, far = await road.visit()
    near[1].write(b"hello")
    assert await heard(far) == b"hello"


async def test_a_black_hole_delays_and_does_not_lose(road: Road) -> None:
    near, far = await road.visit()
    road.proxy.stop()
    near[1].write(b"is anybody there?")
    assert await nothing(far)
    late = asyncio.create_task(road.visit())
    await asyncio.sleep(SILENCE_SECONDS)
    assert len(road.far) == 1
    road.proxy.mend()
    assert await heard(far) == b"is anybody there?"
    await late


async def test_a_dribbling_proxy_forwards_byte_by_byte(road: Road) -> None:
    near, far = await road.visit()
    road.proxy.weather = Weather(dribble=True)
    began = time.monotonic()
    near[1].write(b"0123456789")
    assert await far[0].readexactly(10) == b"0123456789"
    assert time.monotonic() - began > 9 * PER_BYTE


async def test_a_slow_proxy_delays_bytes(road: Road) -> None:
    near, far = await road.visit()
    road.proxy.weather = Weather(delay=1.0)
    near[1].write(b"far away")
    assert await nothing(far)
    assert await heard(far) == b"far away"


async def test_a_buffering_proxy_delays_event_streams_only(road: Road) -> None:
    near, far = await road.visit()
    road.proxy.weather = Weather(buffering=True)
    far[1].write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}")
    assert (await heard(near)).endswith(b"{}")
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
    far[1].write(stream)
    assert await nothing(near)
    far[1].write(b"x" * HELD_BACK)
    assert await near[0].readexactly(len(stream) + HELD_BACK) == stream + b"x" * HELD_BACK
    far[1].write(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
    assert (await heard(near)).endswith(b"0\r\n\r\n")
    far[1].write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}")
    assert (await heard(near)).endswith(b"{}")


async def test_delayed_bytes_arrive_when_the_server_closes(road: Road) -> None:
    near, far = await road.visit()
    road.proxy.weather = Weather(buffering=True)
    far[1].write(b"Content-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    far[1].close()
    assert (await heard(near)).endswith(b"data: 1\n\n")


async def test_a_gateway_without_a_server_responds_with_502(road: Road) -> None:
    road.proxy.weather = Weather(gateway=True)
    near = await road.knock()
    near[1].write(b"GET / HTTP/1.1\r\n\r\n")
    assert await heard(near) == BAD_GATEWAY
    assert await heard(near) == b""
    assert not road.far


@pytest.mark.parametrize("reachable", [True, False])
async def test_a_refused_connection_and_one_without_a_server_are_reset(road: Road, reachable: bool) -> None:
    road.proxy.weather = Weather(refusing=reachable)
    if not reachable:
        road.proxy.connect = to_port(lambda: None)
    near = await road.knock()
    assert await gone(near)


async def test_a_trap_cuts_before_and_after_the_piece_in_turn(road: Road) -> None:
    road.proxy.weather = Weather(trap=b"COMMIT")
    passed_on = []
    for _ in range(6):
        near, far = await road.visit()
        near[1].write(b"...COMMIT...")
        passed_on.append(await _everything(far))
    assert road.proxy.trapped == 2
    assert passed_on == [b"...COMMIT..."] * 3 + [b""] + [b"...COMMIT..."] * 2


async def test_one_of_three_pieces_to_the_client_is_lost_with_its_connection(road: Road) -> None:
    road.proxy.weather = Weather(losing=True)
    lost = []
    for _ in range(12):
        near, far = await road.visit()
        far[1].write(b"yes")
        lost.append(await _everything(near) == b"")
    assert road.proxy.lost == sum(lost)
    assert 2 <= sum(lost) <= 6


async def _everything(far: Ends) -> bytes:
    """All bytes that arrived. The connection may have been cut before, after, or not at all."""
    try:
        return await heard(far)
    except ConnectionError:
        return b""


async def test_a_narrow_proxy_blocks_a_server_whose_client_does_not_read() -> None:
    async with open_road(narrow=True) as road:
        _, far = await road.visit()
        far[1].transport.set_write_buffer_limits(high=0)
        far[1].write(b"x" * (8 << 20))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3 * SILENCE_SECONDS):
                await far[1].drain()
