// Being a worker.
import assert from "node:assert/strict";
import { headers, nuid } from "@nats-io/transport-node";
import { ask, call, claim, headersOf, nc, p, refused } from "./client.mjs";

claim("a worker serves what Go programs and clients call, and shows signs of life to those that ask for them", async () => {
  const name = "manta-default-worker", id = nuid.next(), version = "1.0.0";
  const subjects = [[`${p}.task.thrice`, "workers"], [`${p}.worker.${id}.thrice`, ""]];
  const endpoints = subjects.map(([subject, queue_group]) => ({ name: "thrice", subject, queue_group, metadata: {} }));
  let signs = 0;
  const thrice = (_, request) => {
    if (request.headers?.get("Manta-Alive")) signs += request.respond("", { headers: headers(100, "alive") });
    const x = request.json();
    if (x < 0) request.respond("", { headers: headersOf({ "Nats-Service-Error": `${x} is below zero` }) });
    else request.respond(JSON.stringify(3 * x));
  };
  const subs = subjects.map(([subject, queue]) => nc.subscribe(subject, { queue, callback: thrice }));
  for (const [verb, more] of [["PING", {}], ["INFO", { description: "", endpoints }]]) {
    const said = JSON.stringify({ type: `io.nats.micro.v1.${verb.toLowerCase()}_response`, name, id, version, metadata: {}, ...more });
    for (const subject of [`$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`]) {
      subs.push(nc.subscribe(subject, { callback: (_, request) => request.respond(said) }));
    }
  }
  assert.equal(await call("task.relay", 7), 21);
  assert.equal(await call("task.thrice", 7), 21);
  assert.equal(signs, 1);
  refused(await ask("task.relay", -1), "500", "failed", "-1 is below zero");
  await Promise.all(subs.map((sub) => sub.drain()));
  refused(await ask("task.relay", 7), "500", "failed", "no node serves");
});
