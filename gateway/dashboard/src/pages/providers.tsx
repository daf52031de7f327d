// Providers: credentials, limits, and whether they answer.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Page } from '../components/shell'
import { Badge } from '../components/status'
import { Button, Dialog, Field, Problem, Records, Skeleton } from '../components/ui'
import { client, ok, type Schemas } from '../lib/api'
import { clock, count, DASH, provider, words } from '../lib/format'
import { useInterval, useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { useMay } from '../lib/session'
import { fieldsOf, useCommand } from './paged'

type Provider = Schemas['ProviderList']['providers'][number]
const HEALTH: Record<Provider['health']['state'], string> = { ok: 'completed', limited: 'paused', broken: 'failed' }

export function ProvidersPage() {
  const zone = usePrefs((s) => s.zone)
  const may = useMay('administer')
  const { run, busy } = useCommand()
  const interval = useInterval(10_000)
  const [edited, setEdited] = useState<{ provider: Provider; what: 'key' | 'limits' } | null>(null)
  useTitle('Providers')
  const found = useQuery({ queryKey: ['providers'], refetchInterval: interval || 10_000, queryFn: () => ok(client.GET('/api/providers')) })
  return (
    <Page title="Providers" note="Limits and health are shared by all runs of the tenant">
      <section className="card">
        {found.isPending && <Skeleton />}
        {found.error && <Problem error={found.error} what="The providers cannot be listed." onRetry={() => found.refetch()} />}
        {found.data && (
          <Records rows={found.data.providers} id={(p) => p.provider} caption="Providers" empty={null}
            columns={[
              { label: 'Provider', render: (p) => <b className="font-semibold">{provider(p.provider)}</b> },
              { label: 'Credentials', wide: true, render: (p) => (p.configured ? <>of the {p.credential}{p.updatedAt && <span className="block text-2xs text-ink3">since {clock(p.updatedAt, zone)}</span>}</> : <span className="text-failed">none: its stages fail</span>) },
              { label: 'Health', wide: true, render: (p) => <><Badge state={HEALTH[p.health.state]} size="sm">{words(p.health.state)}</Badge>{p.health.until && <span className="block text-2xs text-ink3">until {clock(p.health.until, zone, 'time')}</span>}</> },
              { label: 'Calls', right: true, render: (p) => <>{count(p.health.calls)}<span className="block text-2xs text-ink3">{count(p.health.limited)} limited, {count(p.health.errors)} errors in {p.health.minutes} min</span></> },
              { label: 'Limits', right: true, render: (p) => <>{p.limits.perMinute ? `${count(p.limits.perMinute)} a minute` : DASH}<span className="block text-2xs text-ink3">{p.limits.perDay ? `${count(p.askedToday)} of ${count(p.limits.perDay)} today` : 'no daily limit'}</span></> },
              { label: 'Actions', right: true, render: (p) => <span className="inline-flex gap-1"><Button small disabled={!may} onClick={() => setEdited({ provider: p, what: 'key' })}>Credentials</Button><Button small disabled={!may} onClick={() => setEdited({ provider: p, what: 'limits' })}>Limits</Button>{p.credential === 'tenant' && <Button small kind="danger" disabled={!may || busy} onClick={() => run({ method: 'DELETE', path: `/api/providers/${p.provider}`, done: 'The credentials are removed.', stale: ['providers'], ask: { title: `Remove the credentials of ${provider(p.provider)}?`, action: 'Remove', danger: true, text: 'Its stages use those of the installation, or fail.' } })}>Remove</Button>}</span> },
            ]} />
        )}
      </section>
      {edited && (edited.what === 'key' ? <Credentials of={edited.provider} onClose={() => setEdited(null)} /> : <Limits of={edited.provider} onClose={() => setEdited(null)} />)}
    </Page>
  )
}

function Credentials({ of, onClose }: { of: Provider; onClose: () => void }) {
  const { run, busy } = useCommand()
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (await run({ method: 'PUT', path: `/api/providers/${of.provider}`, body: fieldsOf(event.currentTarget), done: 'The credentials are stored, encrypted.', stale: ['providers'] })) onClose()
  }
  const account = of.provider === 'twilio' ? 'Account SID' : of.provider === 'signalhouse' ? 'API key' : null
  return (
    <Dialog open onClose={onClose} title={`Credentials of ${provider(of.provider)}`} look="modal narrow" footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" type="submit" form="credentials" busy={busy}>Store</Button></>}>
      <form id="credentials" onSubmit={submit} className="grid gap-3">
        {account && <Field label={account}>{(ids) => <input {...ids} name="account" required autoComplete="off" className="field" />}</Field>}
        <Field label={of.provider === 'twilio' || of.provider === 'signalhouse' ? 'Secret' : 'Key'} hint="It is encrypted, and never shown again">{(ids) => <input {...ids} name="key" type="password" required autoComplete="off" className="field" />}</Field>
      </form>
    </Dialog>
  )
}

function Limits({ of, onClose }: { of: Provider; onClose: () => void }) {
  const { run, busy } = useCommand()
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const { perMinute, perDay } = fieldsOf(event.currentTarget)
    if (await run({ method: 'PUT', path: `/api/providers/${of.provider}/limits`, body: { perMinute: perMinute ? Number(perMinute) : null, perDay: perDay ? Number(perDay) : null }, done: 'The limits are changed.', stale: ['providers'] })) onClose()
  }
  return (
    <Dialog open onClose={onClose} title={`Limits of ${provider(of.provider)}`} look="modal narrow" footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" type="submit" form="limits" busy={busy}>Save</Button></>}>
      <form id="limits" onSubmit={submit} className="grid gap-3">
        <Field label="People a minute" hint="Empty: no limit">{(ids) => <input {...ids} name="perMinute" type="number" min="1" defaultValue={of.limits.perMinute ?? ''} className="field" />}</Field>
        <Field label="People a day (UTC)" hint="Empty: no limit">{(ids) => <input {...ids} name="perDay" type="number" min="1" defaultValue={of.limits.perDay ?? ''} className="field" />}</Field>
      </form>
    </Dialog>
  )
}
