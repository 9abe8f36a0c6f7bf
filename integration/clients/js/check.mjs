// What PROTOCOL.md says, claim by claim, held against a fresh node by nats.js:
//
//	go run ./integration/clients    # the node, in another terminal
//	npm ci && node check.mjs        # here
//
// It ends with 1 at the first claim that does not hold. The clients of other languages make the same claims.
import { claims, nc, patience } from "./client.mjs";
import "./tasks.mjs";
import "./nodes.mjs";
import "./streams.mjs";
import "./durable.mjs";
import "./actors.mjs";
import "./objects.mjs";
import "./workers.mjs";

for (const { words, holds } of claims) {
  const late = new Promise((_, reject) => setTimeout(reject, patience, new Error(`not within ${patience} ms`)).unref());
  try {
    await Promise.race([holds(), late]);
  } catch (err) {
    console.log(`not ok - ${words}`);
    console.error(err);
    process.exit(1);
  }
  console.log(`ok - ${words}`);
}
await nc.close();
