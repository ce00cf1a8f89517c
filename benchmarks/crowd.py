"""People who ask for much at once, in a process of their own: guesses at passwords, or files of all statements.

Run by `people` with a `Job` as JSON on standard input; gives how many answers had which status on standard output.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter

import aiohttp
import msgspec

SEE_OTHER = 303
SIGN_IN_TRIES = 40


class Job(msgspec.Struct):
    """What to ask for, from how many connections and for how many seconds.

    `what` is `sign-in` or `export`. Guesses come from many addresses at many names, as a proxy that is trusted tells
    them: nothing slows them down by itself. Files are asked for by somebody who has signed in.
    """

    port: int
    what: str
    connections: int
    seconds: float
    name: str = ""
    password: str = ""


class Crowd:
    """All of them."""

    def __init__(self, job: Job, session: aiohttp.ClientSession) -> None:
        self._job = job
        self._session = session
        self._number = 0
        self.statuses: Counter[int] = Counter()
        self.bytes = 0

    async def run(self) -> None:
        """Ask until the time is over."""
        token = await self._token()
        if self._job.what == "export":
            await self._sign_in(token)
            self.statuses.clear()
            ask = self._export
        else:

            async def guess() -> None:
                await self._guess(token)

            ask = guess

        async def again() -> None:
            while True:
                await ask()

        asking = [asyncio.create_task(again()) for _ in range(self._job.connections)]
        await asyncio.sleep(self._job.seconds)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _token(self) -> str:
        async with self._session.get("/audit/sign-in") as response:
            match = re.search(r'name="csrf" value="([^"]+)"', await response.text())
        return match[1] if match else ""

    async def _sign_in(self, token: str) -> None:
        # guesses before may still keep people who are not known waiting
        for _ in range(SIGN_IN_TRIES):
            if await self._try(token, self._job.name, self._job.password) == SEE_OTHER:
                return
            await asyncio.sleep(0.5)
        raise RuntimeError("nobody could sign in to ask for exports")

    async def _guess(self, token: str) -> None:
        self._number += 1
        await self._try(token, f"name {self._number}", "a wrong password")

    async def _try(self, token: str, name: str, password: str) -> int:
        address = f"198.{18 + self._number // 65536 % 2}.{self._number // 256 % 256}.{self._number % 256}"
        data = {"csrf": token, "name": name, "password": password}
        headers = {"X-Forwarded-For": address}
        async with self._session.post("/audit/sign-in", data=data, headers=headers, allow_redirects=False) as response:
            await response.read()
            self.statuses[response.status] += 1
            return response.status

    async def _export(self) -> None:
        try:
            async with self._session.get("/audit/statements.csv") as response:
                async for part in response.content.iter_any():
                    self.bytes += len(part)
                self.statuses[response.status] += 1
                if response.status != 200:
                    await asyncio.sleep(0.5)  # a patient client; what it was told is to wait longer
        except aiohttp.ClientError:
            self.statuses[0] += 1


async def main() -> None:
    """Do the job and tell what came of it."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    jar, connector = aiohttp.CookieJar(unsafe=True), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{job.port}", cookie_jar=jar, connector=connector) as session:
        crowd = Crowd(job, session)
        await crowd.run()
    sys.stdout.buffer.write(msgspec.json.encode({"statuses": dict(crowd.statuses), "bytes": crowd.bytes}))


if __name__ == "__main__":
    asyncio.run(main())
