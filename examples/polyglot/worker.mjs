// A Manta worker in Node: `hostname`, and its share of `shout`.
import { connect, headers, nuid } from "@nats-io/transport-node";

const functions = {
  hostname: (text) => new URL(text).hostname,
  shout: (text) => `${text.toUpperCase()}! (Node)`,
};
const name = "manta-default-worker", id = nuid.next(), version = "1.0.0";
const metadata = { window: "4" }; // how many tasks of a function it has at a time
const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });

async function answer(f, request) {
  try {
    request.respond(JSON.stringify(await f(request.json())));
  } catch (error) {
    const failed = headers();
    failed.set("Nats-Service-Error", `${error.name}: ${error.message}`);
    request.respond("", { headers: failed });
  }
}

const endpoints = [], doors = [];
for (const [name, f] of Object.entries(functions)) {
  for (const [subject, queue] of [[`manta.default.task.${name}`, "workers"], [`manta.default.worker.${id}.${name}`, ""]]) {
    doors.push(nc.subscribe(subject, { queue, callback: (_, request) => answer(f, request) }));
    endpoints.push({ name, subject, queue_group: queue, metadata });
  }
}
for (const [verb, more] of [["PING", {}], ["INFO", { description: "", endpoints }]]) {
  const said = JSON.stringify({ type: `io.nats.micro.v1.${verb.toLowerCase()}_response`, name, id, version, metadata: {}, ...more });
  for (const subject of [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`]) {
    nc.subscribe(subject, { callback: (_, request) => request.respond(said) });
  }
}
await nc.flush();
console.error("serving", ...Object.keys(functions));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => Promise.allSettled(doors.map((door) => door.drain())).then(() => nc.close()));
}
