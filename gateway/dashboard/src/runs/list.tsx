// The card with the list: toolbar, table or cards, selection, cursor, peek.
import { useNavigate } from '@tanstack/react-router'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import clsx from 'clsx'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { Badge } from '../components/status'
import { Button, Empty, Problem, Skeleton } from '../components/ui'
import type { Run } from '../lib/api'
import { ago, count, money } from '../lib/format'
import { useKeys, useLatest, useMedia, useNow, useCards } from '../lib/hooks'
import { onFrames } from '../lib/live'
import { usePrefs } from '../lib/prefs'
import { actionsOf, LABEL, rightFor, useRunCommand } from '../lib/runs'
import type { RunsSearch } from '../lib/search'
import { may, useSession } from '../lib/session'
import { RunCard } from './card'
import { COLUMNS, leastWidth, OPTIONAL, ROOMY } from './columns'
import { rememberOrder } from './neighbours'
import { Peek } from './peek'
import { RunRow } from './row'
import { Toolbar } from './toolbar'
import { DEFAULT_SORT, PAGE, useRuns } from './use-runs'

type Props = { search: RunsSearch; set: (change: Partial<RunsSearch>) => void; onStart?: () => void }

/** Holds the list as it was when the reader scrolled away from its top, and counts the runs that came since. */
function useHold(sort: string | undefined) {
  const [before, setBefore] = useState<string>()
  const [newer, setNewer] = useState(0)
  useEffect(() => {
    const scrolled = () => {
      if (window.scrollY > 240 && (sort ?? DEFAULT_SORT) === DEFAULT_SORT) setBefore((held) => held ?? new Date().toISOString())
      else if (window.scrollY < 80) release()
    }
    const release = () => {
      setBefore(undefined)
      setNewer(0)
    }
    window.addEventListener('scroll', scrolled, { passive: true })
    return () => window.removeEventListener('scroll', scrolled)
  }, [sort])
  useEffect(() => onFrames((frames) => setNewer((n) => n + frames.filter((f) => f.type === 'run:queued').length)), [])
  return { before, newer: before ? newer : 0 }
}

