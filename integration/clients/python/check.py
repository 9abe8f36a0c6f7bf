"""What PROTOCOL.md says, claim by claim, held against a fresh node by nats-py:

    go run ./integration/clients                          # the node, in another terminal
    pip install -r requirements.txt && python check.py    # here

It ends with 1 at the first claim that does not hold. The clients of other languages make the same claims.
"""

import asyncio
import sys
import traceback

# Each makes its claims, in this order.
import tasks
import nodes
import streams
import durable
import actors
import objects
import workers

from client import PATIENCE, Client, claims


async def main():
    c = await Client.connect()
    for words, holds in claims:
        try:
            await asyncio.wait_for(holds(c), PATIENCE)
        except Exception:
            print(f"not ok - {words}", flush=True)
            traceback.print_exc()
            sys.exit(1)
        print(f"ok - {words}", flush=True)
    await c.close()


asyncio.run(main())
