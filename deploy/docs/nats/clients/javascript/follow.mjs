// Follows the events of a run on NATS: every event once, in order, whatever happens to the connection.
//   LUCI_URL=… LUCI_API_KEY=… node follow.mjs RUN
import { pathToFileURL } from "node:url";
import { connect } from "@nats-io/transport-node";

const ENDED = ["run:completed", "run:failed", "run:cancelled", "run:deleted"];

/** Calls `handle({version, id, type, data})` for each event of the run, until it has ended. */
export async function follow(luci, key, run, handle) {
  const call = async (path, options = {}) => {
    const answer = await fetch(luci + path, { ...options, headers: { authorization: `Bearer ${key}` } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const renew = () => call("/api/nats-credentials", { method: "POST" });

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

  let credential = await renew();
  const connection = await connect({
    servers: credential.url,
    inboxPrefix: credential.inboxPrefix,
    // Asked at each connection: it has the newest credential.
    authenticator: () => ({ auth_token: credential.credential.token }),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    ignoreAuthErrorAbort: true,
  });
  const renewing = setInterval(async () => (credential = await renew().catch(() => credential)), 300_000);
  try {
    const tenant = credential.subjects[0].split(".")[1];
    const messages = connection.subscribe(`luci.${tenant}.${run}.>`)[Symbol.asyncIterator]();
    await connection.flush();
    await refill(); // What was before the subscription.
    let next = messages.next();
    while (!ended) {
      // Core NATS does not say what was lost at the end: after a quiet second, the log is asked.
      const message = await Promise.race([next, new Promise((quiet) => setTimeout(quiet, 1_000))]);
      if (!message) {
        await refill().catch(() => {});
        continue;
      }
      if (message.done) throw new Error("the connection is closed");
      next = messages.next();
      const version = Number(message.value.headers.get("Luci-Version"));
      if (version > last + 1) await refill(); // A hole.
      const { id, type, data } = message.value.json();
      deliver({ version, id, type: type.split(".").slice(1, 3).join(":"), data });
    }
  } finally {
    clearInterval(renewing);
    await connection.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { LUCI_URL, LUCI_API_KEY } = process.env;
  await follow(LUCI_URL, LUCI_API_KEY, process.argv[2], ({ version, id, type }) =>
    console.log(JSON.stringify({ version, id, type })),
  );
}
