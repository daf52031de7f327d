// The state of the runs, folded from snapshots and frames. No rendering.

const STATUS_OF = {
  'run:queued': 'queued', 'run:started': 'running', 'run:paused': 'paused', 'run:resumed': 'running',
  'run:completed': 'completed', 'run:failed': 'failed', 'run:cancelled': 'cancelled',
};

export const STATUSES = ['running', 'queued', 'paused', 'completed', 'failed', 'cancelled'];

export function emptyBoard() {
  return { runs: new Map(), counts: {}, position: 0 };
}

/** Applies one frame; returns the id of the changed run, `'all'`, or nothing. */
export function apply(board, frame) {
  if (frame.type === 'snapshot') return snapshot(board, frame);
  if (!frame.runId) return undefined;
  const known = board.runs.get(frame.runId);
  const telemetry = frame.type.endsWith(':progress');
  // A snapshot may be newer than the events that follow it.
  if (!telemetry && known && frame.position <= known.position) return undefined;
  if (!known && frame.type !== 'run:queued') return undefined;
  const run = known ?? { runId: frame.runId, progress: 0, processedLeads: 0, costMicros: 0, createdAt: frame.at };
  if (frame.type === 'run:deleted') {
    board.counts[run.status]--;
    board.runs.delete(run.runId);
    return 'all';
  }
  change(board, run, frame);
  if (!telemetry) { run.position = frame.position; run.version = frame.version; }
  if (!known) board.runs = new Map([[run.runId, run], ...board.runs]);
  return run.runId;
}

function snapshot(board, frame) {
  if (!frame.runs) return undefined;
  board.runs = new Map(frame.runs.map((run) => [run.runId, run]));
  board.counts = { ...frame.counts };
  board.position = frame.position;
  return 'all';
}

function change(board, run, frame) {
  const status = STATUS_OF[frame.type];
  if (status && status !== run.status) {
    if (run.status) board.counts[run.status]--;
    board.counts[status] = (board.counts[status] ?? 0) + 1;
    run.status = status;
    if (frame.type === 'run:started') run.startedAt = frame.at;
    run.completedAt = ['completed', 'failed', 'cancelled'].includes(status) ? frame.at : null;
    run.error = frame.error ?? null;
  }
  for (const name of ['sectorName', 'pipelineName', 'totalLeads', 'processedLeads', 'costMicros']) {
    if (frame[name] !== undefined) run[name] = frame[name];
  }
  if (frame.progress !== undefined) run.progress = Math.max(run.progress, frame.progress);
  if (frame.summary) { run.processedLeads = frame.summary.processedLeads; run.costMicros = frame.summary.costMicros; }
  if (frame.type === 'block:started' || frame.type === 'block:completed') run.currentStage = frame.stage;
}
