// Refs, and the objects that they name.
import assert from "node:assert/strict";
import { decode, ExtData } from "@msgpack/msgpack";
import { ask, call, claim, objects, pack, refused, until } from "./client.mjs";

// text is the id of an object, as it stands in JSON, of its 16 bytes, as they stand in MessagePack.
function text(id) {
  const bits = Array.from(id, (byte) => byte.toString(2).padStart(8, "0")).join("").padEnd(130, "0");
  return bits.match(/.{5}/g).map((five) => parseInt(five, 2).toString(32)).join("");
}

claim("a ref goes in and out", async () => {
  const ref = await call("task.ramp", 10);
  assert.match(ref.$ref, /^[0-9a-v]{26}$/);
  assert.equal(await call("task.sum", ref), 45);
  const scaled = await call("task.scale", [{ name: "ten", values: ref }, 2]);
  assert.equal(scaled.name, "ten scaled");
  assert.equal(await call("task.sum", scaled.values), 90);
});
claim("a ref in MessagePack is extension 77", async () => {
  const ref = await pack("task.ramp", 10);
  assert.ok(ref instanceof ExtData && ref.type === 77 && ref.data.length === 16, `${ref}`);
  assert.equal(await pack("task.sum", ref), 45);
  assert.equal((await pack("task.scale", [{ name: "ten", values: ref }, 2])).name, "ten scaled");
  assert.equal(await call("task.sum", { $ref: text(ref.data) }), 45);
});
claim("a ref is no value", async () => refused(await ask("task.square", await call("task.ramp", 1)), "400", "argument", "cannot decode into int"));
claim("a ref that names nothing is an error", async () => {
  refused(await ask("task.sum", { $ref: "0".repeat(26) }), "500", "failed", "owner has left the cluster");
  refused(await ask("task.sum", { $ref: "x" }), "400", "argument", "no object id");
});

async function read(ref) {
  const got = await until(() => objects.get(ref.$ref)); // it may go up still
  const chunks = [];
  for await (const chunk of got.data) chunks.push(chunk);
  assert.ok(!(await got.error)); // the digest fits
  return { type: got.info.headers.get("Manta-Type"), bytes: Buffer.concat(chunks) };
}

claim("a large object is in the object store", async () => {
  const { type, bytes } = await read(await call("task.poem", 10_000));
  assert.equal(type, "string");
  assert.ok(bytes.equals(Buffer.from("a rose is a rose\n".repeat(10_000))), "another text");
});
claim("numbers are little-endian, one after the other", async () => {
  const { type, bytes } = await read(await call("task.ramp", 200_000)); // several chunks
  assert.deepEqual([type, bytes.length], ["[]float64", 1_600_000]);
  for (let i = 0; i < 200_000; i++) assert.equal(bytes.readDoubleLE(8 * i), i);
});
claim("structs of numbers lie as C has them", async () => {
  const { type, bytes } = await read(await call("task.orbit", 5000));
  assert.deepEqual([type, bytes.length], ["[]struct{id uint16; at [2]float64}", 5000 * 24]);
  for (let i = 0; i < 5000; i++) {
    const at = 24 * i;
    assert.deepEqual([bytes.readUInt16LE(at), bytes.readDoubleLE(at + 8), bytes.readDoubleLE(at + 16)], [i, i, 0 - i]);
  }
});
claim("other objects are MessagePack", async () => {
  const { type, bytes } = await read(await call("task.squares", 20_000));
  assert.equal(type, "MessagePack");
  const squares = decode(bytes);
  assert.deepEqual([Object.keys(squares).length, squares["19999"]], [20_000, 19_999 ** 2]);
});
