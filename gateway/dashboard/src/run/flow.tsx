// The stages as a line of buttons; between them a band whose height is the share of the leads that went on.
import clsx from 'clsx'
import { Fragment } from 'react'
import { Bar, StateIcon } from '../components/status'
import type { Run, StageSum } from '../lib/api'
import { count, money, provider, title, took } from '../lib/format'
import { useLive } from '../lib/live'

export function stateOf(run: Pick<Run, 'status'>, s: StageSum): string {
  const blocks = s.blocks as { running?: number; failed?: number; pending?: number; completed?: number; skipped?: number; cancelled?: number } | undefined
  const any = Object.values(blocks ?? {}).some((n) => n > 0)
  if (s.finished) return blocks?.skipped && !blocks.completed ? 'skipped' : 'completed'
  if (run.status === 'cancelled') return any ? 'cancelled' : 'pending'
  if (blocks?.failed) return 'failed'
  if (!any) return 'pending'
  return run.status === 'paused' ? 'paused' : 'running'
}

/** Leads that the stage gets: what the stage before put out, so far. */
function expected(stages: StageSum[], i: number, total: number) {
  return i === 0 ? total : (stages[i - 1]?.outputCount ?? 0)
}

type Props = { run: Run; stages: StageSum[]; selected?: string; past: boolean; onSelect: (stage: string | undefined) => void }

export function Flow({ run, stages, selected, past, onSelect }: Props) {
  const inBlocks = useLive((s) => s.blocks)
  const live = past ? 0 : Object.values(inBlocks).length
  return (
    <ol aria-label="Stages of the pipeline" className="flex flex-col md:flex-row md:items-center">
      {stages.map((s, i) => {
        const state = stateOf(run, s)
        const wanted = expected(stages, i, run.totalLeads)
        const input = s.metrics.inputCount ?? 0
        const failed = s.metrics.failedCount ?? 0
        const done = s.finished ? 100 : wanted ? Math.min(99, (input / wanted) * 100) : 0
        const before = stages[i - 1]
        const share = before && run.totalLeads ? Math.min(1, (before.outputCount ?? 0) / run.totalLeads) : 0
        const running = state === 'running' && !past
        const lost = i > 0 && run.totalLeads ? Math.min(1, failed / run.totalLeads) : 0
        const reasons = Object.entries((s.failures ?? {}) as Record<string, number>).map(([code, n]) => `${n} ${code.toLowerCase().replaceAll('_', ' ')}`)
        const by = provider(s.provider)
        const hint = [`${count(input)} in, ${count(s.outputCount)} out, ${count(failed)} failed`, `${money(s.costMicros)}`, s.startedAt && s.completedAt ? took(Date.parse(s.completedAt) - Date.parse(s.startedAt)) : '', ...reasons].filter(Boolean).join(' · ')
        return (
          <Fragment key={s.stage}>
            {before && (
              <li aria-hidden className="hidden min-w-1.5 flex-1 self-stretch md:block lg:min-w-3" data-edge={s.stage} data-share={share.toFixed(3)}>
                <svg className="size-full" preserveAspectRatio="none" viewBox="0 0 100 100">
                  {share > 0 ? (
                    <>
                      <rect x="0" width="100" y={50 - Math.max(1, share * 14)} height={Math.max(2, share * 28)} fill={running ? 'var(--running-bg)' : 'var(--completed-bg)'} />
                      <line x1="0" x2="100" y1="50" y2="50" stroke={running ? 'var(--running-solid)' : 'var(--completed-solid)'} strokeWidth="2" vectorEffect="non-scaling-stroke" strokeDasharray={running ? '6 10' : undefined} className={clsx(running && 'flowing')} />
                    </>
                  ) : <line x1="0" x2="100" y1="50" y2="50" stroke="var(--line)" vectorEffect="non-scaling-stroke" />}
                </svg>
              </li>
            )}
            <li className="relative md:w-0 md:min-w-[76px] md:grow-[8] lg:w-[92px] lg:shrink-0 lg:grow-0 xl:w-[132px]">
              <button type="button" title={hint} aria-pressed={selected === s.stage} data-stage={s.stage} data-state={state} onClick={() => onSelect(selected === s.stage ? undefined : s.stage)}
                className={clsx('grid min-h-11 w-full grid-cols-[20px_1fr_auto] items-center gap-x-3 rounded-none border-line px-1 py-2 text-left transition-colors hover:bg-raised max-md:border-b md:block md:rounded-lg md:border md:bg-surface md:px-1.5 lg:px-2 xl:px-3', selected === s.stage && 'ring-2 ring-accent')}>
                <span className="md:float-right"><StateIcon state={state} /></span>
                <span className="min-w-0">
                  <span className="text-xs font-semibold">{title(s.stage)}</span><span className="sr-only">, {state}. </span>
                  <span className="ml-2 text-2xs text-ink3 max-xl:md:hidden md:ml-0 md:block md:min-h-4">{by}</span>
                </span>
                <span className="block text-right text-base font-semibold md:mt-1 md:text-left">
                  {input || s.outputCount ? count(s.outputCount) : '—'}{wanted > 0 && (s.outputCount ?? 0) !== wanted && <span className="ml-1 text-2xs font-normal text-ink3">/ {count(wanted)}</span>}
                </span>
                <span className={clsx('col-start-2 col-end-4 block text-2xs md:min-h-4', failed ? 'text-failed' : 'text-ink3', !failed && 'max-md:hidden')}>{failed ? `−${count(failed)} failed` : state === 'pending' ? 'waiting' : live && running ? 'working' : 'no drops'}</span>
                <Bar state={state} percent={done} label={`${title(s.stage)}: ${Math.round(done)}%`} className="col-start-2 col-end-4 mt-1.5" />
              </button>
              {lost > 0 && <svg aria-hidden viewBox="0 0 40 10" preserveAspectRatio="none" className="absolute inset-x-0 top-full mx-auto hidden h-2.5 md:block" style={{ width: `${Math.max(6, lost * 100)}%` }}><path d="M0 0H40L20 10Z" fill="var(--failed-solid)" /></svg>}
            </li>
          </Fragment>
        )
      })}
    </ol>
  )
}
