// The history of a run: every event, filtered in the browser, with an inspector that walks from cause to effect.
import { useVirtualizer } from '@tanstack/react-virtual'
import clsx from 'clsx'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { memo, type RefObject, useEffect, useMemo, useRef, useState } from 'react'
import { Button, Copy, Empty, IconButton, Problem } from '../components/ui'
import type { RunEvent } from '../lib/api'
import { parseFilter } from '../lib/event-filter'
import { count, millis, money, title, words } from '../lib/format'
import { useLatest, useSettled } from '../lib/hooks'
import { type Prefs, usePrefs } from '../lib/prefs'
import { eventHash } from '../lib/proof'
import type { History } from './use-run'

type Props = { history: History; shown: number; at?: number; stage?: string; chosen?: number; filter?: string; onFilter: (text: string | undefined) => void; onChoose: (version: number | undefined) => void; onTravel: (version: number) => void }

export function Events({ history, shown, at, stage, chosen, filter, onFilter, onChoose, onTravel }: Props) {
  const zone = usePrefs((s) => s.zone)
  const [text, setText] = useState(filter ?? '')
  const [newestFirst, setNewestFirst] = useState(false)
  const [follow, setFollow] = useState(at === undefined && chosen === undefined)
  const settled = useSettled(text)
  const scroll = useRef<HTMLDivElement>(null)
  // biome-ignore lint: only the typed text changes the address
  useEffect(() => { if (settled !== (filter ?? '')) onFilter(settled || undefined) }, [settled])
  const test = useMemo(() => parseFilter(settled), [settled])
  // biome-ignore lint: `shown` stands for the events, which are one growing list
  const rows = useMemo(() => {
    const keep = typeof test === 'function' ? history.events.filter((e) => test(e) && (!stage || (e.data as { stage?: string }).stage === stage)) : history.events
    return newestFirst ? [...keep].reverse() : keep === history.events ? [...keep] : keep
  }, [history, shown, test, stage, newestFirst])
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => 32, overscan: 12 })
  const last = newestFirst ? 0 : rows.length - 1
  useEffect(() => { if (follow && rows.length) virtual.scrollToIndex(last) }, [follow, rows.length, last, virtual])
  // biome-ignore lint: only a new choice scrolls
  useEffect(() => {
    const index = rows.findIndex((e) => e.version === (chosen ?? at))
    if (index >= 0) virtual.scrollToIndex(index, { align: 'auto' })
  }, [chosen, at])
  const event = chosen ? history.events[chosen - 1] : undefined
  const select = (e: RunEvent) => { setFollow(false); onChoose(e.version === chosen ? undefined : e.version) }
  const latestSelect = useLatest(select)
  const keyed = (e: React.KeyboardEvent) => {
    if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return
    e.preventDefault()
    const index = rows.findIndex((one) => one.version === chosen) + (e.key === 'ArrowDown' ? 1 : -1)
    const next = rows[Math.max(0, Math.min(rows.length - 1, index))]
    if (next) { setFollow(false); onChoose(next.version) }
  }
  return (
    <div>
      <div className="flex min-h-11 flex-wrap items-center gap-2 border-b border-line px-4 py-1">
        <input className="field min-w-40 max-w-96 flex-1" type="search" aria-label="Filter the events" placeholder="type:block.* failed:true -type:started /429/" value={text} onChange={(e) => setText(e.target.value)} />
        <span className="text-xs text-ink2" role="status">{typeof test === 'string' ? <span className="text-failed">{test}</span> : `${count(rows.length)} of ${count(history.head)}`}</span>
        {history.events.length < history.head && <span className="text-xs text-paused" role="status">fetching {count(history.head - history.events.length)} events…</span>}
        <span className="ml-auto flex items-center gap-1">
          <label className="flex items-center gap-2 text-xs"><input type="checkbox" className="size-4" checked={follow} onChange={(e) => setFollow(e.target.checked)} />Follow</label>
          <IconButton label={newestFirst ? 'Oldest first' : 'Newest first'} icon={newestFirst ? ArrowUp : ArrowDown} onClick={() => setNewestFirst(!newestFirst)} />
        </span>
      </div>
      {history.error !== null && <Problem error={history.error} what="Newer events cannot be read." onRetry={() => history.pull()} />}
      <div className={clsx('grid', event && 'lg:grid-cols-[1fr_360px]')}>
        {rows.length === 0 ? <Empty title="No events match" /> : (
          <div ref={scroll} id="events" tabIndex={0} role="log" aria-live="off" aria-label="Events" onKeyDown={keyed} onWheel={() => setFollow(false)} style={{ height: Math.min(560, virtual.getTotalSize()) }} className="min-h-40 overflow-y-auto outline-offset-[-2px]">
            <div className="relative" style={{ height: virtual.getTotalSize() }}>
              {virtual.getVirtualItems().map((item) => {
                const e = rows[item.index]!
                return <EventRow key={e.version} event={e} start={item.start} zone={zone} chosen={e.version === chosen} current={e.version === at} later={at !== undefined && e.version > at} select={latestSelect} />
              })}
            </div>
          </div>
        )}
        {event && <Inspector event={event} events={history.events} onChoose={onChoose} onTravel={onTravel} />}
      </div>
    </div>
  )
}

