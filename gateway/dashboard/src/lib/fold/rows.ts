// The folded state: what is kept of a run, its stages and its blocks.
import type { Artifact, Block, Run, Stage, StageSum } from '../api'
import type { Counts, Sums } from './counts'

export type BlockStatus = 'pending' | 'running' | 'completed' | 'failed' | 'skipped' | 'cancelled'
export type Fault = { code: string; message: string; retryable: boolean }

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
