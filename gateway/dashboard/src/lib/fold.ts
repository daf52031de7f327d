// The state of a run, folded from its events: the same fold as `runs::as_of` of projections/, checked by fixtures generated there.
import type { Artifact, Block, Run, RunEvent, Stage, StageSum } from './api'
import { STAGES } from './format'
import { waitingOf } from './waiting'

export type Counts = { input: number; success: number; noMatch: number; failed: number; skipped: number }
type Sums = Record<string, number>
export type BlockStatus = 'pending' | 'running' | 'completed' | 'failed' | 'skipped' | 'cancelled'
type Fault = { code: string; message: string; retryable: boolean }

export type BlockRow = {
  blockId: string
  blockNumber: number
  totalBlocks: number | null
  sequence: number
  stage: Stage
  provider: string | null
  status: BlockStatus
  attempt: number
  retryCount: number
  retryOf: string | null
  counts: Counts
  costMicros: number
  inputArtifactId: string | null
  outputArtifactId: string | null
  outputVersion: number
  completedOnce: boolean
  /** Microseconds since 1970. */
  queuedAt: number
  startedAt: number | null
  completedAt: number | null
  error: Fault | null
  failures: Sums
  reasons: Sums
  warnings: Sums
  scoreSum: number
  heads: Record<string, [string, number]>
  retryAt: number | null
  failedRetry: Counts | null
  hasNext: boolean
  version: number
}

export type StageRow = {
  stage: Stage
  name: string
  blocks: Record<BlockStatus, number>
  counts: Counts
  costMicros: number
  passedOn: number
  exhausted: boolean
  scoreSum: number
  failures: Sums
  warnings: Sums
  provider: string | null
  queued: number | null
  firstStarted: number | null
  started: number | null
  settled: number | null
}

export type RunRow = Omit<Run, 'waitingFor' | 'durationMs' | 'startedAt' | 'completedAt' | 'deletedAt' | 'createdAt' | 'error' | 'stages'> & {
  createdAt: number
  startedAt: number | null
  completedAt: number | null
  deletedAt: number | null
  error: (Record<string, unknown> & { code: string; message: string; at: number }) | null
  pause: { by: string; at: number; reason: string | null; missingMicros: number | null } | null
  failedBlock: { blockId: string; stage: Stage; blockNumber: number; code: string; retryAt: number | null } | null
  activeRuns: number
}

export type Detail = { run: Run; stages: StageSum[]; blocks: Block[]; artifacts: Artifact[]; scoreSum: number }

const none = (): Counts => ({ input: 0, success: 0, noMatch: 0, failed: 0, skipped: 0 })
const processed = (c: Counts) => c.success + c.noMatch + c.failed
const output = (c: Counts) => c.success + c.noMatch + c.skipped
const balanced = (c: Counts) => c.input === processed(c) + c.skipped
const settled = (status: BlockStatus) => status !== 'pending' && status !== 'running'
const counted = (b: BlockRow) => b.completedOnce || (settled(b.status) && balanced(b.counts))
/** Success over processed in percent, rounded to one decimal as Rust does. */
const hitRate = (c: Counts) => (processed(c) ? Math.floor((c.success * 1000 + Math.floor(processed(c) / 2)) / processed(c)) / 10 : 0)

const OUTPUT: Record<Stage, string> = { import: 'parsed', validate: 'validated', enrich: 'enriched', skip_trace: 'skip-traced', score: 'scored', assign: 'assigned', push: 'pushed' }

/** `2026-11-22T20:54:01.000123Z`, without zeros at the end of the fraction. */
export function rfc3339(micros: number | null): string | null {
  if (micros === null) return null
  const whole = new Date(Math.floor(micros / 1e6) * 1000).toISOString().slice(0, 19)
  const fraction = String(((micros % 1e6) + 1e6) % 1e6).padStart(6, '0').replace(/0+$/, '')
  return `${whole}${fraction ? `.${fraction}` : ''}Z`
}

type Data = Record<string, never> & {
  [key: string]: unknown
}
type Report = {
  counts: Counts
  failures?: Sums
  reasons?: Sums
  warnings?: Sums
  costMicros: number
  scoreSum?: number | null
  artifacts?: Made[]
  next?: unknown
}
type Made = { artifactId: string; artifactType: string; objectPath: string; mimeType: string; sizeBytes: number; checksum: string; leads: number; parentArtifactIds?: string[] }
type Totals = { processedLeads: number; progress: number; costMicros: number }

