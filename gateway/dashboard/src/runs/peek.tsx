// A run beside the list: its stages and newest blocks, without leaving.
import { Link } from '@tanstack/react-router'
import { Badge, Bar } from '../components/status'
import { Dialog, Problem, Skeleton } from '../components/ui'
import { count, money, provider, span, title, took } from '../lib/format'
import { useNow } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { durationOf } from '../lib/runs'
import { explain, type Waiting } from '../lib/waiting'
import { useRun } from '../run/use-run'

export function Peek({ runId, onClose }: { runId: string; onClose: () => void }) {
  const found = useRun(runId)
  const now = useNow()
  const zone = usePrefs((s) => s.zone)
  const run = found.data?.run
  const waiting = run?.waitingFor as Waiting | null | undefined
  return (
    <Dialog open onClose={onClose} title={run ? (run.sectorName ?? run.pipelineName ?? 'Run') : 'Run'} look="sheet" footer={<Link to="/pipelines/$runId" params={{ runId }} className="link">Open the run</Link>}>
      {found.error && <Problem error={found.error} what="The run cannot be read." onRetry={() => found.refetch()} />}
      {found.isPending && <Skeleton rows={7} />}
      {run && found.data && (
        <div className="grid gap-4">
          <p className="flex flex-wrap items-center gap-2"><Badge state={run.status} /><span className="text-ink2">{count(run.processedLeads)} / {count(run.totalLeads)} leads · {money(run.costMicros)} · {span(durationOf(run, now))}</span></p>
          <p className="mono text-ink3">{run.runId}</p>
          {waiting && <p data-state-of="paused" className="state rounded-md px-3 py-2">{explain(waiting, zone).text}</p>}
          <ol className="grid gap-3">
            {found.data.stages.map((s) => {
              const state = s.finished ? 'completed' : ((s.blocks as { failed?: number } | undefined)?.failed ?? 0) > 0 ? 'failed' : (s.metrics.inputCount ?? 0) > 0 || s.startedAt ? 'running' : 'pending'
              return (
                <li key={s.stage}>
                  <div className="flex items-center gap-2"><span className="font-medium">{title(s.stage)}</span><span className="text-2xs text-ink3">{provider(s.provider)}</span><span className="ml-auto text-xs text-ink2">{count(s.outputCount)} out · {count(s.metrics.failedCount)} failed</span><Badge state={state} size="sm" /></div>
                  <Bar state={state} percent={s.finished ? 100 : state === 'pending' ? 0 : 50} label={`${title(s.stage)}: ${state}`} className="mt-1" />
                </li>
              )
            })}
          </ol>
          <section>
            <h3 className="mb-1 text-xs font-semibold text-ink2">Newest blocks</h3>
            <ul>{found.data.blocks.slice(0, 8).map((b) => <li key={b.blockId} className="flex items-center gap-2 border-b border-line py-1.5"><span>{title(b.stageName)} {b.blockNumber}</span><span className="ml-auto text-xs text-ink2">{took(b.durationMs)}</span><Badge state={b.status} size="sm" /></li>)}</ul>
          </section>
        </div>
      )}
    </Dialog>
  )
}
