// Messages, with the drafts that wait for approval: the text is shown as it would be sent.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { Page } from '../components/shell'
import { Badge } from '../components/status'
import { Button, Card, Dialog, Empty, Field } from '../components/ui'
import { client, command, ok, type Schemas } from '../lib/api'
import { confirm } from '../lib/confirm'
import { clock, count, title, words } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import type { ListSearch } from '../lib/search'
import { useMay } from '../lib/session'
import { failed } from '../lib/toast'
import { Paged, useCommand } from './paged'

type Message = Schemas['Message']
const STATES: Record<Message['status'], string> = { draft: 'paused', approved: 'queued', pending: 'queued', processing: 'running', sent: 'completed', failed: 'failed', rejected: 'cancelled', cancelled: 'cancelled' }
const ALL = Object.keys(STATES) as Message['status'][]
const WAITS: Record<string, string> = { approval: 'waits for approval', no_carrier: 'no carrier is configured', no_number: 'no number to send from', retry: 'is tried again', send_window: 'waits for the send window', daily_limit: 'the daily limit is reached', hourly_limit: 'the hourly limit is reached' }

export function MessagesPage() {
  const search = useSearch({ from: '/messages' })
  const navigate = useNavigate({ from: '/messages' })
  const zone = usePrefs((s) => s.zone)
  const may = useMay('administer')
  const { run, busy } = useCommand()
  const [edited, setEdited] = useState<Message | null>(null)
  useTitle('Messages')
  const status = ALL.find((s) => s === search.status)
  const set = (change: Partial<ListSearch>) => navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const decide = (m: Message, what: 'approve' | 'reject', body?: unknown) => run({ method: 'POST', path: `/api/messages/${m.messageId}/${what}`, body: body ?? (what === 'approve' ? {} : undefined), done: what === 'approve' ? 'Approved: it is sent when its window is open.' : 'Rejected: it is not sent.', stale: ['messages'] })
  /** All drafts of a run: counted first, then decided in portions of 200. */
  const decideAll = async (what: 'approve' | 'reject') => {
    const runId = search.run
    if (!runId) return
    try {
      const plan = await command<Schemas['DraftsDecided']>('POST', `/api/messages/${what}`, { runId, dryRun: true })
      if (!plan.matched || !(await confirm({ title: `${title(what)} all ${count(plan.matched)} drafts?`, action: `${title(what)} ${count(plan.matched)}`, danger: what === 'reject', text: what === 'approve' ? 'They are sent within the windows and limits of the tenant.' : 'They are not sent.' }))) return
      for (let left = plan.matched; left > 0; ) {
        const done = await run<Schemas['DraftsDecided']>({ method: 'POST', path: `/api/messages/${what}`, body: { runId }, done: `${title(what)}: done.`, stale: ['messages'] })
        if (!done || done.decided === 0) break
        left = done.left
      }
    } catch (error) {
      failed(error)
    }
  }
  return (
    <Page title="Messages" note={search.run ? <>of run <Link className="link mono" to="/pipelines/$runId" params={{ runId: search.run }}>…{search.run.slice(-6)}</Link></> : undefined}
      actions={search.run && <><Button disabled={!may || busy} onClick={() => decideAll('reject')}>Reject all drafts</Button><Button kind="strong" disabled={!may || busy} onClick={() => decideAll('approve')}>Approve all drafts</Button></>}>
      <section className="card">
        <div role="group" aria-label="Status" className="flex gap-1 overflow-x-auto border-b border-line p-2">
          {[undefined, ...ALL].map((s) => <button key={s ?? 'all'} type="button" aria-pressed={status === s} onClick={() => set({ status: s })} className="min-h-7 rounded-md px-2 text-sm whitespace-nowrap text-ink2 hover:bg-raised aria-pressed:bg-raised aria-pressed:font-semibold aria-pressed:text-ink max-md:min-h-11">{s ? title(s) : 'All'}</button>)}
        </div>
        <Paged name={['messages', search.run, status]} what="The messages cannot be listed." caption="Messages, newest first" id={(m: Message) => m.messageId} empty={<Empty title="No messages">{status ? `None is ${status}.` : 'The push stage of a run writes them.'}</Empty>}
          load={async (cursor) => { const page = await ok(client.GET('/api/messages', { params: { query: { limit: 50, cursor, runId: search.run, status } } })); return { rows: page.messages, next: page.nextCursor } }}
          columns={[
            { label: 'Text', wide: true, render: (m) => <><p className="max-w-[72ch] text-left">{m.body}</p><span className="text-2xs text-ink3">{m.segments} {m.segments === 1 ? 'segment' : 'segments'} · {words(m.context)} · {m.templateId ?? 'no template'}</span></> },
            { label: 'To', render: (m) => <><span className="mono whitespace-nowrap">{m.to}</span><Link className="link block text-xs" to="/leads/$leadId" params={{ leadId: m.leadId }}>lead</Link></> },
            { label: 'Status', render: (m) => <><Badge state={STATES[m.status]} size="sm">{title(m.status)}</Badge>{m.waitingFor && <span className="block text-2xs text-ink3">{WAITS[m.waitingFor.reason] ?? words(m.waitingFor.reason)}{m.waitingFor.until ? ` until ${clock(m.waitingFor.until, zone)}` : ''}</span>}{m.errorCode && <span className="block text-2xs text-failed">{m.errorCode === 'unknown_outcome' ? 'It may have been sent: decide by hand' : words(m.errorCode)}</span>}</> },
            { label: 'Created', right: true, render: (m) => clock(m.createdAt, zone) },
            { label: 'Decide', right: true, render: (m) => (m.status === 'draft' ? <span className="inline-flex gap-1"><Button small kind="strong" disabled={!may || busy} onClick={() => decide(m, 'approve')}>Approve</Button><Button small disabled={!may || busy} onClick={() => setEdited(m)}>Edit</Button><Button small disabled={!may || busy} onClick={() => decide(m, 'reject')}>Reject</Button></span> : '') },
          ]} />
      </section>
      <Sending />
      {edited && (
        <Dialog open onClose={() => setEdited(null)} title="Change the text and approve" look="modal narrow" footer={<><Button onClick={() => setEdited(null)}>Cancel</Button><Button kind="strong" type="submit" form="text">Approve</Button></>}>
          <form id="text" onSubmit={async (e) => { e.preventDefault(); if (await decide(edited, 'approve', { body: String(new FormData(e.currentTarget).get('body')) })) setEdited(null) }}><Field label={`To ${edited.to}`} hint="At most 1,600 characters">{(ids) => <textarea {...ids} name="body" rows={5} maxLength={1600} required defaultValue={edited.body} className="field" />}</Field></form>
        </Dialog>
      )}
    </Page>
  )
}

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** When and from which numbers messages are sent. */
function Sending() {
  const own = useMay('own')
  const may = useMay('administer')
  const { run, busy } = useCommand()
  const [changing, setChanging] = useState(false)
  const found = useQuery({ queryKey: ['sending'], queryFn: () => ok(client.GET('/api/sending')) })
  if (!found.data) return null
  const { settings: s, numbers } = found.data
  const change = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const body = { windowFrom: form.get('windowFrom'), windowTo: form.get('windowTo'), dailyLimit: Number(form.get('dailyLimit')), hourlyLimit: Number(form.get('hourlyLimit')), days: DAYS.map((_, i) => i + 1).filter((day) => form.get(`day${day}`)) }
    if (await run({ method: 'POST', path: '/api/sending', body, done: 'The send settings are changed.', stale: ['sending', 'messages'] })) setChanging(false)
  }
  return (
    <Card title="Sending" actions={<Button small disabled={!own} title={own ? undefined : 'Needs the role owner'} onClick={() => setChanging(true)}>Change</Button>}>
      <p className="px-4 py-3 text-ink2">{s.windowFrom}–{s.windowTo} local time of the recipient on {(s.days ?? []).map((d) => DAYS[d - 1]).join(', ')}; at most {count(s.hourlyLimit)} an hour and {count(s.dailyLimit)} a day. From {numbers.filter((n) => !n.disabled).map((n) => `${n.number} (${n.provider})`).join(', ') || 'no number yet'}.</p>
      <form className="flex flex-wrap items-end gap-3 border-t border-line px-4 py-3" onSubmit={async (e) => { e.preventDefault(); const form = e.currentTarget; const data = new FormData(form); if (await run({ method: 'POST', path: '/api/sending/numbers', body: { number: data.get('number'), provider: data.get('provider') }, done: 'The number is added.', stale: ['sending'] })) form.reset() }}>
        <Field label="Number">{(ids) => <input {...ids} name="number" required placeholder="+12125550100" className="field" />}</Field>
        <Field label="Carrier">{(ids) => <select {...ids} name="provider" className="field"><option value="signalhouse">SignalHouse</option><option value="twilio">Twilio</option></select>}</Field>
        <Button type="submit" disabled={!may || busy}>Add</Button>
        {numbers.map((n) => <Button key={n.number} small kind="quiet" disabled={!may || busy} onClick={() => run({ method: 'POST', path: '/api/sending/numbers/remove', body: { number: n.number }, done: `${n.number} is removed.`, stale: ['sending'], ask: { title: `Remove ${n.number}?`, action: 'Remove', danger: true, text: 'No message is sent from it any more.' } })}>Remove {n.number}</Button>)}
      </form>
      {changing && (
        <Dialog open onClose={() => setChanging(false)} title="When messages are sent" look="modal narrow" footer={<><Button onClick={() => setChanging(false)}>Cancel</Button><Button kind="strong" type="submit" form="sending" busy={busy}>Save</Button></>}>
          <form id="sending" onSubmit={change} className="grid grid-cols-2 gap-3">
            <Field label="From" hint="Not before 08:00">{(ids) => <input {...ids} name="windowFrom" type="time" required defaultValue={s.windowFrom} className="field" />}</Field>
            <Field label="To" hint="Not after 21:00">{(ids) => <input {...ids} name="windowTo" type="time" required defaultValue={s.windowTo} className="field" />}</Field>
            <Field label="At most an hour">{(ids) => <input {...ids} name="hourlyLimit" type="number" min="0" required defaultValue={s.hourlyLimit} className="field" />}</Field>
            <Field label="At most a day">{(ids) => <input {...ids} name="dailyLimit" type="number" min="0" required defaultValue={s.dailyLimit} className="field" />}</Field>
            <fieldset className="col-span-2"><legend className="text-xs font-medium text-ink2">Days</legend><div className="flex flex-wrap gap-3">{DAYS.map((day, i) => <label key={day} className="flex min-h-7 items-center gap-1"><input type="checkbox" className="size-4" name={`day${i + 1}`} defaultChecked={s.days?.includes(i + 1)} />{day}</label>)}</div></fieldset>
          </form>
        </Dialog>
      )}
    </Card>
  )
}
