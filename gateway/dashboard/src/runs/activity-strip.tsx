// Runs over time: a bar an hour. Dragging over it, or its two sliders, limits the list to that span.
import { useRef, useState } from 'react'
import { Button } from '../components/ui'
import type { Schemas } from '../lib/api'
import { clock, count } from '../lib/format'
import { usePrefs } from '../lib/prefs'

type Props = { activity?: Schemas['Activity']; from?: string; to?: string; onChange: (from: string | undefined, to: string | undefined) => void }

export function ActivityStrip({ activity, from, to, onChange }: Props) {
  const zone = usePrefs((s) => s.zone)
  const ref = useRef<SVGSVGElement>(null)
  const [drag, setDrag] = useState<[number, number] | null>(null)
  if (!activity) return <div className="card h-14" aria-hidden />
  const parts = activity.created.length
  const start = Date.parse(activity.from)
  const part = (Date.parse(activity.to) - start) / parts
  const most = Math.max(1, ...activity.created.map((n, i) => Math.max(n, (activity.completed[i] ?? 0) + (activity.failed[i] ?? 0))))
  const at = (i: number) => new Date(start + i * part).toISOString()
  const index = (event: React.PointerEvent) => {
    const box = ref.current?.getBoundingClientRect()
    return box ? Math.max(0, Math.min(parts - 1, Math.floor(((event.clientX - box.left) / box.width) * parts))) : 0
  }
  const chosen: [number, number] | null = drag ?? (from && to ? [Math.floor((Date.parse(from) - start) / part), Math.ceil((Date.parse(to) - start) / part) - 1] : null)
  const end = () => {
    if (!drag) return
    const [a, b] = [Math.min(...drag), Math.max(...drag)]
    setDrag(null)
    onChange(at(a), at(b + 1))
  }
  return (
    <section aria-label="Runs of the last 24 hours" className="card flex items-center gap-4 px-4 py-2 max-md:hidden">
      <svg ref={ref} role="img" aria-label={`${count(activity.created.reduce((a, b) => a + b, 0))} runs created in 24 hours`} viewBox={`0 0 ${parts * 10} 40`} preserveAspectRatio="none" className="h-10 min-w-0 flex-1 cursor-crosshair touch-none"
        onPointerDown={(e) => { e.currentTarget.setPointerCapture(e.pointerId); setDrag([index(e), index(e)]) }} onPointerMove={(e) => drag && setDrag([drag[0], index(e)])} onPointerUp={end} onPointerCancel={() => setDrag(null)}>
        <line x1="0" x2={parts * 10} y1="39.5" y2="39.5" stroke="var(--line)" vectorEffect="non-scaling-stroke" />
        {chosen && <rect x={Math.min(...chosen) * 10} width={(Math.abs(chosen[1] - chosen[0]) + 1) * 10} y={0} height={40} fill="var(--running-bg)" />}
        {activity.created.map((n, i) => {
          const done = ((activity.completed[i] ?? 0) / most) * 36
          const bad = ((activity.failed[i] ?? 0) / most) * 36
          return (
            // biome-ignore lint: a bar is its hour
            <g key={i}>
              <rect x={i * 10 + 1} width={3} y={39 - (n / most) * 36} height={(n / most) * 36} fill="var(--queued-solid)"><title>{`${clock(at(i), zone, 'time')}: ${n} created`}</title></rect>
              <rect x={i * 10 + 4} width={4} y={39 - done} height={done} fill="var(--completed-solid)"><title>{`${clock(at(i), zone, 'time')}: ${activity.completed[i]} completed`}</title></rect>
              <rect x={i * 10 + 4} width={4} y={39 - done - bad} height={bad} fill="var(--failed-solid)"><title>{`${clock(at(i), zone, 'time')}: ${activity.failed[i]} failed`}</title></rect>
            </g>
          )
        })}
      </svg>
      <div className="flex items-center gap-3 text-2xs text-ink2">
        {chosen ? (
          <><span>{clock(at(Math.max(0, Math.min(...chosen))), zone, 'time')} – {clock(at(Math.max(...chosen) + 1), zone, 'time')}</span><Button small kind="quiet" onClick={() => onChange(undefined, undefined)}>Clear</Button></>
        ) : (
          <><Key color="queued" text="created" /><Key color="completed" text="completed" /><Key color="failed" text="failed" /><span className="text-ink3">drag to filter</span></>
        )}
      </div>
    </section>
  )
}

const Key = ({ color, text }: { color: string; text: string }) => <span className="flex items-center gap-1"><span aria-hidden className="size-2 rounded-[2px]" style={{ backgroundColor: `var(--${color}-solid)` }} />{text}</span>
