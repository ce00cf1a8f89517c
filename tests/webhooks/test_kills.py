"""A process that is killed while it sends loses no event, and sends none under another id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web
from sqlalchemy import Engine, text

from storage.engine import reading, writing
from tests.support.server import Server, StartServer
from tests.support.sql import closing_engine
from tests.support.waiting import poll, wait_until
from tests.support.webhooks import Received, add_endpoint, serve_receiver

ALLOW = '[outgoing]\nallow = ["127.0.0.0/8"]\n'


async def test_what_was_taken_and_not_settled_when_it_was_killed_is_sent_again_under_the_same_id(
    new_server: StartServer, http: aiohttp.ClientSession, database_url: str
) -> None:
    server = new_server(database_url, sections=ALLOW)
    token = server.new_token()
    async with serve_receiver() as receiver:
        with closing_engine(database_url) as engine:
            secret = add_endpoint(engine, receiver.url, events=("enrollment.best_score_changed",))
            await server.start()
            await _commit(http, server, token, 1)
            await wait_until(lambda: receiver.accepted)
            await poll(lambda: _state(engine), lambda states: states == ["delivered"])
            with _unable_to_settle(engine) as lock:

                def take(_received: Received) -> web.Response:
                    lock()
                    return web.Response(status=204)

                receiver.respond = take
                await _commit(http, server, token, 2)
                await wait_until(lambda: len(receiver.accepted) == 2)
                await server.kill()
            receiver.answer(204)
            with writing(engine) as connection:
                connection.execute(text("DELETE FROM lease"))  # the process has been dead for as long as they last
            await server.start()
            await _commit(http, server, token, 3)
            await poll(lambda: _state(engine), lambda states: states == ["delivered"] * 3)
            states = await _state(engine)
            await server.stop()
    scores = [received.event["data"]["best_score"]["raw"] for received in receiver.accepted]

    assert states == ["delivered"] * 3
    assert scores == [1, 2, 2, 3]
    assert receiver.accepted[1].id == receiver.accepted[2].id
    assert receiver.accepted[1].text == receiver.accepted[2].text
    assert len({received.id for received in receiver.accepted}) == 3
    assert all(received.is_signed_by(secret) for received in receiver.accepted)


@contextmanager
def _unable_to_settle(engine: Engine) -> Iterator[Callable[[], None]]:
    """Yield what locks the deliveries against changes until the block ends."""
    with engine.connect() as connection:

        def lock() -> None:
            connection.begin()  # on SQLite, this one takes the lock of all that write
            if engine.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE webhook_delivery IN EXCLUSIVE MODE"))

        yield lock
        connection.rollback()


async def _state(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(text("SELECT state FROM webhook_delivery ORDER BY id")).scalars())


async def _commit(http: aiohttp.ClientSession, server: Server, token: str, score: int) -> None:
    body = {
        "learner": {"id": "u1"},
        "activity": {"id": "235"},
        "cmi": {"core": {"lesson_status": "incomplete", "score": {"raw": str(score)}, "exit": "suspend"}},
    }
    headers = {"Authorization": f"Bearer {token}"}
    async with http.post(f"{server.url}/v1/commits", json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
