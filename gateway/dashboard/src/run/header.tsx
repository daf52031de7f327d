// The head of a run's page: what it is, what it waits for, what can be done with it, whether its history is intact.
import { Link, useNavigate } from '@tanstack/react-router'
import { ChevronDown, ChevronLeft, ChevronUp, MoreHorizontal, Pause, Play, RefreshCw, RotateCcw, ShieldCheck, ShieldQuestion, ShieldX, Square } from 'lucide-react'
import { useState } from 'react'
import { Badge } from '../components/status'
import { Button, Copy, Dialog, Field, IconButton, Menu } from '../components/ui'
import { client, command, ok, Refused, type Run, type Schemas } from '../lib/api'
import { downloadFrom } from '../lib/download'
import { ago, clock, money, span, STAGES, title, words } from '../lib/format'
import { usePrefs } from '../lib/prefs'
import { type Verdict, verifyHistory } from '../lib/proof'
import { type Action, actionsOf, durationOf, LABEL, rightFor, useRunCommand } from '../lib/runs'
import { may, useSession } from '../lib/session'
import { failed, toast } from '../lib/toast'
import { explain, type Waiting } from '../lib/waiting'
import { neighbours } from '../runs/neighbours'

/** `you`, `LUCI`, or the end of an actor's id. */
const who = (actor: string | undefined, me: string | undefined) => (!actor || actor === 'system' ? 'LUCI' : me && actor.endsWith(me) ? 'you' : `…${actor.slice(-6)}`)

const ICONS: Partial<Record<Action, typeof Pause>> = { pause: Pause, resume: Play, retry: RotateCcw, cancel: Square }

type Props = { run: Run; past: boolean; now: number; onRefresh: () => void; refreshing: boolean }

export function RunHeader({ run, past, now, onRefresh, refreshing }: Props) {
  const session = useSession((s) => s.session)
  const { zone } = usePrefs()
  const navigate = useNavigate()
  const send = useRunCommand()
  const [asking, setAsking] = useState<'stage' | null>(null)
  const near = neighbours(run.runId)
  const actions = actionsOf(run)
  const act = async (action: Action) => {
    const answer = await send(action, run)
    if (answer && answer.runId !== run.runId) navigate({ to: '/pipelines/$runId', params: { runId: answer.runId } })
    else if (answer && action === 'delete') navigate({ to: '/pipelines' })
  }
  const main = actions.filter((a) => a !== 'replay' && a !== 'delete')
  return (
    <header id="detail-head" className="flex flex-wrap items-start gap-x-3 gap-y-2">
      <Link to="/pipelines" aria-label="Back to the runs" className="grid size-8 place-items-center rounded-md text-ink2 hover:bg-raised max-md:size-11"><ChevronLeft size={18} aria-hidden /></Link>
      <div className="min-w-0 flex-1 basis-64">
        <h1 className="flex flex-wrap items-center gap-2 text-lg font-semibold tracking-tight">{run.sectorName ?? run.pipelineName}<Badge state={run.status} size="lg" /><Proof runId={run.runId} /></h1>
        <p className="flex flex-wrap items-center gap-x-2 text-xs text-ink3">
          <span className="inline-flex min-w-0 items-center"><span className="mono truncate">{run.runId}</span><Copy text={run.runId} label="Copy the run id" /></span>
          {run.sectorName && <span>{run.pipelineName}</span>}
          <span>{run.startedAt ? `started ${clock(run.startedAt, zone)}` : `created ${ago(run.createdAt, now)}`}</span>
          <span>elapsed <b className="font-medium text-ink2" id="elapsed">{span(durationOf(run, now))}</b></span>
          <span title={run.triggeredBy}>{words(run.triggerType)}, by {who(run.triggeredBy, session?.actorId)}</span>
        </p>
        <p className="flex flex-wrap gap-2 text-xs empty:hidden">
          {run.replayedFromRunId && <Link className="link" to="/pipelines/$runId" params={{ runId: run.replayedFromRunId }}>replay of …{run.replayedFromRunId.slice(-6)}</Link>}
          {run.parentRunId && run.parentRunId !== run.replayedFromRunId && <Link className="link" to="/pipelines/$runId" params={{ runId: run.parentRunId }}>from run …{run.parentRunId.slice(-6)}</Link>}
        </p>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        {near.of > 0 && near.at >= 0 && (
          <span className="flex items-center text-xs text-ink3 max-md:hidden">
            {near.at + 1} of {near.of}
            <IconButton label="Previous run of the list" icon={ChevronUp} disabled={!near.previous} onClick={() => near.previous && navigate({ to: '/pipelines/$runId', params: { runId: near.previous } })} />
            <IconButton label="Next run of the list" icon={ChevronDown} disabled={!near.next} onClick={() => near.next && navigate({ to: '/pipelines/$runId', params: { runId: near.next } })} />
          </span>
        )}
        <Button icon={RefreshCw} busy={refreshing} onClick={onRefresh} aria-label="Refresh"><span className="max-sm:hidden">Refresh</span></Button>
        {main.map((action) => <Button key={action} icon={ICONS[action]} kind={action === 'cancel' ? 'danger' : 'plain'} disabled={past || !may(session, rightFor(action))} data-action={action} onClick={() => act(action)}>{LABEL[action]}</Button>)}
        <Menu label="More actions" trigger={<IconButton label="More actions" icon={MoreHorizontal} disabled={past} />}
          items={[
            ...actions.filter((a) => a === 'replay' || a === 'delete').map((a) => ({ label: a === 'replay' ? 'Run again' : LABEL[a], danger: a === 'delete', disabled: !may(session, rightFor(a)), onSelect: () => act(a) })),
            ...(run.completedAt ? [{ label: 'Run again from a stage…', disabled: !may(session, 'operate'), onSelect: () => setAsking('stage') }] : []),
            'line' as const,
            { label: 'Messages of this run', onSelect: () => navigate({ to: '/messages', search: { run: run.runId } }) },
            { label: 'Download the results (CSV)', onSelect: () => downloadFrom(`/api/pipelines/${run.runId}/results.csv`) },
            { label: 'Download the results (JSON lines)', onSelect: () => downloadFrom(`/api/pipelines/${run.runId}/results.ndjson`) },
            { label: 'Download the proof', onSelect: () => downloadFrom(`/api/pipelines/${run.runId}/bundle`) },
          ]} />
      </div>
      {asking === 'stage' && <FromStage run={run} onClose={() => setAsking(null)} />}
    </header>
  )
}

