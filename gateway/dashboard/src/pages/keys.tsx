// API keys and webhook tokens. A secret is shown once, when it is made.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Page } from '../components/shell'
import { Badge } from '../components/status'
import { Button, Card, Copy, Dialog, Empty, Field, Problem, Records, Skeleton } from '../components/ui'
import { client, ok, type Schemas } from '../lib/api'
import { clock, DASH, title } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { useMay, useSession } from '../lib/session'
import { fieldsOf, useCommand } from './paged'

const SOURCES = ['signalhouse', 'twilio', 'stripe', 'sendgrid', 'realestate', 'tracerfy', 'apollo', 'generic']
type Secret = { title: string; text: string }

export function KeysPage() {
  const zone = usePrefs((s) => s.zone)
  const may = useMay('administer')
  const session = useSession((s) => s.session)
  const { run, busy } = useCommand()
  const [secret, setSecret] = useState<Secret | null>(null)
  const [making, setMaking] = useState<'key' | 'token' | null>(null)
  useTitle('Keys')
  const keys = useQuery({ queryKey: ['keys'], queryFn: () => ok(client.GET('/api/keys')) })
  const tokens = useQuery({ queryKey: ['tokens'], queryFn: () => ok(client.GET('/api/webhook-tokens')) })
  const state = (one: { revokedAt?: string | null; expiresAt?: string | null }) => (one.revokedAt ? <Badge state="cancelled" size="sm">revoked</Badge> : one.expiresAt && Date.parse(one.expiresAt) < Date.now() ? <Badge state="cancelled" size="sm">expired</Badge> : <Badge state="completed" size="sm">valid</Badge>)
  return (
    <Page title="Keys">
      <Card title="API keys" actions={<Button small disabled={!may} onClick={() => setMaking('key')}>New key</Button>}>
        {keys.isPending && <Skeleton />}
        {keys.error && <Problem error={keys.error} what="The keys cannot be listed." onRetry={() => keys.refetch()} />}
        {keys.data && (
          <Records rows={keys.data.keys} id={(k) => k.keyId} caption="API keys" empty={<Empty title="No keys" />}
            columns={[
              { label: 'Name', render: (k) => <><b className="font-semibold">{k.name || DASH}</b>{k.keyId === session?.keyId && <span className="ml-2 text-2xs text-ink3">yours</span>}</> }, { label: 'Begins with', render: (k) => <span className="mono">{k.prefix}…</span> },
              { label: 'Role', render: (k) => <>{title(k.role)}{(k.scopes?.length ?? 0) > 0 && <span className="block text-2xs text-ink3">{k.scopes?.join(', ')}</span>}</> }, { label: 'State', render: state },
              { label: 'Last used', right: true, render: (k) => clock(k.lastUsedAt, zone) }, { label: 'Expires', right: true, render: (k) => (k.expiresAt ? clock(k.expiresAt, zone) : 'never') },
              { label: 'Revoke', right: true, render: (k) => (k.revokedAt ? '' : <Button small kind="danger" disabled={!may || busy} onClick={() => run({ method: 'DELETE', path: `/api/keys/${k.keyId}`, done: 'Revoked.', stale: ['keys'], ask: { title: `Revoke ${k.name || k.prefix}?`, action: 'Revoke', danger: true, text: k.keyId === session?.keyId ? 'You are signed in with it: you will be signed out.' : 'Requests with it are refused immediately.' } })}>Revoke</Button>) },
            ]} />
        )}
      </Card>
      <Card title="Webhook tokens" actions={<Button small disabled={!may} onClick={() => setMaking('token')}>New token</Button>}>
        {tokens.data && (
          <Records rows={tokens.data.tokens} id={(t) => t.tokenId} caption="Webhook tokens" empty={<Empty title="No webhook tokens">A token lets a carrier or another program send to LUCI.</Empty>}
            columns={[
              { label: 'Source', render: (t) => <b className="font-semibold">{t.source}</b> }, { label: 'Purpose', wide: true, render: (t) => <span className="mono">{t.purpose}</span> }, { label: 'State', render: state }, { label: 'Made', right: true, render: (t) => clock(t.createdAt, zone) },
              { label: 'Revoke', right: true, render: (t) => (t.revokedAt ? '' : <Button small kind="danger" disabled={!may || busy} onClick={() => run({ method: 'DELETE', path: `/api/webhook-tokens/${t.tokenId}`, done: 'Revoked.', stale: ['tokens'], ask: { title: 'Revoke this token?', action: 'Revoke', danger: true, text: `What ${t.source} sends with it is refused immediately.` } })}>Revoke</Button>) },
            ]} />
        )}
      </Card>
      {making && <Make what={making} onClose={() => setMaking(null)} onMade={setSecret} />}
      {secret && <Dialog open onClose={() => setSecret(null)} title={secret.title} look="modal narrow" footer={<Button kind="strong" onClick={() => setSecret(null)}>I have stored it</Button>}><p className="mb-2 text-ink2">It is shown only now.</p><p className="flex items-center gap-2 rounded-lg bg-raised p-3"><code className="mono min-w-0 flex-1 break-all">{secret.text}</code><Copy text={secret.text} label="Copy it" /></p></Dialog>}
    </Page>
  )
}

