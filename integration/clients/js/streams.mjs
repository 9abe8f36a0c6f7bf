// Streams.
import assert from "node:assert/strict";
import { decode, encode } from "@msgpack/msgpack";
import { createInbox } from "@nats-io/transport-node";
import { ask, call, claim, headersOf, nc, p, refused, until } from "./client.mjs";

// A stream is what a streaming function sends.
class Stream {
  constructor(name, value, fields = {}, payload = JSON.stringify(value)) {
    this.inbox = createInbox();
    this.sub = nc.subscribe(this.inbox);
    this.messages = this.sub[Symbol.asyncIterator]();
    nc.publish(`${p}.task.${name}`, payload, { reply: this.inbox, headers: headersOf({ "Manta-Stream": "1", ...fields }) });
  }
  async next() {
    return (await this.messages.next()).value;
  }
  async item(number, value) {
    const msg = await this.next();
    assert.deepEqual([msg.headers?.get("Manta-Item"), msg.json()], [`${number}`, value]);
    return msg;
  }
  async status(code) {
    const msg = await this.next();
    assert.deepEqual([msg.headers?.get("Status"), msg.string()], [code, ""]);
  }
}

const counting = (n) => until(async () => (await call("task.counting")) === n);

claim("a stream is numbered items and an end", async () => {
  const s = new Stream("count", 3);
  for (let i = 1; i <= 3; i++) await s.item(i, i);
  await s.status("204");
});
claim("a stream of MessagePack", async () => {
  const s = new Stream("count", 0, { "Content-Type": "application/msgpack" }, encode(1));
  assert.equal(decode((await s.next()).data), 1);
  await s.status("204");
});
claim("a stream waits for acknowledgements, of which one is for all before", async () => {
  const s = new Stream("count", 5, { "Manta-Ahead": "2" });
  await s.item(1, 1);
  const second = await s.item(2, 2);
  await s.status("100"); // and not the third item
  second.respond();
  await s.item(3, 3);
  (await s.item(4, 4)).respond();
  await s.item(5, 5);
  await s.status("204");
});
claim("stop ends a stream", async () => {
  const s = new Stream("count", 1000);
  await counting(1);
  (await s.item(1, 1)).respond("stop");
  await counting(0);
});
claim("a client that leaves ends its stream", async () => {
  const s = new Stream("count", 1000);
  await s.item(1, 1);
  s.sub.unsubscribe();
  await counting(0);
});
claim("an error comes after the last good item", async () => {
  const s = new Stream("parse", ["1", "x"]);
  await s.item(1, 1);
  refused(await s.next(), "500", "failed", "invalid syntax");
});
claim("streaming functions are asked for streams, and no others", async () => {
  refused(await ask("task.count", 1), "400", "argument", "stream");
  refused(await ask("task.square", 1, { "Manta-Stream": "1" }), "400", "argument", "stream");
  refused(await ask("task.count", 1, { "Manta-Stream": "1", "Manta-Ahead": "0" }), "400", "argument", "Manta-Ahead");
});