/** The run goes on from the output of an earlier stage, as a new run. */
function FromStage({ run, onClose }: { run: Run; onClose: () => void }) {
  const navigate = useNavigate()
  const stages = STAGES.filter((s) => s !== 'import' && (run.stages ?? []).some((one) => one.stage === s))
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    try {
      const answer = await command<Schemas['RunAccepted']>('POST', `/api/pipelines/${run.runId}/retry`, { fromStage: new FormData(event.currentTarget).get('stage') })
      toast('done', `Accepted at position ${answer.position}: a new run.`, answer.runId)
      onClose()
      navigate({ to: '/pipelines/$runId', params: { runId: answer.runId } })
    } catch (error) {
      failed(error)
    }
  }
  return (
    <Dialog open onClose={onClose} title="Run again from a stage" look="modal narrow" footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" type="submit" form="from-stage">Start</Button></>}>
      <form id="from-stage" onSubmit={submit} className="grid gap-3">
        <p className="text-ink2">A new run takes what the stage before put out: stages before it are not paid again.</p>
        <Field label="Stage">{(ids) => <select {...ids} name="stage" className="field">{stages.map((s) => <option key={s} value={s}>{title(s)}</option>)}</select>}</Field>
      </form>
    </Dialog>
  )
}

/** What the run waits for, and the button that helps. */
export function WaitingBar({ run, past, onRetryBlock }: { run: Run; past: boolean; onRetryBlock: (blockId: string) => void }) {
  const zone = usePrefs((s) => s.zone)
  const session = useSession((s) => s.session)
  const send = useRunCommand()
  const [raising, setRaising] = useState(false)
  const waiting = run.waitingFor as Waiting | null | undefined
  if (!waiting) return null
  const { text, remedy } = explain(waiting, zone)
  const off = past || !may(session, 'operate')
  return (
    <div id="waiting" role="status" data-state-of={waiting.reason === 'block' && !waiting.retryAt ? 'failed' : 'paused'} className="state flex flex-wrap items-center gap-3 rounded-lg px-4 py-2 font-medium">
      <span className="min-w-0 flex-1">{text}</span>
      {remedy === 'resume' && <Button small className="text-ink" disabled={off} onClick={() => send('resume', run)}>Resume</Button>}
      {remedy === 'raise budget' && <Button small className="text-ink" disabled={off} onClick={() => setRaising(true)}>Raise the budget…</Button>}
      {remedy === 'retry block' && waiting.reason === 'block' && <Button small className="text-ink" disabled={off} onClick={() => onRetryBlock(waiting.blockId)}>Retry the block</Button>}
      {remedy === 'providers' && <Link to="/providers" className="underline">Providers</Link>}
      {remedy === 'system' && <Link to="/system" className="underline">System</Link>}
      {raising && waiting.reason === 'paused' && <Budget run={run} missing={waiting.missingMicros ?? 0} onClose={() => setRaising(false)} />}
    </div>
  )
}

