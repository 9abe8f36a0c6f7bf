// A NATS client as far as the claims need one: requests, and what they come to.
import assert from "node:assert/strict";
import { decode, encode } from "@msgpack/msgpack";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { connect, headers } from "@nats-io/transport-node";

export const p = "manta.default";
export const patience = 20_000; // ms, for anything
export const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
export const js = jetstream(nc);
export const results = await new Kvm(js).open("manta_default_results");
export const objects = await new Objm(js).open("manta_default_objects");

export const claims = [];

// claim makes a claim of a function, which fails if it does not hold.
export const claim = (words, holds) => claims.push({ words, holds });

// until asks again until it holds.
export async function until(holds) {
  for (let got; ; await new Promise((again) => setTimeout(again, 10))) if ((got = await holds())) return got;
}

export function headersOf(fields) {
  const h = headers();
  for (const [name, value] of Object.entries(fields)) h.set(name, value);
  return h;
}

// send asks with a payload and returns the reply, whatever it says; of undefined the payload is empty.
export function send(subject, payload, fields = {}) {
  return nc.request(`${p}.${subject}`, payload, { headers: headersOf(fields), timeout: patience });
}

export const ask = (subject, value, fields) => send(subject, value === undefined ? "" : JSON.stringify(value), fields);

export function resultOf(reply) {
  assert.equal(reply.headers?.get("Nats-Service-Error") ?? "", "", "an error where a result was due");
  return reply.data;
}

// call is the result of a request in JSON; pack is that of one in MessagePack.
export const call = async (subject, value, fields) => JSON.parse(new TextDecoder().decode(resultOf(await ask(subject, value, fields))));

export async function pack(subject, value) {
  const reply = await send(subject, value === undefined ? "" : encode(value), { "Content-Type": "application/msgpack" });
  const data = resultOf(reply);
  assert.equal(reply.headers.get("Content-Type"), "application/msgpack");
  return decode(data);
}

// refused holds an error against what is due: its status, its code and a part of its words, in the headers and in the body.
export function refused(reply, status, code, words) {
  assert.deepEqual([reply.headers?.get("Nats-Service-Error-Code"), reply.headers?.get("Manta-Error")], [status, code]);
  assert.ok(reply.headers.get("Nats-Service-Error").includes(words), reply.headers.get("Nats-Service-Error"));
  assert.ok(reply.json().error.includes(words), reply.string());
}

export const unserved = (subject) => assert.rejects(ask(subject), (err) => err.isNoResponders?.() || err.name === "NoRespondersError");
