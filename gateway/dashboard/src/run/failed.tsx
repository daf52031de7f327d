// The failed leads of a run: why each failed, corrected in place, and sent through again as a run of the same lineage.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Download, Upload } from 'lucide-react'
import { useState } from 'react'
import { Button, Dialog, Empty, Problem, Records, Skeleton } from '../components/ui'
import { client, command, ok, type Schemas } from '../lib/api'
import { csvLine, parseCsv } from '../lib/csv'
import { count, words } from '../lib/format'
import { useInterval } from '../lib/hooks'
import { useMay } from '../lib/session'
import { startedHere } from '../lib/started'
import { failed, toast } from '../lib/toast'

type FailedLead = { leadId: string; row: number; line?: number; code: string; reason: string; detail?: { expected?: string; field?: string }; lead?: { raw?: Record<string, string> } }
const PAGE = 100

export function FailedLeads({ runId, past }: { runId: string; past: boolean }) {
  const [offset, setOffset] = useState(0)
  const [correcting, setCorrecting] = useState(false)
  const interval = useInterval(5_000)
  const may = useMay('operate')
  const found = useQuery({ queryKey: ['run', runId, 'failed', offset], refetchInterval: interval, queryFn: () => ok(client.GET('/api/pipelines/{runId}/failed-leads', { params: { path: { runId }, query: { limit: PAGE, offset, summary: true } } })) })
  if (found.isPending) return <Skeleton />
  if (found.error) return <Problem error={found.error} what="The failed leads cannot be listed." onRetry={() => found.refetch()} />
  const { failedLeads, total, hasMore, reasons } = found.data
  return (
    <div id="failed-leads">
      <div className="flex min-h-11 flex-wrap items-center gap-3 border-b border-line px-4 py-1 text-xs text-ink2">
        <span>{count(total)} failed leads</span>
        {Object.entries(reasons ?? {}).map(([reason, n]) => <span key={reason} className="rounded-full bg-raised px-2">{words(reason)} {count(n)}</span>)}
        <span className="ml-auto flex gap-2">
          <Button small icon={Upload} disabled={past || !may || total === 0} onClick={() => setCorrecting(true)}>Correct and send again</Button>
          <a className="inline-flex min-h-7 items-center gap-1.5 rounded-md border border-control px-2 font-medium text-ink hover:bg-raised max-md:min-h-11" href={`/api/pipelines/${runId}/failed-leads.csv`} download><Download size={13} aria-hidden />failed_leads.csv</a>
        </span>
      </div>
      <Records caption="Failed leads" rows={failedLeads as FailedLead[]} id={(l) => l.leadId} empty={<Empty title="No failed leads">Every lead so far went on, or was corrected since.</Empty>}
        columns={[
          { label: 'Row', right: true, render: (l) => <>{count(l.row)}{l.line ? <span className="ml-1 text-2xs text-ink3">line {l.line}</span> : ''}</> },
          { label: 'Reason', wide: true, render: (l) => <><span className="font-medium text-failed">{words(l.reason)}</span>{l.detail?.expected && <span className="block text-xs text-ink3">{l.detail.field ? `${words(l.detail.field)}: ` : ''}expected {l.detail.expected}</span>}</> },
          { label: 'Lead', wide: true, render: (l) => <span className="text-xs text-ink2">{brief(l)}</span> },
        ]} />
      {(offset > 0 || hasMore) && <p className="flex items-center justify-center gap-3 p-3"><Button small disabled={offset === 0} onClick={() => setOffset(Math.max(0, offset - PAGE))}>Previous</Button><span className="text-xs text-ink2">{count(offset + 1)}–{count(offset + failedLeads.length)} of {count(total)}</span><Button small disabled={!hasMore} onClick={() => setOffset(offset + PAGE)}>Next</Button></p>}
      {correcting && <Correct runId={runId} onClose={() => setCorrecting(false)} />}
    </div>
  )
}

const brief = (l: FailedLead) => {
  const raw = l.lead?.raw ?? (l.lead as Record<string, unknown> | undefined) ?? {}
  return Object.entries(raw).filter(([, v]) => typeof v === 'string' && v && !v.startsWith('lead_')).slice(0, 6).map(([, v]) => v).join(' · ') || l.leadId
}

const ROWS = 50