function Budget({ run, missing, onClose }: { run: Run; missing: number; onClose: () => void }) {
  const send = useRunCommand()
  const least = ((run.budgetMicros ?? 0) + missing) / 1e6
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const dollars = Number(new FormData(event.currentTarget).get('budget'))
    if (await send('resume', run, { budgetMicros: Math.round(dollars * 1e6) })) onClose()
  }
  return (
    <Dialog open onClose={onClose} title="Raise the budget and resume" look="modal narrow" footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" type="submit" form="budget">Resume</Button></>}>
      <form id="budget" onSubmit={submit} className="grid gap-3 text-ink">
        <p>Spent {money(run.costMicros)} of {money(run.budgetMicros)}. The next block may need {money(missing)} more.</p>
        <Field label="New budget in dollars">{(ids) => <input {...ids} name="budget" type="number" step="0.01" min={least.toFixed(2)} defaultValue={(Math.ceil(least * 1.2 * 100) / 100).toFixed(2)} required className="field" />}</Field>
      </form>
    </Dialog>
  )
}

const loadSeal = (runId: string) =>
  ok(client.GET('/api/pipelines/{runId}/seal', { params: { path: { runId } } })).catch((error) => {
    if (error instanceof Refused && error.status === 404) return null
    throw error
  })
const loadPage = (runId: string, cursor: string) => ok(client.GET('/api/pipelines/{runId}/events', { params: { path: { runId }, query: { cursor, limit: 500 } } }))

/** The badge of the hash chain: checked in this browser; by the server where the browser lacks the algorithms. */
function Proof({ runId }: { runId: string }) {
  const [verdict, setVerdict] = useState<Verdict | null>(null)
  const [busy, setBusy] = useState('')
  const check = async () => {
    setBusy('Checking…')
    try {
      setVerdict(globalThis.crypto?.subtle ? await verifyHistory({ seal: () => loadSeal(runId), page: (cursor) => loadPage(runId, cursor), onProgress: setBusy }) : await byServer(runId))
    } catch (error) {
      // An event that cannot be decoded is not shown: the server names it.
      if (error instanceof Refused) await byServer(runId).then(setVerdict, failed)
      else failed(error)
    } finally {
      setBusy('')
    }
  }
  const state = busy ? 'queued' : (verdict?.state ?? 'queued')
  const Icon = verdict?.state === 'sealed' ? ShieldCheck : verdict?.state === 'broken' ? ShieldX : ShieldQuestion
  return (
    <span className="flex min-w-0 items-center gap-2">
      <button type="button" id="verify" onClick={check} aria-busy={!!busy} title="Checks each event's hash, the chain and the seal in this browser" data-state-of={state} className="state inline-flex min-h-7 items-center gap-1.5 rounded-full px-2.5 text-xs font-medium tracking-normal">
        <Icon size={14} aria-hidden />{verdict && !busy ? 'Verify again' : 'Verify history'}
      </button>
      <span id="verdict" role="status" className="text-xs font-normal tracking-normal text-ink2">{busy || verdict?.text}</span>
    </span>
  )
}

async function byServer(runId: string): Promise<Verdict> {
  const found = await ok(client.GET('/api/pipelines/{runId}/verify', { params: { path: { runId } } }))
  const first = found.firstBad as { version?: number; reason?: string } | null | undefined
  return found.intact
    ? { state: 'unsealed', text: `Chain intact to #${found.checked}, according to the server.` }
    : { state: 'broken', text: `Broken at #${first?.version ?? found.checked}: ${first?.reason ?? 'the end is missing'}`, version: first?.version }
}
