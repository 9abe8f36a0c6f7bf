"""Refs, and the objects that they name."""

import base64
import re
import struct

import msgpack

from client import claim, equal, refused


def text(object_id):
    """The id of an object, as it stands in JSON, of its 16 bytes, as they stand in MessagePack."""
    return base64.b32hexencode(object_id).decode().lower().rstrip("=")


@claim("a ref goes in and out")
async def _(c):
    ref = await c.call("task.ramp", 10)
    assert re.fullmatch("[0-9a-v]{26}", ref["$ref"]), ref
    equal(await c.call("task.sum", ref), 45)
    scaled = await c.call("task.scale", [{"name": "ten", "values": ref}, 2])
    equal(scaled["name"], "ten scaled")
    equal(await c.call("task.sum", scaled["values"]), 90)


@claim("a ref in MessagePack is extension 77")
async def _(c):
    ref = await c.pack("task.ramp", 10)
    assert isinstance(ref, msgpack.ExtType) and ref.code == 77 and len(ref.data) == 16, ref
    equal(await c.pack("task.sum", ref), 45)
    equal((await c.pack("task.scale", [{"name": "ten", "values": ref}, 2]))["name"], "ten scaled")
    equal(await c.call("task.sum", {"$ref": text(ref.data)}), 45)


@claim("a ref is no value")
async def _(c):
    refused(await c.ask("task.square", await c.call("task.ramp", 1)), "400", "argument", "cannot decode into int")


@claim("a ref that names nothing is an error")
async def _(c):
    refused(await c.ask("task.sum", {"$ref": "0" * 26}), "500", "failed", "owner has left the cluster")
    refused(await c.ask("task.sum", {"$ref": "x"}), "400", "argument", "no object id")


@claim("a large object is in the object store")
async def _(c):
    equal(await c.read(await c.call("task.poem", 10_000)), ("string", b"a rose is a rose\n" * 10_000))


@claim("numbers are little-endian, one after the other")
async def _(c):
    kind, data = await c.read(await c.call("task.ramp", 200_000))  # several chunks
    equal((kind, len(data)), ("[]float64", 1_600_000))
    assert struct.unpack("<200000d", data) == tuple(range(200_000)), "other numbers"


@claim("structs of numbers lie as C has them")
async def _(c):
    kind, data = await c.read(await c.call("task.orbit", 5000))
    equal((kind, len(data)), ("[]struct{id uint16; at [2]float64}", 5000 * 24))
    assert list(struct.iter_unpack("<H6xdd", data)) == [(i, i, -i) for i in range(5000)], "other points"


@claim("other objects are MessagePack")
async def _(c):
    kind, data = await c.read(await c.call("task.squares", 20_000))
    equal(kind, "MessagePack")
    squares = msgpack.unpackb(data)
    equal((len(squares), squares["19999"]), (20_000, 19_999**2))
