// The page of a run: now, or as it was after one of its events.
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { Clock3 } from 'lucide-react'
import { Tabs } from 'radix-ui'
import { Button, Empty, Problem, Skeleton } from '../components/ui'
import { type Block, command, Refused, type Run, type Schemas } from '../lib/api'
import { confirm } from '../lib/confirm'
import { count, millis, money, title } from '../lib/format'
import { useKeys, useNow, useTitle } from '../lib/hooks'
import { useLive } from '../lib/live'
import { usePrefs } from '../lib/prefs'
import { useProgress, useRunCommand, visible } from '../lib/runs'
import { type RunSearch, TABS } from '../lib/search'
import { failed, toast } from '../lib/toast'
import { neighbours } from '../runs/neighbours'
import { Artifacts } from './artifacts'
import { type BlockAction, Blocks } from './blocks'
import { Dock } from './dock'
import { Events } from './events'
import { FailedLeads } from './failed'
import { Flow } from './flow'
import { RunHeader, WaitingBar } from './header'
import { Metrics } from './metrics'
import { useHistory, useMoment, useRun } from './use-run'
import { Waterfall } from './waterfall'

export function RunPage() {
  const { runId } = useParams({ from: '/pipelines/$runId' })
  // Another run is another page: nothing of the last one is kept.
  return <RunView key={runId} runId={runId} />
}

function RunView({ runId }: { runId: string }) {
  const search = useSearch({ from: '/pipelines/$runId' })
  const navigate = useNavigate({ from: '/pipelines/$runId' })
  const queries = useQueryClient()
  const zone = usePrefs((s) => s.zone)
  const connection = useLive((s) => s.connection)
  const found = useRun(runId)
  const { history, shown } = useHistory(runId)
  const past = search.at !== undefined && search.at < Math.max(history.head, search.at + 1)
  const moment = useMoment(history, shown, search.at)
  const send = useRunCommand()
  // Until the history was read once, the server's answer is more current.
  const folded = moment && (past || history.ready) ? moment.detail : null
  const server = found.data
  const run = folded ? (past ? folded.run : { ...folded.run, waitingFor: server?.run.waitingFor ?? null }) : server?.run
  const now = useNow(!past && !run?.completedAt)
  useTitle(run ? (run.sectorName ?? run.pipelineName ?? 'Run') : 'Run')

  const set = (change: Partial<RunSearch>) => navigate({ search: (old) => ({ ...old, ...change }), replace: true, resetScroll: false })
  const travel = (at: number | undefined) => set({ at })
  const refresh = () => {
    history.pull()
    queries.invalidateQueries({ queryKey: ['run', runId] })
  }
  const near = neighbours(runId)
  const go = (id: string | undefined) => id && navigate({ to: '/pipelines/$runId', params: { runId: id } })
  const at = Math.min(search.at ?? history.events.length, history.events.length)
  useKeys({
    j: () => go(near.next), k: () => go(near.previous), r: refresh, l: () => travel(undefined),
    p: () => run && !past && (run.status === 'paused' ? send('resume', run) : run.status === 'running' || run.status === 'queued' ? send('pause', run) : undefined),
    '[': () => travel(Math.max(0, at - 1)), ']': () => travel(at + 1 >= history.events.length ? undefined : at + 1),
    Escape: () => (search.stage || search.event ? set({ stage: undefined, event: undefined }) : navigate({ to: '/pipelines' })),
  })

  if (found.error instanceof Refused && found.error.status === 404 && !server) return <Empty title="No run with this id" action={<Button onClick={() => navigate({ to: '/pipelines' })}>All runs</Button>}>{runId} is not a run of this tenant.</Empty>
  if (!run) return found.error ? <Problem error={found.error} what="The run cannot be read." onRetry={refresh} /> : <div className="p-6"><Skeleton rows={8} /></div>
  const stages = folded?.stages ?? server?.stages ?? []
  const blocks = folded?.blocks ?? server?.blocks ?? []
  const artifacts = folded?.artifacts ?? server?.artifacts ?? []
  const fold = folded && moment ? moment.fold : null
  const act = (action: BlockAction, block: Block) => onBlock(action, block, run, refresh, () => send('cancel', run))
  const openBlock = (block: string) => set({ tab: 'blocks', block, stage: undefined })
  const moved = history.events[at - 1]
  const tab = search.tab ?? 'blocks'
  const behind = history.head - history.events.length
  const lost = stages.reduce((n, s) => n + (s.metrics.failedCount ?? 0), 0)
  return (
    <div id="detail" className="flex min-h-[calc(100dvh-48px)] flex-col">
      <div className="grid flex-1 grid-cols-[minmax(0,1fr)] content-start gap-4 p-4 md:p-6">
        <RunHeader run={run} past={past} now={past ? Date.parse(run.startedAt ?? run.createdAt) + (run.durationMs ?? 0) : now} onRefresh={refresh} refreshing={found.isFetching && connection !== 'live'} />
        {past && (
          <p id="past" role="status" data-state-of="paused" className="state flex flex-wrap items-center gap-2 rounded-lg px-4 py-2 text-xs font-medium">
            <Clock3 size={14} aria-hidden />
            <span className="flex-1">You are looking at the past: the run as it stood after event #{at}{moved ? `, ${millis(moved.recordedAt ?? '', zone).slice(0, 8)}` : ''}. Actions are off. {count(history.head - at)} newer events.</span>
          </p>
        )}
        {run.deletedAt && <p role="status" data-state-of="cancelled" className="state rounded-lg px-4 py-2 text-xs font-medium">This run is archived: it is not in the lists.</p>}
        {run.error && run.status === 'failed' && <RunError run={run} onBlock={openBlock} />}
        <WaitingBar run={run} past={past} onRetryBlock={(blockId) => { const block = blocks.find((b) => b.blockId === blockId); if (block) act('retry', block) }} />
        <section className="card px-4 py-5" aria-label="Flow"><RunProgress run={run} past={past} behind={behind} /><Flow run={run} stages={stages} selected={search.stage} past={past} onSelect={(stage) => set({ stage })} /></section>
        <div className="grid min-w-0 gap-4 xl:grid-cols-[minmax(0,1fr)_320px]">
          <Tabs.Root value={tab} onValueChange={(next) => set({ tab: next as (typeof TABS)[number] })} className="card min-w-0 self-start">
            <Tabs.List aria-label="Detail of the run" className="flex gap-5 overflow-x-auto overflow-y-hidden border-b border-line px-4">
              {([['blocks', `Blocks ${count(blocks.length)}`], ['waterfall', 'Waterfall'], ['events', `Events ${count(history.head)}`], ['artifacts', `Artifacts ${count(artifacts.length)}`], ['failed', `Failed leads ${count(lost)}`]] as const).map(([value, label]) => (
                <Tabs.Trigger key={value} value={value} className="min-h-10 border-b-2 border-transparent text-sm font-medium whitespace-nowrap text-ink2 outline-offset-[-2px] hover:text-ink data-[state=active]:border-accent data-[state=active]:text-ink max-md:min-h-11">{label}</Tabs.Trigger>
              ))}
            </Tabs.List>
            <Tabs.Content value="blocks"><Blocks run={run} stages={stages} blocks={blocks} fold={fold} stage={search.stage} chosen={search.block} past={past} onAct={act} onEvent={(event) => set({ tab: 'events', event })} onArtifact={() => set({ tab: 'artifacts' })} /></Tabs.Content>
            <Tabs.Content value="waterfall">{fold ? <Waterfall fold={fold} stage={search.stage} onBlock={openBlock} /> : <Skeleton rows={8} height={26} />}</Tabs.Content>
            <Tabs.Content value="events"><Events history={history} shown={shown} at={past ? at : undefined} stage={search.stage} chosen={search.event} filter={search.filter} onFilter={(filter) => set({ filter })} onChoose={(event) => set({ event })} onTravel={(version) => travel(version)} /></Tabs.Content>
            <Tabs.Content value="artifacts"><Artifacts artifacts={artifacts} blocks={blocks} runId={runId} stage={search.stage} onBlock={openBlock} /></Tabs.Content>
            <Tabs.Content value="failed"><FailedLeads runId={runId} past={past} /></Tabs.Content>
          </Tabs.Root>
          <Metrics run={run} stages={stages} scoreSum={folded?.scoreSum ?? 0} events={history.events} version={at} past={past} now={now} />
        </div>
      </div>
      <Dock events={history.events} count={history.events.length} at={search.at} ended={!!run.completedAt} onMove={travel} />
    </div>
  )
}

