// Numbers and addresses that are never contacted.
import { Page } from '../components/shell'
import { Button, Card, Empty, Field } from '../components/ui'
import { client, ok, type Schemas } from '../lib/api'
import { clock, words } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { useMay } from '../lib/session'
import { fieldsOf, Paged, useCommand } from './paged'

const REASONS: Schemas['Suppression']['reason'][] = ['OPT_OUT', 'LEGAL_DNC', 'LITIGATOR', 'BLACKLIST', 'WRONG_NUMBER', 'INVALID_PHONE', 'COMPLIANCE_HOLD']
const reason = (r: string) => words(r.toLowerCase())

export function SuppressionsPage() {
  const zone = usePrefs((s) => s.zone)
  const may = useMay('administer')
  const { run, busy } = useCommand()
  useTitle('Suppressions')
  const add = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    if (await run({ method: 'POST', path: '/api/suppressions', body: fieldsOf(form), done: 'It is not contacted any more.', stale: ['suppressions'] })) form.reset()
  }
  return (
    <Page title="Suppressions" note="Never contacted, whatever a run says">
      <Card title="Add">
        <form onSubmit={add} className="flex flex-wrap items-end gap-3 p-4">
          <Field label="Kind">{(ids) => <select {...ids} name="kind" className="field"><option value="phone">Phone</option><option value="email">E-mail</option></select>}</Field>
          <Field label="Number or address">{(ids) => <input {...ids} name="value" required className="field" />}</Field>
          <Field label="Reason">{(ids) => <select {...ids} name="reason" className="field">{REASONS.map((r) => <option key={r} value={r}>{reason(r)}</option>)}</select>}</Field>
          <Button kind="strong" type="submit" disabled={!may} busy={busy}>Add</Button>
        </form>
      </Card>
      <section className="card">
        <Paged name={['suppressions']} what="The suppressions cannot be listed." caption="Suppressions" id={(s: Schemas['Suppression']) => `${s.kind}${s.value}`} empty={<Empty title="Nobody is suppressed">Opt-outs of recipients appear here by themselves.</Empty>}
          load={async (cursor) => { const page = await ok(client.GET('/api/suppressions', { params: { query: { limit: 50, cursor } } })); return { rows: page.suppressions, next: page.nextCursor } }}
          columns={[
            { label: 'Number or address', wide: true, render: (s) => <span className="mono">{s.value}</span> }, { label: 'Kind', render: (s) => s.kind }, { label: 'Reason', render: (s) => reason(s.reason) },
            { label: 'Source', render: (s) => s.source ?? '—' }, { label: 'Since', right: true, render: (s) => clock(s.createdAt, zone) }, { label: 'Until', right: true, render: (s) => (s.expiresAt ? clock(s.expiresAt, zone) : 'forever') },
            { label: 'Remove', right: true, render: (s) => s.removable === false ? <span className="text-ink3">permanent</span> : <Button small disabled={!may || busy} onClick={() => run({ method: 'POST', path: '/api/suppressions/remove', body: { kind: s.kind, value: s.value }, done: 'Removed.', stale: ['suppressions'], ask: { title: `Contact ${s.value} again?`, action: 'Remove', danger: true, text: `It was suppressed: ${reason(s.reason)}. Contacting a person who opted out can be against the law.` } })}>Remove</Button> },
          ]} />
      </section>
    </Page>
  )
}