export function RunList({ search, set, onStart }: Props) {
  const navigate = useNavigate()
  const phone = useCards()
  const roomy = useMedia('(min-width: 1280px)')
  const prefs = usePrefs()
  const now = useNow()
  const session = useSession((s) => s.session)
  const run = useRunCommand()
  const compact = prefs.density === 'compact'
  const hold = useHold(search.sort)
  const [pages, setPages] = useState<number[]>([0])
  const { first, rows } = useRuns(search, pages, hold.before)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [everything, setEverything] = useState(false)
  const [cursor, setCursor] = useState(-1)
  const body = useRef<HTMLDivElement>(null)
  const [offset, setOffset] = useState(0)
  useLayoutEffect(() => setOffset(body.current?.offsetTop ?? 0), [])

  const height = phone ? 116 : compact ? 34 : 49
  const virtual = useWindowVirtualizer({ count: rows.total, estimateSize: useCallback(() => height, [height]), overscan: 12, scrollMargin: offset })
  useEffect(() => virtual.measure(), [height, virtual])
  const items = virtual.getVirtualItems()
  const from = Math.floor((items[0]?.index ?? 0) / PAGE)
  const to = Math.floor((items.at(-1)?.index ?? 0) / PAGE)
  useEffect(() => setPages(Array.from({ length: to - from + 1 }, (_, i) => from + i)), [from, to])
  // The page of a run goes to the next and previous run of this order.
  useEffect(() => rememberOrder(rows.loaded.map((r) => r.runId)), [rows.loaded])

  const columns = useMemo(() => COLUMNS.filter((c) => (roomy || !ROOMY.includes(c.id)) && !prefs.hidden.includes(c.id) && (!OPTIONAL.includes(c.id) || prefs.hidden.includes(`+${c.id}`))), [prefs.hidden, roomy])
  const sort = search.sort ?? DEFAULT_SORT
  const sortBy = (column: string) => set({ sort: sort === `-${column}` ? column : `-${column}` })
  const toggle = (id: string) => {
    setEverything(false)
    setSelected((old) => {
      const next = new Set(old)
      if (!next.delete(id)) next.add(id)
      return next
    })
  }
  const open = (r: Run) => navigate({ to: '/pipelines/$runId', params: { runId: r.runId } })
  const at = rows.at(cursor)
  const move = (by: number) => {
    const next = Math.max(0, Math.min(rows.total - 1, cursor + by))
    setCursor(next)
    virtual.scrollToIndex(next, { align: 'auto' })
  }
  useKeys({
    j: () => move(1), k: () => move(-1), ArrowDown: (e) => { e.preventDefault(); move(1) }, ArrowUp: (e) => { e.preventDefault(); move(-1) },
    Enter: () => at && open(at), x: () => at && toggle(at.runId), o: () => at && set({ peek: at.runId }), r: () => first.refetch(),
    p: () => at && (at.status === 'running' || at.status === 'queued' ? run('pause', at) : at.status === 'paused' ? run('resume', at) : undefined),
    n: (e) => { e.preventDefault(); onStart?.() }, f: (e) => { e.preventDefault(); document.getElementById('filter-text')?.focus() },
    '.': () => prefs.set({ density: compact ? 'comfortable' : 'compact' }),
    Escape: () => { setSelected(new Set()); setEverything(false) },
  })
  const menu = (r: Run) => [
    { label: 'Peek', onSelect: () => set({ peek: r.runId }), hint: 'o' },
    ...actionsOf(r).map((action) => ({ label: LABEL[action], danger: action === 'cancel' || action === 'delete', disabled: !may(session, rightFor(action)), onSelect: () => run(action, r) })),
  ]
  const context = useMemo(() => ({ now, prefs, compact }), [now, prefs, compact])
  const pick = (index: number, r: Run | undefined, target: HTMLElement) => {
    setCursor(index)
    if (r && !target.closest('a, button, input') && !getSelection()?.toString()) open(r)
  }
  const actions = useLatest({ pick, toggle, menu })
  const filtered = !!(search.status || search.sector || search.q || search.from || search.to)
  const loadedIds = rows.loaded.map((r) => r.runId)
  const all = loadedIds.length > 0 && loadedIds.every((id) => selected.has(id))

  return (
    <section className="card min-w-0" aria-label="Runs">
      <Toolbar search={search} set={set} total={rows.total} capped={rows.capped} selected={selected} everything={everything} onEverything={() => setEverything(true)} onDone={() => { setSelected(new Set()); setEverything(false) }} />
      {hold.newer > 0 && <div className="sticky top-14 z-20 grid h-0 place-items-center"><Button small kind="strong" className="rounded-full!" onClick={() => window.scrollTo({ top: 0 })}>{hold.newer} new {hold.newer === 1 ? 'run' : 'runs'} ↑</Button></div>}
      {first.error && !first.data && <Problem error={first.error} what="The runs cannot be listed." onRetry={() => first.refetch()} />}
      {first.isPending && <Skeleton rows={8} height={height} />}
      {first.data && rows.total === 0 && (filtered
        ? <Empty title="No runs match" action={<Button onClick={() => set({ status: undefined, sector: undefined, q: undefined, from: undefined, to: undefined, field: undefined })}>Clear the filter</Button>}>{search.status === 'failed' ? 'No run has failed.' : 'No run has all that the filter asks for.'}</Empty>
        : <Empty title="No runs yet" action={onStart && <Button kind="strong" onClick={onStart}>New run</Button>}>Import a CSV of leads. Its rows go through import, validation, enrichment, skip tracing, scoring and assignment, and become messages and calls.</Empty>)}
      <div ref={body} id="runs">
        {rows.total > 0 && !phone && (
          <div className="overflow-x-auto">
          <table aria-rowcount={rows.total + 1} style={{ minWidth: leastWidth(columns) }} className="w-full table-fixed border-collapse">
            <caption className="sr-only">Runs</caption>
            <thead>
              <tr className="border-b border-line">
                <th scope="col" className="w-11 pl-4 text-left"><input type="checkbox" className="size-4 align-middle" aria-label="Select all runs on screen" checked={all} onChange={() => { setEverything(false); setSelected(all ? new Set() : new Set(loadedIds)) }} /></th>
                {columns.map((c) => {
                  const mine = c.sort && (sort === c.sort || sort === `-${c.sort}`)
                  return (
                    <th key={c.id} scope="col" style={{ width: c.width }} aria-sort={mine ? (sort.startsWith('-') ? 'descending' : 'ascending') : undefined} className={clsx('h-9 px-2 text-xs font-medium text-ink2', c.right ? 'text-right' : 'text-left')}>
                      {c.sort ? <button type="button" onClick={() => sortBy(c.sort!)} className="inline-flex min-h-7 items-center gap-1 rounded hover:text-ink">{c.label}{mine && (sort.startsWith('-') ? <ArrowDown size={12} aria-hidden /> : <ArrowUp size={12} aria-hidden />)}</button> : c.label}
                    </th>
                  )
                })}
                <th scope="col" className="w-12"><span className="sr-only">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {(items[0]?.start ?? offset) > offset && <tr aria-hidden style={{ height: (items[0]?.start ?? offset) - offset }}><td colSpan={columns.length + 2} /></tr>}
              {items.map((item) => {
                const r = rows.at(item.index)
                const chosen = !!r && selected.has(r.runId)
                return <RunRow key={r?.runId ?? `row-${item.index}`} index={item.index} run={r} columns={columns} context={context} height={height} current={item.index === cursor} selected={chosen} checked={everything || chosen} actions={actions} />
              })}
              {virtual.getTotalSize() > (items.at(-1)?.end ?? 0) - offset && <tr aria-hidden style={{ height: Math.max(0, virtual.getTotalSize() - ((items.at(-1)?.end ?? offset) - offset)) }}><td colSpan={columns.length + 2} /></tr>}
            </tbody>
          </table>
          </div>
        )}
        {rows.total > 0 && phone && (
          <ul aria-label="Runs" className="relative" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => {
              const r = rows.at(item.index)
              return (
                <li key={r?.runId ?? `row-${item.index}`} data-run={r?.runId} className="absolute inset-x-0 border-b border-line" style={{ transform: `translateY(${item.start - offset}px)`, height }}>
                  {r && <RunCard run={r} now={now} menu={menu(r)} mayPause={may(session, 'operate')} onAction={(action) => run(action, r)} badge={<Badge state={r.status} />} line={<><span>{count(r.processedLeads)} / {count(r.totalLeads)} leads</span><span>{money(r.costMicros)}</span><span>{ago(r.startedAt ?? r.createdAt, now)}</span></>} />}
                </li>
              )
            })}
          </ul>
        )}
      </div>
      {search.peek && <Peek runId={search.peek} onClose={() => set({ peek: undefined })} />}
    </section>
  )
}
