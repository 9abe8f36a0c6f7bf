// What is there.
import assert from "node:assert/strict";
import { Kvm } from "@nats-io/kv";
import { claim, js, nc, p } from "./client.mjs";

claim("a node is a NATS service with its functions, classes and their schemas", async () => {
  const [ping, info, stats] = await Promise.all(["PING", "INFO", "STATS"].map(async (verb) => (await nc.request(`$SRV.${verb}.manta-default`)).json()));
  assert.deepEqual([ping.name, ping.id], ["manta-default", info.id]);
  assert.deepEqual((await nc.request(`$SRV.PING.manta-default.${info.id}`)).json(), ping);
  const endpoint = (name) => info.endpoints.find((e) => e.name === name);
  assert.equal(endpoint("square").subject, `${p}.task.square`);
  assert.equal(endpoint("square").metadata.kind, "task");
  assert.deepEqual(JSON.parse(endpoint("add").metadata.signature), { args: [{ type: "integer" }, { type: "integer" }], result: { type: "integer" } });
  assert.equal(endpoint("count").metadata.kind, "streaming task");
  assert.deepEqual(JSON.parse(endpoint("create-counter").metadata.start), { type: "object", properties: { From: { type: "integer" } } });
  assert.deepEqual(JSON.parse(endpoint("call-counter").metadata.methods).Add, { args: [{ type: "integer" }], result: { type: "integer" } });
  const square = stats.endpoints.find((e) => e.name === "square");
  assert.ok(square.num_requests > 0 && square.num_errors > 0 && square.last_error.includes("square"), JSON.stringify(square));
});
claim("the bucket of nodes has a record a node", async () => {
  const nodes = await new Kvm(js).open("manta_default_nodes");
  for await (const entry of await nodes.watch()) {
    assert.equal(entry.json().ID, entry.key);
    assert.ok(entry.json().Functions.includes("square") && entry.json().Classes.includes("counter"), entry.string());
    break;
  }
});
