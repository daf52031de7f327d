// All blocks, grouped by stage. Only the rows on screen are in the page, so that 30,000 blocks scroll.
import { useVirtualizer } from '@tanstack/react-virtual'
import clsx from 'clsx'
import { ChevronRight, CircleAlert, Download, RotateCcw, SkipForward, Square } from 'lucide-react'
import { memo, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { Badge } from '../components/status'
import { Button, Empty } from '../components/ui'
import type { Block, Run, StageSum } from '../lib/api'
import type { Fold } from '../lib/fold'
import { clock, count, counted, money, percent, provider, title, took, words } from '../lib/format'
import { useLive } from '../lib/live'
import { usePrefs } from '../lib/prefs'
import { useMay } from '../lib/session'

export type BlockAction = 'retry' | 'skip' | 'abort' | 'export'
type Row = { kind: 'stage'; sum: StageSum; blocks: Block[]; open: boolean } | { kind: 'block'; block: Block }

type Props = {
  run: Run
  stages: StageSum[]
  blocks: Block[]
  fold: Fold | null
  stage?: string
  chosen?: string
  past: boolean
  onAct: (action: BlockAction, block: Block) => void
  onEvent: (version: number) => void
  onArtifact: () => void
}

const failing = (b: Block) => b.status === 'failed' || (b.status === 'completed' && (b.metrics.failedCount ?? 0) > 0)
const active = (b: Block) => b.status === 'running' || b.status === 'failed'

export function Blocks(props: Props) {
  const { stages, blocks, stage, chosen } = props
  const [hideFinished, setHideFinished] = useState(false)
  const [toggled, setToggled] = useState<Record<string, boolean>>({})
  const [opened, setOpened] = useState<ReadonlySet<string>>(() => new Set(chosen ? [chosen] : []))
  const scroll = useRef<HTMLDivElement>(null)
  const rows = useMemo(() => {
    const all: Row[] = []
    const byStage = Map.groupBy(blocks, (b) => b.stageName)
    for (const sum of [...stages].reverse()) {
      if (stage && sum.stage !== stage) continue
      const of = byStage.get(sum.stage) ?? []
      if (of.length === 0 && !stage) continue
      const shown = hideFinished ? of.filter((b) => b.status !== 'completed' && b.status !== 'skipped') : of
      // Finished groups begin closed, unless they are asked for.
      const open = toggled[sum.stage] ?? (!!stage || of.some(active) || of.some((b) => b.blockId === chosen) || stages.every((s) => s.finished || s.stage === sum.stage))
      all.push({ kind: 'stage', sum, blocks: of, open })
      if (open) for (const block of [...shown].sort((a, b) => Number(active(b)) - Number(active(a)) || b.sequence - a.sequence)) all.push({ kind: 'block', block })
    }
    return all
  }, [stages, blocks, stage, hideFinished, toggled, chosen])
  const virtual = useVirtualizer({
    count: rows.length, getScrollElement: () => scroll.current, overscan: 10,
    estimateSize: (i) => (rows[i]?.kind === 'stage' ? 37 : 41),
    getItemKey: (i) => { const row = rows[i]!; return row.kind === 'stage' ? row.sum.stage : row.block.blockId },
  })
  const target = chosen ? rows.findIndex((r) => r.kind === 'block' && r.block.blockId === chosen) : -1
  // biome-ignore lint: only a new choice scrolls
  useEffect(() => { if (target >= 0) virtual.scrollToIndex(target, { align: 'center' }) }, [chosen])
  // biome-ignore lint: another stage begins at its top
  useEffect(() => { if (!chosen) scroll.current?.scrollTo({ top: 0 }) }, [stage])
  const flip = useCallback((id: string) => setOpened((old) => { const next = new Set(old); if (!next.delete(id)) next.add(id); return next }), [])
  return (
    <div>
      <div className="flex min-h-9 items-center gap-3 border-b border-line px-4 text-xs text-ink2">
        <span id="block-count">{counted(blocks.length, 'block')}{stage ? ` · ${title(stage)} only` : ''}</span>
        <label className="ml-auto flex items-center gap-2"><input type="checkbox" className="size-4" checked={hideFinished} onChange={(e) => setHideFinished(e.target.checked)} />Hide finished</label>
      </div>
      {rows.length === 0 ? <Empty title="No blocks yet">The run has not begun. Its first block appears here when a slot is free.</Empty> : (
        <div ref={scroll} id="blocks" tabIndex={0} role="group" aria-label="Blocks by stage" style={{ height: Math.min(560, virtual.getTotalSize()) }} className="overflow-y-auto rounded-b-[10px] outline-offset-[-2px]">
          <div className="relative" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const row = rows[item.index]!
              return (
                <div key={item.key} ref={virtual.measureElement} data-index={item.index} className="absolute inset-x-0 border-b border-line" style={{ transform: `translateY(${item.start}px)` }}>
                  {row.kind === 'stage' ? <StageRow {...row} onToggle={() => setToggled((old) => ({ ...old, [row.sum.stage]: !row.open }))} /> : <BlockRow {...props} block={row.block} open={opened.has(row.block.blockId)} onToggle={flip} />}
                </div>
              )
            })}
          </div>
        </div>
      )}
    </div>
  )
}

