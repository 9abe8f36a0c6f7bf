"""Calling tasks, their errors and deadlines."""

import asyncio
import json
from datetime import datetime, timedelta, timezone

from client import claim, equal, header, refused, until


@claim("a function of no argument takes an empty payload")
async def _(c):
    equal(await c.call("task.hello"), "hello")


@claim("a function of one argument takes its JSON")
async def _(c):
    equal(await c.call("task.square", 7), 49)


@claim("a function of two arguments takes an array")
async def _(c):
    equal(await c.call("task.add", [1, 2]), 3)


@claim("MessagePack is answered in MessagePack")
async def _(c):
    equal(await c.pack("task.hello"), "hello")
    equal(await c.pack("task.square", 7), 49)
    equal(await c.pack("task.add", [1, 2]), 3)


@claim("nobody serves a function: no responders")
async def _(c):
    await c.unserved("task.nothing")


@claim("a function's error comes in headers and body")
async def _(c):
    refused(await c.ask("task.root", -1), "500", "failed", "-1 has no real root")


@claim("a panic is an error")
async def _(c):
    refused(await c.ask("task.first", []), "500", "failed", "panic: ")


@claim("a payload that does not fit is refused")
async def _(c):
    refused(await c.send("task.square", b"{"), "400", "argument", "cannot decode into int")
    refused(await c.ask("task.square", "x"), "400", "argument", "cannot decode into int")
    refused(await c.ask("task.square"), "400", "argument", "an empty payload")
    refused(await c.ask("task.hello", 1), "400", "argument", "takes no argument")
    refused(await c.ask("task.add", [1]), "400", "argument", "send an array of 2")


@claim("what no node can run is infeasible")
async def _(c):
    refused(await c.ask("task.train", 1), "500", "infeasible", "gpu")


@claim("a node takes only so many requests")
async def _(c):
    replies = await asyncio.gather(*(c.ask("task.wait", 60, {"Manta-Deadline": "2s"}) for _ in range(101)))
    over = [reply for reply in replies if header(reply, "Manta-Error") == "overload"]
    assert over, "none of 101 requests was refused"
    refused(over[0], "429", "overload", "100 requests wait")


@claim("a function's own retries come before the reply")
async def _(c):
    equal(await c.call("task.lucky") % 3, 0)


@claim("a result that no message takes comes as a ref")
async def _(c):
    reply = await c.ask("task.text", 2_000_000)
    equal(header(reply, "Manta-Result"), "ref")
    ref = json.loads(reply.data)["$ref"]
    got = await c.objects.get(ref)  # it is there already
    equal(len(json.loads(got.data)), 2_000_000)
    refused(await c.ask(f"object.{ref}"), "413", "too_large", "manta_default_objects")


@claim("a result comes as a ref if that is asked for")
async def _(c):
    reply = await c.ask("task.square", 7, {"Manta-Result": "ref"})
    equal(header(reply, "Manta-Result"), "ref")
    ref = json.loads(reply.data)["$ref"]
    equal(await c.call(f"object.{ref}"), 49)
    equal(await c.pack(f"object.{ref}"), 49)
    refused(await c.ask("task.root", -1, {"Manta-Result": "ref"}), "500", "failed", "no real root")


@claim("a request with a name is made once")
async def _(c):
    once = {"Manta-Id": "claim-1"}
    first, *others = await asyncio.gather(*(c.call("task.ticket", fields=once) for _ in range(5)))
    equal(others, [first] * 4)
    equal(await c.call("task.ticket", fields=once), first)
    equal(await c.call("task.ticket"), first + 1)
    refused(await c.ask("task.square", 7, once), "400", "argument", "names another request")


@claim("a task belongs to the trace of its request")
async def _(c):
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    equal(await c.call("task.trace", fields={"traceparent": traceparent}), "4bf92f3577b34da6a3ce929d0e0e4736")
    equal(await c.call("task.trace"), "0" * 32)


@claim("a deadline cancels the task")
async def _(c):
    before = await c.call("task.cancelled")
    refused(await c.ask("task.wait", 60, {"Manta-Deadline": "0.2s"}), "504", "deadline", "took too long")
    soon = (datetime.now(timezone.utc) + timedelta(seconds=0.2)).isoformat()
    refused(await c.ask("task.wait", 60, {"Manta-Deadline": soon}), "504", "deadline", "took too long")

    async def both():
        return await c.call("task.cancelled") == before + 2

    await until(both)
    refused(await c.ask("task.wait", 0, {"Manta-Deadline": "tomorrow"}), "400", "argument", "Manta-Deadline")
