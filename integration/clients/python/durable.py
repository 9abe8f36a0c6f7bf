"""Durable tasks."""

import json

from nats.js.errors import APIError, KeyNotFoundError

from client import P, PATIENCE, claim, dumps, equal, header, until


async def store(c, function, key, value):
    """Stores a durable task."""
    await c.js.publish(f"{P}.durable.{function}.{key}", dumps(value))


async def result(c, key):
    """The result of a durable task, once it is there."""

    async def there():
        try:
            return (await c.results.get(key)).value
        except KeyNotFoundError:
            return None

    return json.loads(await until(there))


@claim("a durable task's result is stored, and announced")
async def _(c):
    announced = await c.nc.subscribe(f"{P}.result.python.1")
    await store(c, "bill", "python.1", {"total": 7})
    await announced.next_msg(PATIENCE)
    equal(json.loads((await c.results.get("python.1")).value), {"paid": 7})


@claim("a key that waits or runs takes no second task")
async def _(c):
    await store(c, "ship", "python.2", 5)
    try:
        await store(c, "ship", "python.2", 5)
    except APIError as err:
        assert "maximum messages per subject exceeded" in err.description, err
    else:
        raise AssertionError("a second task was stored")


@claim("a second task under the key of a result changes nothing")
async def _(c):
    await store(c, "bill", "python.1", {"total": 8})
    await store(c, "bill", "python.3", {"total": 9})
    await result(c, "python.3")
    equal(await result(c, "python.1"), {"paid": 7})


@claim("a durable task's error has the headers of one")
async def _(c):
    await store(c, "bill", "python.4", {"total": -1})
    assert "a total of -1 cannot be paid" in (await result(c, "python.4"))["error"]
    stored = await c.js.get_last_msg("KV_manta_default_results", "$KV.manta_default_results.python.4")
    equal(header(stored, "Manta-Error"), "failed")
    assert "a total of -1 cannot be paid" in header(stored, "Nats-Service-Error"), stored.headers
