// Durable tasks.
import assert from "node:assert/strict";
import { jetstreamManager } from "@nats-io/jetstream";
import { claim, js, nc, p, results, until } from "./client.mjs";

claim("a durable task's result is stored, and announced", async () => {
  const announced = nc.subscribe(`${p}.result.node.1`, { max: 1 });
  await js.publish(`${p}.durable.bill.node.1`, JSON.stringify({ total: 7 }));
  for await (const _ of announced) assert.deepEqual((await results.get("node.1")).json(), { paid: 7 });
});
claim("a key that waits or runs takes no second task", async () => {
  await js.publish(`${p}.durable.ship.node.2`, "5");
  await assert.rejects(js.publish(`${p}.durable.ship.node.2`, "5"), /maximum messages per subject exceeded/);
});
claim("a second task under the key of a result changes nothing", async () => {
  await js.publish(`${p}.durable.bill.node.1`, JSON.stringify({ total: 8 }));
  await js.publish(`${p}.durable.bill.node.3`, JSON.stringify({ total: 9 }));
  await until(() => results.get("node.3"));
  assert.deepEqual((await results.get("node.1")).json(), { paid: 7 });
});
claim("a durable task's error has the headers of one", async () => {
  await js.publish(`${p}.durable.bill.node.4`, JSON.stringify({ total: -1 }));
  assert.match((await until(() => results.get("node.4"))).json().error, /a total of -1 cannot be paid/);
  const bucket = await (await jetstreamManager(nc)).streams.get("KV_manta_default_results");
  const stored = await bucket.getMessage({ last_by_subj: "$KV.manta_default_results.node.4" });
  assert.equal(stored.header.get("Manta-Error"), "failed");
  assert.match(stored.header.get("Nats-Service-Error"), /a total of -1 cannot be paid/);
});