function StageRow({ sum, blocks, open, onToggle }: { sum: StageSum; blocks: Block[]; open: boolean; onToggle: () => void }) {
  const m = sum.metrics
  return (
    <button type="button" aria-expanded={open} onClick={onToggle} data-group={sum.stage} className="flex min-h-9 w-full items-center gap-2 bg-raised px-3 text-left text-xs max-md:min-h-11">
      <ChevronRight size={14} aria-hidden className={clsx('shrink-0 text-ink3 transition-transform', open && 'rotate-90')} />
      <span className="font-semibold">{title(sum.stage)}</span><span className="text-ink3">{provider(sum.provider)}</span>
      <span className="ml-auto truncate text-ink2">{sum.totalBlocks ? `${count(blocks.length)}/${counted(sum.totalBlocks, 'block')}` : counted(blocks.length, 'block')}<span className="max-sm:hidden"> · {count(m.inputCount)} in · {count(sum.outputCount)} out · {percent(m.hitRate)} hit · {money(sum.costMicros)}</span></span>
    </button>
  )
}

// Not drawn again in each frame in which the list scrolls.
const BlockRow = memo(function BlockRow({ run, block: b, fold, past, open, onToggle, onAct, onEvent, onArtifact }: Props & { block: Block; open: boolean; onToggle: (blockId: string) => void }) {
  const live = useLive((s) => s.blocks[b.blockId])
  const operate = useMay('operate')
  const m = b.metrics
  const done = b.status === 'running' && live && !past ? live.processed : (m.processedCount ?? 0)
  const input = m.inputCount || live?.total || 0
  return (
    <div data-block={b.blockId} data-status={b.status}>
      <button type="button" aria-expanded={open} onClick={() => onToggle(b.blockId)} className="flex min-h-10 w-full items-center gap-2 px-3 text-left hover:bg-raised max-md:min-h-11">
        <ChevronRight size={14} aria-hidden className={clsx('ml-2 shrink-0 text-ink3 transition-transform', open && 'rotate-90')} />
        <span className="text-xs text-ink3">Block {b.blockNumber}{b.totalBlocks ? `/${b.totalBlocks}` : ''}</span>
        <span className="font-medium max-sm:hidden">{title(b.stageName)}</span>
        <span className="truncate text-xs text-ink3 max-md:hidden">{provider(b.provider)}</span>
        {(b.attempt ?? 0) > 1 && <span className="text-2xs text-ink3">attempt {b.attempt}</span>}
        <span className="ml-auto text-xs text-ink2 max-sm:hidden">{count(done)} / {count(input)}</span>
        {failing(b) && <span className="text-xs text-failed">{count(m.failedCount)} failed</span>}
        <span className="w-14 text-right text-xs text-ink2 max-sm:hidden">{took(b.durationMs)}</span>
        <Badge state={b.status} size="sm" />
      </button>
      {open && (
        <div className="grid gap-3 px-4 pt-1 pb-4 md:pl-11">
          <Shares block={b} done={done} input={input} />
          <dl className="grid grid-cols-2 gap-x-6 gap-y-1 text-xs lg:grid-cols-4">
            {([['Input', `${count(input)} leads`], ['Succeeded', `${count(m.successCount)} (${percent(m.hitRate)} hit)`], ['No match', count(m.noMatchCount)], ['Failed', count(m.failedCount)], ['Skipped', count(m.skippedCount)], ['Cost', money(b.costMicros)], ['Attempt', `${b.attempt ?? 0}, ${b.retryCount ?? 0} retries`], ['Output', `${count(b.outputCount)} leads`]] as const).map(([k, v]) => <div key={k}><dt className="text-ink3">{k}</dt><dd className="font-medium">{v}</dd></div>)}
          </dl>
          <Tries fold={fold} block={b} onEvent={onEvent} />
          {failing(b) && (
            <div data-failure data-state-of="failed" className="state grid gap-1 rounded-lg border border-(--s) px-3 py-2">
              <p className="flex items-center gap-2 font-semibold"><CircleAlert size={15} aria-hidden />{headline(b)}</p>
              <p className="text-xs text-ink2">{b.error?.message as string | undefined}{reasonsOf(fold, b)}</p>
              <div className="mt-1 flex flex-wrap gap-2 text-ink">
                <Button small icon={RotateCcw} disabled={past || !operate} onClick={() => onAct('retry', b)}>Retry block</Button>
                {b.status === 'failed' && <Button small icon={SkipForward} disabled={past || !operate} onClick={() => onAct('skip', b)}>Skip and continue</Button>}
                {!run.completedAt && <Button small icon={Square} disabled={past || !operate} onClick={() => onAct('abort', b)}>Abort run</Button>}
                <Button small icon={Download} onClick={() => onAct('export', b)}>Export failed leads</Button>
              </div>
            </div>
          )}
          {(b.outputArtifactId || b.inputArtifactId) && <p className="text-xs"><button type="button" className="link min-h-6" onClick={onArtifact}>Artifacts</button></p>}
        </div>
      )}
    </div>
  )
})

