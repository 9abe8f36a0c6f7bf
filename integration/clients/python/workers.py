"""Being a worker."""

import json

import nats.micro

from client import P, claim, equal, refused


@claim("a worker serves what Go programs and clients call, and shows signs of life to those that ask for them")
async def _(c):
    service = await nats.micro.add_service(c.nc, name="manta-default-worker", version="1.0.0")

    signs = []

    async def thrice(request):
        if "Manta-Alive" in (request.headers or {}):
            signs.append(await request.respond(headers={"Status": "100"}))
        x = json.loads(request.data)
        if x < 0:
            await request.respond_error("500", f"{x} is below zero")
        else:
            await request.respond(json.dumps(3 * x).encode())

    for name, subject, group in (("thrice", "task.thrice", "workers"), ("own", f"worker.{service.id}.thrice", "own")):
        await service.add_endpoint(name=name, subject=f"{P}.{subject}", queue_group=group, handler=thrice)
    equal(await c.call("task.relay", 7), 21)
    equal(await c.call("task.thrice", 7), 21)
    equal(len(signs), 1)
    refused(await c.ask("task.relay", -1), "500", "failed", "-1 is below zero")
    await service.stop()
    refused(await c.ask("task.relay", 7), "500", "failed", "no node serves")
