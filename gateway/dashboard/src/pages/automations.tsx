// Automations: runs that start by a schedule, a webhook, a message or new leads.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Page } from '../components/shell'
import { Badge } from '../components/status'
import { Button, Dialog, Empty, Field, Problem, Records, Skeleton } from '../components/ui'
import { client, command, ok, type Schemas } from '../lib/api'
import { clock, money, words } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { useMay } from '../lib/session'
import { failed } from '../lib/toast'
import { Tree } from '../run/events'
import { useSectors } from '../runs/use-runs'
import { useCommand } from './paged'

type Automation = Schemas['Automation']
type Trigger = { type: string; cron?: string; timeZone?: string }
const trigger = (a: Automation) => a.trigger as Trigger
const when = (t: Trigger) => (t.type === 'schedule' ? `${t.cron} (${t.timeZone ?? 'UTC'})` : words(t.type))

export function AutomationsPage() {
  const may = useMay('administer')
  const { run, busy } = useCommand()
  const [shown, setShown] = useState<string | null>(null)
  const [edited, setEdited] = useState<Automation | 'new' | null>(null)
  useTitle('Automations')
  const found = useQuery({ queryKey: ['automations'], queryFn: () => ok(client.GET('/api/automations')) })
  const turn = (a: Automation) => run({ method: 'POST', path: `/api/automations/${a.automationId}/${a.enabled ? 'disable' : 'enable'}`, done: a.enabled ? 'It starts no more runs.' : 'It starts runs.', stale: ['automations'] })
  return (
    <Page title="Automations" actions={<Button kind="strong" disabled={!may} onClick={() => setEdited('new')}>New automation</Button>}>
      <section className="card">
        {found.isPending && <Skeleton />}
        {found.error && <Problem error={found.error} what="The automations cannot be listed." onRetry={() => found.refetch()} />}
        {found.data && (
          <Records rows={found.data.automations} id={(a) => a.automationId} caption="Automations" empty={<Empty title="No automations">An automation starts a run by itself: by a schedule, a webhook, a message or new leads.</Empty>}
            columns={[
              { label: 'Automation', wide: true, render: (a) => <button type="button" className="link font-medium" onClick={() => setShown(a.automationId)}>{a.name}</button> },
              { label: 'Starts by', render: (a) => when(trigger(a)) },
              { label: 'Budget', right: true, render: (a) => money(a.budgetMicros) },
              { label: 'State', render: (a) => <Badge state={a.enabled ? 'completed' : 'queued'} size="sm">{a.enabled ? 'enabled' : 'disabled'}</Badge> },
              { label: 'Actions', right: true, render: (a) => <span className="inline-flex gap-1"><Button small disabled={!may || busy} onClick={() => turn(a)}>{a.enabled ? 'Disable' : 'Enable'}</Button><Button small disabled={!may} onClick={() => setEdited(a)}>Change</Button><Button small kind="danger" disabled={!may || busy} onClick={() => run({ method: 'DELETE', path: `/api/automations/${a.automationId}`, done: 'Removed.', stale: ['automations'], ask: { title: `Remove ${a.name}?`, action: 'Remove', danger: true, text: 'It starts no more runs. Runs that it started stay.' } })}>Remove</Button></span> },
            ]} />
        )}
      </section>
      {shown && <Detail id={shown} onClose={() => setShown(null)} />}
      {edited && <Edit automation={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />}
    </Page>
  )
}

function Detail({ id, onClose }: { id: string; onClose: () => void }) {
  const zone = usePrefs((s) => s.zone)
  const [trial, setTrial] = useState<Schemas['AutomationTrial'] | null>(null)
  const found = useQuery({ queryKey: ['automations', id], queryFn: () => ok(client.GET('/api/automations/{automationId}', { params: { path: { automationId: id } } })) })
  const test = () => command<Schemas['AutomationTrial']>('POST', `/api/automations/${id}/test`, {}).then(setTrial, failed)
  return (
    <Dialog open onClose={onClose} title={found.data?.automation.name ?? 'Automation'} footer={<Button onClick={test}>Test without starting</Button>}>
      {trial && <div role="status" className="mb-4 rounded-lg bg-raised px-3 py-2"><b className="font-semibold">{trial.wouldStart ? 'It would start a run.' : 'It would not start a run.'}</b>{trial.wrong.map((w) => <p key={w} className="text-failed">{w}</p>)}{trial.nextDue.length > 0 && <p className="text-ink2">Next: {trial.nextDue.slice(0, 3).map((at) => clock(at, zone)).join(', ')}</p>}</div>}
      {found.data && <><Tree value={found.data.automation} open /><h3 className="mt-4 mb-1 text-xs font-semibold text-ink2">Newest events</h3><ul>{(found.data.recent as { type: string; at: string; data: Record<string, unknown> }[]).map((e) => <li key={e.at} className="border-b border-line py-1"><span className="mono mr-2 text-ink3">{clock(e.at, zone)}</span>{e.type} {typeof e.data.reason === 'string' && words(e.data.reason)}</li>)}</ul></>}
    </Dialog>
  )
}

function Edit({ automation, onClose }: { automation: Automation | null; onClose: () => void }) {
  const { run, busy } = useCommand()
  const sectors = useSectors()
  const blueprints = useQuery({ queryKey: ['blueprints'], queryFn: () => ok(client.GET('/api/blueprints')) })
  const [type, setType] = useState(automation ? trigger(automation).type : 'schedule')
  const [problem, setProblem] = useState<string>()
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '').trim() || undefined
    let conditions: unknown[] = []
    try {
      conditions = JSON.parse(text('conditions') ?? '[]') as unknown[]
    } catch (error) {
      return setProblem(error instanceof Error ? error.message : 'Not JSON')
    }
    const before = automation && trigger(automation).type === type ? (automation.trigger as Record<string, unknown>) : {}
    const body = {
      name: text('name'), trigger: { ...before, type, ...(type === 'schedule' && { cron: text('cron'), timeZone: text('timeZone'), overlap: text('overlap'), catchUp: text('catchUp') }) },
      conditions, ...(text('blueprintId') && { blueprintId: text('blueprintId') }), ...(text('sectorId') && { sectorId: text('sectorId') }),
      ...(text('maxLeads') && { maxLeads: Number(text('maxLeads')) }), ...(text('budget') && { budgetMicros: Math.round(Number(text('budget')) * 1e6) }),
    }
    if (await run({ method: 'POST', path: automation ? `/api/automations/${automation.automationId}` : '/api/automations', body, done: 'Saved.', stale: ['automations'] })) onClose()
  }
  const t = automation ? (automation.trigger as Record<string, string>) : {}
  return (
    <Dialog open onClose={onClose} title={automation ? automation.name : 'New automation'} footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" type="submit" form="automation" busy={busy}>Save</Button></>}>
      <form id="automation" onSubmit={submit} className="grid gap-3 sm:grid-cols-2">
        <Field label="Name">{(ids) => <input {...ids} name="name" required defaultValue={automation?.name} className="field" />}</Field>
        <Field label="Starts by">{(ids) => <select {...ids} value={type} onChange={(e) => setType(e.target.value)} className="field">{['schedule', 'webhook', 'lead_created', 'message_received'].map((one) => <option key={one} value={one}>{words(one)}</option>)}</select>}</Field>
        {type === 'schedule' && (
          <>
            <Field label="Cron" hint="Five fields: minute hour day month weekday">{(ids) => <input {...ids} name="cron" required defaultValue={t.cron ?? '0 9 * * 1-5'} className="field mono" />}</Field>
            <Field label="Time zone">{(ids) => <input {...ids} name="timeZone" defaultValue={t.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone} className="field" />}</Field>
            <Field label="When the last run still runs">{(ids) => <select {...ids} name="overlap" defaultValue={t.overlap ?? 'skip'} className="field">{['skip', 'queue', 'allow'].map((one) => <option key={one}>{one}</option>)}</select>}</Field>
            <Field label="Missed times">{(ids) => <select {...ids} name="catchUp" defaultValue={t.catchUp ?? 'none'} className="field">{['none', 'last', 'all'].map((one) => <option key={one}>{one}</option>)}</select>}</Field>
          </>
        )}
        <Field label="Blueprint">{(ids) => <select {...ids} name="blueprintId" defaultValue={automation?.blueprintId ?? ''} className="field"><option value="">Default</option>{blueprints.data?.blueprints.map((b) => <option key={b.blueprintId} value={b.blueprintId}>{b.name}</option>)}</select>}</Field>
        <Field label="Sector" hint="Whose leads are read, if the trigger brings none">{(ids) => <select {...ids} name="sectorId" defaultValue={automation?.sectorId ?? ''} className="field"><option value="">None</option>{sectors.data?.sectors.map((s) => <option key={s.sectorId} value={s.sectorId}>{s.name}</option>)}</select>}</Field>
        <Field label="Most leads">{(ids) => <input {...ids} name="maxLeads" type="number" min="1" defaultValue={automation?.maxLeads} className="field" />}</Field>
        <Field label="Budget in dollars">{(ids) => <input {...ids} name="budget" type="number" min="0.01" step="0.01" defaultValue={automation?.budgetMicros ? automation.budgetMicros / 1e6 : undefined} className="field" />}</Field>
        <div className="sm:col-span-2"><Field label="Conditions (JSON)" error={problem} hint="[{ field, op, value }]: all must be met">{(ids) => <textarea {...ids} name="conditions" rows={3} defaultValue={JSON.stringify(automation?.conditions ?? [], null, 2)} className="field mono" />}</Field></div>
      </form>
    </Dialog>
  )
}
