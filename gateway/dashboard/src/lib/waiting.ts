// What a run waits for: as data, as the server computes it, and in words with the remedy.
import { rfc3339 } from './fold/answers'
import type { RunRow, StageRow } from './fold/rows'
import { clock, money, provider, title, words } from './format'

export type Waiting =
  | { reason: 'paused'; by: string; at: string | null; because: string | null; missingMicros: number | null }
  | { reason: 'slot'; active: number; limit: number }
  | { reason: 'block'; blockId: string; stage: string; blockNumber: number; code: string; retryAt: string | null }
  | { reason: 'provider_budget'; provider: string; stage: string; until: string }
  | { reason: 'worker'; stage: string; since: string | null }
  | { reason: 'provider'; provider: string; stage: string; since: string | null; until: string | null }

/** Microseconds without a start of a queued block, and without an answer of a provider: as in projections/ waiting.rs. */
const NO_WORKER = 10_000_000
const NO_ANSWER = 30_000_000

export function waitingOf(run: RunRow, stages: StageRow[], now: number): Waiting | null {
  if (run.status === 'paused' && run.pause) return { reason: 'paused', by: run.pause.by, at: rfc3339(run.pause.at), because: run.pause.reason, missingMicros: run.pause.missingMicros }
  if (run.status === 'failed') return blocked(run)
  // A queued run of the past: the tenant's other runs are not known.
  return run.status === 'running' ? running(run, stages, now) : null
}

function blocked(run: RunRow): Waiting | null {
  const block = run.failedBlock
  return block && { reason: 'block', blockId: block.blockId, stage: block.stage, blockNumber: block.blockNumber, code: block.code, retryAt: rfc3339(block.retryAt) }
}

function newest(stages: StageRow[], time: (s: StageRow) => (number | null)[]): number | null {
  const times = stages.flatMap(time).filter((t): t is number => t !== null)
  return times.length ? Math.max(...times) : null
}

function running(run: RunRow, stages: StageRow[], now: number): Waiting | null {
  const started = stages.find((s) => s.blocks.running > 0)
  if (started) {
    const since = newest(stages, (s) => [s.started, s.settled])
    if (since === null || !started.provider || now - since <= NO_ANSWER) return null
    return { reason: 'provider', provider: started.provider, stage: started.stage, since: rfc3339(since), until: null }
  }
  const pending = stages.find((s) => s.blocks.pending > 0)
  if (pending) {
    const since = newest(stages, (s) => [s.queued, s.settled])
    return since !== null && now - since > NO_WORKER ? { reason: 'worker', stage: pending.stage, since: rfc3339(since) } : null
  }
  const block = run.failedBlock
  const by = block && stages.find((s) => s.stage === block.stage)?.provider
  if (block && block.code === 'RATE_LIMIT' && by && block.retryAt !== null) return { reason: 'provider_budget', provider: by, stage: block.stage, until: rfc3339(block.retryAt) ?? '' }
  return blocked(run)
}

export type Remedy = 'resume' | 'raise budget' | 'retry block' | 'providers' | 'system'

/** The reason in words, and what a person can do about it. */
export function explain(waiting: Waiting, zone: 'local' | 'utc'): { text: string; remedy: Remedy | null } {
  const time = (at: string | null) => clock(at, zone, 'time')
  switch (waiting.reason) {
    case 'paused':
      if (waiting.because === 'budget') return { text: `Paused by its budget: the next block may need ${money(waiting.missingMicros)} more.`, remedy: 'raise budget' }
      return { text: `Paused at ${time(waiting.at)} by ${waiting.by}.`, remedy: 'resume' }
    case 'slot':
      return { text: `Waits for a free slot: ${waiting.active} of ${waiting.limit} active runs.`, remedy: null }
    case 'block':
      if (waiting.retryAt) return { text: `${title(waiting.stage)} block ${waiting.blockNumber} failed (${words(waiting.code)}); it is retried at ${time(waiting.retryAt)}.`, remedy: null }
      return { text: `${title(waiting.stage)} block ${waiting.blockNumber} failed (${words(waiting.code)}) and waits for your decision: retry it or skip it.`, remedy: 'retry block' }
    case 'provider_budget':
      return { text: `The limit of ${provider(waiting.provider)} is used up until ${time(waiting.until)}; ${words(waiting.stage)} goes on then.`, remedy: 'providers' }
    case 'worker':
      return { text: `No worker has taken the queued ${words(waiting.stage)} blocks since ${time(waiting.since)}.`, remedy: 'system' }
    case 'provider':
      return { text: `Waits for ${provider(waiting.provider)} (${words(waiting.stage)}) since ${time(waiting.since)}${waiting.until ? `, until ${time(waiting.until)} at the latest` : ''}.`, remedy: 'providers' }
  }
}
