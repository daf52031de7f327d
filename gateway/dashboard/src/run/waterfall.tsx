// Blocks over time: pale while queued, solid while working. Time in which no block was active is cut.
import { useVirtualizer } from '@tanstack/react-virtual'
import { useMemo, useRef, useState } from 'react'
import { Empty } from '../components/ui'
import type { BlockRow, Fold } from '../lib/fold'
import { counted, title, took } from '../lib/format'

type Scale = { x: (micros: number) => number; cuts: { x: number; ms: number }[]; total: number }

/** Maps times to 0…100; gaps of more than a second and 4 % become narrow cuts. */
export function scaleOf(blocks: BlockRow[], now: number, cut: boolean): Scale {
  const spans = blocks.map((b): [number, number] => [b.queuedAt, Math.max(b.queuedAt, b.completedAt ?? now)]).sort((a, b) => a[0] - b[0])
  const start = spans[0]?.[0] ?? 0
  const end = Math.max(start + 1, ...spans.map((s) => s[1]))
  const gaps: [number, number][] = []
  let reached = start
  for (const [from, to] of spans) {
    if (cut && from - reached > Math.max(1e6, (end - start) * 0.04)) gaps.push([reached, from])
    reached = Math.max(reached, to)
  }
  const idle = gaps.reduce((sum, [a, b]) => sum + (b - a), 0)
  const each = gaps.length ? ((end - start - idle) * 0.03 || 1) : 0
  const length = end - start - idle + gaps.length * each
  const x = (micros: number) => {
    let at = micros - start
    for (const [a, b] of gaps) {
      if (micros >= b) at -= b - a - each
      else if (micros > a) at -= (micros - a) * (1 - each / (b - a))
    }
    return Math.min(100, Math.max(0, (at / length) * 100))
  }
  return { x, cuts: gaps.map(([a, b]) => ({ x: x(a), ms: (b - a) / 1000 })), total: (end - start) / 1000 }
}

export function Waterfall({ fold, stage, onBlock }: { fold: Fold; stage?: string; onBlock: (blockId: string) => void }) {
  const [cut, setCut] = useState(true)
  const [attempts, setAttempts] = useState(false)
  const scroll = useRef<HTMLDivElement>(null)
  // A fold is replaced and never changed once it was given out.
  const blocks = useMemo(() => [...fold.blocks.values()].filter((b) => (!stage || b.stage === stage) && (!attempts || b.attempt > 1 || b.retryCount > 0)).sort((a, b) => a.queuedAt - b.queuedAt || a.sequence - b.sequence), [fold, stage, attempts])
  const scale = useMemo(() => scaleOf(blocks, fold.recordedAt, cut), [blocks, fold, cut])
  const virtual = useVirtualizer({ count: blocks.length, getScrollElement: () => scroll.current, estimateSize: () => 26, overscan: 12 })
  return (
    <div>
      <div className="flex min-h-9 flex-wrap items-center gap-x-4 border-b border-line px-4 text-xs text-ink2">
        <span>{counted(blocks.length, 'block')} in {took(scale.total)}</span>
        <span className="flex items-center gap-1"><span aria-hidden className="h-2 w-4 rounded-[2px] bg-(--queued-bg) shadow-[inset_0_0_0_1px_var(--control)]" />queued</span>
        <span className="flex items-center gap-1"><span aria-hidden className="h-2 w-4 rounded-[2px] bg-(--completed-solid)" />working</span>
        {scale.cuts.length > 0 && <span>{scale.cuts.length} idle gaps cut: {scale.cuts.map((c) => took(c.ms)).slice(0, 3).join(', ')}</span>}
        <label className="ml-auto flex items-center gap-2"><input type="checkbox" className="size-4" checked={attempts} onChange={(e) => setAttempts(e.target.checked)} />Retried only</label>
        <label className="flex items-center gap-2"><input type="checkbox" className="size-4" checked={cut} onChange={(e) => setCut(e.target.checked)} />Cut idle gaps</label>
      </div>
      {blocks.length === 0 ? <Empty title="No blocks to draw" /> : (
        <div ref={scroll} id="waterfall" tabIndex={0} role="group" aria-label="Blocks over time" style={{ height: Math.min(560, virtual.getTotalSize() + 8) }} className="overflow-y-auto rounded-b-[10px] outline-offset-[-2px]">
          <div className="relative" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const b = blocks[item.index]!
              const queued = scale.x(b.queuedAt)
              const started = scale.x(b.startedAt ?? b.completedAt ?? fold.recordedAt)
              const end = scale.x(b.completedAt ?? fold.recordedAt)
              const label = `${title(b.stage)} ${b.blockNumber}: waited ${took(((b.startedAt ?? fold.recordedAt) - b.queuedAt) / 1000)}, worked ${b.startedAt === null ? '—' : took(((b.completedAt ?? fold.recordedAt) - b.startedAt) / 1000)}${b.attempt > 1 ? `, attempt ${b.attempt}` : ''}`
              return (
                <button key={b.blockId} type="button" title={label} onClick={() => onBlock(b.blockId)} className="absolute inset-x-0 flex h-6.5 items-center gap-2 px-4 text-left hover:bg-raised" style={{ transform: `translateY(${item.start}px)` }} data-state-of={b.status}>
                  <span className="w-24 shrink-0 truncate text-2xs text-ink2">{title(b.stage)} {b.blockNumber}</span>
                  <span className="relative h-3 min-w-0 flex-1">
                    {scale.cuts.map((c) => <span key={c.x} aria-hidden className="absolute inset-y-[-7px] w-px border-l border-dashed border-control" style={{ left: `${c.x}%` }} />)}
                    <span className="absolute inset-y-0.5 rounded-l-[2px] bg-(--queued-bg) shadow-[inset_0_0_0_1px_var(--control)]" style={{ left: `${queued}%`, width: `${Math.max(0, started - queued)}%` }} />
                    {b.startedAt !== null && <span className="absolute inset-y-0 rounded-[2px] bg-(--s)" style={{ left: `${started}%`, width: `max(2px, ${Math.max(0, end - started)}%)` }} />}
                  </span>
                  {b.attempt > 1 && <span className="text-2xs text-ink3">×{b.attempt}</span>}
                  <span className="sr-only">{b.status}</span>
                </button>
              )
            })}
          </div>
        </div>
      )}
    </div>
  )
}