/** Folds events in order. A block is replaced and never changed, so that a copy of the map is a copy of the state. */
export class Fold {
  run: RunRow | null = null
  stages: StageRow[] = []
  blocks = new Map<string, BlockRow>()
  artifacts = new Map<string, Artifact>()
  recordedAt = 0

  copy(): Fold {
    const copy = new Fold()
    copy.run = this.run && { ...this.run }
    copy.stages = this.stages.map((s) => ({ ...s, blocks: { ...s.blocks }, counts: { ...s.counts }, failures: { ...s.failures }, warnings: { ...s.warnings } }))
    copy.blocks = new Map(this.blocks)
    copy.artifacts = new Map(this.artifacts)
    copy.recordedAt = this.recordedAt
    return copy
  }

  apply(event: RunEvent) {
    const data = event.data as Data
    this.recordedAt = event.recordedAtMicros ?? 0
    if (event.type === 'run:queued') return this.queued(event, data)
    const run = this.run
    if (!run) return
    run.version = event.version
    run.position = event.position
    if (event.type.startsWith('run:')) this.onRun(run, event, data)
    else if (event.type.startsWith('block:')) this.onBlock(run, event, data)
    else if (event.type === 'artifact:created') this.create(event, data as unknown as Made, null, 1)
  }

  private queued(event: RunEvent, data: Data) {
    const e = data as unknown as { stages: { name: string; stage: Stage }[]; totalLeads: number; activeRuns: number } & Record<string, string | number | undefined>
    const text = (name: string) => (e[name] as string | undefined) ?? null
    this.run = {
      runId: event.streamId ?? '', tenantId: event.tenantId ?? '', sectorId: text('sectorId'), sectorName: text('sectorName'),
      pipelineName: text('pipelineName') ?? '', blueprintId: text('blueprintId') ?? '', blueprintVersion: e.blueprintVersion as number,
      status: 'queued', progress: 0, currentStage: null, totalLeads: e.totalLeads, processedLeads: 0,
      createdAt: this.recordedAt, startedAt: null, completedAt: null, deletedAt: null,
      triggeredBy: text('triggeredBy') ?? '', triggerType: e.triggerType as Run['triggerType'], correlationId: event.correlationId ?? '',
      parentRunId: text('parentRunId'), replayedFromRunId: text('replayedFromRunId'), costMicros: 0,
      budgetMicros: (e.budgetMicros as number | undefined) ?? null, error: null, pause: null, failedBlock: null, activeRuns: e.activeRuns,
      version: event.version, position: event.position,
    }
    this.stages = e.stages.map(({ stage, name }) => ({
      stage, name, blocks: { pending: 0, running: 0, completed: 0, failed: 0, skipped: 0, cancelled: 0 }, counts: none(), costMicros: 0, passedOn: 0,
      exhausted: false, scoreSum: 0, failures: {}, warnings: {}, provider: null, queued: null, firstStarted: null, started: null, settled: null,
    }))
  }

  private onRun(run: RunRow, event: RunEvent, data: Data) {
    const e = data as unknown as { budgetMicros?: number; reason?: string; missingMicros?: number; error?: RunRow['error']; summary?: { totalLeads: number; processedLeads: number; costMicros: number } }
    const end = (status: Run['status']) => {
      run.status = status
      run.completedAt = this.recordedAt
      run.pause = null
      if (e.summary) Object.assign(run, { totalLeads: e.summary.totalLeads, processedLeads: e.summary.processedLeads, costMicros: e.summary.costMicros })
    }
    switch (event.type) {
      case 'run:started':
        run.status = 'running'
        run.startedAt = this.recordedAt
        run.currentStage = current(this.stages)
        break
      case 'run:paused':
        run.status = 'paused'
        run.pause = { by: event.actor ?? '', at: this.recordedAt, reason: e.reason ?? null, missingMicros: e.missingMicros ?? null }
        break
      case 'run:resumed':
        run.status = 'running'
        run.budgetMicros = e.budgetMicros ?? run.budgetMicros
        run.pause = null
        run.error = null
        run.completedAt = null
        break
      case 'run:completed':
        end('completed')
        run.progress = 100
        break
      case 'run:failed':
        end('failed')
        run.error = e.error ? { ...e.error, at: this.recordedAt } : null
        break
      case 'run:cancelled':
        end('cancelled')
        break
      case 'run:deleted':
        run.deletedAt = this.recordedAt
    }
  }

