// The files of a run, all of them; the newest page comes with the history, older ones with the fold.
import { useQuery } from '@tanstack/react-query'
import { FileJson, FileSpreadsheet } from 'lucide-react'
import { useState } from 'react'
import { Button, Copy, Dialog, Empty, Problem, Records, Skeleton } from '../components/ui'
import { type Artifact, type Block, request, type Schemas } from '../lib/api'
import { bytes, clock, count, title } from '../lib/format'
import { usePrefs } from '../lib/prefs'
import { Tree } from './events'

const LIMIT = 200
const STEP = 100
const leadsOf = (a: Artifact) => (a.metadata as { leads?: number } | undefined)?.leads

/** The name under which the object is stored, without its folders. */
const fileOf = (a: Artifact) => (a.objectPath.split('/').pop() ?? a.artifactType).replace(/^art_[0-9A-Z]{26}_?/, '')

export function Artifacts({ artifacts, blocks, runId, stage, onBlock }: { artifacts: Artifact[]; blocks: Block[]; runId: string; stage?: string; onBlock: (blockId: string) => void }) {
  const zone = usePrefs((s) => s.zone)
  const [shown, setShown] = useState(STEP)
  const [preview, setPreview] = useState<Artifact | null>(null)
  const rows = artifacts.filter((a) => !stage || (a.metadata as { stage?: string } | undefined)?.stage === stage)
  const byBlock = new Map(blocks.map((b) => [b.blockId, b]))
  const madeBy = (a: Artifact) => (a.blockId ? byBlock.get(a.blockId) : undefined)
  const href = (a: Artifact) => `/api/pipelines/${runId}/artifacts/${a.artifactId}`
  return (
    <div id="artifacts">
      <p className="flex min-h-9 items-center px-4 text-xs text-ink2">{count(rows.length)} files{stage ? ` of ${title(stage)}` : ''}; the checksum is SHA-256</p>
      <Records caption="Artifacts, newest first" rows={rows.slice(0, shown)} id={(a) => a.artifactId} empty={<Empty title="No files yet">Each block writes its leads as one file when it completes.</Empty>}
        columns={[
          { label: 'File', wide: true, render: (a) => <span className="flex min-w-0 items-center gap-2">{a.mimeType?.includes('csv') ? <FileSpreadsheet size={16} aria-hidden className="shrink-0 text-ink3" /> : <FileJson size={16} aria-hidden className="shrink-0 text-ink3" />}<span className="min-w-0 max-w-52"><span className="block font-medium">{a.artifactType}{(a.version ?? 1) > 1 && <span className="ml-1 text-2xs text-ink3">v{a.version}</span>}{a.supersededBy && <span className="ml-1 text-2xs text-ink3">superseded</span>}</span><span className="mono block truncate text-2xs! text-ink3" title={a.objectPath}>{fileOf(a)}</span></span></span> },
          { label: 'Leads', right: true, render: (a) => count(leadsOf(a)) },
          { label: 'Size', right: true, render: (a) => bytes(a.sizeBytes) },
          { label: 'Checksum', render: (a) => <span className="inline-flex items-center"><span className="mono">{a.checksum.slice(0, 8)}</span><Copy text={a.checksum} label="Copy the checksum" /></span> },
          { label: 'Made by', render: (a) => { const b = madeBy(a); return b ? <button type="button" className="link text-xs" onClick={() => onBlock(b.blockId)}>{title(b.stageName)} {b.blockNumber}</button> : '—' } },
          { label: 'Made', right: true, render: (a) => clock(a.createdAt, zone, 'time') },
          { label: 'Open', right: true, render: (a) => (a.expiredAt ? <span className="text-ink3">expired</span> : <span className="inline-flex gap-1"><Button small onClick={() => setPreview(a)} data-preview={a.artifactType}>Preview</Button><a className="inline-flex min-h-7 items-center rounded-md border border-control px-2 text-xs font-medium hover:bg-raised max-md:min-h-11" href={href(a)} data-download={a.artifactType}>Download</a></span>) },
        ]} />
      {rows.length > shown && <p className="p-3 text-center"><Button onClick={() => setShown(shown + 5 * STEP)}>Show {count(Math.min(5 * STEP, rows.length - shown))} more of {count(rows.length)}</Button></p>}
      {preview && <Preview artifact={preview} href={href(preview)} onClose={() => setPreview(null)} />}
    </div>
  )
}

const flat = (value: unknown): string => (value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value))

/** The columns that most rows have: nested objects as `contact.email`. */
function columnsOf(rows: Record<string, unknown>[]): string[] {
  const seen = new Map<string, number>()
  for (const row of rows.slice(0, 50)) for (const key of Object.keys(row)) seen.set(key, (seen.get(key) ?? 0) + 1)
  return [...seen.entries()].sort((a, b) => b[1] - a[1]).map(([key]) => key)
}

function Preview({ artifact, href, onClose }: { artifact: Artifact; href: string; onClose: () => void }) {
  const [look, setLook] = useState<'table' | 'tree'>('table')
  const [text, setText] = useState('')
  const found = useQuery({ queryKey: ['preview', artifact.artifactId], staleTime: Number.POSITIVE_INFINITY, queryFn: () => request<Schemas['Preview']>('GET', `${href}?preview&limit=${LIMIT}`) })
  const all = (found.data?.rows ?? []) as Record<string, unknown>[]
  const rows = text ? all.filter((row) => JSON.stringify(row).toLowerCase().includes(text.toLowerCase())) : all
  const columns = columnsOf(all)
  return (
    <Dialog open onClose={onClose} title={`${artifact.artifactType} · ${bytes(artifact.sizeBytes)}`} look="modal wide" footer={<a className="link" href={href}>Download the file</a>}>
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <input className="field max-w-64" type="search" aria-label="Search in the rows" placeholder="Search in the rows" value={text} onChange={(e) => setText(e.target.value)} />
        <span className="text-xs text-ink2" role="status">{found.data && `${found.data.hasMore ? `first ${count(all.length)} of ${count(found.data.leads)}` : `all ${count(all.length)}`} rows${text ? `, ${count(rows.length)} match` : ''}`}</span>
        <span className="ml-auto flex gap-1"><Button small aria-pressed={look === 'table'} onClick={() => setLook('table')}>Table</Button><Button small aria-pressed={look === 'tree'} onClick={() => setLook('tree')}>JSON</Button></span>
      </div>
      {found.isPending && <Skeleton />}
      {found.error && <Problem error={found.error} what="The file cannot be read." onRetry={() => found.refetch()} />}
      {found.data && (look === 'tree' ? <div className="grid gap-1">{rows.map((row, i) => <Tree key={flat(row.leadId) || i} value={row} name={String(i + 1)} />)}</div> : (
        <div id="preview" className="overflow-x-auto" tabIndex={0} role="group" aria-label="Rows">
          <table className="border-collapse text-xs">
            <caption className="sr-only">Rows of the file</caption>
            <thead><tr>{columns.map((c) => <th key={c} scope="col" className="border-b border-line px-2 py-1 text-left font-medium whitespace-nowrap text-ink3">{c}</th>)}</tr></thead>
            <tbody>{rows.map((row, i) => <tr key={flat(row.leadId) || i} className="hover:bg-raised">{columns.map((c) => <td key={c} className="max-w-60 truncate border-b border-line px-2 py-1" title={flat(row[c])}>{flat(row[c])}</td>)}</tr>)}</tbody>
          </table>
        </div>
      ))}
    </Dialog>
  )
}
