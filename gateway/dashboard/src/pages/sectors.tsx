// Sectors: which leads belong together, by state and SIC codes.
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { Page } from '../components/shell'
import { Button, Dialog, Empty, Field } from '../components/ui'
import { client, ok, type Schemas } from '../lib/api'
import { DASH } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { useMay } from '../lib/session'
import { fieldsOf, Paged, useCommand } from './paged'

type Sector = Schemas['Sector']

export function SectorsPage() {
  const navigate = useNavigate()
  const may = useMay('administer')
  const [edited, setEdited] = useState<Sector | 'new' | null>(null)
  useTitle('Sectors')
  return (
    <Page title="Sectors" actions={<Button kind="strong" disabled={!may} onClick={() => setEdited('new')}>New sector</Button>}>
      <section className="card">
        <Paged name={['sectors-page']} what="The sectors cannot be listed." caption="Sectors" id={(s: Sector) => s.sectorId} empty={<Empty title="No sectors">A lead gets a sector by its state and SIC code.</Empty>}
          load={async (cursor) => { const page = await ok(client.GET('/api/sectors', { params: { query: { limit: 50, cursor } } })); return { rows: page.sectors, next: page.nextCursor } }}
          columns={[
            { label: 'Sector', wide: true, render: (s) => <><b className="font-semibold">{s.name}</b><span className="mono block text-2xs! text-ink3">{s.slug}</span></> },
            { label: 'State', render: (s) => s.state ?? 'nationwide' },
            { label: 'SIC codes', wide: true, render: (s) => s.sicCodes.join(', ') || DASH },
            { label: 'Actions', right: true, render: (s) => <span className="inline-flex gap-1"><Button small onClick={() => navigate({ to: '/leads', search: { sector: s.sectorId } })}>Leads</Button><Button small onClick={() => navigate({ to: '/pipelines', search: { sector: s.sectorId } })}>Runs</Button><Button small disabled={!may} onClick={() => setEdited(s)}>Change</Button></span> },
          ]} />
      </section>
      {edited && <Edit sector={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />}
    </Page>
  )
}

function Edit({ sector, onClose }: { sector: Sector | null; onClose: () => void }) {
  const { run, busy } = useCommand()
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const { name, slug, state, sicCodes } = fieldsOf(event.currentTarget)
    const body = { name, state: state?.toUpperCase() ?? null, sicCodes: (sicCodes ?? '').split(/[\s,]+/).filter(Boolean), ...(slug && !sector && { slug }) }
    const done = await run({ method: sector ? 'PATCH' : 'POST', path: sector ? `/api/sectors/${sector.sectorId}` : '/api/sectors', body, done: sector ? 'The sector is changed.' : 'The sector is created.', stale: ['sectors', 'sectors-page'] })
    if (done) onClose()
  }
  return (
    <Dialog open onClose={onClose} title={sector ? sector.name : 'New sector'} look="modal narrow" footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" type="submit" form="sector" busy={busy}>Save</Button></>}>
      <form id="sector" onSubmit={submit} className="grid gap-3">
        <Field label="Name">{(ids) => <input {...ids} name="name" required maxLength={200} defaultValue={sector?.name} className="field" />}</Field>
        {!sector && <Field label="Slug" hint="Derived from the name if left empty; it never changes">{(ids) => <input {...ids} name="slug" maxLength={100} className="field" />}</Field>}
        <Field label="State" hint="Two letters; empty for nationwide">{(ids) => <input {...ids} name="state" maxLength={2} pattern="[A-Za-z]{2}" defaultValue={sector?.state ?? ''} className="field" />}</Field>
        <Field label="SIC codes" hint="Codes of four digits, or prefixes of two or three">{(ids) => <textarea {...ids} name="sicCodes" rows={3} defaultValue={sector?.sicCodes.join(', ')} className="field" />}</Field>
      </form>
    </Dialog>
  )
}
