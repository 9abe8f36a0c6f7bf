"""A NATS client as far as the claims need one: requests, and what they come to."""

import asyncio
import json
import os

import msgpack
import nats
from nats.errors import NoRespondersError
from nats.js.errors import ObjectNotFoundError

P = "manta.default"
PATIENCE = 20  # seconds, for anything
NOTHING = object()  # no argument
claims = []


def claim(words):
    """Makes a claim of a function, which fails if it does not hold."""
    return lambda holds: claims.append((words, holds))


class Client:
    @classmethod
    async def connect(cls):
        c = cls()
        c.nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
        c.js = c.nc.jetstream()
        c.results = await c.js.key_value("manta_default_results")
        c.objects = await c.js.object_store("manta_default_objects")
        return c

    async def close(self):
        await self.nc.close()

    async def send(self, subject, payload, fields=None):
        """Asks with a payload and returns the reply, whatever it says."""
        return await self.nc.request(f"{P}.{subject}", payload, headers=fields, timeout=PATIENCE)

    async def ask(self, subject, value=NOTHING, fields=None):
        return await self.send(subject, dumps(value), fields)

    async def call(self, subject, value=NOTHING, fields=None):
        """The result of a request in JSON."""
        return json.loads(result_of(await self.ask(subject, value, fields)))

    async def pack(self, subject, value=NOTHING):
        """The result of a request in MessagePack."""
        payload = b"" if value is NOTHING else msgpack.packb(value)
        reply = await self.send(subject, payload, {"Content-Type": "application/msgpack"})
        data = result_of(reply)
        equal(header(reply, "Content-Type"), "application/msgpack")
        return msgpack.unpackb(data)

    async def unserved(self, subject):
        try:
            reply = await self.ask(subject)
        except NoRespondersError:
            return
        raise AssertionError(f"{subject} is served: {reply.data!r}")

    async def stream(self, function, payload, fields=None):
        """What a streaming function sends."""
        inbox = self.nc.new_inbox()
        sub = await self.nc.subscribe(inbox)
        await self.nc.publish(f"{P}.task.{function}", payload, reply=inbox, headers={"Manta-Stream": "1", **(fields or {})})
        return Stream(sub)

    async def read(self, ref):
        """What a large object is, and its bytes, once it has gone up."""

        async def there():
            try:
                return await self.objects.get(ref["$ref"])  # and its digest fits
            except ObjectNotFoundError:
                return None

        got = await until(there)
        return got.info.headers["Manta-Type"][0], got.data


class Stream:
    def __init__(self, sub):
        self.sub = sub

    async def next(self):
        return await self.sub.next_msg(PATIENCE)

    async def item(self, number, value):
        """The next message, which is an item."""
        msg = await self.next()
        equal((header(msg, "Manta-Item"), json.loads(msg.data or b"null")), (str(number), value))
        return msg

    async def status(self, code):
        """The next message is empty, and has a status."""
        msg = await self.next()
        equal((header(msg, "Status"), msg.data), (code, b""))


def dumps(value):
    return b"" if value is NOTHING else json.dumps(value).encode()


def header(msg, name):
    return (msg.headers or {}).get(name)


def result_of(reply):
    assert header(reply, "Nats-Service-Error") is None, f"an error where a result was due: {reply.headers}"
    return reply.data


def refused(reply, status, code, words):
    """Holds an error against what is due: its status, its code and a part of its words, in the headers and in the body."""
    equal((header(reply, "Nats-Service-Error-Code"), header(reply, "Manta-Error")), (status, code))
    assert words in header(reply, "Nats-Service-Error"), reply.headers
    assert words in json.loads(reply.data)["error"], reply.data


def equal(got, want):
    assert got == want, f"got {got!r:.500}, want {want!r:.500}"


async def until(holds):
    """Asks again until it holds."""
    while True:
        if got := await holds():
            return got
        await asyncio.sleep(0.01)
