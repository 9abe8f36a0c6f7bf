// Calling tasks, their errors and deadlines.
import assert from "node:assert/strict";
import { ask, call, claim, objects, pack, refused, send, unserved, until } from "./client.mjs";

claim("a function of no argument takes an empty payload", async () => assert.equal(await call("task.hello"), "hello"));
claim("a function of one argument takes its JSON", async () => assert.equal(await call("task.square", 7), 49));
claim("a function of two arguments takes an array", async () => assert.equal(await call("task.add", [1, 2]), 3));
claim("MessagePack is answered in MessagePack", async () => {
  assert.equal(await pack("task.hello"), "hello");
  assert.equal(await pack("task.square", 7), 49);
  assert.equal(await pack("task.add", [1, 2]), 3);
});
claim("nobody serves a function: no responders", () => unserved("task.nothing"));

claim("a function's error comes in headers and body", async () => refused(await ask("task.root", -1), "500", "failed", "-1 has no real root"));
claim("a panic is an error", async () => refused(await ask("task.first", []), "500", "failed", "panic: "));
claim("a payload that does not fit is refused", async () => {
  refused(await send("task.square", "{"), "400", "argument", "cannot decode into int");
  refused(await ask("task.square", "x"), "400", "argument", "cannot decode into int");
  refused(await ask("task.square"), "400", "argument", "an empty payload");
  refused(await ask("task.hello", 1), "400", "argument", "takes no argument");
  refused(await ask("task.add", [1]), "400", "argument", "send an array of 2");
});
claim("what no node can run is infeasible", async () => refused(await ask("task.train", 1), "500", "infeasible", "gpu"));
claim("a node takes only so many requests", async () => {
  const replies = await Promise.all(Array.from({ length: 101 }, () => ask("task.wait", 60, { "Manta-Deadline": "2s" })));
  const over = replies.filter((reply) => reply.headers.get("Manta-Error") === "overload");
  assert.ok(over.length > 0);
  refused(over[0], "429", "overload", "100 requests wait");
});
claim("a function's own retries come before the reply", async () => assert.equal((await call("task.lucky")) % 3, 0));
claim("a result that no message takes comes as a ref", async () => {
  const reply = await ask("task.text", 2_000_000);
  assert.equal(reply.headers.get("Manta-Result"), "ref");
  const object = await objects.getBlob(reply.json().$ref); // it is there already
  assert.equal(JSON.parse(new TextDecoder().decode(object)).length, 2_000_000);
  refused(await ask(`object.${reply.json().$ref}`), "413", "too_large", "manta_default_objects");
});
claim("a result comes as a ref if that is asked for", async () => {
  const reply = await ask("task.square", 7, { "Manta-Result": "ref" });
  assert.equal(reply.headers.get("Manta-Result"), "ref");
  assert.equal(await call(`object.${reply.json().$ref}`), 49);
  assert.equal(await pack(`object.${reply.json().$ref}`), 49);
  refused(await ask("task.root", -1, { "Manta-Result": "ref" }), "500", "failed", "no real root");
});
claim("a request with a name is made once", async () => {
  const once = { "Manta-Id": "claim-1" };
  const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => call("task.ticket", undefined, once)));
  assert.ok(others.every((ticket) => ticket === first));
  assert.equal(await call("task.ticket", undefined, once), first);
  assert.equal(await call("task.ticket"), first + 1);
  refused(await ask("task.square", 7, once), "400", "argument", "names another request");
});
claim("a task belongs to the trace of its request", async () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  assert.equal(await call("task.trace", undefined, { traceparent }), "4bf92f3577b34da6a3ce929d0e0e4736");
  assert.equal(await call("task.trace"), "0".repeat(32));
});
claim("a deadline cancels the task", async () => {
  const before = await call("task.cancelled");
  refused(await ask("task.wait", 60, { "Manta-Deadline": "0.2s" }), "504", "deadline", "took too long");
  const soon = new Date(Date.now() + 200).toISOString();
  refused(await ask("task.wait", 60, { "Manta-Deadline": soon }), "504", "deadline", "took too long");
  await until(async () => (await call("task.cancelled")) === before + 2);
  refused(await ask("task.wait", 0, { "Manta-Deadline": "tomorrow" }), "400", "argument", "Manta-Deadline");
});
