"""nginx, Caddy and HAProxy as processes, with the shipped configurations, a port and a certificate of the test's."""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.deployment.conftest import ROOT
from tests.support.server import free_port
from tests.support.waiting import poll

NAME = "bridge.example.org"
NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/main.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/scorm-bridge.conf;
}}
"""


@dataclass
class RunningProxy:
    """A proxy that listens; `logs` is all that it wrote, `kind` its program."""

    kind: str
    port: int
    folder: Path
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        """Return where it listens; its certificate is of another name."""
        return f"https://127.0.0.1:{self.port}"

    def logs(self) -> str:
        """Return all that is in its logs."""
        return "".join(file.read_text(encoding="utf-8") for file in sorted(self.folder.glob("*.log")))

    async def stop(self) -> None:
        """Stop it, if it still runs."""
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()


async def start_proxy(
    kind: str, upstream: int, folder: Path, port: int, second_upstream: int | None = None
) -> RunningProxy:
    """Start a proxy in front of a port of this machine, with an empty folder, and wait until it listens.

    `kind`: `nginx`, `caddy`, or `haproxy`, which may have a second port that it sends requests to.
    """
    program = shutil.which(kind) or shutil.which(kind, path="/usr/sbin")
    if program is None:
        pytest.fail(f"The tests of proxies need {kind}: run `make test-tools`.")
    write_certificate(folder)
    if kind == "haproxy":
        arguments = _haproxy(folder, upstream, second_upstream or upstream, port)
    else:
        arguments = _nginx(folder, upstream, port) if kind == "nginx" else _caddy(folder, upstream, port)
    with (folder / "output.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdout=output, stderr=output, env=os.environ | {"HOME": str(folder)}
        )
    proxy = RunningProxy(kind, port, folder, process)
    is_listening = await poll(lambda: listens(port), lambda is_open: is_open or process.returncode is not None)
    assert is_listening, proxy.logs()
    return proxy


def trust() -> ssl.SSLContext:
    """Return a TLS context for clients that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def listens(port: int) -> bool:
    """Return whether something listens at a port of this machine."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _nginx(folder: Path, upstream: int, port: int) -> list[str]:
    text = (ROOT / "deploy/nginx/scorm-bridge.conf").read_text(encoding="utf-8")
    for shipped, here in {
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/ssl/certs/{NAME}.pem": f"{folder}/certificate.pem",
        f"/etc/ssl/private/{NAME}.key": f"{folder}/key.pem",
        "/var/log/nginx/": f"{folder}/",
    }.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    (folder / "scorm-bridge.conf").write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder), encoding="utf-8")
    return ["-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "start.log"), "-g", "user root;"]


def _caddy(folder: Path, upstream: int, port: int) -> list[str]:
    text = (ROOT / "deploy/caddy/Caddyfile").read_text(encoding="utf-8")
    address = f"https://127.0.0.1:{port}, https://{NAME}:{port} {{\n\ttls {folder}/certificate.pem {folder}/key.pem"
    for shipped, here in {
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        f"{NAME} {{": address,
        "{\n\t# Commit": "{\n\tadmin off\n\tdefault_sni " + NAME + "\n\tauto_https disable_redirects\n\t# Commit",
    }.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    (folder / "Caddyfile").write_text(text, encoding="utf-8")
    return ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def _haproxy(folder: Path, first: int, second: int, port: int) -> list[str]:
    (folder / "both.pem").write_bytes(b"".join((folder / name).read_bytes() for name in ("certificate.pem", "key.pem")))
    text = (ROOT / "deploy/haproxy/haproxy.cfg").read_text(encoding="utf-8")
    for shipped, here in {
        "bind :443": f"bind 127.0.0.1:{port}",
        "bind :80": f"bind 127.0.0.1:{free_port()}",
        f"/etc/haproxy/{NAME}.pem": f"{folder}/both.pem",
        "127.0.0.1:8080": f"127.0.0.1:{first}",
        "127.0.0.1:8081": f"127.0.0.1:{second}",
    }.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    return ["-db", "-f", str(folder / "haproxy.cfg")]


def write_certificate(folder: Path) -> None:
    """Write a certificate and its key, made for `NAME` and this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
