// One lead through all stages: what is known, how it was scored and assigned, and each contact.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Page } from '../components/shell'
import { Badge } from '../components/status'
import { Card, Copy, Empty, Problem, Skeleton } from '../components/ui'
import { client, ok, type Schemas } from '../lib/api'
import { clock, DASH, title, words } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { useMay } from '../lib/session'
import { Tree } from '../run/events'
import { useSectors } from '../runs/use-runs'
import { LEAD_STATES } from './leads'
import { Paged, useCommand } from './paged'

type Known = { matchedBy?: string[]; phones?: { number: string; kind?: string; source?: string }[] }

export function LeadPage() {
  const { leadId } = useParams({ from: '/leads/$leadId' })
  const zone = usePrefs((s) => s.zone)
  const may = useMay('operate')
  const sectors = useSectors()
  const { run } = useCommand()
  const found = useQuery({ queryKey: ['lead', leadId], queryFn: () => ok(client.GET('/api/leads/{leadId}', { params: { path: { leadId } } })) })
  const lead = found.data
  const name = lead?.companyName ?? lead?.contactName ?? 'Lead'
  useTitle(name)
  if (found.error) return <Problem error={found.error} what="The lead cannot be read." onRetry={() => found.refetch()} />
  if (!lead) return <Skeleton rows={8} />
  const known = lead.lead as Known
  const rows: [string, React.ReactNode][] = [
    ['Contact', lead.contactName ?? DASH], ['Phone', lead.phone ?? DASH], ['E-mail', lead.email ?? DASH], ['State', lead.state ?? DASH], ['SIC', lead.sicCode ?? DASH],
    ['Sector', lead.sectorId ? <>{sectors.data?.sectors.find((s) => s.sectorId === lead.sectorId)?.name ?? lead.sectorId} <span className="text-ink3">by {words(lead.sectorRule)}, {lead.sectorConfidence ?? 0}% sure</span></> : DASH],
    ['From row', `${lead.row ?? DASH} of ${lead.rootInputId ?? DASH}`], ['Answered by', known.matchedBy?.join(', ') || DASH], ['Changed', clock(lead.updatedAt, zone)],
  ]
  const trace: [string, boolean, string][] = [
    ['Import', true, `row ${lead.row ?? DASH}`], ['Validate', true, 'accepted'],
    ['Enrich', !!known.matchedBy?.includes('apollo'), known.matchedBy?.includes('apollo') ? 'found by Apollo' : 'no match'],
    ['Skip trace', (known.matchedBy ?? []).some((p) => p !== 'apollo'), (known.matchedBy ?? []).filter((p) => p !== 'apollo').join(', ') || 'no match or not asked'],
    ['Score', lead.score !== null && lead.score !== undefined, lead.score === null || lead.score === undefined ? 'not scored' : `${lead.score} (${words(lead.priority)}) by ${lead.scoreProfile ?? DASH}`],
    ['Assign', !!lead.sectorId, lead.sectorId ? words(lead.sectorRule) : 'no sector'],
  ]
  return (
    <Page title={name} note={<span className="inline-flex items-center"><span className="mono">{lead.leadId}</span><Copy text={lead.leadId} label="Copy the lead id" /></span>}
      actions={<label className="flex items-center gap-2 text-xs text-ink2">Status<select className="field w-auto!" disabled={!may} value={lead.status} onChange={(e) => run({ method: 'PATCH', path: `/api/leads/${leadId}`, body: { status: e.target.value }, done: `Status: ${e.target.value}.`, stale: ['lead', 'leads'], ask: e.target.value === 'dnc' ? { title: `Never contact ${name} again?`, action: 'Do not contact', danger: true, text: 'Queued messages to it are cancelled when they are due; runs leave it out.' } : undefined })}>{Object.keys(LEAD_STATES).map((s) => <option key={s} value={s}>{s === 'dnc' ? 'Do not contact' : title(s)}</option>)}</select></label>}>
      <div className="grid gap-4 lg:grid-cols-2">
        <Card title="What is known"><dl className="grid grid-cols-[7rem_1fr] gap-y-1.5 p-4">{rows.map(([k, v]) => <div key={k} className="contents"><dt className="text-ink3">{k}</dt><dd className="min-w-0 break-words">{v}</dd></div>)}</dl></Card>
        <Card title="Through the stages"><ol className="p-4">{trace.map(([stage, did, what]) => <li key={stage} className="flex items-center gap-3 border-b border-line py-1.5 last:border-0"><Badge state={did ? 'completed' : 'skipped'} size="sm">{stage}</Badge><span className="text-ink2">{what}</span></li>)}</ol></Card>
        <Card title={`Score ${lead.score ?? DASH}`}><ul className="p-4">{(lead.scoreBreakdown ?? []).map((f) => <li key={f.factor} className="flex justify-between border-b border-line py-1 last:border-0"><span>{words(f.factor)}</span><b className="font-medium">+{f.points}</b></li>)}{!lead.scoreBreakdown?.length && <li className="text-ink2">Not scored yet.</li>}</ul></Card>
        <Card title="Phones and contacts"><ul className="p-4">{(known.phones ?? []).map((p) => <li key={p.number} className="flex justify-between border-b border-line py-1 last:border-0"><span className="mono">{p.number}</span><span className="text-ink3">{words(p.kind)}, from {words(p.source)}</span></li>)}{(lead.contacts as { contactId: string; firstName?: string; lastName?: string; title?: string }[]).map((c) => <li key={c.contactId} className="flex justify-between py-1"><span>{c.firstName} {c.lastName}</span><span className="text-ink3">{c.title}</span></li>)}</ul></Card>
        <Card title="Contact attempts" className="lg:col-span-2">
          <Paged name={['attempts', leadId]} what="The attempts cannot be listed." caption="Contact attempts" id={(a: Schemas['Attempt']) => a.attemptId} empty={<Empty title="Never contacted" />}
            load={async (cursor) => { const page = await ok(client.GET('/api/attempts', { params: { query: { leadId, limit: 50, cursor } } })); return { rows: page.attempts, next: page.nextCursor } }}
            columns={[
              { label: 'Channel', render: (a) => title(a.channel) }, { label: 'Number', right: true, render: (a) => a.attemptNumber }, { label: 'Context', render: (a) => words(a.context) },
              { label: 'Status', render: (a) => <>{title(a.status)}{a.errorMessage && <span className="block text-xs text-failed">{a.errorMessage}</span>}</> },
              { label: 'Answer', wide: true, render: (a) => a.responseText ?? DASH }, { label: 'Run', render: (a) => <Link className="link mono" to="/pipelines/$runId" params={{ runId: a.runId }}>…{a.runId.slice(-6)}</Link> },
              { label: 'Created', right: true, render: (a) => clock(a.createdAt, zone) },
            ]} />
        </Card>
        <Card title="As it is stored" className="lg:col-span-2"><div className="p-4"><Tree value={lead.lead} /></div></Card>
      </div>
    </Page>
  )
}