/** The exported file as a grid: what is changed is uploaded again, with the columns that identify its rows. */
function Correct({ runId, onClose }: { runId: string; onClose: () => void }) {
  const navigate = useNavigate()
  const [changes, setChanges] = useState<Record<string, string>>({})
  const [onlyChanged, setOnlyChanged] = useState(true)
  const [page, setPage] = useState(0)
  const [busy, setBusy] = useState(false)
  const file = useQuery({ queryKey: ['failed-csv', runId], staleTime: 0, queryFn: async () => parseCsv(await (await fetch(`/api/pipelines/${runId}/failed-leads.csv`)).text()) })
  const [head, ...rows] = file.data ?? []
  const columns = (head ?? []).map((name, i) => ({ name, i })).filter(({ name, i }) => !name.startsWith('luci') && rows.some((r) => r[i]))
  const changed = new Set(Object.keys(changes).map((key) => Number(key.split(':')[0])))
  const send = async () => {
    const kept = rows.map((row, r) => row.map((cell, c) => changes[`${r}:${c}`] ?? cell)).filter((_, r) => !onlyChanged || changed.has(r))
    setBusy(true)
    try {
      const body = new Blob([`${[head!, ...kept].map(csvLine).join('\r\n')}\r\n`], { type: 'text/csv' })
      const imported = await fetch('/api/imports?fileName=corrected_leads.csv', { method: 'POST', headers: { 'content-type': 'text/csv' }, body })
      const answer = await imported.json()
      if (!imported.ok) throw new Error(answer.detail ?? answer.title)
      const run = await command<Schemas['RunAccepted']>('POST', '/api/pipelines', { importId: answer.importId, parentRunId: runId, options: { maxLeads: Math.max(1, kept.length) } })
      startedHere.add(run.runId)
      toast('done', `${count(kept.length)} corrected leads: accepted at position ${run.position}.`)
      onClose()
      navigate({ to: '/pipelines/$runId', params: { runId: run.runId } })
    } catch (error) {
      failed(error)
    } finally {
      setBusy(false)
    }
  }
  const sent = onlyChanged ? changed.size : rows.length
  return (
    <Dialog open onClose={onClose} title="Correct the failed leads" look="modal wide" footer={<><label className="mr-auto flex items-center gap-2 text-xs"><input type="checkbox" className="size-4" checked={onlyChanged} onChange={(e) => setOnlyChanged(e.target.checked)} />Only the rows that were changed</label><Button onClick={onClose}>Cancel</Button><Button kind="strong" busy={busy} disabled={sent === 0} onClick={send}>Send {count(sent)} {sent === 1 ? 'lead' : 'leads'} again</Button></>}>
      <p className="mb-3 text-ink2">They go through a new run of the same lineage. What providers answered before is not paid again.</p>
      {file.isPending && <Skeleton />}
      {file.error && <Problem error={file.error} what="The export cannot be read." />}
      {head && (
        <div className="overflow-x-auto" tabIndex={0} role="group" aria-label="Rows to correct">
          <table className="border-collapse text-xs">
            <caption className="sr-only">Failed leads as they were in the file</caption>
            <thead><tr><th scope="col" className="px-1 text-left font-medium text-ink3">Row</th>{columns.map((c) => <th key={c.i} scope="col" className="px-1 text-left font-medium whitespace-nowrap text-ink3">{c.name}</th>)}</tr></thead>
            <tbody>
              {rows.slice(page * ROWS, (page + 1) * ROWS).map((row, i) => {
                const r = page * ROWS + i
                const number = row[head.indexOf('luciRow')] ?? String(r + 1)
                return (
                  // biome-ignore lint: a row is its place in the file
                  <tr key={r}><th scope="row" className="px-1 text-left font-normal text-ink3">{number}</th>
                    {columns.map((c) => <td key={c.i} className="p-0.5"><input aria-label={`${c.name} of row ${number}`} className="field min-w-28" data-changed={changes[`${r}:${c.i}`] !== undefined || undefined} value={changes[`${r}:${c.i}`] ?? row[c.i] ?? ''} onChange={(e) => setChanges((old) => ({ ...old, [`${r}:${c.i}`]: e.target.value }))} /></td>)}
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
      {rows.length > ROWS && <p className="mt-3 flex items-center gap-3"><Button small disabled={page === 0} onClick={() => setPage(page - 1)}>Previous</Button><span className="text-xs text-ink2">{count(page * ROWS + 1)}–{count(Math.min(rows.length, (page + 1) * ROWS))} of {count(rows.length)}</span><Button small disabled={(page + 1) * ROWS >= rows.length} onClick={() => setPage(page + 1)}>Next</Button></p>}
    </Dialog>
  )
}
