"""A Manta worker in Python: `mean`, and its share of `shout`."""
import asyncio, contextlib, json, os, signal, statistics, sys
import nats, nats.micro

FUNCTIONS = {"mean": statistics.mean, "shout": lambda text: f"{text.upper()}! (Python)"}


async def main():
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), max_reconnect_attempts=-1)
    service = await nats.micro.add_service(nc, name="manta-default-worker", version="1.0.0")
    stop = asyncio.Event()
    for sig in (signal.SIGINT, signal.SIGTERM): asyncio.get_running_loop().add_signal_handler(sig, stop.set)

    async def run(function, request):
        asks = request.headers or {}
        with contextlib.suppress(ValueError, nats.errors.Error):  # nobody is to be answered, or nobody can be
            if asks.get("Content-Type", "application/json") != "application/json":
                return await request.respond_error("400", "this worker reads JSON")
            work = asyncio.create_task(asyncio.to_thread(lambda: function(json.loads(request.data))))
            while not (await asyncio.wait([work], timeout=1 if "Manta-Alive" in asks else None))[0]:
                await request.respond(headers={"Status": "100"})  # a sign of life
            try:
                await request.respond(json.dumps(work.result()).encode())
            except Exception as error:
                await request.respond_error("500", f"{type(error).__name__}: {error}")

    async with asyncio.TaskGroup() as tasks:
        for name, function in FUNCTIONS.items():
            async def begin(request, function=function):
                tasks.create_task(run(function, request))
            for subject, group in ((f"task.{name}", "workers"), (f"worker.{service.id}.{name}", "own")):
                await service.add_endpoint(name=f"{name}-{group}", subject=f"manta.default.{subject}",
                                           queue_group=group, handler=begin, metadata={"window": "4"})  # how many tasks it has at a time
        print("serving", *FUNCTIONS, file=sys.stderr)
        await stop.wait()
        await service.stop()  # takes no more; what runs is finished
    nc.is_connected and await nc.drain()

asyncio.run(main())
