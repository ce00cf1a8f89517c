"""The way to an LRS: authorities of its own, a certificate of the bridge's, and a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from bridge.operations.connection_test import check_connection
from bridge.routing import build_targets
from bridge.sandbox.lrs import create_lrs
from bridge.settings import TargetSettings
from tests.support.bridge import StartBridge
from tests.support.deliveries import deliveries_by_id, is_settled
from tests.support.http_server import LOOPBACK, serve
from tests.support.waiting import wait_until

PASSED = {"core": {"lesson_status": "passed"}}
NOW = dt.datetime.now(dt.UTC)


class Authority:
    """Makes certificates that only those trust who were given its own."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._own = self._certificate(name, self._key, is_authority=True)
        self.file = self._write(f"{name}.pem", self._own.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[str, str]:
        """Return the files of a certificate for 127.0.0.1 and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(name, key, is_authority=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        return self._write(f"{name}.crt", public), self._write(f"{name}.key", pem)

    def _certificate(self, name: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> x509.Certificate:
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=1))
            .not_valid_after(NOW + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        return (builder if is_authority else builder.add_extension(alternative, critical=False)).sign(
            self._key, hashes.SHA256()
        )

    def _write(self, name: str, content: bytes) -> str:
        path = self._directory / name
        path.write_bytes(content)
        return str(path)


@asynccontextmanager
async def lrs_over_tls(authority: Authority, *, trusted: Authority | None = None) -> AsyncIterator[str]:
    """Run an LRS behind TLS that, where `trusted` is given, wants a certificate from it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("lrs"))
    if trusted is not None:
        context.load_verify_locations(trusted.file)
        context.verify_mode = ssl.CERT_REQUIRED
    server = TestServer(create_lrs(), scheme="https")
    await server.start_server(ssl=context)
    yield f"https://127.0.0.1:{server.port}/xapi/"
    await server.close()


async def test_an_lrs_with_an_authority_of_its_own_that_wants_a_certificate_gets_statements(
    start: StartBridge, tmp_path: Path
) -> None:
    theirs, ours = Authority(tmp_path, "their-authority"), Authority(tmp_path, "our-authority")
    certificate, key = ours.issue("bridge")
    async with lrs_over_tls(theirs, trusted=ours) as endpoint:
        target = TargetSettings(
            name="lrs",
            endpoint=endpoint,
            ca_file=theirs.file,
            client_certificate_file=certificate,
            client_key_file=key,
        )
        bridge = await start(targets=(target,))
        await bridge.commit(PASSED)
        await wait_until(lambda: is_settled(bridge))
        assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
        assert (await check_connection(build_targets([target], [])[0], LOOPBACK)).is_success
        await bridge.close()


@pytest.mark.parametrize("missing", ["ca_file", "client_certificate_file"])
async def test_without_authority_or_certificate_nothing_is_sent(tmp_path: Path, missing: str) -> None:
    theirs, ours = Authority(tmp_path, "their-authority"), Authority(tmp_path, "our-authority")
    certificate, key = ours.issue("bridge")
    files: dict[str, Any] = {"ca_file": theirs.file, "client_certificate_file": certificate, "client_key_file": key}
    del files[missing]
    if missing == "client_certificate_file":
        del files["client_key_file"]
    async with lrs_over_tls(theirs, trusted=ours) as endpoint:
        target = TargetSettings(name="lrs", endpoint=endpoint, **files)
        tested = await check_connection(build_targets([target], [])[0], LOOPBACK)

    assert (tested.summary, tested.is_success) == ("no answer", False)


