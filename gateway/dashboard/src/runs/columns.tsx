// The columns of the list: what each shows, and how the server sorts by it.
import { Link } from '@tanstack/react-router'
import { Badge, StageStrip } from '../components/status'
import { Copy } from '../components/ui'
import type { Run } from '../lib/api'
import { ago, clock, count, DASH, money, perLead, provider, span, words } from '../lib/format'
import type { Prefs } from '../lib/prefs'
import { durationOf, useProgress } from '../lib/runs'
import { explain, type Waiting } from '../lib/waiting'

export type Context = { now: number; prefs: Prefs; compact: boolean }
export type RunColumn = { id: string; label: string; sort?: string; right?: boolean; width?: string; render: (run: Run, context: Context) => React.ReactNode }

function Progress({ run }: { run: Run }) {
  return <StageStrip run={run} progress={useProgress(run)} />
}

/** Where the run is, or why it does not go on. */
export function Where({ run, zone }: { run: Run; zone: Prefs['zone'] }) {
  const error = run.error as { code?: string; message?: string } | null | undefined
  if (run.status === 'failed') return <span className="line-clamp-2 text-failed" title={error?.message}>{error?.message ?? words(error?.code)}</span>
  const waiting = run.waitingFor as Waiting | null | undefined
  if (waiting && waiting.reason !== 'paused') return <span className="line-clamp-2 text-paused" title={explain(waiting, zone).text}>{waiting.reason === 'slot' ? 'waits for a slot' : waiting.reason === 'provider' || waiting.reason === 'provider_budget' ? `waits for ${provider(waiting.provider)}` : explain(waiting, zone).text}</span>
  if (waiting?.reason === 'paused' && waiting.because === 'budget') return <span className="text-paused">over its budget</span>
  return <>{words(run.currentStage)}</>
}

export const nameOf = (run: Run) => run.sectorName ?? run.pipelineName ?? 'Run'

export const COLUMNS: RunColumn[] = [
  { id: 'status', label: 'Status', sort: 'status', width: '128px', render: (run) => <Badge state={run.status} /> },
  {
    id: 'sector', label: 'Sector', sort: 'sector', render: (run, { compact }) => (
      <div className="min-w-0">
        <Link to="/pipelines/$runId" params={{ runId: run.runId }} className="quiet-link block truncate leading-6 font-semibold">{nameOf(run)}</Link>
        {!compact && <span className="flex items-center text-ink3"><span className="mono truncate text-2xs" title={run.runId}>run_…{run.runId.slice(-10)}</span><Copy text={run.runId} label={`Copy the id of ${nameOf(run)}`} /></span>}
      </div>
    ),
  },
  { id: 'stages', label: 'Stages', sort: 'progress', width: '232px', render: (run) => <Progress run={run} /> },
  { id: 'where', label: 'Now in', width: '15%', render: (run, { prefs }) => <Where run={run} zone={prefs.zone} /> },
  { id: 'leads', label: 'Leads', sort: 'processedLeads', right: true, width: '124px', render: (run) => <><b className="font-medium">{count(run.processedLeads)}</b> <span className="text-ink3">/ {count(run.totalLeads)}</span></> },
  { id: 'cost', label: 'Cost', sort: 'cost', right: true, width: '100px', render: (run, { compact }) => <>{run.costMicros ? money(run.costMicros) : DASH}{!compact && <span className="block text-2xs text-ink3">{perLead(run.costMicros, run.processedLeads)}</span>}</> },
  { id: 'started', label: 'Started', sort: 'started', right: true, width: '124px', render: (run, { now, prefs }) => (run.startedAt ? <time dateTime={run.startedAt} title={clock(run.startedAt, prefs.zone)}>{prefs.times === 'absolute' ? clock(run.startedAt, prefs.zone) : ago(run.startedAt, now)}</time> : DASH) },
  { id: 'time', label: 'Time', sort: 'completed', right: true, width: '76px', render: (run, { now }) => span(durationOf(run, now)) },
  { id: 'name', label: 'Pipeline', sort: 'name', width: '150px', render: (run) => run.pipelineName },
  { id: 'created', label: 'Created', sort: 'created', right: true, width: '124px', render: (run, { now, prefs }) => <time dateTime={run.createdAt} title={clock(run.createdAt, prefs.zone)}>{prefs.times === 'absolute' ? clock(run.createdAt, prefs.zone) : ago(run.createdAt, now)}</time> },
  { id: 'trigger', label: 'Trigger', width: '100px', render: (run) => words(run.triggerType) },
]

/** Columns that are not shown until they are chosen. */
export const OPTIONAL = ['name', 'created', 'trigger']

/** Columns for which a narrow window has no room. */
export const ROOMY = ['where', 'time']

/** The width in pixels below which the list scrolls sideways, so that the name of a run does not vanish. */
export const leastWidth = (columns: RunColumn[]) => columns.reduce((sum, c) => sum + (Number.parseInt(c.width?.endsWith('px') ? c.width : '112', 10)), 92)
