// Four tiles: how many runs are in a state, and how many came to it in each of the last 24 hours. A tile toggles the filter.
import clsx from 'clsx'
import type { Schemas } from '../lib/api'
import { count } from '../lib/format'

type Tile = { label: string; state: string; status: string; bars: number[]; number: number; note: string }

function tiles(counts: Schemas['RunCounts'] | undefined, activity: Schemas['Activity'] | undefined): Tile[] {
  const of = (name: keyof Schemas['RunCounts']) => counts?.[name] ?? 0
  const sum = (bars: number[] | undefined) => (bars ?? []).reduce((a, b) => a + b, 0)
  const day = (bars: number[] | undefined) => `${count(sum(bars))} in 24 h`
  return [
    { label: 'Active', state: 'running', status: 'running,paused', bars: activity?.started ?? [], number: of('running') + of('paused'), note: of('paused') ? `${of('paused')} paused` : `${count(sum(activity?.started))} started in 24 h` },
    { label: 'Completed', state: 'completed', status: 'completed', bars: activity?.completed ?? [], number: of('completed'), note: day(activity?.completed) },
    { label: 'Failed', state: 'failed', status: 'failed', bars: activity?.failed ?? [], number: of('failed'), note: day(activity?.failed) },
    { label: 'Queued', state: 'queued', status: 'queued', bars: activity?.created ?? [], number: of('queued'), note: `${count(sum(activity?.created))} created in 24 h` },
  ]
}

export function Tiles({ counts, activity, status, onToggle }: { counts?: Schemas['RunCounts']; activity?: Schemas['Activity']; status?: string; onToggle: (status: string | undefined) => void }) {
  return (
    <div id="tiles" role="group" aria-label="Runs by status; select one to filter" className="grid grid-cols-2 gap-3 lg:grid-cols-4 lg:gap-4">
      {tiles(counts, activity).map((tile) => {
        const pressed = status === tile.status
        return (
          <button key={tile.label} type="button" data-state-of={tile.state} aria-pressed={pressed} onClick={() => onToggle(pressed ? undefined : tile.status)}
            className={clsx('card flex items-end justify-between gap-3 px-4 py-3 text-left transition-colors hover:bg-raised', pressed && 'border-(--s) ring-1 ring-(--s)')}>
            <span className="min-w-0">
              <span className="flex items-center gap-2 text-xs text-ink2"><span aria-hidden className="size-2 rounded-full bg-(--s)" />{tile.label}</span>
              <span className="mt-1 block text-3xl font-semibold">{counts ? count(tile.number) : '—'}</span>
              <span className="block truncate text-2xs text-ink3">{tile.note}</span>
            </span>
            <Bars bars={tile.bars} />
          </button>
        )
      })}
    </div>
  )
}

/** 24 bars, the last three at full strength. */
function Bars({ bars }: { bars: number[] }) {
  const most = Math.max(1, ...bars)
  return (
    <svg aria-hidden viewBox="0 0 96 36" className="h-9 w-24 shrink-0 max-md:hidden">
      {bars.map((n, i) => {
        const height = n ? Math.max(3, (n / most) * 34) : 1.5
        // biome-ignore lint: a bar is its hour
        return <rect key={i} x={i * 4} y={36 - height} width={3} height={height} fill="var(--s)" opacity={i >= bars.length - 3 ? 1 : 0.45} />
      })}
    </svg>
  )
}
