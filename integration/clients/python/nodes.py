"""What is there."""

import json

from client import P, PATIENCE, claim, equal


@claim("a node is a NATS service with its functions, classes and their schemas")
async def _(c):
    ping, info, stats = [json.loads((await c.nc.request(f"$SRV.{verb}.manta-default")).data) for verb in ("PING", "INFO", "STATS")]
    equal((ping["name"], ping["id"]), ("manta-default", info["id"]))
    equal(json.loads((await c.nc.request(f"$SRV.PING.manta-default.{info['id']}")).data), ping)
    endpoints = {e["name"]: e for e in info["endpoints"]}
    equal(endpoints["square"]["subject"], f"{P}.task.square")
    equal(endpoints["square"]["metadata"]["kind"], "task")
    integer = {"type": "integer"}
    equal(json.loads(endpoints["add"]["metadata"]["signature"]), {"args": [integer, integer], "result": integer})
    equal(endpoints["count"]["metadata"]["kind"], "streaming task")
    equal(json.loads(endpoints["create-counter"]["metadata"]["start"]), {"type": "object", "properties": {"From": integer}})
    equal(json.loads(endpoints["call-counter"]["metadata"]["methods"])["Add"], {"args": [integer], "result": integer})
    square = next(e for e in stats["endpoints"] if e["name"] == "square")
    assert square["num_requests"] > 0 and square["num_errors"] > 0 and "square" in square["last_error"], square


@claim("the bucket of nodes has a record a node")
async def _(c):
    nodes = await c.js.key_value("manta_default_nodes")
    watcher = await nodes.watchall()
    entry = await watcher.updates(PATIENCE)
    await watcher.stop()
    record = json.loads(entry.value)
    equal(record["ID"], entry.key)
    assert "square" in record["Functions"] and "counter" in record["Classes"], record
