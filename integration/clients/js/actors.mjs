// Actors.
import assert from "node:assert/strict";
import { Kvm } from "@nats-io/kv";
import { ask, call, claim, js, pack, refused, resultOf, unserved, until } from "./client.mjs";

claim("an actor is made, called and stopped", async () => {
  const made = await call("create.counter", { From: 10 }, { "Manta-Name": "node-js" });
  assert.deepEqual([made.id, made.name, made.ref.class, made.ref.$actor, made.ref.detached], ["node-js", "node-js", "counter", "node-js", true]);
  assert.equal(await call("actor.node-js.Add", 5), 15);
  assert.equal(await call("actor.node-js.AddTimes", [5, 2]), 25);
  assert.equal(await call("call.counter.node-js.Value"), 25);
  assert.equal(await pack("actor.node-js.AddTimes", [1, 1]), 26);
  assert.equal(resultOf(await ask("actor.node-js.stop")).length, 0);
  await unserved("actor.node-js.Value");
  refused(await ask("call.counter.node-js.Value"), "404", "actor_not_found", "node-js");
});
claim("an actor without a name or a start value", async () => {
  const made = await call("create.counter");
  assert.equal(made.name, undefined);
  assert.equal(await call(`actor.${made.id}.Value`), 0);
  resultOf(await ask(`actor.${made.id}.kill`));
  await unserved(`actor.${made.id}.Value`);
});
claim("a name is taken once, unless one that has it will do", async () => {
  const made = await call("create.counter", { From: 1 }, { "Manta-Name": "taken" });
  refused(await ask("create.counter", {}, { "Manta-Name": "taken" }), "409", "actor_exists", "taken");
  assert.deepEqual(await call("create.counter", { From: 2 }, { "Manta-Name": "taken", "Manta-Get-Or-New": "1" }), made);
  assert.equal(await call("actor.taken.Value"), 1);
});
claim("what is wrong with a request for an actor is told", async () => {
  refused(await ask("create.counter", { From: -1 }), "500", "actor_dead", "cannot count from -1");
  refused(await ask("create.counter", { From: "x" }), "400", "argument", "cannot decode into");
  refused(await ask("create.counter", {}, { "Manta-Get-Or-New": "1" }), "400", "argument", "Manta-Name");
  refused(await ask("actor.taken.Burn"), "400", "argument", "it has Add, AddTimes, Value, Wait");
  refused(await ask("actor.taken.stop", "now"), "400", "argument", "it takes none");
  refused(await ask("call.counter.taken.stop"), "400", "argument", "no method stop");
  refused(await ask("call.counter.nobody.Value"), "404", "actor_not_found", "nobody");
});
claim("a deadline cancels a call of an actor", async () =>
  refused(await ask("actor.taken.Wait", 60, { "Manta-Deadline": "0.2s" }), "504", "deadline", "took too long"));
claim("an idle actor is woken by either subject", async () => {
  const actors = await new Kvm(js).open("manta_default_actors");
  const passive = () => until(async () => (await actors.get("actor.node-cart"))?.json().state === "passive");
  await call("create.cart", undefined, { "Manta-Name": "node-cart" });
  assert.deepEqual(await call("actor.node-cart.Put", "a"), ["a"]);
  await passive();
  assert.deepEqual(await call("actor.node-cart.Put", "b"), ["a", "b"]);
  await passive();
  assert.deepEqual(await call("call.cart.node-cart.Put", "c"), ["a", "b", "c"]);
});
claim("a handle of an actor goes in and out", async () => {
  const { ref } = await call("create.counter", { From: 7 });
  assert.equal(await call("task.value", ref), 7);
  assert.equal(await pack("task.value", { class: "counter", $actor: ref.$actor }), 7);
  const opened = await call("task.open", 8);
  assert.deepEqual([opened.class, opened.detached], ["counter", undefined]);
  assert.equal(await call(`actor.${opened.$actor}.Value`), 8);
  assert.equal(await call("task.value", opened), 8);
});
