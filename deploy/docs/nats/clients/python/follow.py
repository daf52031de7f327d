"""Follows the events of a run on NATS: every event once, in order, whatever happens to the connection.

    LUCI_URL=… LUCI_API_KEY=… python follow.py RUN
"""

import asyncio
import http.client
import json
import os
import sys
import urllib.error
import urllib.request

import nats
import nats.errors

ENDED = {"run:completed", "run:failed", "run:cancelled", "run:deleted"}


class Follower:
    """`handle` is called with {version, id, type, data} for each event of the run."""

    def __init__(self, luci, key, run, handle):
        self.luci, self.key, self.run, self.handle = luci, key, run, handle
        self.last = 0  # The version of the last event that was handled.
        self.ended = False

    async def call(self, path, method="GET"):
        request = urllib.request.Request(self.luci + path, method=method, headers={"Authorization": f"Bearer {self.key}"})
        return await asyncio.to_thread(lambda: json.load(urllib.request.urlopen(request)))

    def deliver(self, version, event_id, kind, data):
        if self.ended or version != self.last + 1:  # A repeat.
            return
        self.last = version
        self.handle({"version": version, "id": event_id, "type": kind, "data": data})
        self.ended = kind in ENDED

    async def refill(self):
        more = True
        while more and not self.ended:
            page = await self.call(f"/api/pipelines/{self.run}/events?after=v{self.last}&limit=200")
            for event in page["events"]:
                self.deliver(event["version"], event["eventId"], event["type"], event["data"])
            more = page["hasMore"]

    async def follow(self):
        """Returns when the run has ended; a request that the gateway refuses is raised."""
        while not self.ended:
            try:
                await self.session()
            except (nats.errors.Error, OSError, http.client.HTTPException) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429:
                    raise  # The gateway refuses the request: another try gets the same answer.
                print(f"reconnecting: {error!r}", file=sys.stderr)
                await asyncio.sleep(0.1)

    async def session(self):
        """One connection with a credential of its own: when it ends, the next begins, and fills the hole."""
        credential = await self.call("/api/nats-credentials", "POST")
        closed = asyncio.Event()

        async def on_close():
            closed.set()

        async def on_error(_error):
            pass

        connection = await nats.connect(
            credential["url"],
            token=credential["credential"]["token"],
            inbox_prefix=credential["inboxPrefix"].encode(),
            allow_reconnect=False,
            closed_cb=on_close,
            error_cb=on_error,
        )
        try:
            tenant = credential["subjects"][0].split(".")[1]
            messages = await connection.subscribe(f"luci.{tenant}.{self.run}.>")
            await connection.flush()
            await self.refill()  # What was before the subscription.
            while not self.ended and not closed.is_set():
                try:
                    message = await messages.next_msg(timeout=1)
                except nats.errors.TimeoutError:
                    # Core NATS does not say what was lost at the end: after a quiet second, the log is asked.
                    await self.refill()
                    continue
                version = int(message.headers["Luci-Version"])
                if version > self.last + 1:  # A hole.
                    await self.refill()
                event = json.loads(message.data)
                self.deliver(version, event["id"], ":".join(event["type"].split(".")[1:3]), event["data"])
        finally:
            await connection.close()


def show(event):
    print(json.dumps({name: event[name] for name in ("version", "id", "type")}), flush=True)


if __name__ == "__main__":
    asyncio.run(Follower(os.environ["LUCI_URL"], os.environ["LUCI_API_KEY"], sys.argv[1], show).follow())
