// Follows the events of a run on NATS: every event once, in order, whatever happens to the connection.
//   LUCI_URL=… LUCI_API_KEY=… node follow.mjs RUN
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { connect } from "@nats-io/transport-node";

const ENDED = ["run:completed", "run:failed", "run:cancelled", "run:deleted"];

/** The gateway refuses the request: another try gets the same answer. */
export class Refused extends Error {}

/** Calls `handle({version, id, type, data})` for each event of the run, until it has ended. */
export async function follow(luci, key, run, handle) {
  const call = async (path, options = {}) => {
    const answer = await fetch(luci + path, { ...options, headers: { authorization: `Bearer ${key}` } });
    if (answer.ok) return answer.json();
    const again = answer.status >= 500 || answer.status === 429;
    throw new (again ? Error : Refused)(`${path}: ${answer.status} ${await answer.text()}`);
  };

  let last = 0; // The version of the last event that was handled.
  let ended = false;
  const deliver = (event) => {
    if (ended || event.version !== last + 1) return; // A repeat.
    last = event.version;
    handle(event);
    ended = ENDED.includes(event.type);
  };
  const refill = async () => {
    for (let more = true; more && !ended; ) {
      const page = await call(`/api/pipelines/${run}/events?after=v${last}&limit=200`);
      page.events.forEach(({ version, eventId, type, data }) => deliver({ version, id: eventId, type, data }));
      more = page.hasMore;
    }
  };

  /** One connection with a credential of its own: when it ends, the next begins, and fills the hole. */
  const session = async () => {
    const credential = await call("/api/nats-credentials", { method: "POST" });
    const connection = await connect({
      servers: credential.url,
      token: credential.credential.token,
      inboxPrefix: credential.inboxPrefix,
      reconnect: false,
    });
    const cut = connection.closed().then(() => Promise.reject(new Error("the connection is closed")));
    cut.catch(() => {}); // It ends each session; the races below report it.
    try {
      const tenant = credential.subjects[0].split(".")[1];
      const messages = connection.subscribe(`luci.${tenant}.${run}.>`)[Symbol.asyncIterator]();
      // A flush may never end when the connection is cut.
      const late = pause(5_000).then(() => Promise.reject(new Error("the server does not answer")));
      await Promise.race([connection.flush(), cut, late]);
      await refill(); // What was before the subscription.
      let next = messages.next();
      while (!ended) {
        // Core NATS does not say what was lost at the end: after a quiet second, the log is asked.
        const message = await Promise.race([next, cut, pause(1_000)]);
        if (connection.isClosed() || message?.done) throw new Error("the connection is closed");
        if (!message) {
          await refill();
          continue;
        }
        next = messages.next();
        const version = Number(message.value.headers.get("Luci-Version"));
        if (version > last + 1) await refill(); // A hole.
        const { id, type, data } = message.value.json();
        deliver({ version, id, type: type.split(".").slice(1, 3).join(":"), data });
      }
    } finally {
      await Promise.race([connection.close(), pause(1_000)]);
    }
  };

  while (!ended) {
    try {
      await session();
    } catch (error) {
      if (error instanceof Refused) throw error;
      console.error(`reconnecting: ${error.message}`);
      await pause(100);
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { LUCI_URL, LUCI_API_KEY } = process.env;
  await follow(LUCI_URL, LUCI_API_KEY, process.argv[2], ({ version, id, type }) =>
    console.log(JSON.stringify({ version, id, type })),
  );
}
