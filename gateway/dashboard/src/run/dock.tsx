// Time travel: the events over time, and a slider over their versions.
import clsx from 'clsx'
import { ChevronFirst, ChevronLast, Pause, Play, Radio, StepBack, StepForward } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { IconButton } from '../components/ui'
import type { RunEvent } from '../lib/api'
import { millis } from '../lib/format'
import { usePrefs } from '../lib/prefs'

const BINS = 120
const kind = (type: string) => (type.endsWith(':failed') ? 'failed' : type.startsWith('run:') ? 'skipped' : type.endsWith(':completed') ? 'completed' : 'queued')
const time = (e: RunEvent | undefined) => (e?.recordedAtMicros ?? 0) / 1000

type Props = { events: RunEvent[]; count: number; at: number | undefined; ended: boolean; onMove: (at: number | undefined) => void }

export function Dock({ events, count, at, ended, onMove }: Props) {
  const zone = usePrefs((s) => s.zone)
  const [playing, setPlaying] = useState(false)
  const [speed, setSpeed] = useState(10)
  const position = Math.min(at ?? count, count)
  const current = events[position - 1]
  // biome-ignore lint: `count` stands for the events, which are one growing list
  const bins = useMemo(() => {
    const all = Array.from({ length: BINS }, () => ({ n: 0, kind: 'queued' }))
    const [from, to] = [time(events[0]), time(events[count - 1])]
    for (let i = 0; i < count; i++) {
      const event = events[i]!
      const bin = all[Math.min(BINS - 1, Math.floor(((time(event) - from) / Math.max(1, to - from)) * BINS))]!
      bin.n += 1
      // A failure stays visible in a bin of many other events.
      if (bin.kind !== 'failed') bin.kind = kind(event.type)
    }
    return all
  }, [events, count])
  const most = Math.max(1, ...bins.map((b) => b.n))
  const x = current && count > 1 ? ((time(current) - time(events[0])) / Math.max(1, time(events[count - 1]) - time(events[0]))) * 100 : position ? 100 : 0
  const move = (to: number) => onMove(to >= count ? undefined : Math.max(0, to))
  const failure = (by: 1 | -1) => {
    for (let i = position - 1 + by; i >= 0 && i < count; i += by) if (events[i]!.type.endsWith(':failed')) return move(i + 1)
  }
  useEffect(() => {
    if (!playing) return
    if (position >= count) return setPlaying(false)
    const gap = Math.max(0, time(events[position]) - time(events[position - 1]))
    // Idle time is cut: no gap takes longer than a second.
    const timer = setTimeout(() => move(position + 1), Math.min(1000, Math.max(16, gap / speed)))
    return () => clearTimeout(timer)
  })
  const play = () => {
    if (!playing && position >= count) onMove(0)
    setPlaying(!playing)
  }
  const past = at !== undefined && at < count
  const value = current ? `Event ${position} of ${count}, ${current.type}, ${millis(current.recordedAt ?? '', zone).slice(0, 8)}` : 'Before the first event'
  return (
    <section id="dock" aria-label="Time travel" className={clsx('sticky bottom-0 z-20 border-t bg-surface max-md:bottom-14', past ? 'border-t-2 border-(--paused-solid)' : 'border-line')}>
      <div className="flex h-14 items-center gap-3 px-4 md:px-6">
        <div className="flex shrink-0 max-md:hidden">
          <IconButton className="size-7!" label="Previous failure" icon={ChevronFirst} onClick={() => failure(-1)} disabled={position === 0} />
          <IconButton className="size-7!" label="Previous event" icon={StepBack} onClick={() => move(position - 1)} disabled={position === 0} />
          <IconButton className="size-7!" label={playing ? 'Stop playing' : 'Play the run'} icon={playing ? Pause : Play} onClick={play} disabled={count === 0} />
          <IconButton className="size-7!" label="Next event" icon={StepForward} onClick={() => move(position + 1)} disabled={position >= count} />
          <IconButton className="size-7!" label="Next failure" icon={ChevronLast} onClick={() => failure(1)} disabled={position >= count} />
        </div>
        <div className="relative h-9 min-w-0 flex-1">
          <svg aria-hidden className="absolute inset-0 size-full" preserveAspectRatio="none" viewBox={`0 0 ${BINS} 36`}>
            <line x1="0" x2={BINS} y1="35.5" y2="35.5" stroke="var(--line)" vectorEffect="non-scaling-stroke" />
            {/* biome-ignore lint: a bin is its place */}
            {bins.map((b, i) => b.n > 0 && <rect key={i} x={i + 0.12} width={0.76} y={35 - Math.max(3, (b.n / most) * 32)} height={Math.max(3, (b.n / most) * 32)} fill={`var(--${b.kind}-solid)`} opacity={(i / BINS) * 100 <= x ? 1 : 0.3} />)}
          </svg>
          <span aria-hidden className="pointer-events-none absolute inset-y-0 w-0.5 -translate-x-1/2 bg-ink" style={{ left: `${x}%` }} />
          <input type="range" min={0} max={count} value={position} onChange={(e) => move(Number(e.target.value))} aria-label="Position in the history" aria-valuetext={value}
            onKeyDown={(e) => { if (e.key === 'PageUp' || e.key === 'PageDown') { e.preventDefault(); move(position + (e.key === 'PageDown' ? 10 : -10)) } }}
            className="peer absolute inset-0 size-full cursor-ew-resize opacity-0" />
          <span aria-hidden className="pointer-events-none absolute -inset-1 rounded peer-focus-visible:outline-2 peer-focus-visible:outline-accent" />
        </div>
        <div className="w-48 text-right text-xs max-lg:hidden"><div className="truncate font-medium">{current?.type ?? 'start'}</div><div className="mono text-2xs! text-ink3">#{position} of {count}{current ? ` · ${millis(current.recordedAt ?? '', zone)}` : ''}</div></div>
        <label className="max-lg:hidden"><span className="sr-only">Speed</span>
          <select value={speed} onChange={(e) => setSpeed(Number(e.target.value))} className="h-7 rounded-md border border-line px-1 text-xs">{[1, 10, 60].map((n) => <option key={n} value={n}>{n}×</option>)}</select>
        </label>
        <button type="button" id="live" data-state-of={past ? 'paused' : ended ? 'queued' : 'completed'} onClick={() => { setPlaying(false); onMove(past ? undefined : Math.max(0, count - 1)) }} className="state inline-flex min-h-7 shrink-0 items-center gap-1.5 rounded-md px-2.5 text-xs font-semibold max-md:min-h-11">
          {past ? <><Pause size={13} aria-hidden />Back to live</> : <><Radio size={13} aria-hidden />{ended ? 'Newest' : 'Live'}</>}
        </button>
      </div>
    </section>
  )
}