/** How far the run is; events that exist and are not here yet are shown as pending. */
function RunProgress({ run, past, behind }: { run: Run; past: boolean; behind: number }) {
  const live = useProgress(run)
  const progress = past ? run.progress : live
  return <div className="mb-4 flex items-center gap-3 text-xs text-ink2"><span className="font-semibold text-ink">{progress}%</span><span>{count(run.processedLeads)} of {count(run.totalLeads)} leads left the pipeline</span>{behind > 0 && <span id="gap" className="text-paused">fetching {count(behind)} events…</span>}</div>
}

function RunError({ run, onBlock }: { run: Run; onBlock: (blockId: string) => void }) {
  const error = run.error as { code: string; message: string; stage?: string | null; blockId?: string | null }
  return (
    <div role="alert" data-state-of="failed" className="state flex flex-wrap items-center gap-3 rounded-lg border border-(--s) px-4 py-2">
      <span className="min-w-0 flex-1"><b className="font-semibold">{error.code}</b> <span className="text-ink2">{error.message}{error.stage ? ` (${title(error.stage)})` : ''}</span></span>
      {error.blockId && <Button small className="text-ink" onClick={() => onBlock(error.blockId!)}>Show the block</Button>}
    </div>
  )
}

/** Retry, skip, abort or export of a block; the question names leads and dollars. */
async function onBlock(action: BlockAction, b: Block, run: Run, refresh: () => void, cancel: () => void) {
  const name = `${title(b.stageName)} block ${b.blockNumber}`
  const lost = b.metrics.failedCount || b.metrics.inputCount || 0
  if (action === 'abort') return cancel()
  if (action === 'export') return void window.location.assign(`/api/pipelines/${run.runId}/failed-leads.csv`)
  const asked = action === 'skip'
    ? { title: `Skip ${name}?`, action: `Skip ${count(lost)} leads`, danger: true, text: `${count(lost)} leads do not go on. They stay in failed_leads.csv; ${money(b.costMicros)} is already spent on this block.` }
    : { title: `Retry ${name}?`, action: `Retry ${count(lost)} leads`, text: `${count(lost)} leads are tried again. ${money(b.costMicros)} is already spent on this block; answers that were paid for are reused.` }
  if (!(await confirm(asked))) return
  try {
    const answer = await command<Schemas['BlockAccepted']>('POST', `/api/pipelines/${run.runId}/blocks/${b.blockId}/${action}`, {})
    toast('done', `${action === 'retry' ? 'Retry' : 'Skip'}: accepted at position ${answer.position}.`, name)
    await visible(answer.position)
    refresh()
  } catch (error) {
    failed(error)
    refresh()
  }
}
