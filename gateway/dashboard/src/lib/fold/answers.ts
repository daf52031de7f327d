// Stages and blocks as the API shows them.
import type { Block, Run, StageSum } from '../api'
import { counted } from './block'
import { type Counts, hitRate, output, processed } from './counts'
import type { BlockRow, StageRow } from './rows'
import { totalOf } from './stage'

/** `2026-11-22T20:54:01.000123Z`, without zeros at the end of the fraction. */
export function rfc3339(micros: number | null): string | null {
  if (micros === null) return null
  const whole = new Date(Math.floor(micros / 1e6) * 1000).toISOString().slice(0, 19)
  const fraction = String(((micros % 1e6) + 1e6) % 1e6).padStart(6, '0').replace(/0+$/, '')
  return `${whole}${fraction ? `.${fraction}` : ''}Z`
}

/** A stage as the list of runs shows it. */
export function stageSummary(stage: StageRow, finished: boolean): NonNullable<Run['stages']>[number] {
  const status = finished ? 'completed' : stage.blocks.failed ? 'failed' : totalOf(stage.blocks) ? 'running' : 'pending'
  return { stage: stage.stage, status, input: stage.counts.input, output: output(stage.counts), failed: stage.counts.failed }
}

const metrics = (c: Counts) => ({ inputCount: c.input, processedCount: processed(c), successCount: c.success, noMatchCount: c.noMatch, failedCount: c.failed, skippedCount: c.skipped, hitRate: hitRate(c) })

export function stageAnswer(stage: StageRow, [totalBlocks, finished]: [number | null, boolean]): StageSum {
  return {
    stage: stage.stage, name: stage.name, provider: stage.provider, totalBlocks, blocks: { ...stage.blocks }, finished, metrics: metrics(stage.counts), outputCount: output(stage.counts),
    costMicros: stage.costMicros, failures: { ...stage.failures }, warnings: { ...stage.warnings }, startedAt: rfc3339(stage.firstStarted), completedAt: finished ? rfc3339(stage.settled) : null,
  }
}

export function blockAnswer(b: BlockRow, runId: string, stages: StageSum[], now: number): Block {
  const durationMs = b.startedAt === null ? null : Math.max(0, Math.trunc(((b.completedAt ?? now) - b.startedAt) / 1000))
  return {
    blockId: b.blockId, runId, blockNumber: b.blockNumber, totalBlocks: b.totalBlocks ?? stages.find((s) => s.stage === b.stage)?.totalBlocks ?? null, sequence: b.sequence,
    stageName: b.stage, provider: b.provider, status: b.status, attempt: b.attempt, retryCount: b.retryCount, retryOf: b.retryOf, metrics: metrics(b.counts),
    outputCount: counted(b) ? output(b.counts) : 0, costMicros: b.costMicros, inputArtifactId: b.inputArtifactId, outputArtifactId: b.outputArtifactId,
    startedAt: rfc3339(b.startedAt), completedAt: rfc3339(b.completedAt), durationMs, duration: durationMs === null ? null : Math.floor((durationMs + 50) / 100) / 10, error: b.error,
  }
}
