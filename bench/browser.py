"""The request headers of a browser on a page of Parley: Chromium 142 on Linux."""

from __future__ import annotations

from collections.abc import Mapping

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
COMMON = {
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "User-Agent": AGENT,
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
}


def request_headers(port: int) -> dict[str, str]:
    """The headers of a request to the API of a server on this port."""
    origin = f"http://127.0.0.1:{port}"
    return {**COMMON, "Accept": "application/json", "Origin": origin, "Referer": f"{origin}/Article/1"}


def stream_headers(port: int) -> dict[str, str]:
    """The headers of an EventSource to a server on this port."""
    referer = f"http://127.0.0.1:{port}/Article/1"
    return {**COMMON, "Accept": "text/event-stream", "Cache-Control": "no-cache", "Referer": referer}


def request_head(method: str, path: str, port: int, headers: Mapping[str, str]) -> bytes:
    lines = {"Host": f"127.0.0.1:{port}", "Connection": "keep-alive", **headers}
    return "\r\n".join([f"{method} {path} HTTP/1.1", *map(": ".join, lines.items()), "", ""]).encode()
