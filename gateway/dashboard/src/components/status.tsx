// States: always a word and a shape, then a colour.
import clsx from 'clsx'
import { Ban, Circle, CircleCheck, CircleDashed, CircleDot, CirclePause, CircleX, SkipForward } from 'lucide-react'
import type { Run } from '../lib/api'
import { count, title } from '../lib/format'

const ICONS: Record<string, typeof Circle> = {
  queued: CircleDashed, running: CircleDot, paused: CirclePause, completed: CircleCheck, failed: CircleX, cancelled: Ban, pending: Circle, skipped: SkipForward,
}

export function StateIcon({ state, size = 16 }: { state: string; size?: number }) {
  const Icon = ICONS[state] ?? Circle
  return <Icon size={size} strokeWidth={2.25} aria-hidden className={clsx('shrink-0 text-(--c)', state === 'running' && 'breathe')} data-state-of={state} />
}

export function Badge({ state, size = 'md', children }: { state: string; size?: 'sm' | 'md' | 'lg'; children?: React.ReactNode }) {
  const Icon = ICONS[state]
  return (
    <span data-state-of={state} className={clsx('state inline-flex items-center gap-1.5 rounded-full font-medium whitespace-nowrap', size === 'lg' ? 'px-3 py-1 text-sm' : 'px-2 py-0.5 text-xs')}>
      {Icon && <Icon size={size === 'lg' ? 16 : size === 'sm' ? 12 : 14} aria-hidden strokeWidth={2.25} className={state === 'running' ? 'breathe' : ''} />}
      {children ?? title(state)}
    </span>
  )
}

/** A bar that is filled to `percent`; striped where it failed. */
export function Bar({ state, percent, label, className }: { state: string; percent: number; label: string; className?: string }) {
  return (
    <span role="progressbar" aria-label={label} aria-valuenow={Math.round(percent)} aria-valuemin={0} aria-valuemax={100} data-state-of={state}
      className={clsx('block h-1 overflow-hidden rounded-full bg-raised', className)}>
      <span className={clsx('block h-full rounded-full bg-(--s)', state === 'failed' && 'hatch')} style={{ width: `${percent}%` }} />
    </span>
  )
}

type Strip = NonNullable<Run['stages']>

/** The share of the leads that a stage will get which it has settled. */
export function share(stages: Strip, index: number, totalLeads: number): number {
  const stage = stages[index]
  if (!stage) return 0
  if (stage.status === 'completed') return 100
  const expected = index === 0 ? totalLeads : (stages[index - 1]?.output ?? 0)
  return expected ? Math.min(100, (stage.input / expected) * 100) : 0
}

/** The state in which a stage of a run is drawn. */
export function stageState(run: Pick<Run, 'status'>, status: string): string {
  if (status === 'running' && run.status !== 'running') return run.status === 'completed' ? 'completed' : run.status === 'queued' ? 'pending' : run.status
  return status
}

/** The whole run in the width of one bar: a small bar a stage. */
export function StageStrip({ run, progress }: { run: Run; progress: number }) {
  const stages = run.stages ?? []
  const label = `Pipeline progress: ${progress}% complete, ${run.processedLeads} of ${run.totalLeads} leads`
  return (
    <span className="flex items-center gap-2">
      <span role="progressbar" aria-valuenow={progress} aria-valuemin={0} aria-valuemax={100} aria-label={label} className="flex h-2 w-full min-w-24 max-w-40 gap-[3px]">
        {stages.map((stage, i) => {
          const filled = share(stages, i, run.totalLeads)
          const state = stageState(run, stage.status)
          return (
            <span key={stage.stage} data-state-of={state} title={`${title(stage.stage)}: ${count(stage.input)} leads, ${count(stage.failed)} failed`} className="relative flex-1 overflow-hidden rounded-[2px] bg-raised shadow-[inset_0_0_0_1px_var(--line)]">
              <span className={clsx('absolute inset-y-0 left-0 bg-(--s)', state === 'failed' && 'hatch', state === 'running' && 'breathe')} style={{ width: `${filled}%` }} />
            </span>
          )
        })}
      </span>
      <span className="w-9 text-right text-xs text-ink2">{progress}%</span>
    </span>
  )
}
