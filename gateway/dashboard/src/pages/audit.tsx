// Who changed what in the configuration of the tenant. A run has its own history on its page.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Page } from '../components/shell'
import { Empty } from '../components/ui'
import { request, type Schemas } from '../lib/api'
import { clock, counted } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { Tree } from '../run/events'
import { Paged } from './paged'

type Change = Schemas['AuditPage']['events'][number]

export function AuditPage() {
  const zone = usePrefs((s) => s.zone)
  const search = useSearch({ from: '/audit' })
  const navigate = useNavigate({ from: '/audit' })
  useTitle('Audit log')
  const wanted = search.q?.toLowerCase()
  return (
    <Page title="Audit log" note="Changes of the configuration, newest first" actions={<input type="search" className="field w-64!" aria-label="Type, actor or id" placeholder="Type, actor or id" value={search.q ?? ''} onChange={(e) => navigate({ search: { q: e.target.value || undefined }, replace: true })} />}>
      <section className="card">
        <Paged name={['audit', wanted]} what="The audit log cannot be read." caption="Changes" id={(e: Change) => String(e.position)} empty={<Empty title="No changes found" />}
          load={async (cursor) => { const page = await request<Schemas['AuditPage']>('GET', `/api/audit?limit=100${cursor ? `&cursor=${cursor}` : ''}`); return { rows: wanted ? page.events.filter((e) => `${e.type} ${e.actor} ${e.streamId}`.toLowerCase().includes(wanted)) : page.events, next: page.nextCursor } }}
          columns={[
            { label: 'Position', right: true, render: (e) => <span className="mono">{e.position}</span> }, { label: 'At', render: (e) => clock(e.at, zone) }, { label: 'Change', render: (e) => <b className="font-semibold">{e.type}</b> },
            { label: 'By', wide: true, render: (e) => <span className="mono break-all">{e.actor}</span> }, { label: 'Of', wide: true, render: (e) => <span className="mono break-all">{e.streamId}</span> },
            { label: 'Data', wide: true, render: (e) => <details><summary className="min-h-6">{counted(Object.keys(e.data as object).length, 'field')}</summary><div className="text-left"><Tree value={e.data} open /></div></details> },
          ]} />
      </section>
    </Page>
  )
}
