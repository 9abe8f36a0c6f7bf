// A Manta worker in Node: `hostname`, and its share of `shout`.
import { connect, headers, nuid } from "@nats-io/transport-node";

const functions = {
  hostname: (text) => new URL(text).hostname,
  shout: (text) => `${text.toUpperCase()}! (Node)`,
};
const name = "manta-default-worker", id = nuid.next(), version = "1.0.0", metadata = { window: "4" }; // tasks of a function at a time
const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222", maxReconnectAttempts: -1 });

async function answer(f, request) {
  const asks = request.headers, failed = headers();
  const alive = asks?.get("Manta-Alive") && setInterval(() => request.respond("", { headers: headers(100, "alive") }), 1000); // a sign of life
  try {
    if (asks?.get("Content-Type").includes("msgpack")) throw Object.assign(new TypeError("this worker reads JSON"), { status: "400" });
    request.respond(JSON.stringify(await f(request.json())));
  } catch (error) {
    failed.set("Nats-Service-Error", `${error.name}: ${error.message}`);
    failed.set("Nats-Service-Error-Code", error.status ?? "500");
    request.respond("", { headers: failed });
  }
  clearInterval(alive);
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
  for (const one of ["", `.${name}`, `.${name}.${id}`]) nc.subscribe(`$SRV.${verb}${one}`, { callback: (_, request) => request.respond(said) });
}
await nc.flush();
console.error("serving", ...Object.keys(functions));
const stop = () => Promise.allSettled(doors.map((door) => door.drain())).then(() => nc.close());
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);
