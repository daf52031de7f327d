// Actions on the selected runs, or on all that match: first what would happen, then what happened to each.
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Badge } from '../components/status'
import { Button, Dialog, Records } from '../components/ui'
import { command, type Schemas } from '../lib/api'
import { count } from '../lib/format'
import { LABEL } from '../lib/runs'
import { type RunsSearch, runsQuery } from '../lib/search'
import { failed } from '../lib/toast'

type Props = { search: RunsSearch; total: number; selected: ReadonlySet<string>; everything: boolean; allowed: boolean; onEverything: () => void; onDone: () => void }
type Action = Schemas['BulkCommand']['action']
const ACTIONS = ['pause', 'resume', 'retry', 'cancel', 'delete'] as const

export function BulkActions({ search, total, selected, everything, allowed, onEverything, onDone }: Props) {
  const queries = useQueryClient()
  const [plan, setPlan] = useState<{ action: (typeof ACTIONS)[number]; outcome: Schemas['BulkOutcome'] } | null>(null)
  const [busy, setBusy] = useState(false)
  const query = runsQuery(search)
  const narrowed = Object.values(query).some((value) => value !== undefined)
  const filter = everything ? (Object.fromEntries(Object.entries(narrowed ? query : { status: ['queued', 'running', 'paused', 'completed', 'failed', 'cancelled'] }).filter(([, v]) => v !== undefined)) as Schemas['BulkCommand']['filter']) : { runIds: [...selected].slice(0, 200) }
  const ask = async (action: Action, dryRun: boolean) => {
    setBusy(true)
    try {
      const outcome = await command<Schemas['BulkOutcome']>('POST', '/api/pipelines/bulk', { action, filter, dryRun })
      setPlan({ action: action as (typeof ACTIONS)[number], outcome })
      if (!dryRun) queries.invalidateQueries({ queryKey: ['runs'] })
    } catch (error) {
      failed(error)
    } finally {
      setBusy(false)
    }
  }
  const close = () => {
    if (plan && !plan.outcome.dryRun) onDone()
    setPlan(null)
  }
  const chosen = everything ? total : selected.size
  return (
    <>
      <span className="text-xs font-semibold" role="status">{count(chosen)} selected</span>
      {!everything && total > selected.size && <Button small kind="quiet" onClick={onEverything}>Select all {count(total)} that match</Button>}
      <span className="ml-auto flex flex-wrap gap-1">
        {ACTIONS.map((action) => <Button key={action} small kind={action === 'cancel' || action === 'delete' ? 'danger' : 'plain'} disabled={!allowed || busy} title={allowed ? undefined : 'Needs the role admin'} onClick={() => ask(action, true)}>{LABEL[action]}</Button>)}
        <Button small kind="quiet" onClick={onDone}>Clear</Button>
      </span>
      {plan && (
        <Dialog open onClose={close} title={plan.outcome.dryRun ? `${LABEL[plan.action]}: ${count(plan.outcome.done.length)} of ${count(plan.outcome.matched)} runs` : `${LABEL[plan.action]}: what happened`}
          footer={plan.outcome.dryRun ? <><Button onClick={close}>Keep as they are</Button><Button kind="strong" busy={busy} disabled={plan.outcome.done.length === 0} onClick={() => ask(plan.action, false)}>{LABEL[plan.action]} {count(plan.outcome.done.length)}</Button></> : <Button kind="strong" onClick={close}>Close</Button>}>
          <p className="mb-3 text-ink2">
            {plan.outcome.dryRun ? `It would be done for ${count(plan.outcome.done.length)} runs and refused for ${count(plan.outcome.refused.length)}.` : `Done for ${count(plan.outcome.done.length)} runs, refused for ${count(plan.outcome.refused.length)}.`}
            {plan.outcome.left > 0 && ` ${count(plan.outcome.left)} more match than one command takes (200): repeat it for the others.`}
          </p>
          <Records caption="The result for each run" id={(r) => r.runId} empty={null}
            rows={[...plan.outcome.refused.map((r) => ({ runId: r.runId, status: '', why: r.problem.detail ?? r.problem.title })), ...plan.outcome.done.map((d) => ({ runId: d.runId, status: d.status, why: '' }))]}
            columns={[
              { label: 'Run', wide: true, render: (r) => <span className="mono">{r.runId}</span> },
              { label: 'Result', wide: true, render: (r) => (r.why ? <span className="text-failed">{r.why}</span> : <Badge state={r.status} size="sm" />) },
            ]} />
        </Dialog>
      )}
    </>
  )
}