  private onBlock(run: RunRow, event: RunEvent, data: Data) {
    const e = data as unknown as { blockId: string; stage: Stage; totals?: Totals; failure?: Fault & { code: string }; retryAtMicros?: number; blockNumber: number }
    const sum = this.stages.find((s) => s.stage === e.stage)
    const before = this.blocks.get(e.blockId)
    if (!sum || (!before && event.type !== 'block:queued')) return
    if (before) tally(sum, before, -1)
    const block: BlockRow = before ? { ...before, counts: { ...before.counts } } : fresh(data, this.recordedAt)
    for (const made of reportOf(event.type, data)?.artifacts ?? []) {
      const { number, supersedes } = addArtifact(block, made)
      this.create(event, made, block, number)
      const older = supersedes && this.artifacts.get(supersedes)
      if (older) this.artifacts.set(older.artifactId, { ...older, supersededBy: made.artifactId })
    }
    change(block, event.type, data, this.recordedAt)
    block.version = event.version
    this.blocks.set(block.blockId, block)
    tally(sum, block, 1)
    note(sum, event.type, data, before, this.recordedAt)
    if (run.failedBlock?.blockId === e.blockId) run.failedBlock = null
    if (e.totals) Object.assign(run, { processedLeads: e.totals.processedLeads, progress: e.totals.progress, costMicros: e.totals.costMicros })
    if (event.type === 'block:failed') run.failedBlock ??= { blockId: e.blockId, stage: e.stage, blockNumber: e.blockNumber, code: e.failure?.code ?? '', retryAt: e.retryAtMicros ?? null }
    run.currentStage = current(this.stages)
  }

  private create(event: RunEvent, made: Made, block: BlockRow | null, version: number) {
    const stage = (event.data as { stage?: Stage }).stage
    this.artifacts.set(made.artifactId, {
      artifactId: made.artifactId, runId: this.run?.runId ?? '', blockId: block?.blockId ?? null, artifactType: made.artifactType, objectPath: made.objectPath,
      mimeType: made.mimeType, sizeBytes: made.sizeBytes, checksum: made.checksum, version, supersededBy: null, parentArtifactIds: made.parentArtifactIds ?? [],
      metadata: stage ? { leads: made.leads, stage } : { leads: made.leads }, createdAt: rfc3339(this.recordedAt) ?? '', expiredAt: null,
    })
  }

  /** The run as the API shows it; blocks and artifacts newest first, all of them. */
  detail(): Detail | null {
    const row = this.run
    if (!row) return null
    const all = totals(this.stages)
    const stages = this.stages.map((sum, i) => stageAnswer(sum, all[i]!))
    const now = this.recordedAt
    const blocks = [...this.blocks.values()].sort((a, b) => b.sequence - a.sequence).map((b) => blockAnswer(b, row.runId, stages, now))
    const artifacts = [...this.artifacts.values()].sort((a, b) => (a.artifactId < b.artifactId ? 1 : -1))
    const { pause: _pause, failedBlock: _failed, activeRuns: _active, ...rest } = row
    const error = row.error && { code: row.error.code, message: row.error.message, stage: row.error.stage ?? null, blockId: row.error.blockId ?? null, retryable: row.error.retryable, details: row.error.details ?? {}, occurredAt: rfc3339(row.error.at) }
    const run: Run = {
      ...rest,
      createdAt: rfc3339(row.createdAt) ?? '', startedAt: rfc3339(row.startedAt), completedAt: rfc3339(row.completedAt), deletedAt: rfc3339(row.deletedAt),
      durationMs: row.startedAt === null ? null : Math.max(0, Math.trunc(((row.completedAt ?? now) - row.startedAt) / 1000)),
      error, waitingFor: waitingOf(row, this.stages, now), stages: this.stages.map((sum, i) => strip(sum, all[i]![1])),
    }
    return { run, stages, blocks, artifacts, scoreSum: this.stages.reduce((n, s) => n + s.scoreSum, 0) }
  }
}

function reportOf(type: string, data: Data): Report | null {
  if (type === 'block:completed' || type === 'block:failed') return data as unknown as Report
  return type === 'block:cancelled' ? ((data.report as Report | undefined) ?? null) : null
}

