// Beside the blocks: throughput, cost, rates, time, providers. All of it is the state at the moment that is shown.
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { client, ok, type Run, type RunEvent, type StageSum } from '../lib/api'
import { clock, count, DASH, money, percent, provider, span, title } from '../lib/format'
import { useInterval } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { durationOf } from '../lib/runs'

type Props = { run: Run; stages: StageSum[]; scoreSum: number; events: RunEvent[]; version: number; past: boolean; now: number }

export function Metrics(props: Props) {
  return (
    <aside id="metrics" aria-label="Metrics" className="grid content-start gap-4 sm:grid-cols-2 xl:grid-cols-1">
      <Throughput {...props} />
      <Cost {...props} />
      <Rates {...props} />
      <Time {...props} />
      {!props.past && <Providers stages={props.stages} />}
    </aside>
  )
}

function Panel({ title, children }: { title: string; children: React.ReactNode }) {
  return <section className="card p-4"><h2 className="mb-1 text-xs font-semibold text-ink2">{title}</h2>{children}</section>
}

const Figures = ({ of }: { of: [string, React.ReactNode][] }) => <dl className="mt-2 grid grid-cols-2 gap-x-3 gap-y-2 text-xs">{of.map(([k, v]) => <div key={k} className="min-w-0"><dt className="text-ink3">{k}</dt><dd className="truncate text-base font-semibold">{v}</dd></div>)}</dl>

const BARS = 48

/** Leads a minute of the stage that settled most recently: stages are not mixed, their speeds differ by orders. */
function Throughput({ run, events, version, past, now }: Props) {
  const { stage, bars, rate } = useMemo(() => {
    const done = events.slice(Math.max(0, version - 4000), version).filter((e) => e.type === 'block:completed')
    const newest = (done.at(-1)?.data as { stage?: string } | undefined)?.stage
    const of = done.filter((e) => (e.data as { stage?: string }).stage === newest)
    const micros = (e: RunEvent | undefined) => e?.recordedAtMicros ?? 0
    const start = Math.min(...of.map((e) => (e.data as { startedAtMicros?: number }).startedAtMicros ?? micros(e)))
    const end = micros(of.at(-1))
    const bins = Array<number>(BARS).fill(0)
    let leads = 0
    for (const e of of) {
      const n = (e.data as { counts?: { input?: number } }).counts?.input ?? 0
      leads += n
      bins[Math.min(BARS - 1, Math.floor(((micros(e) - start) / Math.max(1, end - start)) * BARS))]! += n
    }
    return { stage: newest, bars: bins, rate: of.length && end > start ? (leads / (end - start)) * 60e6 : null }
  }, [events, version])
  const most = Math.max(1, ...bars)
  const idle = !past && !run.completedAt && events.length > 0 && now - Date.parse(events.at(-1)?.recordedAt ?? '') > 60_000
  return (
    <Panel title={stage ? `Throughput · ${title(stage)}` : 'Throughput'}>
      <p className="text-2xl font-semibold">{rate === null ? DASH : count(Math.round(rate))}<span className="ml-1 text-xs font-normal text-ink3">leads / min{idle ? ', idle now' : ''}</span></p>
      <svg role="img" aria-label={rate === null ? 'No throughput yet' : `Leads of ${title(stage)} over its time`} viewBox={`0 0 ${BARS * 4} 48`} preserveAspectRatio="none" className="mt-2 h-12 w-full">
        <line x1="0" x2={BARS * 4} y1="47.5" y2="47.5" stroke="var(--line)" vectorEffect="non-scaling-stroke" />
        {/* biome-ignore lint: a bar is its place */}
        {bars.map((n, i) => n > 0 && <rect key={i} x={i * 4} width={3} y={47 - (n / most) * 44} height={(n / most) * 44} fill="var(--running-solid)" />)}
      </svg>
    </Panel>
  )
}

