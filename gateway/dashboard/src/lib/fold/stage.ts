// The sums and times of a stage.
import type { Stage } from '../api'
import { counted } from './block'
import { add, type Counts, output, zeroCounts } from './counts'
import type { Data, Report } from './events'
import type { BlockRow, StageRow } from './rows'

/** Adds the block to its stage's sums, or takes it out. */
export function tally(stage: StageRow, b: BlockRow, sign: 1 | -1) {
  stage.blocks[b.status] += sign
  stage.costMicros += sign * b.costMicros
  stage.scoreSum += sign * b.scoreSum
  if (counted(b)) for (const key of Object.keys(stage.counts) as (keyof Counts)[]) stage.counts[key] += sign * b.counts[key]
  add(stage.failures, b.failures, sign)
  add(stage.warnings, b.warnings, sign)
}

/** Updates when and where the stage works, and whether its input is exhausted. */
export function updateStageTimes(stage: StageRow, type: string, data: Data, before: BlockRow | undefined, at: number) {
  const e = data as unknown as { provider: string; startedAtMicros: number; stage: Stage }
  const started = (when: number) => {
    stage.firstStarted ??= when
    stage.started = Math.max(stage.started ?? when, when)
    stage.provider = e.provider
  }
  switch (type) {
    case 'block:queued':
      stage.queued = at
      break
    case 'block:started':
      started(at)
      break
    case 'block:completed': {
      const made = data as unknown as Report
      started(e.startedAtMicros)
      stage.settled = at
      if (output({ ...zeroCounts(), ...made.counts }) > 0) stage.passedOn += 1
      // A retry of an earlier block does not reach the end of the input.
      if (e.stage === 'import' && !before?.completedOnce) stage.exhausted = made.next === undefined || made.next === null
      break
    }
    case 'block:failed':
      started(e.startedAtMicros)
      stage.settled = at
      break
    case 'block:skipped':
      stage.settled = at
      if (before) {
        const skipped = before.completedOnce ? (before.failedRetry ?? zeroCounts()) : before.counts
        if (output(skipped) > 0) stage.passedOn += 1
        if (before.stage === 'import' && !before.completedOnce && !before.hasNext) stage.exhausted = true
      }
      break
    case 'block:cancelled':
      stage.settled = at
  }
}

export const totalOf = (b: StageRow['blocks']) => b.pending + b.running + b.completed + b.failed + b.skipped + b.cancelled
const openOf = (b: StageRow['blocks']) => b.pending + b.running + b.failed

/** Per stage: how many blocks it has in all, and whether it is finished. */
export function totals(stages: StageRow[]): [number | null, boolean][] {
  let expected: number | null = null
  return stages.map((stage, i) => {
    const own = totalOf(stage.blocks)
    const total: number | null = i === 0 ? (stage.exhausted && openOf(stage.blocks) === 0 ? own : null) : expected === null ? null : Math.max(expected, own)
    const finished = total !== null && openOf(stage.blocks) === 0 && own >= total
    expected = finished ? stage.passedOn : null
    return [total, finished]
  })
}

/** The first stage that is not finished, otherwise the last. */
export function current(stages: StageRow[]): Stage | null {
  const unfinished = totals(stages).findIndex(([, finished]) => !finished)
  return stages[unfinished < 0 ? stages.length - 1 : unfinished]?.stage ?? null
}
