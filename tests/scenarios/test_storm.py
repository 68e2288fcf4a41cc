"""Many clients at once, some of whom leave: nobody gets another's answer, and nothing stays taken."""

import asyncio
import random

from tests.scenarios.edge import JSON, Edge, edge_over
from tests.support.raw_client import RawClient, request
from tests.support.scripted import Reply, ScriptedUpstream, Seen, Send, Step

CLIENTS = 200


def answer(request: Seen) -> list[Step]:
    """Metadata that says whose it is, in a framing of its own, sometimes in two pieces."""
    study = request.target.split("/")[3]
    body = b'[{"0020000D":{"vr":"UI","Value":["%b"]},"filler":"%b"}]' % (study.encode(), b"x" * 50_000)
    framing = ("length", "chunked")[request.number % 2]
    whole = Reply(body=body, fields=[("Content-Type", JSON)], framing=framing).render(request.number, "GET")
    return [Send(whole[:20_000]), Send(whole[20_000:])] if request.number % 3 else [Send(whole)]


async def ask(edge: Edge, number: int, leave: int | None) -> None:
    """One client: it checks that the answer is its own, or leaves after so many bytes."""
    study = f"1.2.{number}"
    async with RawClient(edge.port) as client:
        await client.send(request(f"/dicomweb/studies/{study}/metadata", fields=[("Accept", JSON)]))
        if leave is not None:
            await client.read(leave)
            client.reset()
            return
        reply = await client.response()
        assert (reply.status, reply.complete) == (200, True)
        assert reply.body.startswith(b'[{"0020000D":{"vr":"UI","Value":["%b"]}' % study.encode())


async def test_nobody_gets_anothers_answer_when_clients_leave() -> None:
    chance = random.Random(7)
    leaving = [chance.choice([None, None, 0, 1, 300, 20_000]) for _ in range(CLIENTS)]
    async with ScriptedUpstream(answer, keep=False) as upstream, edge_over(upstream) as edge:
        async with asyncio.TaskGroup() as clients:
            for number, leave in enumerate(leaving):
                clients.create_task(ask(edge, number, leave))
        await edge.nothing_left_over()
        for number in range(20):
            await ask(edge, number, None)