const CODES: Record<string, string> = { RATE_LIMIT: 'Rate limited by', API_ERROR: 'No usable answer from', VALIDATION: 'Invalid data in', AUTH: 'Not accepted by', TIMEOUT: 'No answer in time from', INTERNAL: 'A fault of LUCI in' }
function headline(b: Block): string {
  const code = b.error?.code as string | undefined
  if (!code) return `${count(b.metrics.failedCount)} leads failed`
  return `${CODES[code] ?? words(code)} ${provider(b.provider) ?? title(b.stageName)}`
}

function reasonsOf(fold: Fold | null, b: Block): string {
  const reasons = Object.entries(fold?.blocks.get(b.blockId)?.reasons ?? {})
  return reasons.length ? ` ${reasons.map(([reason, n]) => `${words(reason)}: ${count(n)}`).join(' · ')}` : ''
}

/** One bar in three parts: succeeded, failed, not to be processed. */
function Shares({ block, done, input }: { block: Block; done: number; input: number }) {
  const m = block.metrics
  const share = (n: number | undefined) => `${input ? ((n ?? 0) / input) * 100 : 0}%`
  const running = block.status === 'running'
  return (
    <div role="img" aria-label={`${m.successCount ?? 0} succeeded, ${m.noMatchCount ?? 0} without a match, ${m.failedCount ?? 0} failed, ${m.skippedCount ?? 0} skipped of ${input}`} className="flex h-2 overflow-hidden rounded-full bg-raised">
      {running ? <span className="breathe" style={{ width: share(done), backgroundColor: 'var(--running-solid)' }} /> : (
        <>
          <span style={{ width: share(m.successCount), backgroundColor: 'var(--completed-solid)' }} />
          <span style={{ width: share(m.noMatchCount), backgroundColor: 'var(--queued-solid)' }} />
          <span className="hatch" style={{ width: share(m.failedCount), backgroundColor: 'var(--failed-solid)' }} />
          <span style={{ width: share(m.skippedCount), backgroundColor: 'var(--skipped-solid)' }} />
        </>
      )}
    </div>
  )
}

/** The newest event of the block, and when it was queued and started. */
function Tries({ fold, block, onEvent }: { fold: Fold | null; block: Block; onEvent: (version: number) => void }) {
  const zone = usePrefs((s) => s.zone)
  const row = fold?.blocks.get(block.blockId)
  if (!row) return null
  const queued = new Date(row.queuedAt / 1000).toISOString()
  const wait = row.startedAt === null ? null : (row.startedAt - row.queuedAt) / 1000
  return (
    <p className="flex flex-wrap gap-x-4 text-xs text-ink3">
      <span>queued {clock(queued, zone, 'time')}</span>
      {wait !== null && wait >= 0 && <span>waited {took(wait)}</span>}
      {row.retryAt !== null && <span className="text-paused">retried at {clock(new Date(row.retryAt / 1000).toISOString(), zone, 'time')}</span>}
      <button type="button" className="link min-h-6" onClick={() => onEvent(row.version)}>event #{row.version}</button>
    </p>
  )
}
