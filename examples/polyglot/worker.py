"""A Manta worker in Python: `mean`, and its share of `shout`."""
import asyncio, json, os, signal, statistics, sys
import nats, nats.micro

FUNCTIONS = {"mean": statistics.mean, "shout": lambda text: f"{text.upper()}! (Python)"}
WINDOW = 4  # how many tasks of a function it has at a time


async def main():
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    service = await nats.micro.add_service(nc, name="manta-default-worker", version="1.0.0")
    stop = asyncio.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)

    async def run(function, request):
        try:
            result = await asyncio.to_thread(function, json.loads(request.data))
            await request.respond(json.dumps(result).encode())
        except Exception as error:
            await request.respond_error("500", f"{type(error).__name__}: {error}")

    async with asyncio.TaskGroup() as tasks:
        for name, function in FUNCTIONS.items():
            async def begin(request, function=function):
                tasks.create_task(run(function, request))
            for subject, group in ((f"task.{name}", "workers"), (f"worker.{service.id}.{name}", "own")):
                await service.add_endpoint(name=f"{name}-{group}", subject=f"manta.default.{subject}",
                                           queue_group=group, handler=begin, metadata={"window": str(WINDOW)})
        print("serving", *FUNCTIONS, file=sys.stderr)
        await stop.wait()
        await service.stop()  # takes no more; what runs is finished
    if nc.is_connected:
        await nc.drain()

asyncio.run(main())
