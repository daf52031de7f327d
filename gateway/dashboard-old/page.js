// The page: signs in, keeps the list live, opens one run.

import { Refused, api, command } from './api.js';
import { STATUSES, apply, emptyBoard } from './fold.js';
import { connect } from './live.js';
import { Chain, underSeal } from './proof.js';
import { MARKS, badge, block, count, el, row, stage, words } from './view.js';

const $ = (id) => document.getElementById(id);
let board = emptyBoard(), line = null, shown = null, filter = null, trusted = false, drawing = 0, fetching = 0, role = 'viewer';

const openRun = () => location.pathname.split('/')[3] || null;
const say = (text, problem = false) => { $('notice').textContent = text; $('notice').className = problem ? 'problem' : ''; };

// ---- the list ----

function draw() {
  drawing = 0;
  $('tiles').replaceChildren(...STATUSES.map((status) => el('button', {
    type: 'button', class: 'tile', 'aria-pressed': String(filter === status),
    onclick: () => { filter = filter === status ? null : status; draw(); },
  }, badge(status), el('b', {}, count(board.counts[status] ?? 0)))));
  const current = openRun();
  const runs = [...board.runs.values()].filter((run) => !filter || run.status === filter);
  $('runs').replaceChildren(...runs.map((run) => row(run, Date.now(), run.runId === current, (event) => visit(event, run.runId))));
  $('empty').hidden = runs.length > 0;
  $('empty').textContent = filter ? `No ${filter} runs among the newest.` : 'No runs yet. Choose a CSV and start one.';
}

const soon = () => { drawing ||= requestAnimationFrame(draw); };

function onFrame(frame) {
  const changed = apply(board, frame);
  if (changed) soon();
  if (openRun() && (changed === 'all' || frame.runId === openRun())) refreshSoon();
}

function onState(state, lagMs = 0) {
  const text = {
    live: `Live · ${lagMs} ms`, polling: 'Polling every 5 s', reconnecting: 'Reconnecting…',
    offline: `Offline since ${new Date().toLocaleTimeString()}`,
  };
  const node = $('connection');
  if (state === 'offline' && node.dataset.state === 'offline' && !trusted) return;
  trusted = state === 'live' || state === 'polling';
  node.dataset.state = state;
  node.dataset.mark = MARKS[state];
  node.textContent = text[state];
}

// Times advance only while the shown state is current.
setInterval(() => { if (trusted && [...board.runs.values()].some((run) => run.status === 'running')) soon(); }, 1000);

// ---- one run ----

function visit(event, run) {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, '', run ? `/admin/pipelines/${run}` : '/admin/pipelines');
  route();
}

function route() {
  shown = null;
  const run = openRun();
  $('detail').hidden = !run;
  document.querySelector('.columns').classList.toggle('open', Boolean(run));
  document.title = run ? `${run} · LUCI` : 'Pipeline runs · LUCI';
  if (run) { $('detail').replaceChildren('Loading…'); refresh(); }
  soon();
}

/** At most once a second, for any number of frames. */
function refreshSoon() { fetching ||= setTimeout(refresh, 1000); }

async function refresh() {
  clearTimeout(fetching);
  fetching = 0;
  const run = openRun();
  if (!run) return;
  try {
    const detail = await api('GET', `/api/pipelines/${run}`);
    if (run === openRun()) drawDetail(detail);
  } catch (problem) {
    if (run === openRun() && !shown) $('detail').replaceChildren(el('p', { class: 'problem', role: 'alert' }, problem.message));
  }
}

const ACTIONS = {
  pause: ['running'], resume: ['paused'], retry: ['failed'], cancel: ['queued', 'running', 'paused', 'failed'],
  replay: ['completed', 'failed', 'cancelled'], delete: ['completed', 'failed', 'cancelled'],
};
const allowed = (action) => (['cancel', 'delete'].includes(action) ? ['admin', 'owner'] : ['member', 'admin', 'owner']).includes(role);

function drawDetail(detail) {
  shown = detail;
  const run = detail.run;
  const actions = run.deletedAt ? [] : Object.keys(ACTIONS).filter((name) => ACTIONS[name].includes(run.status) && allowed(name));
  $('detail').replaceChildren(
    el('header', {}, el('div', { class: 'row' }, el('b', {}, run.sectorName ?? run.pipelineName), ' ', badge(run.status)),
      el('div', { class: 'id quiet' }, run.runId)),
    run.waitingFor ? el('p', { class: 'quiet' }, `Waiting: ${Object.values(run.waitingFor).filter((v) => typeof v !== 'object').join(' · ')}`) : '',
    run.error ? el('div', { class: 'error' }, `${run.error.code}: ${run.error.message}`) : '',
    el('div', { class: 'actions' }, ...actions.map((name) => el('button', { type: 'button', onclick: () => ask(name, run) }, words(name))),
      el('button', { type: 'button', onclick: () => verify(run) }, 'verify history'),
      el('button', { type: 'button', onclick: (event) => visit(event, null) }, 'close')),
    el('h3', {}, 'Stages'), el('ol', {}, ...detail.stages.map(stage)),
    el('h3', {}, 'Blocks'), el('ul', {}, ...detail.blocks.slice(0, 25).map((b) => block(b, allowed('retry') ? (what) => askBlock(what, run, b) : null))),
    el('h3', {}, 'Files'), el('ul', {}, el('li', {}, el('a', { href: `/api/pipelines/${run.runId}/failed-leads.csv` }, 'failed-leads.csv')),
      ...detail.artifacts.slice(0, 10).map((a) => el('li', {}, el('a', { href: `/api/pipelines/${run.runId}/artifacts/${a.artifactId}` }, a.artifactType), ` ${count(a.metadata.leads)} leads`))));
}

