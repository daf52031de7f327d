// Shows a tenant's runs from NATS alone: no request to LUCI after the credential.
// `npm run page` bundles it with @nats-io/nats-core.
import { wsconnect } from "@nats-io/nats-core";

const runs = new Map(); // By run id: what its messages said.
const ends = { completed: "completed", failed: "failed", cancelled: "cancelled", deleted: "deleted" };

document.querySelector("#connect").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await show(JSON.parse(document.querySelector("#credential").value));
  } catch (error) {
    state(`failed: ${error.message}`);
  }
});

async function show({ webSocketUrl, credential, inboxPrefix, subjects }) {
  const connection = await wsconnect({
    servers: webSocketUrl,
    token: credential.token,
    inboxPrefix,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
  });
  state("live");
  (async () => {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") state("disconnected");
      if (status.type === "reconnect") state("live");
    }
  })();
  connection.closed().then(() => state("closed"));
  for (const subject of subjects) read(connection.subscribe(subject));
}

async function read(messages) {
  for await (const message of messages) {
    // luci.{tenant}.{run}.{entity}.{verb}, tele.{tenant}.{run}.{entity}.progress
    const [, , id, entity, verb] = message.subject.split(".");
    if (!id.startsWith("run_")) continue;
    const run = runs.get(id) ?? { status: "running", stage: "", progress: 0, blocks: 0, version: 0 };
    const { data } = message.json();
    if (entity === "run" && verb === "progress") Object.assign(run, { progress: data.progress, stage: data.stage });
    if (entity === "run" && verb === "queued") run.status = "queued";
    if (entity === "run" && (verb === "started" || verb === "resumed")) run.status = "running";
    if (entity === "run" && verb === "paused") run.status = "paused";
    if (entity === "run" && ends[verb]) run.status = ends[verb];
    if (entity === "block" && data.stage) run.stage = data.stage;
    if (entity === "block" && verb === "completed") run.blocks += 1;
    if (run.status === "completed") run.progress = 100;
    run.version = Number(message.headers?.get("Luci-Version") || run.version);
    runs.set(id, run);
    render();
  }
}

function render() {
  const rows = [...runs].reverse().map(([id, run]) => {
    const row = document.createElement("tr");
    row.dataset.run = id;
    row.dataset.status = run.status;
    for (const value of [id, run.status, run.stage, `${run.progress} %`, run.blocks, run.version]) {
      row.insertCell().textContent = value;
    }
    return row;
  });
  document.querySelector("#runs").replaceChildren(...rows);
}

function state(text) {
  document.querySelector("#state").textContent = text;
}