function fresh(data: Data, at: number): BlockRow {
  const e = data as unknown as { blockId: string; blockNumber: number; totalBlocks?: number; sequence: number; stage: Stage; attempt: number; retryCount: number; retryOf?: string; input: { kind: string; artifactId?: string; leads?: number } }
  return {
    blockId: e.blockId, blockNumber: e.blockNumber, totalBlocks: e.totalBlocks ?? null, sequence: e.sequence, stage: e.stage, provider: null, status: 'pending',
    attempt: e.attempt, retryCount: e.retryCount, retryOf: e.retryOf ?? null, counts: { ...none(), input: e.input.leads ?? 0 }, costMicros: 0,
    inputArtifactId: e.input.artifactId ?? null, outputArtifactId: null, outputVersion: 0, completedOnce: false, queuedAt: at, startedAt: null, completedAt: null,
    error: null, failures: {}, reasons: {}, warnings: {}, scoreSum: 0, heads: {}, retryAt: null, failedRetry: null, hasNext: false, version: 0,
  }
}

function change(b: BlockRow, type: string, data: Data, at: number) {
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
      Object.assign(b, { status: 'completed', attempt: e.attempt, provider: e.provider, startedAt: e.startedAtMicros, completedAt: at, error: null, retryAt: null, counts: { ...none(), ...e.merged }, failedRetry: null, hasNext: false })
      report(b, data as unknown as Report)
      b.completedOnce = true
      return
    case 'block:failed': {
      const made = data as unknown as Report
      const { code, message, retryable } = e.failure
      Object.assign(b, { status: 'failed', attempt: e.attempt, provider: e.provider, startedAt: e.startedAtMicros, completedAt: at, error: { code, message, retryable }, retryAt: e.retryAtMicros ?? null, hasNext: made.next !== undefined && made.next !== null })
      if (b.completedOnce) {
        b.costMicros += made.costMicros
        b.failedRetry = { ...none(), ...made.counts }
      } else {
        b.counts = { ...none(), ...made.counts }
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
        b.counts = { ...none(), ...made.counts }
        report(b, made)
      }
    }
  }
}

