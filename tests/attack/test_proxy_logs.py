"""Proxies whose logs are set up as the documentation says log no token of a commit URL, whatever happens."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.documentation.blocks import blocks
from tests.support.server import free_port
from tests.support.waiting import poll

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
CANARY = "canary7c1e"
PATH = f"/v1/sessions/6f3c2a9e-0000-4000-8000-000000000001/commits?token=69c31f80.{CANARY}&a=1"
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/start.log crit; worker_processes 1;
events {{}}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {block}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}
}}
"""
CADDY = """
{block}
http://127.0.0.1:{port} {{
	import bridge_log
	reverse_proxy 127.0.0.1:{upstream}
}}
"""
PROXIES = {
    "nginx": (NGINX, "nginx.conf", ("-p", "{folder}", "-c", "{file}", "-e", "{folder}/start.log")),
    "caddyfile": (CADDY, "Caddyfile", ("run", "--config", "{file}")),
}
"""The configuration around the documented block, its file, and the arguments."""


@contextmanager
def proxy(language: str, folder: Path) -> Iterator[str]:
    """Run a proxy before a bridge that is not there; yield its address."""
    template, name, arguments = PROXIES[language]
    program = shutil.which(language.removesuffix("file"))
    if program is None:
        pytest.skip(f"{language} is not installed")
    (block,) = (block.text for block in blocks(PAGE) if block.language == language)
    port = free_port()
    block = re.sub(r"/var/log/\w+", str(folder), block)
    text = template.format(block=block, port=port, upstream=free_port(), folder=folder)
    # tests run beside each other, and the port of Caddy's commands is one for all
    text = text.replace("{\n\timport bridge_log", "{\n\tadmin off\n\timport bridge_log", 1)
    (folder / name).write_text(text, encoding="utf-8")
    filled = [argument.format(folder=folder, file=folder / name) for argument in arguments]
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen([program, *filled], stdout=output, stderr=output, env={"HOME": str(folder)})
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("language", PROXIES)
async def test_the_token_of_a_commit_url_is_in_no_log_of_a_proxy(language: str, tmp_path: Path) -> None:
    with proxy(language, tmp_path) as url:
        async with aiohttp.ClientSession() as http:

            async def status() -> int:
                try:
                    async with http.post(url + PATH, headers={"Authorization": f"Bearer {CANARY}"}) as response:
                        return response.status
                except aiohttp.ClientConnectorError:
                    return 0

            assert await poll(status, bool) == 502
    logs = _files(tmp_path)

    assert "/v1/sessions/6f3c2a9e-0000-4000-8000-000000000001/commits" in logs["bridge.log"]
    assert {name for name, text in logs.items() if CANARY in text} == set()


def _files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