async function ask(name, run) {
  if (['cancel', 'delete'].includes(name) && !confirm(`${words(name)} ${run.runId}? ${name === 'cancel' ? 'Blocks that have not begun are dropped.' : 'It leaves the list; its history stays.'}`)) return;
  const path = `/api/pipelines/${run.runId}`;
  await attempt(async () => {
    const answer = name === 'delete' ? await command('DELETE', path) : await command('POST', `${path}/${name}`, {});
    say(`Accepted at position ${answer.position}: ${words(name)}.`);
    if (answer.runId !== run.runId) history.pushState(null, '', `/admin/pipelines/${answer.runId}`), route();
  });
}

const askBlock = (what, run, b) => attempt(async () => {
  const answer = await command('POST', `/api/pipelines/${run.runId}/blocks/${b.blockId}/${what}`, {});
  say(`Accepted at position ${answer.position}: ${what} block ${b.blockNumber} of ${words(b.stageName)}.`);
});

// In the browser if it supports the algorithms; else, and for an event that cannot be shown, by the server.
const verify = (run) => attempt(async () => {
  try {
    if (crypto.subtle) return say(await verified(run));
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
  }
  const found = await api('GET', `/api/pipelines/${run.runId}/verify`);
  say(found.intact ? `Chain intact to #${found.checked}, according to the server.` : `Broken at #${found.firstBad?.version ?? found.checked}: ${found.firstBad?.reason ?? 'the end is missing'}`, !found.intact);
});

async function verified(run) {
  const path = `/api/pipelines/${run.runId}`;
  // Requested first, so that the sealed event is among the events that follow.
  const sealed = await api('GET', `${path}/seal`).catch((refused) => { if (refused.status === 404) return null; throw refused; });
  const chain = new Chain();
  for (let page = { nextCursor: 'v0' }; page.nextCursor;) {
    page = await api('GET', `${path}/events?limit=500&cursor=${page.nextCursor}`);
    for (const event of page.events) {
      await chain.follow(event);
      if (event.version === sealed?.version && (event.hash !== sealed.hash || event.position !== sealed.position)) throw new Error(`Broken at #${event.version}: it is not the event that was sealed`);
    }
    say(`Checking #${chain.version} of #${page.version}…`);
    if (!page.nextCursor && chain.version < page.version) throw new Error(`Broken at #${chain.version + 1}: the end is missing`);
  }
  if (!sealed) return `Chain intact to #${chain.version}, not sealed yet.`;
  const signed = await underSeal(sealed);
  const at = new Date(sealed.seal.sealedAtMicros / 1000).toLocaleTimeString(), unsealed = chain.version - sealed.version;
  const by = signed === 'signed' ? ` by key ${sealed.seal.publicKey.slice(0, 16)}` : ', signature not checked by this browser';
  return unsealed ? `Chain intact to #${chain.version}; newest ${unsealed} events not sealed yet.` : `Chain intact to #${chain.version}, sealed ${at}${by}.`;
}

async function attempt(work) {
  try { await work(); } catch (problem) { say(problem.requestId ? `${problem.message} (request ${problem.requestId})` : problem.message, true); }
  refreshSoon();
}

// ---- starting and signing in ----

$('new-run').addEventListener('submit', (event) => {
  event.preventDefault();
  attempt(async () => {
    const file = $('file').files[0];
    say(`Uploading ${file.name}…`);
    const imported = await api('POST', `/api/imports?fileName=${encodeURIComponent(file.name)}`, file, { 'content-type': 'text/csv' });
    const options = { maxLeads: Math.max(2000, imported.rows) };
    const run = await command('POST', '/api/pipelines', { importId: imported.importId, options });
    say(`${count(imported.rows)} rows imported, run accepted at position ${run.position}.`);
    event.target.reset();
  });
});

$('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  signIn($('key').value);
});

$('sign-out').addEventListener('click', async () => {
  await api('DELETE', '/api/session');
  location.reload();
});

async function signIn(key) {
  try {
    begin(await api('POST', '/api/session', { key }));
    $('key').value = '';
  } catch (problem) {
    $('sign-in').hidden = false;
    $('sign-in-problem').textContent = problem.message;
    $('key').focus();
  }
}

function begin(session) {
  role = session.role;
  $('tenant').textContent = `${session.tenantName} · ${role}`;
  $('sign-in').hidden = true;
  $('board').hidden = $('sign-out').hidden = false;
  $('new-run').hidden = !allowed('pause');
  line ??= connect({ onFrame, onState, poll: () => api('GET', '/api/pipelines?limit=100') });
  route();
}

async function boot() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (key) {
    // Removed from the URL before anything else can read or store it.
    history.replaceState(null, '', location.pathname);
    return signIn(key);
  }
  try { begin(await api('GET', '/api/session')); } catch { $('sign-in').hidden = false; $('key').focus(); }
}

addEventListener('popstate', route);
boot();
