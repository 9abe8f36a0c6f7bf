"""Streams."""

import msgpack

from client import claim, equal, refused, until


async def counting(c, n):
    async def so_many():
        return await c.call("task.counting") == n

    await until(so_many)


@claim("a stream is numbered items and an end")
async def _(c):
    s = await c.stream("count", b"3")
    for i in range(1, 4):
        await s.item(i, i)
    await s.status("204")


@claim("a stream of MessagePack")
async def _(c):
    s = await c.stream("count", msgpack.packb(1), {"Content-Type": "application/msgpack"})
    equal(msgpack.unpackb((await s.next()).data), 1)
    await s.status("204")


@claim("a stream waits for acknowledgements, of which one is for all before")
async def _(c):
    s = await c.stream("count", b"5", {"Manta-Ahead": "2"})
    await s.item(1, 1)
    second = await s.item(2, 2)
    await s.status("100")  # and not the third item
    await second.respond(b"")
    await s.item(3, 3)
    await (await s.item(4, 4)).respond(b"")
    await s.item(5, 5)
    await s.status("204")


@claim("stop ends a stream")
async def _(c):
    s = await c.stream("count", b"1000")
    await counting(c, 1)
    await (await s.item(1, 1)).respond(b"stop")
    await counting(c, 0)


@claim("a client that leaves ends its stream")
async def _(c):
    s = await c.stream("count", b"1000")
    await s.item(1, 1)
    await s.sub.unsubscribe()
    await counting(c, 0)


@claim("an error comes after the last good item")
async def _(c):
    s = await c.stream("parse", b'["1", "x"]')
    await s.item(1, 1)
    refused(await s.next(), "500", "failed", "invalid syntax")


@claim("streaming functions are asked for streams, and no others")
async def _(c):
    refused(await c.ask("task.count", 1), "400", "argument", "stream")
    refused(await c.ask("task.square", 1, {"Manta-Stream": "1"}), "400", "argument", "stream")
    refused(await c.ask("task.count", 1, {"Manta-Stream": "1", "Manta-Ahead": "0"}), "400", "argument", "Manta-Ahead")
