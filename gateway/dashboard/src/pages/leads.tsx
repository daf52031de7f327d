// The leads of the tenant, by sector, status and score.
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { Page } from '../components/shell'
import { Badge } from '../components/status'
import { Empty, Field } from '../components/ui'
import { client, ok, type Schemas } from '../lib/api'
import { DASH, title, words } from '../lib/format'
import { useTitle } from '../lib/hooks'
import type { ListSearch } from '../lib/search'
import { useSectors } from '../runs/use-runs'
import { Paged } from './paged'

export const LEAD_STATES: Record<Schemas['LeadStatus'], string> = { new: 'queued', contacted: 'running', qualified: 'paused', converted: 'completed', dnc: 'cancelled' }

export function LeadsPage() {
  const search = useSearch({ from: '/leads' })
  const navigate = useNavigate({ from: '/leads' })
  const sectors = useSectors()
  useTitle('Leads')
  const set = (change: Partial<ListSearch>) => navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const status = search.status as Schemas['LeadStatus'] | undefined
  const least = search.q ? Number(search.q) : undefined
  const sectorName = new Map(sectors.data?.sectors.map((s) => [s.sectorId, s.name]))
  return (
    <Page title="Leads">
      <section className="card">
        <div className="grid gap-3 border-b border-line p-4 sm:grid-cols-3">
          <Field label="Sector">{(ids) => <select {...ids} className="field" value={search.sector ?? ''} onChange={(e) => set({ sector: e.target.value || undefined })}><option value="">Any</option>{sectors.data?.sectors.map((s) => <option key={s.sectorId} value={s.sectorId}>{s.name}</option>)}</select>}</Field>
          <Field label="Status">{(ids) => <select {...ids} className="field" value={status ?? ''} onChange={(e) => set({ status: e.target.value || undefined })}><option value="">Any</option>{Object.keys(LEAD_STATES).map((s) => <option key={s} value={s}>{s === 'dnc' ? 'Do not contact' : title(s)}</option>)}</select>}</Field>
          <Field label="Score at least">{(ids) => <input {...ids} type="number" min="0" max="100" className="field" value={search.q ?? ''} onChange={(e) => set({ q: e.target.value || undefined })} />}</Field>
        </div>
        <Paged name={['leads', search]} what="The leads cannot be listed." caption="Leads" id={(l: Schemas['LeadEntry']) => l.leadId} empty={<Empty title="No leads">{search.sector || status || search.q ? 'No lead has all that the filter asks for.' : 'Leads come from imports and from the API.'}</Empty>}
          load={async (cursor) => { const page = await ok(client.GET('/api/leads', { params: { query: { limit: 50, cursor, sectorId: search.sector, status, minScore: least } } })); return { rows: page.leads, next: page.nextCursor } }}
          columns={[
            { label: 'Lead', wide: true, render: (l) => <Link to="/leads/$leadId" params={{ leadId: l.leadId }} className="quiet-link font-semibold">{l.companyName ?? l.contactName ?? l.leadId}</Link> },
            { label: 'Contact', render: (l) => l.contactName ?? DASH },
            { label: 'Phone', render: (l) => l.phone ?? DASH },
            { label: 'E-mail', render: (l) => <span className="break-all">{l.email ?? DASH}</span> },
            { label: 'State', render: (l) => l.state ?? DASH },
            { label: 'Sector', render: (l) => (l.sectorId ? (sectorName.get(l.sectorId) ?? DASH) : DASH) },
            { label: 'Score', right: true, render: (l) => <>{l.score ?? DASH}{l.priority && <span className="ml-1 text-2xs text-ink3">{words(l.priority)}</span>}</> },
            { label: 'Status', right: true, render: (l) => <Badge state={LEAD_STATES[l.status]} size="sm">{l.status === 'dnc' ? 'Do not contact' : title(l.status)}</Badge> },
          ]} />
      </section>
    </Page>
  )
}
