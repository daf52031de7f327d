// Is everything up to date? The log, its followers, the servers, and the costs of the month.
import { useQuery } from '@tanstack/react-query'
import { Page } from '../components/shell'
import { Badge, Bar } from '../components/status'
import { Card, Problem, Records, Skeleton } from '../components/ui'
import { client, ok } from '../lib/api'
import { clock, count, DASH, money, span, title, words } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'

type Follower = { name: string; position: number; behind: number; held: boolean; failing: boolean; error?: string }
const ROLE: Record<string, string> = { projector: 'keeps the read tables', relay: 'publishes the log to NATS', clock: 'starts, retries and schedules', seals: 'signs the log', erasures: 'removes the data of erased people', 'object-scrub': 'compares stored objects with the log', 'object-sweep': 'removes objects that nothing names', retention: 'removes objects whose days are over' }
// These work by the clock and read no position of the log.
const BY_TIME = ['erasures', 'object-sweep', 'retention']
const follows = (f: Follower) => !BY_TIME.includes(f.name)

export function SystemPage() {
  const zone = usePrefs((s) => s.zone)
  useTitle('System')
  const found = useQuery({ queryKey: ['system'], refetchInterval: 2_000, queryFn: () => ok(client.GET('/api/system')) })
  const costs = useQuery({ queryKey: ['costs'], queryFn: () => ok(client.GET('/api/costs')) })
  const system = found.data
  return (
    <Page title="System" note={system && `LUCI ${system.version}, up ${span(system.uptimeMs)}`}>
      {found.isPending && <Skeleton />}
      {found.error && <Problem error={found.error} what="The system does not answer." onRetry={() => found.refetch()} />}
      {system && (
        <>
          <div className="grid gap-4 sm:grid-cols-2 xl:grid-cols-4">
            {([['State', system.status, system.status === 'ready' ? 'completed' : 'failed'], ['Postgres', system.postgres, system.postgres === 'up' ? 'completed' : 'failed'], ['NATS', system.nats, system.nats === 'up' ? 'completed' : 'failed']] as const).map(([name, text, state]) => <section key={name} className="card p-4"><h2 className="text-xs font-semibold text-ink2">{name}</h2><p className="mt-1"><Badge state={state} size="lg">{words(text)}</Badge></p></section>)}
            <section className="card p-4"><h2 className="text-xs font-semibold text-ink2">Log</h2><p className="text-2xl font-semibold">{count(system.head)}</p><p className="text-2xs text-ink3">events; started {clock(system.startedAt, zone)}</p></section>
          </div>
          {(system.troubles ?? []).length > 0 && <Problem error={new Error(system.troubles?.join('; '))} what="Roles that failed and wait for their restart:" />}
          <Card title="Followers of the log">
            <Records rows={(system.followers ?? []) as Follower[]} id={(f) => f.name} caption="Followers of the log" empty={null}
              columns={[
                { label: 'Follower', render: (f) => <><b className="font-semibold">{title(f.name)}</b><span className="block text-2xs text-ink3">{ROLE[f.name]}</span></> },
                { label: 'State', render: (f) => <Badge state={f.failing ? 'failed' : f.held ? 'completed' : 'paused'} size="sm">{f.failing ? 'failing' : f.held ? 'running' : 'no process has it'}</Badge> },
                { label: 'Position', right: true, render: (f) => follows(f) ? <>{count(f.position)} <span className="text-ink3">of {count(system.head)}</span></> : DASH },
                { label: 'Behind', right: true, render: (f) => follows(f) ? count(f.behind) : DASH },
                { label: 'Progress', wide: true, render: (f) => follows(f) && <Bar state={f.behind > 500 ? 'paused' : 'completed'} percent={system.head ? (f.position / system.head) * 100 : 100} label={`${f.name}: ${f.behind} events behind`} className="min-w-24" /> },
              ]} />
          </Card>
        </>
      )}
      {costs.data && (
        <Card title="Costs of this month">
          <div className="p-4"><p className="text-2xl font-semibold">{money(costs.data.costMicros)}<span className="ml-2 text-xs font-normal text-ink3">for {count(costs.data.runs)} runs</span></p>
            <ul className="mt-2 grid gap-2 text-xs sm:max-w-96">{Object.entries(costs.data.stages).map(([stage, micros]) => <li key={stage} className="grid grid-cols-[1fr_auto] gap-x-2"><span className="text-ink2">{title(stage)}</span><span>{money(micros)}</span><span aria-hidden className="col-span-2 h-1 rounded-full bg-(--running-solid)" style={{ width: `${(micros / Math.max(1, costs.data.costMicros)) * 100}%` }} /></li>)}</ul></div>
        </Card>
      )}
      <Card title="Check it yourself"><p className="p-4 text-ink2"><code className="mono">luci audit seals</code> checks the seals over the whole log, <code className="mono">luci audit drift</code> compares the read tables with it, <code className="mono">luci projections rebuild</code> rebuilds them.</p></Card>
    </Page>
  )
}
