"""Actors."""

import json

from client import NOTHING, claim, equal, refused, result_of, until


@claim("an actor is made, called and stopped")
async def _(c):
    made = await c.call("create.counter", {"From": 10}, {"Manta-Name": "python"})
    ref = made["ref"]
    equal((made["id"], made["name"], ref["class"], ref["$actor"], ref["detached"]), ("python", "python", "counter", "python", True))
    equal(await c.call("actor.python.Add", 5), 15)
    equal(await c.call("actor.python.AddTimes", [5, 2]), 25)
    equal(await c.call("call.counter.python.Value"), 25)
    equal(await c.pack("actor.python.AddTimes", [1, 1]), 26)
    equal(result_of(await c.ask("actor.python.stop")), b"")
    await c.unserved("actor.python.Value")
    refused(await c.ask("call.counter.python.Value"), "404", "actor_not_found", "python")


@claim("an actor without a name or a start value")
async def _(c):
    made = await c.call("create.counter")
    assert "name" not in made, made
    equal(await c.call(f"actor.{made['id']}.Value"), 0)
    result_of(await c.ask(f"actor.{made['id']}.kill"))
    await c.unserved(f"actor.{made['id']}.Value")


@claim("a name is taken once, unless one that has it will do")
async def _(c):
    made = await c.call("create.counter", {"From": 1}, {"Manta-Name": "taken"})
    refused(await c.ask("create.counter", {}, {"Manta-Name": "taken"}), "409", "actor_exists", "taken")
    equal(await c.call("create.counter", {"From": 2}, {"Manta-Name": "taken", "Manta-Get-Or-New": "1"}), made)
    equal(await c.call("actor.taken.Value"), 1)


@claim("what is wrong with a request for an actor is told")
async def _(c):
    refused(await c.ask("create.counter", {"From": -1}), "500", "actor_dead", "cannot count from -1")
    refused(await c.ask("create.counter", {"From": "x"}), "400", "argument", "cannot decode into")
    refused(await c.ask("create.counter", {}, {"Manta-Get-Or-New": "1"}), "400", "argument", "Manta-Name")
    refused(await c.ask("actor.taken.Burn"), "400", "argument", "it has Add, AddTimes, Value, Wait")
    refused(await c.ask("actor.taken.stop", "now"), "400", "argument", "it takes none")
    refused(await c.ask("call.counter.taken.stop"), "400", "argument", "no method stop")
    refused(await c.ask("call.counter.nobody.Value"), "404", "actor_not_found", "nobody")


@claim("a deadline cancels a call of an actor")
async def _(c):
    refused(await c.ask("actor.taken.Wait", 60, {"Manta-Deadline": "0.2s"}), "504", "deadline", "took too long")


@claim("an idle actor is woken by either subject")
async def _(c):
    actors = await c.js.key_value("manta_default_actors")

    async def passive():
        return json.loads((await actors.get("actor.python-cart")).value)["state"] == "passive"

    await c.call("create.cart", NOTHING, {"Manta-Name": "python-cart"})
    equal(await c.call("actor.python-cart.Put", "a"), ["a"])
    await until(passive)
    equal(await c.call("actor.python-cart.Put", "b"), ["a", "b"])
    await until(passive)
    equal(await c.call("call.cart.python-cart.Put", "c"), ["a", "b", "c"])


@claim("a handle of an actor goes in and out")
async def _(c):
    ref = (await c.call("create.counter", {"From": 7}))["ref"]
    equal(await c.call("task.value", ref), 7)
    equal(await c.pack("task.value", {"class": "counter", "$actor": ref["$actor"]}), 7)
    opened = await c.call("task.open", 8)
    equal((opened["class"], opened.get("detached")), ("counter", None))
    equal(await c.call(f"actor.{opened['$actor']}.Value"), 8)
    equal(await c.call("task.value", opened), 8)