function reset(b: BlockRow) {
  Object.assign(b, { status: 'pending', startedAt: null, completedAt: null, error: null, retryAt: null, failedRetry: null })
  // A retry repeats all of a failed attempt; a completed block keeps its counts, and a retry adds to them.
  if (!b.completedOnce) Object.assign(b, { counts: { ...none(), input: b.counts.input }, failures: {}, reasons: {}, warnings: {} })
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

function addArtifact(b: BlockRow, made: Made): { number: number; supersedes: string | null } {
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

function add(sums: Sums, share: Sums, sign: 1 | -1) {
  for (const [key, n] of Object.entries(share)) {
    const sum = (sums[key] ?? 0) + sign * n
    if (sum === 0 && sign < 0) delete sums[key]
    else sums[key] = sum
  }
}

function tally(sum: StageRow, b: BlockRow, sign: 1 | -1) {
  sum.blocks[b.status] += sign
  sum.costMicros += sign * b.costMicros
  sum.scoreSum += sign * b.scoreSum
  if (counted(b)) for (const key of Object.keys(sum.counts) as (keyof Counts)[]) sum.counts[key] += sign * b.counts[key]
  add(sum.failures, b.failures, sign)
  add(sum.warnings, b.warnings, sign)
}

function note(sum: StageRow, type: string, data: Data, before: BlockRow | undefined, at: number) {
  const e = data as unknown as { provider: string; startedAtMicros: number; stage: Stage }
  const started = (when: number) => {
    sum.firstStarted ??= when
    sum.started = Math.max(sum.started ?? when, when)
    sum.provider = e.provider
  }
  switch (type) {
    case 'block:queued':
      sum.queued = at
      break
    case 'block:started':
      started(at)
      break
    case 'block:completed': {
      const made = data as unknown as Report
      started(e.startedAtMicros)
      sum.settled = at
      if (output({ ...none(), ...made.counts }) > 0) sum.passedOn += 1
      // A retry of an earlier block does not reach the end of the input.
      if (e.stage === 'import' && !before?.completedOnce) sum.exhausted = made.next === undefined || made.next === null
      break
    }
    case 'block:failed':
      started(e.startedAtMicros)
      sum.settled = at
      break
    case 'block:skipped':
      sum.settled = at
      if (before) {
        const skipped = before.completedOnce ? (before.failedRetry ?? none()) : before.counts
        if (output(skipped) > 0) sum.passedOn += 1
        if (before.stage === 'import' && !before.completedOnce && !before.hasNext) sum.exhausted = true
      }
      break
    case 'block:cancelled':
      sum.settled = at
  }
}

const totalOf = (b: StageRow['blocks']) => b.pending + b.running + b.completed + b.failed + b.skipped + b.cancelled
const openOf = (b: StageRow['blocks']) => b.pending + b.running + b.failed

/** Per stage: how many blocks it has in all, and whether it is finished. */
export function totals(stages: StageRow[]): [number | null, boolean][] {
  let expected: number | null = null
  return stages.map((sum, i) => {
    const own = totalOf(sum.blocks)
    const total: number | null = i === 0 ? (sum.exhausted && openOf(sum.blocks) === 0 ? own : null) : expected === null ? null : Math.max(expected, own)
    const finished = total !== null && openOf(sum.blocks) === 0 && own >= total
    expected = finished ? sum.passedOn : null
    return [total, finished]
  })
}

function current(stages: StageRow[]): Stage | null {
  const unfinished = totals(stages).findIndex(([, finished]) => !finished)
  return stages[unfinished < 0 ? stages.length - 1 : unfinished]?.stage ?? null
}

function strip(sum: StageRow, finished: boolean): NonNullable<Run['stages']>[number] {
  const status = finished ? 'completed' : sum.blocks.failed ? 'failed' : totalOf(sum.blocks) ? 'running' : 'pending'
  return { stage: sum.stage, status, input: sum.counts.input, output: output(sum.counts), failed: sum.counts.failed }
}

const metrics = (c: Counts) => ({ inputCount: c.input, processedCount: processed(c), successCount: c.success, noMatchCount: c.noMatch, failedCount: c.failed, skippedCount: c.skipped, hitRate: hitRate(c) })

function stageAnswer(sum: StageRow, [totalBlocks, finished]: [number | null, boolean]): StageSum {
  return {
    stage: sum.stage, name: sum.name, provider: sum.provider, totalBlocks, blocks: { ...sum.blocks }, finished, metrics: metrics(sum.counts), outputCount: output(sum.counts),
    costMicros: sum.costMicros, failures: { ...sum.failures }, warnings: { ...sum.warnings }, startedAt: rfc3339(sum.firstStarted), completedAt: finished ? rfc3339(sum.settled) : null,
  }
}

function blockAnswer(b: BlockRow, runId: string, stages: StageSum[], now: number): Block {
  const durationMs = b.startedAt === null ? null : Math.max(0, Math.trunc(((b.completedAt ?? now) - b.startedAt) / 1000))
  return {
    blockId: b.blockId, runId, blockNumber: b.blockNumber, totalBlocks: b.totalBlocks ?? stages.find((s) => s.stage === b.stage)?.totalBlocks ?? null, sequence: b.sequence,
    stageName: b.stage, provider: b.provider, status: b.status, attempt: b.attempt, retryCount: b.retryCount, retryOf: b.retryOf, metrics: metrics(b.counts),
    outputCount: counted(b) ? output(b.counts) : 0, costMicros: b.costMicros, inputArtifactId: b.inputArtifactId, outputArtifactId: b.outputArtifactId,
    startedAt: rfc3339(b.startedAt), completedAt: rfc3339(b.completedAt), durationMs, duration: durationMs === null ? null : Math.floor((durationMs + 50) / 100) / 10, error: b.error,
  }
}

/** Answers for any number of events: a copy of the state is kept at every `step` events, so that a jump is cheap. */
export class Replayer {
  private readonly copies: Fold[] = [new Fold()]
  private readonly events: RunEvent[]
  private readonly step: number
  private head = new Fold()
  private headAt = 0

  constructor(events: RunEvent[], step = 512) {
    this.events = events
    this.step = step
  }

  /** The state after the first `n` events. The result must not be changed. */
  at(n: number): Fold {
    const upTo = Math.min(n, this.events.length)
    if (upTo < this.headAt) {
      const copy = Math.min(Math.floor(upTo / this.step), this.copies.length - 1)
      this.head = this.copies[copy]!.copy()
      this.headAt = copy * this.step
    } else if (upTo > this.headAt) {
      this.head = this.head.copy()
    }
    while (this.headAt < upTo) {
      this.head.apply(this.events[this.headAt]!)
      this.headAt += 1
      if (this.headAt % this.step === 0 && this.copies.length === this.headAt / this.step) this.copies.push(this.head.copy())
    }
    return this.head
  }
}

export { STAGES }
