// Texts of messages, in versions.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Page } from '../components/shell'
import { Button, Dialog, Empty, Field, Problem, Records, Skeleton } from '../components/ui'
import { client, ok, type Schemas } from '../lib/api'
import { clock, title } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { useMay } from '../lib/session'
import { useCommand } from './paged'

const SAMPLE: Record<string, string> = { firstName: 'Elena', lastName: 'Schmidt', fullName: 'Elena Schmidt', company: 'Schmidt Foods', city: 'Austin', industry: 'retail' }
const rendered = (body: string) => body.replace(/\{(\w+)\}/g, (whole, name: string) => SAMPLE[name] ?? whole)

export function TemplatesPage() {
  const zone = usePrefs((s) => s.zone)
  const may = useMay('administer')
  const [edited, setEdited] = useState<string | null>(null)
  useTitle('Templates')
  const found = useQuery({ queryKey: ['templates'], queryFn: () => ok(client.GET('/api/templates')) })
  return (
    <Page title="Templates" actions={<Button kind="strong" disabled={!may} onClick={() => setEdited('new')}>New template</Button>}>
      <section className="card">
        {found.isPending && <Skeleton />}
        {found.error && <Problem error={found.error} what="The templates cannot be listed." onRetry={() => found.refetch()} />}
        {found.data && (
          <Records rows={found.data.templates} id={(t) => t.templateId} caption="Templates" empty={<Empty title="No templates of your own">Runs use the built-in texts until a blueprint names a template.</Empty>}
            columns={[
              { label: 'Template', wide: true, render: (t) => <button type="button" className="link font-medium" onClick={() => setEdited(t.templateId)}>{t.name}</button> },
              { label: 'Channel', render: (t) => title(t.channel) }, { label: 'Version', right: true, render: (t) => t.version }, { label: 'Changed', right: true, render: (t) => clock(t.updatedAt, zone) },
            ]} />
        )}
      </section>
      {edited && <Edit id={edited === 'new' ? null : edited} may={may} onClose={() => setEdited(null)} />}
    </Page>
  )
}

function Edit({ id, may, onClose }: { id: string | null; may: boolean; onClose: () => void }) {
  const { run, busy } = useCommand()
  const zone = usePrefs((s) => s.zone)
  const found = useQuery({ queryKey: ['template', id], enabled: !!id, queryFn: () => ok(client.GET('/api/templates/{templateId}', { params: { path: { templateId: id! } } })) })
  const [typed, setTyped] = useState<string>()
  const newest = found.data?.versions.reduce((a, b) => (b.version > a.version ? b : a))
  const body = typed ?? newest?.body ?? ''
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const sent: Schemas['NewTemplate'] = { name: String(form.get('name')), channel: (form.get('channel') ?? found.data?.template.channel ?? 'sms') as Schemas['Template']['channel'], body, ...(id && { templateId: id }) }
    if (await run({ method: 'POST', path: '/api/templates', body: sent, done: 'Published.', stale: ['templates', 'template'] })) onClose()
  }
  if (id && !found.data) return null
  return (
    <Dialog open onClose={onClose} title={found.data?.template.name ?? 'New template'} footer={<><Button onClick={onClose}>Close</Button><Button kind="strong" type="submit" form="template" disabled={!may} busy={busy}>{id ? 'Publish the next version' : 'Publish'}</Button></>}>
      <form id="template" onSubmit={submit} className="grid gap-3">
        <Field label="Name">{(ids) => <input {...ids} name="name" required maxLength={200} defaultValue={found.data?.template.name} className="field" />}</Field>
        {!id && <Field label="Channel">{(ids) => <select {...ids} name="channel" className="field"><option value="sms">SMS</option><option value="email">E-mail</option><option value="voicemail">Voicemail</option></select>}</Field>}
        <Field label="Text" hint={`With ${Object.keys(SAMPLE).map((f) => `{${f}}`).join(', ')}`}>{(ids) => <textarea {...ids} name="body" rows={5} required maxLength={1600} value={body} onChange={(e) => setTyped(e.target.value)} className="field" />}</Field>
        <p className="rounded-lg bg-raised px-3 py-2"><span className="block text-2xs text-ink3">For example</span>{rendered(body) || '—'}</p>
      </form>
      {found.data && <section className="mt-4"><h3 className="mb-1 text-xs font-semibold text-ink2">Versions</h3><ol className="grid gap-2">{[...found.data.versions].sort((a, b) => b.version - a.version).map((v) => <li key={v.version} className="border-t border-line pt-2"><span className="text-2xs text-ink3">v{v.version} · {clock(v.createdAt, zone)}</span><p>{v.body}</p></li>)}</ol></section>}
    </Dialog>
  )
}
