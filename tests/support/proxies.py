"""nginx and Caddy, configured by deploy/nginx.conf and the Caddyfile, in front of an app that a test serves.

`python -m tests.support.proxies` fails if one of them is missing.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import trustme

from app.settings import ROOT
from tests.support.processes import Process
from tests.support.serving import Site, free_port
from tests.support.waiting import WAIT_TIMEOUT_SECONDS, wait_until

FETCHED = ROOT / ".venv" / "proxies"  # `make proxies` unpacks them here
CLIENT_ADDRESS = "127.0.0.2"  # of clients, which is neither the proxy's nor the app's


@dataclass(frozen=True)
class Proxied:
    """A site behind a proxy, over TLS. `plain` is its address without TLS."""

    url: str
    plain: str
    reload: Callable[[], None]
    port: int

    def client(self, prefix: str = "", **options: Any) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(verify=_trusting(), local_address=CLIENT_ADDRESS)
        return httpx.AsyncClient(
            base_url=self.url + prefix, transport=transport, timeout=WAIT_TIMEOUT_SECONDS, **options
        )


def find(name: str) -> Path | None:
    """The system's binary, else the one that `make proxies` fetched."""
    places = [os.environ["PATH"], "/usr/sbin", *(str(FETCHED / "usr" / place) for place in ("sbin", "bin"))]
    found = shutil.which(name, path=os.pathsep.join(places))
    return Path(found) if found and _runs(found) else None


def _runs(binary: str) -> bool:
    """A fetched binary may need a library that this machine does not have."""
    option = "-v" if binary.endswith("nginx") else "version"
    return subprocess.run([binary, option], capture_output=True, check=False).returncode == 0


@asynccontextmanager
async def nginx(binary: Path, site: Site, change: Callable[[str], str]) -> AsyncIterator[Proxied]:
    """Run nginx with deploy/nginx.conf. `change` edits the text of the file first."""
    plain, port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="parley-nginx-") as directory:
        authority = trustme.CA().issue_cert("localhost")
        authority.private_key_pem.write_to_path(f"{directory}/key.pem")
        authority.cert_chain_pems[0].write_to_path(f"{directory}/certificate.pem")
        configuration = change((ROOT / "deploy" / "nginx.conf").read_text())
        for old, new in {
            "worker_processes auto;": f"worker_processes 1; pid {directory}/pid; {'user root;' * (os.getuid() == 0)}",
            "worker_rlimit_nofile 65536;": "",
            "worker_connections 32768;": "worker_connections 256;",
            "server_tokens off;": "".join(
                f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            ),
            "/var/log/nginx": directory,
            "/var/cache/nginx": directory,
            "127.0.0.1:8000": site.url.removeprefix("http://"),
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "talk.example.com;": "localhost;",
            "/etc/letsencrypt/live/talk.example.com/fullchain.pem": f"{directory}/certificate.pem",
            "/etc/letsencrypt/live/talk.example.com/privkey.pem": f"{directory}/key.pem",
        }.items():
            assert old in configuration, f"deploy/nginx.conf has no {old}"
            configuration = configuration.replace(old, new)
        Path(directory, "nginx.conf").write_text(configuration)
        command: list[str | Path] = [
            binary,
            "-p",
            directory,
            "-e",
            f"{directory}/log",
            "-c",
            f"{directory}/nginx.conf",
            "-g",
            "daemon off;",
        ]
        process = Process(command, Path(directory), Path(directory, "log"), stop_signal=signal.SIGTERM)
        proxied = Proxied(
            f"https://localhost:{port}", f"http://localhost:{plain}", lambda: process.signal(signal.SIGHUP), port
        )
        async with _running(process, proxied):
            yield proxied


@asynccontextmanager
async def caddy(binary: Path, site: Site, change: Callable[[str], str]) -> AsyncIterator[Proxied]:
    plain, port, admin = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="parley-caddy-") as directory:
        file = Path(directory, "Caddyfile")
        file.write_text(change((ROOT / "Caddyfile").read_text()))
        environment = {
            "HOME": directory, "PATH": os.environ["PATH"], "HTTP_PORT": str(plain), "HTTPS_PORT": str(port),
            "CADDY_ADMIN": f"localhost:{admin}", "PARLEY_HOST": "127.0.0.1", "PARLEY_PORT": site.url.rpartition(":")[2],
        }  # fmt: skip

        def reload() -> None:
            file.write_text(file.read_text() + "\n# another\n")
            subprocess.run(
                [binary, "reload", "--force", "--config", file, "--address", f"localhost:{admin}"],
                env=environment, check=True, capture_output=True, timeout=30,
            )  # fmt: skip

        process = Process(
            [binary, "run", "--config", file], Path(directory), Path(directory, "log"),
            stop_signal=signal.SIGTERM, environment=environment,
        )  # fmt: skip
        proxied = Proxied(f"https://localhost:{port}", f"http://localhost:{plain}", reload, port)
        async with _running(process, proxied):
            yield proxied


@asynccontextmanager
async def _running(process: Process, proxied: Proxied) -> AsyncIterator[None]:
    async def answers() -> bool:
        assert process.alive, process.log
        async with proxied.client() as client:
            try:
                return (await client.get("/healthz")).status_code != httpx.codes.BAD_GATEWAY
            except httpx.TransportError:
                return False

    try:
        await wait_until(answers, "the proxy")
        yield
    except BaseException as error:
        error.add_note(f"log of the proxy:\n{process.log[-3000:]}")
        raise
    finally:
        await asyncio.to_thread(process.end)


def blocks_of(page: str, language: str) -> list[str]:
    """The code blocks of this language in a document of docs/."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    sys.exit(0 if find("nginx") and find("caddy") else 1)
