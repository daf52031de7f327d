// What lists and the page of a run share: the state that is drawn, and the commands.
import { useQueryClient } from '@tanstack/react-query'
import { command, type Run, type Schemas } from './api'
import { confirm } from './confirm'
import { count, money, words } from './format'
import { useLive } from './live'
import { startedHere } from './started'
import { failed, toast } from './toast'

/** Progress with what telemetry has added since the newest event. */
export function useProgress(run: Run): number {
  const live = useLive((s) => s.runs[run.runId])
  return run.status === 'running' ? Math.max(run.progress, live?.progress ?? 0) : run.progress
}

export function durationOf(run: Run, now: number): number | null {
  if (!run.startedAt) return null
  return (run.completedAt ? Date.parse(run.completedAt) : now) - Date.parse(run.startedAt)
}

export type Action = 'pause' | 'resume' | 'retry' | 'cancel' | 'replay' | 'delete'
const ALLOWED: Record<Action, Run['status'][]> = {
  pause: ['queued', 'running'], resume: ['paused'], retry: ['failed', 'completed'], cancel: ['queued', 'running', 'paused', 'failed'],
  replay: ['completed', 'failed', 'cancelled'], delete: ['completed', 'failed', 'cancelled'],
}
/** Words of the buttons. Deleting hides a run from the lists; its history stays. */
export const LABEL: Record<Action, string> = { pause: 'Pause', resume: 'Resume', retry: 'Retry failed', cancel: 'Cancel', replay: 'Run again', delete: 'Archive' }
const RIGHT: Record<Action, 'operate' | 'administer'> = { pause: 'operate', resume: 'operate', retry: 'operate', replay: 'operate', cancel: 'administer', delete: 'administer' }
export const rightFor = (action: Action) => RIGHT[action]

const failures = (run: Run) => (run.stages ?? []).reduce((n, s) => n + s.failed, 0)

export function actionsOf(run: Run): Action[] {
  if (run.deletedAt) return []
  return (Object.keys(ALLOWED) as Action[]).filter((action) => ALLOWED[action].includes(run.status) && (action !== 'retry' || run.status === 'failed' || failures(run) > 0))
}

/** The effect of an action in leads and dollars, for those that need a question. */
function question(action: Action, run: Run) {
  const left = Math.max(0, run.totalLeads - run.processedLeads)
  const name = run.sectorName ?? run.pipelineName ?? run.runId
  switch (action) {
    case 'cancel':
      return { title: `Cancel ${name}?`, action: 'Cancel the run', danger: true, text: `${count(left)} of ${count(run.totalLeads)} leads are not processed yet and will not be. ${money(run.costMicros)} is already spent. Blocks that run now finish first.` }
    case 'delete':
      return { title: `Archive ${name}?`, action: 'Archive', danger: true, text: 'It leaves the lists. Its events, files and costs are kept.' }
    case 'replay':
      return { title: `Run ${name} again?`, action: 'Run again', text: `A new run on the same ${count(run.totalLeads)} leads with the same blueprint. Answers that providers gave before are reused; the last run cost ${money(run.costMicros)}.` }
    default:
      return null
  }
}

/** Sends a command for a run, and says at which position it was accepted and when it is visible. */
export function useRunCommand() {
  const queries = useQueryClient()
  return async (action: Action, run: Run, body: unknown = {}): Promise<Schemas['RunAccepted'] | null> => {
    const asked = question(action, run)
    if (asked && !(await confirm(asked))) return null
    try {
      const path = `/api/pipelines/${run.runId}`
      const answer = action === 'delete' ? await command<Schemas['RunAccepted']>('DELETE', path) : await command<Schemas['RunAccepted']>('POST', `${path}/${action}`, action === 'pause' || action === 'cancel' || action === 'replay' ? undefined : body)
      if (action === 'replay') startedHere.add(answer.runId)
      toast('done', `${LABEL[action]}: accepted at position ${answer.position}.`, `${words(answer.status)} · ${answer.runId}`)
      await visible(answer.position)
      queries.invalidateQueries({ queryKey: ['runs'] })
      queries.invalidateQueries({ queryKey: ['run', run.runId] })
      return answer
    } catch (error) {
      failed(error)
      queries.invalidateQueries({ queryKey: ['run', run.runId] })
      return null
    }
  }
}

/** Waits until reads reflect a position: one's own write is seen at once. */
export async function visible(position: number) {
  const response = await fetch('/api/pipelines?limit=1', { headers: { 'Luci-Min-Position': String(position) } })
  await response.arrayBuffer()
}