function Make({ what, onClose, onMade }: { what: 'key' | 'token'; onClose: () => void; onMade: (secret: Secret) => void }) {
  const { run, busy } = useCommand()
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const { expiresAt, ...rest } = fieldsOf(event.currentTarget)
    const body = { ...rest, ...(expiresAt && { expiresAt: new Date(expiresAt).toISOString() }) }
    if (what === 'key') {
      const made = await run<Schemas['KeyCreated']>({ method: 'POST', path: '/api/keys', body, done: 'The key is made.', stale: ['keys'] })
      if (made?.key) onMade({ title: 'Your new key', text: made.key })
      if (made) onClose()
    } else {
      const made = await run<Schemas['WebhookTokenCreated']>({ method: 'POST', path: '/api/webhook-tokens', body, done: 'The token is made.', stale: ['tokens'] })
      if (made?.path) onMade({ title: 'The address for the source', text: `${location.origin}${made.path}` })
      if (made) onClose()
    }
  }
  return (
    <Dialog open onClose={onClose} title={what === 'key' ? 'New key' : 'New webhook token'} look="modal narrow" footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" type="submit" form="make" busy={busy}>Make it</Button></>}>
      <form id="make" onSubmit={submit} className="grid gap-3">
        {what === 'key' ? (
          <>
            <Field label="Name">{(ids) => <input {...ids} name="name" required maxLength={200} className="field" />}</Field>
            <Field label="Role">{(ids) => <select {...ids} name="role" className="field"><option value="viewer">Viewer: reads</option><option value="auditor">Auditor: reads everything, writes nothing</option><option value="member">Member: imports, starts, retries</option><option value="admin">Admin: cancels, configures, makes keys</option><option value="owner">Owner: everything</option></select>}</Field>
          </>
        ) : (
          <>
            <Field label="Source">{(ids) => <select {...ids} name="source" className="field">{SOURCES.map((s) => <option key={s}>{s}</option>)}</select>}</Field>
            <Field label="Purpose" hint="status, or automation:ID">{(ids) => <input {...ids} name="purpose" defaultValue="status" className="field" />}</Field>
            <Field label="Signing secret" hint="Required for stripe, sendgrid, realestate, tracerfy and generic">{(ids) => <input {...ids} name="signingSecret" type="password" autoComplete="off" className="field" />}</Field>
          </>
        )}
        <Field label="Expires" hint="Empty: never">{(ids) => <input {...ids} name="expiresAt" type="datetime-local" className="field" />}</Field>
      </form>
    </Dialog>
  )
}