type EventRowProps = { event: RunEvent; start: number; zone: Prefs['zone']; chosen: boolean; current: boolean; later: boolean; select: RefObject<(event: RunEvent) => void> }

// Not drawn again in each frame in which the list scrolls.
const EventRow = memo(function EventRow({ event: e, start, zone, chosen, current, later, select }: EventRowProps) {
  return (
    <button type="button" data-version={e.version} aria-pressed={chosen} onClick={() => select.current(e)} className={clsx('absolute inset-x-0 flex h-8 items-center gap-3 px-4 text-left text-xs hover:bg-raised max-md:gap-2', (chosen || current) && 'bg-(--running-bg)', later && 'text-ink3')} style={{ transform: `translateY(${start}px)` }}>
      <span className="mono w-9 shrink-0 text-right text-ink3">{e.version}</span>
      <span className="mono w-24 shrink-0 text-ink3 max-sm:hidden">{millis(e.recordedAt ?? '', zone)}</span>
      <span className={clsx('w-32 shrink-0 truncate font-medium', e.type.endsWith(':failed') && 'text-failed')}>{e.type}</span>
      <span className="min-w-0 flex-1 truncate text-ink2">{summary(e)}</span>
      <span className="mono text-2xs! text-ink3 max-lg:hidden">{e.hash.slice(0, 8)}</span>
    </button>
  )
})

/** What an event says, in one line. */
export function summary(e: RunEvent): string {
  const d = e.data as Record<string, never> & { stage?: string; blockNumber?: number; attempt?: number; provider?: string; counts?: Record<string, number>; merged?: Record<string, number>; failure?: { message?: string }; summary?: { processedLeads?: number; costMicros?: number }; totalLeads?: number; pipelineName?: string; costMicros?: number; reason?: string; error?: { message?: string } }
  const block = d.stage ? `${title(d.stage)}${d.blockNumber ? ` ${d.blockNumber}` : ''}` : ''
  const parts = [block]
  const counts = d.merged ?? d.counts
  if (e.type === 'block:completed' && counts) parts.push(`${count(counts.success)} of ${count(counts.input)} succeeded`, counts.failed ? `${count(counts.failed)} failed` : '', d.costMicros ? money(d.costMicros) : '')
  if (e.type === 'block:started') parts.push(d.attempt && d.attempt > 1 ? `attempt ${d.attempt}` : '', d.provider ?? '')
  parts.push(d.failure?.message ?? '', d.error?.message ?? '')
  if (d.summary) parts.push(`${count(d.summary.processedLeads)} leads`, money(d.summary.costMicros))
  if (e.type === 'run:queued') parts.push(d.pipelineName ?? '', `${count(d.totalLeads)} leads`)
  if (d.reason) parts.push(words(d.reason))
  return parts.filter(Boolean).join(' · ')
}

