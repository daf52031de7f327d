// The fold of the page against that of the projections. `FOLD_CASES` names a file that tests/page/fold.rs writes: events of
// random runs, and the details that Rust folds from them.
import { readFileSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import type { RunEvent } from '../src/lib/api'
import { Fold, Replayer } from '../src/lib/fold'

type Case = { events: RunEvent[]; expected: { at: number; detail: Record<string, unknown> & { artifacts: { artifactId: string }[]; blocks: { sequence: number }[] } }[] }

const path = process.env.FOLD_CASES
const ARTIFACTS = 50

/** Times with the same digits on both sides. */
const normal = (value: unknown): unknown => JSON.parse(JSON.stringify(value), (_, v) => (typeof v === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(v) ? `${v.slice(0, 19)}.${(v.slice(20, -1) || '0').padEnd(6, '0')}` : v))

it.skipIf(!path)('folds random runs as Rust does, forwards and backwards', () => {
  const cases = JSON.parse(readFileSync(path!, 'utf8')) as Case[]
  expect(cases.length).toBeGreaterThan(100)
  let compared = 0
  for (const { events, expected } of cases) {
    // A small step, so that copies of the state are used.
    const replayer = new Replayer(events, 16)
    for (const { at, detail } of expected) {
      const own = replayer.at(at).detail()!
      const { position: _, ...theirs } = detail
      expect(normal({ run: own.run, stages: own.stages, blocks: own.blocks, artifacts: own.artifacts.slice(0, ARTIFACTS) }), `after event ${at} of ${events.length}: ${events.slice(0, at).map((e) => e.type).join(' ')}`).toEqual(normal(theirs))
      compared += 1
    }
  }
  console.log(`${compared} moments of ${cases.length} runs are equal`)
}, 300_000)

/** Events of a run with 300 blocks. */
function longRun(): RunEvent[] {
  const events = [event(1, 'run:queued', { pipelineName: 'p', stages: [{ name: 'import', stage: 'import' }], totalLeads: 900, activeRuns: 4, triggerType: 'manual' }), event(2, 'run:started', {})]
  for (let n = 1; n <= 300; n++) {
    const id = { blockId: `block_${n}`, stage: 'import', blockNumber: n }
    events.push(event(events.length + 1, 'block:queued', { ...id, sequence: n, attempt: 0, retryCount: 0, input: { kind: 'source' } }))
    events.push(event(events.length + 1, 'block:completed', { ...id, attempt: 1, provider: 'internal', startedAtMicros: 1, merged: { input: 3, success: 3, noMatch: 0, failed: 0, skipped: 0 }, counts: { input: 3, success: 3, noMatch: 0, failed: 0, skipped: 0 }, costMicros: 2, totals: { processedLeads: n * 3, progress: 1, costMicros: n * 2 }, next: n < 300 ? {} : undefined }))
  }
  return events
}

const event = (version: number, type: string, data: object): RunEvent => ({ position: version, version, eventId: `ev_${version}`, type, data, metadata: {}, previousHash: '', hash: '', recordedAtMicros: version * 1_000_000, streamId: 'run_1' }) as RunEvent

it('jumps to any moment as a straight fold gets there', () => {
  const events = longRun()
  const replayer = new Replayer(events, 64)
  for (const at of [0, 1, 63, 64, 65, 602, 300, 128, 129, 1]) {
    const straight = new Fold()
    for (const one of events.slice(0, at)) straight.apply(one)
    expect(replayer.at(at).detail()).toEqual(straight.detail())
  }
  expect(replayer.at(602).detail()?.stages[0]).toMatchObject({ outputCount: 900, finished: true, totalBlocks: 300 })
})

it('folds few events for a jump to where it has been, in either direction', () => {
  const replayer = new Replayer(longRun(), 64)
  replayer.at(602)
  const apply = vi.spyOn(Fold.prototype, 'apply')
  for (const at of [1, 600, 130, 602]) {
    apply.mockClear()
    replayer.at(at)
    expect(apply.mock.calls.length, `to ${at}`).toBeLessThan(64)
  }
  apply.mockRestore()
})
