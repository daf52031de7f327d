// Folds events one by one.
import type { Artifact, Run, RunEvent, Stage } from '../api'
import { waitingOf } from '../waiting'
import { blockAnswer, rfc3339, stageAnswer, stageSummary } from './answers'
import { addArtifact, applyToBlock, fresh } from './block'
import { zeroCounts } from './counts'
import { type Data, type NewArtifact, reportOf, type Totals } from './events'
import type { BlockRow, Detail, Fault, RunRow, StageRow } from './rows'
import { current, tally, totals, updateStageTimes } from './stage'

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
    else if (event.type === 'artifact:created') this.create(event, data as unknown as NewArtifact, null, 1)
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
      stage, name, blocks: { pending: 0, running: 0, completed: 0, failed: 0, skipped: 0, cancelled: 0 }, counts: zeroCounts(), costMicros: 0, passedOn: 0,
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
    const e = data as unknown as { blockId: string; stage: Stage; totals?: Totals; failure?: Fault; retryAtMicros?: number; blockNumber: number }
    const stage = this.stages.find((s) => s.stage === e.stage)
    const before = this.blocks.get(e.blockId)
    if (!stage || (!before && event.type !== 'block:queued')) return
    if (before) tally(stage, before, -1)
    const block: BlockRow = before ? { ...before, counts: { ...before.counts } } : fresh(data, this.recordedAt)
    for (const made of reportOf(event.type, data)?.artifacts ?? []) {
      const { number, supersedes } = addArtifact(block, made)
      this.create(event, made, block, number)
      const older = supersedes && this.artifacts.get(supersedes)
      if (older) this.artifacts.set(older.artifactId, { ...older, supersededBy: made.artifactId })
    }
    applyToBlock(block, event.type, data, this.recordedAt)
    block.version = event.version
    this.blocks.set(block.blockId, block)
    tally(stage, block, 1)
    updateStageTimes(stage, event.type, data, before, this.recordedAt)
    if (run.failedBlock?.blockId === e.blockId) run.failedBlock = null
    if (e.totals) Object.assign(run, { processedLeads: e.totals.processedLeads, progress: e.totals.progress, costMicros: e.totals.costMicros })
    if (event.type === 'block:failed') run.failedBlock ??= { blockId: e.blockId, stage: e.stage, blockNumber: e.blockNumber, code: e.failure?.code ?? '', retryAt: e.retryAtMicros ?? null }
    run.currentStage = current(this.stages)
  }

  private create(event: RunEvent, made: NewArtifact, block: BlockRow | null, version: number) {
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
    const stages = this.stages.map((stage, i) => stageAnswer(stage, all[i]!))
    const now = this.recordedAt
    const blocks = [...this.blocks.values()].sort((a, b) => b.sequence - a.sequence).map((b) => blockAnswer(b, row.runId, stages, now))
    const artifacts = [...this.artifacts.values()].sort((a, b) => (a.artifactId < b.artifactId ? 1 : -1))
    const { pause: _pause, failedBlock: _failed, activeRuns: _active, ...rest } = row
    const error = row.error && { code: row.error.code, message: row.error.message, stage: row.error.stage ?? null, blockId: row.error.blockId ?? null, retryable: row.error.retryable, details: row.error.details ?? {}, occurredAt: rfc3339(row.error.at) }
    const run: Run = {
      ...rest,
      createdAt: rfc3339(row.createdAt) ?? '', startedAt: rfc3339(row.startedAt), completedAt: rfc3339(row.completedAt), deletedAt: rfc3339(row.deletedAt),
      durationMs: row.startedAt === null ? null : Math.max(0, Math.trunc(((row.completedAt ?? now) - row.startedAt) / 1000)),
      error, waitingFor: waitingOf(row, this.stages, now), stages: this.stages.map((stage, i) => stageSummary(stage, all[i]![1])),
    }
    return { run, stages, blocks, artifacts, scoreSum: this.stages.reduce((n, s) => n + s.scoreSum, 0) }
  }
}
