// How an event changes its block.
import type { Stage } from '../api'
import { add, balanced, type Counts, zeroCounts } from './counts'
import { type Data, type NewArtifact, type Report, reportOf } from './events'
import type { BlockRow, BlockStatus, Fault } from './rows'

const OUTPUT: Record<Stage, string> = { import: 'parsed', validate: 'validated', enrich: 'enriched', skip_trace: 'skip-traced', score: 'scored', assign: 'assigned', push: 'pushed' }

const settled = (status: BlockStatus) => status !== 'pending' && status !== 'running'
/** Whether the block's counts are in those of its stage. */
export const counted = (b: BlockRow) => b.completedOnce || (settled(b.status) && balanced(b.counts))

/** A block as it is queued first. */
export function fresh(data: Data, at: number): BlockRow {
  const e = data as unknown as { blockId: string; blockNumber: number; totalBlocks?: number; sequence: number; stage: Stage; attempt: number; retryCount: number; retryOf?: string; input: { kind: string; artifactId?: string; leads?: number } }
  return {
    blockId: e.blockId, blockNumber: e.blockNumber, totalBlocks: e.totalBlocks ?? null, sequence: e.sequence, stage: e.stage, provider: null, status: 'pending',
    attempt: e.attempt, retryCount: e.retryCount, retryOf: e.retryOf ?? null, counts: { ...zeroCounts(), input: e.input.leads ?? 0 }, costMicros: 0,
    inputArtifactId: e.input.artifactId ?? null, outputArtifactId: null, outputVersion: 0, completedOnce: false, queuedAt: at, startedAt: null, completedAt: null,
    error: null, failures: {}, reasons: {}, warnings: {}, scoreSum: 0, heads: {}, retryAt: null, failedRetry: null, hasNext: false, version: 0,
  }
}

/** Changes the block as the event says. */
export function applyToBlock(b: BlockRow, type: string, data: Data, at: number) {
  const e = data as unknown as { attempt: number; provider: string; startedAtMicros: number; merged: Counts; retryCount: number; totalBlocks?: number; failure: Fault; retryAtMicros?: number }
  switch (type) {
    case 'block:queued':
      b.queuedAt = at
      b.attempt = Math.max(b.attempt, e.attempt)
      b.retryCount = e.retryCount
      b.totalBlocks = e.totalBlocks ?? b.totalBlocks
      return reset(b)
    case 'block:started':
      return void Object.assign(b, { status: 'running', attempt: e.attempt, provider: e.provider, startedAt: at, completedAt: null })
    case 'block:completed':
      Object.assign(b, { status: 'completed', attempt: e.attempt, provider: e.provider, startedAt: e.startedAtMicros, completedAt: at, error: null, retryAt: null, counts: { ...zeroCounts(), ...e.merged }, failedRetry: null, hasNext: false })
      report(b, data as unknown as Report)
      b.completedOnce = true
      return
    case 'block:failed': {
      const made = data as unknown as Report
      const { code, message, retryable } = e.failure
      Object.assign(b, { status: 'failed', attempt: e.attempt, provider: e.provider, startedAt: e.startedAtMicros, completedAt: at, error: { code, message, retryable }, retryAt: e.retryAtMicros ?? null, hasNext: made.next !== undefined && made.next !== null })
      if (b.completedOnce) {
        b.costMicros += made.costMicros
        b.failedRetry = { ...zeroCounts(), ...made.counts }
      } else {
        b.counts = { ...zeroCounts(), ...made.counts }
        report(b, made)
      }
      return
    }
    case 'block:retried':
      b.retryCount = e.retryCount
      return reset(b)
    case 'block:skipped':
      Object.assign(b, { status: 'skipped', completedAt: at, retryAt: null })
      if (b.failedRetry) {
        const retried = b.failedRetry
        b.counts.success += retried.success
        b.counts.noMatch += retried.noMatch
        b.counts.failed = Math.max(0, b.counts.failed - retried.input) + retried.failed
        b.counts.skipped += retried.skipped
        b.failedRetry = null
      }
      return
    case 'block:cancelled': {
      Object.assign(b, { status: 'cancelled', attempt: e.attempt, completedAt: at, retryAt: null })
      const made = reportOf(type, data)
      if (made && b.completedOnce) b.costMicros += made.costMicros
      else if (made) {
        b.counts = { ...zeroCounts(), ...made.counts }
        report(b, made)
      }
    }
  }
}

function reset(b: BlockRow) {
  Object.assign(b, { status: 'pending', startedAt: null, completedAt: null, error: null, retryAt: null, failedRetry: null })
  // A retry repeats all of a failed attempt; a completed block keeps its counts, and a retry adds to them.
  if (!b.completedOnce) Object.assign(b, { counts: { ...zeroCounts(), input: b.counts.input }, failures: {}, reasons: {}, warnings: {} })
}

function report(b: BlockRow, made: Report) {
  b.costMicros += made.costMicros
  b.failures = made.failures ?? {}
  b.reasons = made.reasons ?? {}
  if (b.completedOnce) {
    b.warnings = { ...b.warnings }
    add(b.warnings, made.warnings ?? {}, 1)
    b.scoreSum += made.scoreSum ?? 0
  } else {
    b.warnings = { ...made.warnings }
    b.scoreSum = made.scoreSum ?? 0
  }
}

/** Numbers an artifact that the block wrote, and tells which older one it replaces. */
export function addArtifact(b: BlockRow, made: NewArtifact): { number: number; supersedes: string | null } {
  const other = (older: string | null | undefined) => (older && older !== made.artifactId ? older : null)
  if (made.artifactType === OUTPUT[b.stage]) {
    b.outputVersion += 1
    const before = b.outputArtifactId
    b.outputArtifactId = made.artifactId
    // The second output of a completed block holds other leads than the first: both are valid.
    return { number: b.outputVersion, supersedes: b.completedOnce ? null : other(before) }
  }
  const before = b.heads[made.artifactType]
  const number = before ? before[1] + 1 : 1
  b.heads = { ...b.heads, [made.artifactType]: [made.artifactId, number] }
  return { number, supersedes: other(before?.[0]) }
}
