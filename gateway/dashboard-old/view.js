// Rendering. Text is inserted as text, never as markup: names come from files of tenants.

export const MARKS = { queued: '◌', running: '◉', paused: '❚❚', completed: '✓', failed: '✕', cancelled: '⊘', pending: '◌', skipped: '»', live: '●', polling: '◐', offline: '○', reconnecting: '…' };

/** `el('p', {class: 'x'}, 'text', child)` */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const count = (n) => (n === undefined || n === null ? '—' : Number(n).toLocaleString('en-US'));
export const dollars = (micros) => (micros ? `$${(micros / 1e6).toFixed(2)}` : '—');
export const words = (text) => (text ?? '—').replace('_', ' ');

export function span(ms) {
  if (ms === null || ms === undefined || ms < 0) return '—';
  const s = Math.floor(ms / 1000), pad = (n) => String(n).padStart(2, '0');
  return s < 3600 ? `${Math.floor(s / 60)}:${pad(s % 60)}` : `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
}

export function took(run, now) {
  if (!run.startedAt) return null;
  return (run.completedAt ? Date.parse(run.completedAt) : now) - Date.parse(run.startedAt);
}

export function badge(state, text = words(state)) {
  return el('span', { class: 'badge', 'data-state': state, 'data-mark': MARKS[state] ?? '' }, text);
}

export function bar(state, percent, label) {
  const fill = el('i');
  fill.style.width = `${percent}%`;
  return el('span', { class: 'bar', role: 'progressbar', 'aria-label': label, 'aria-valuenow': percent, 'aria-valuemin': 0, 'aria-valuemax': 100, 'data-state': state }, fill);
}

export function row(run, now, current, open) {
  const link = el('a', { href: `/admin/pipelines/${run.runId}`, onclick: open }, run.sectorName ?? run.pipelineName ?? 'Run');
  const where = run.status === 'failed' ? run.error?.message ?? 'failed' : words(run.currentStage);
  return el('tr', { 'data-run': run.runId, 'aria-current': current ? 'true' : null },
    el('td', {}, badge(run.status)),
    el('td', {}, link, el('div', { class: 'id quiet' }, run.runId)),
    el('td', {}, bar(run.status, run.progress, `Progress of ${run.runId}`), `${run.progress}%`),
    el('td', {}, where),
    el('td', { class: 'number' }, `${count(run.processedLeads)} / ${count(run.totalLeads)}`),
    el('td', { class: 'number' }, dollars(run.costMicros)),
    el('td', { title: run.startedAt ?? '' }, run.startedAt ? new Date(run.startedAt).toLocaleTimeString() : '—'),
    el('td', { class: 'number' }, span(took(run, now))));
}

export function stage(sum) {
  const m = sum.metrics, state = sum.blocks.failed ? 'failed' : sum.finished ? 'completed' : sum.blocks.running ? 'running' : 'queued';
  const done = m.inputCount ? Math.floor((100 * (m.processedCount + m.skippedCount)) / m.inputCount) : sum.finished ? 100 : 0;
  return el('li', {},
    el('div', { class: 'row' }, el('b', {}, words(sum.stage)), badge(state)),
    bar(state, done, `Stage ${words(sum.stage)}`),
    el('div', { class: 'quiet' }, `${count(m.inputCount)} in · ${count(sum.outputCount)} out · ${count(m.failedCount)} failed · hit rate ${m.hitRate}%`));
}

export function block(b, act) {
  const error = b.error ? el('div', { class: 'problem' }, `${b.error.code}: ${b.error.message}`) : null;
  const failed = b.status === 'failed' || (b.status === 'completed' && b.metrics.failedCount > 0);
  const buttons = failed && act ? el('span', {}, el('button', { type: 'button', onclick: () => act('retry', b) }, 'Retry'), ' ',
    b.status === 'failed' ? el('button', { type: 'button', onclick: () => act('skip', b) }, 'Skip') : null) : null;
  return el('li', {},
    el('div', { class: 'row' }, el('span', {}, `${words(b.stageName)} ${b.blockNumber}${b.totalBlocks ? `/${b.totalBlocks}` : ''}`), badge(b.status)),
    el('div', { class: 'row quiet' }, `${count(b.metrics.processedCount)} of ${count(b.metrics.inputCount)}, ${count(b.metrics.failedCount)} failed · ${span(b.durationMs)}`, buttons), error);
}