function Inspector({ event, events, onChoose, onTravel }: { event: RunEvent; events: RunEvent[]; onChoose: (version: number | undefined) => void; onTravel: (version: number) => void }) {
  const [checked, setChecked] = useState<string | null>(null)
  // biome-ignore lint: another event was not checked
  useEffect(() => setChecked(null), [event.version])
  const cause = events.find((e) => e.eventId === event.causationId)
  const effects = events.filter((e) => e.causationId === event.eventId)
  const previous = events[event.version - 2]
  const verify = async () => {
    const own = (await eventHash(event)) === event.hash
    const linked = event.previousHash === (previous?.hash ?? '0'.repeat(64))
    setChecked(own && linked ? 'Its hash matches its bytes, and its previous hash the event before it.' : own ? 'Its previous hash is not that of the event before it.' : 'Its bytes do not match its hash.')
  }
  const link = (e: RunEvent) => <button key={e.version} type="button" className="link inline-flex min-h-6 items-center text-left" onClick={() => onChoose(e.version)}>#{e.version} {e.type}</button>
  return (
    <aside id="inspector" aria-label={`Event ${event.version}`} className="max-h-[560px] overflow-y-auto border-line bg-bg p-4 text-xs max-lg:border-t lg:border-l">
      <h2 className="flex items-center gap-2 text-sm font-semibold"><span className="flex-1">#{event.version} {event.type}</span><Button small onClick={() => onTravel(event.version)}>Go to this moment</Button></h2>
      <dl className="mt-3 grid grid-cols-[6.5rem_1fr] gap-x-3 gap-y-1.5 [&_dd]:min-w-0 [&_dd]:break-all [&_dt]:text-ink3">
        <dt>at</dt><dd className="mono">{event.recordedAt}</dd>
        <dt>actor</dt><dd className="mono">{event.actor}</dd>
        <dt>caused by</dt><dd>{cause ? <>{link(cause)}{causeOf(cause, events) && <span className="block pl-3 text-ink3">← {link(causeOf(cause, events)!)}</span>}</> : <span className="mono">{event.causationId ?? 'a command'}</span>}</dd>
        <dt>causes</dt><dd className="grid gap-1">{effects.length ? effects.slice(0, 20).map((e) => <span key={e.version}>{link(e)}{events.filter((x) => x.causationId === e.eventId).slice(0, 3).map((x) => <span key={x.version} className="block pl-3 text-ink3">→ {link(x)}</span>)}</span>) : 'nothing in this run'}</dd>
        <dt>command</dt><dd className="mono">{event.commandId}</dd>
        <dt>correlation</dt><dd className="mono">{event.correlationId}</dd>
        <dt>event id</dt><dd className="mono">{event.eventId}</dd>
        <dt>position</dt><dd className="mono">{event.position}</dd>
        <dt>schema</dt><dd className="mono">v{event.schemaVersion}</dd>
        <dt>hash</dt><dd className="mono">{event.hash}</dd>
        <dt>previous</dt><dd className="mono">{event.previousHash} {previous && link(previous)}</dd>
      </dl>
      <p className="mt-2 flex items-center gap-2"><Button id="verify-event" small onClick={verify}>Verify</Button><span role="status">{checked}</span></p>
      <h3 className="mt-4 mb-1 flex items-center font-semibold">Payload<Copy text={JSON.stringify(event.data, null, 2)} label="Copy the payload" /></h3>
      <Tree value={event.data} open />
    </aside>
  )
}

const causeOf = (event: RunEvent, events: RunEvent[]) => events.find((e) => e.eventId === event.causationId)

/** A value as a tree that can be folded. */
export function Tree({ value, name, open }: { value: unknown; name?: string; open?: boolean }) {
  const label = name !== undefined && <span className="text-ink3">{name}: </span>
  if (value === null || typeof value !== 'object') return <div className="mono break-all">{label}{JSON.stringify(value)}</div>
  const entries = Object.entries(value)
  if (entries.length === 0) return <div className="mono">{label}{Array.isArray(value) ? '[]' : '{}'}</div>
  return (
    <details open={open || entries.length < 6}>
      <summary className="mono min-h-6">{label}{Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`}</summary>
      <div className="border-l border-line pl-3">{entries.map(([key, item]) => <Tree key={key} name={key} value={item} />)}</div>
    </details>
  )
}