function Cost({ run, stages }: Props) {
  const pushed = stages.find((s) => s.stage === 'push')?.metrics.successCount
  const budget = run.budgetMicros
  const share = budget ? Math.min(100, ((run.costMicros ?? 0) / budget) * 100) : 0
  const state = share >= 100 ? 'failed' : share >= 80 ? 'paused' : 'running'
  const paid = stages.filter((s) => s.costMicros)
  const most = Math.max(1, ...paid.map((s) => s.costMicros ?? 0))
  const projected = run.processedLeads && !run.completedAt ? ((run.costMicros ?? 0) / run.processedLeads) * run.totalLeads : null
  return (
    <Panel title="Cost">
      <p className="text-2xl font-semibold" id="cost">{money(run.costMicros)}<span className="ml-1 text-xs font-normal text-ink3">{budget ? `of ${money(budget)} budget` : 'no budget set'}</span></p>
      {budget ? <div role="progressbar" aria-label="Cost of the budget" aria-valuenow={Math.round(share)} aria-valuemin={0} aria-valuemax={100} data-state-of={state} className="my-2 h-1.5 overflow-hidden rounded-full bg-raised"><div className="h-full rounded-full bg-(--s)" style={{ width: `${share}%` }} /></div> : null}
      <Figures of={[['per processed lead', run.processedLeads ? `${((run.costMicros ?? 0) / 1e4 / run.processedLeads).toFixed(1)}¢` : DASH], ['per pushed lead', pushed ? `${((run.costMicros ?? 0) / 1e4 / pushed).toFixed(1)}¢` : DASH], ...(projected === null ? [] : [['projected', money(projected)] as [string, string]])]} />
      {paid.length > 0 && <ul className="mt-3 grid gap-1.5 text-xs">{paid.map((s) => <li key={s.stage} className="grid grid-cols-[1fr_auto] gap-x-2"><span className="truncate text-ink2">{title(s.stage)} · {provider(s.provider)}</span><span>{money(s.costMicros)}</span><span aria-hidden className="col-span-2 h-1 rounded-full bg-(--running-solid)" style={{ width: `${((s.costMicros ?? 0) / most) * 100}%` }} /></li>)}</ul>}
    </Panel>
  )
}

function Rates({ stages, scoreSum }: Props) {
  const of = (stage: string) => stages.find((s) => s.stage === stage)
  const rate = (stage: string) => ((of(stage)?.metrics.processedCount ?? 0) > 0 ? percent(of(stage)?.metrics.hitRate) : DASH)
  const scored = of('score')?.metrics.successCount ?? 0
  const sum = (pick: (s: StageSum) => number) => stages.reduce((n, s) => n + pick(s), 0)
  const warnings = sum((s) => Object.values((s.warnings ?? {}) as Record<string, number>).reduce((a, b) => a + b, 0))
  return <Panel title="Rates"><Figures of={[['Enrich hit rate', rate('enrich')], ['Skip-trace hit rate', rate('skip_trace')], ['Average score', scored ? (scoreSum / scored).toFixed(1) : DASH], ['Pushed', of('push')?.metrics.successCount ? count(of('push')?.metrics.successCount) : DASH], ['Failed leads', count(sum((s) => s.metrics.failedCount ?? 0))], ['Warnings', count(warnings)]]} /></Panel>
}

function Time({ run, past, now }: Props) {
  const zone = usePrefs((s) => s.zone)
  const interval = useInterval(5_000)
  const running = run.status === 'running' && !past
  const metrics = useQuery({ queryKey: ['run', run.runId, 'metrics'], enabled: running, refetchInterval: interval || 5_000, queryFn: () => ok(client.GET('/api/pipelines/{runId}/metrics', { params: { path: { runId: run.runId } } })) })
  const eta = running ? metrics.data?.estimatedCompletion : null
  return <Panel title="Time"><Figures of={[['Elapsed', span(durationOf(run, past ? Date.parse(run.startedAt ?? '') + (run.durationMs ?? 0) : now))], ['Ends about', eta ? `${clock(eta, zone, 'time')}` : DASH], ['Processed', `${count(run.processedLeads)}`], ['Of', count(run.totalLeads)]]} /></Panel>
}

const HEALTH: Record<string, string> = { ok: 'completed', limited: 'paused', broken: 'failed' }

function Providers({ stages }: { stages: StageSum[] }) {
  const zone = usePrefs((s) => s.zone)
  const interval = useInterval(15_000)
  const used = new Set(stages.map((s) => s.provider).filter(Boolean))
  const found = useQuery({ queryKey: ['providers'], refetchInterval: interval || 15_000, queryFn: () => ok(client.GET('/api/providers')) })
  const rows = found.data?.providers.filter((p) => used.has(p.provider)) ?? []
  if (rows.length === 0) return null
  return (
    <Panel title="Providers">
      <ul className="mt-1 grid gap-2 text-xs">
        {rows.map((p) => (
          <li key={p.provider} className="flex items-start gap-2" data-state-of={HEALTH[p.health.state]}>
            <span className="state rounded-full px-2 font-medium">{p.health.state}</span>
            <span className="min-w-0 flex-1"><b className="font-medium">{provider(p.provider)}</b><span className="block text-ink3">{count(p.health.calls)} calls, {count(p.health.limited)} limited, {count(p.health.errors)} errors in {p.health.minutes} min{p.health.until ? `, until ${clock(p.health.until, zone, 'time')}` : ''}</span></span>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