@asynccontextmanager
async def http_proxy(seen: list[tuple[str, str | None]]) -> AsyncIterator[str]:
    """Run a proxy that passes requests on, and tunnels to where CONNECT says."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.split("\r\n")
        method, to, _ = request.split(" ")
        headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        seen.append((method, headers.get("proxy-authorization")))
        place = to if method == "CONNECT" else to.split("/")[2]
        host, port = place.split(":")
        there, back = await asyncio.open_connection(host, int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            back.write(head.replace(f"http://{place}", "", 1).encode())
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("is_tls", [False, True])
async def test_a_target_behind_a_proxy_gets_statements(start: StartBridge, tmp_path: Path, *, is_tls: bool) -> None:
    seen: list[tuple[str, str | None]] = []
    authority = Authority(tmp_path, "their-authority")
    plain = TestServer(create_lrs())
    await plain.start_server()
    async with http_proxy(seen) as proxy, lrs_over_tls(authority) as tls_endpoint:
        target = TargetSettings(
            name="lrs",
            endpoint=tls_endpoint if is_tls else str(plain.make_url("/xapi/")),
            ca_file=authority.file if is_tls else "",
            proxy=proxy,
            proxy_username="ada",
            proxy_password="secret",
        )
        bridge = await start(targets=(target,))
        await bridge.commit(PASSED)
        await wait_until(lambda: is_settled(bridge))
        assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
        await bridge.close()
    await plain.close()

    assert seen
    assert {header for _, header in seen} == {"basic ywrhonnly3jlda=="}  # in lower case, as the proxy reads it
    assert {method for method, _ in seen} == ({"CONNECT"} if is_tls else {"GET", "POST", "PUT"} & {m for m, _ in seen})


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("https://lrs.example.org/xapi/?x=1", "must not hold a query"),
        ("https://lrs.example.org/xapi/?", "must not hold a query"),
        ("https://lrs.example.org/xapi/#top", "must not hold a fragment"),
        ("https://lrs.example.org/x api/", "must not hold spaces"),
        (" https://lrs.example.org/xapi/", "must begin with"),
        ("https://lrs.example.org/xapi/\n", "must not hold spaces"),
        ("https://lrs.example.org:99999/xapi/", "is not an address"),
        ("https://[::1/xapi/", "is not an address"),
        ("https://u:p@lrs.example.org/", "must not hold a name or password"),
        ("https:///xapi/", "names no host"),
    ],
)
def test_an_endpoint_that_statements_cannot_be_put_behind_is_refused_at_start(endpoint: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TargetSettings(name="lrs", endpoint=endpoint)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"\xef\xbb\xbfsecret\n", "secret"),
        (b" sec ret \n", " sec ret "),
        (b"secret\n\n", "secret\n"),
        (b"secret", "secret"),
        ("sécret\n".encode(), "sécret"),
    ],
)
def test_a_password_from_a_file_loses_what_editors_add_and_nothing_else(
    tmp_path: Path, content: bytes, secret: str
) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    settings = TargetSettings(name="lrs", endpoint="https://lrs.example.org/", username="u", password_file=str(path))

    assert settings.secret("password") == secret


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ca_file": "/nowhere.pem"}, "names /nowhere.pem, which is not a file"),
        ({"client_key_file": __file__}, "goes with a client_certificate_file"),
        ({"ca_file": __file__}, "cannot be used"),
        ({"client_certificate_file": __file__}, "cannot be used"),
        ({"proxy": "proxy:3128"}, "must begin with"),
        ({"proxy": "http://u:p@proxy:3128"}, "settings of their own"),
        ({"proxy_username": "u"}, "go with a proxy"),
        ({"audience": "x"}, "go with a client_id"),
    ],
)
def test_settings_of_the_way_that_cannot_be_used_are_refused_at_start(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TargetSettings(name="lrs", endpoint="https://lrs.example.org/", **options)


def test_a_proxys_password_is_not_shown() -> None:
    settings = TargetSettings(
        name="lrs", endpoint="https://lrs.example.org/", proxy="http://p:1", proxy_username="u", proxy_password="canary"
    )

    assert "canary" not in repr(build_targets([settings], [])[0])


async def test_a_token_endpoint_is_reached_as_the_lrs_is(start: StartBridge, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "their-authority")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("id"))
    paths: list[str] = []

    async def token(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.json_response({"access_token": "t"})

    async with serve(token, tls=context) as url, lrs_over_tls(authority) as endpoint:
        target = TargetSettings(
            name="lrs",
            endpoint=endpoint,
            ca_file=authority.file,
            token_url=f"{url}token",
            client_id="b",
            client_secret="s",
        )
        bridge = await start(targets=(target,))
        await bridge.commit(PASSED)
        await wait_until(lambda: paths and is_settled(bridge))
        assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
        await bridge.close()
