// ⌘K: go to a run by its id, sector or name, to a page, or to a lead.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { client, ok } from '../lib/api'
import { useSettled } from '../lib/hooks'
import { PAGES } from './shell'
import { Badge } from './status'
import { Dialog } from './ui'

type Entry = { id: string; label: string; note: React.ReactNode; go: () => void }

export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const navigate = useNavigate()
  const q = useSettled(text.trim(), 150)
  const runs = useQuery({ queryKey: ['palette', q], enabled: q.length > 1, queryFn: () => ok(client.GET('/api/pipelines', { params: { query: { q, limit: 8 } } })) })
  const wanted = text.trim().toLowerCase()
  const entries: Entry[] = [
    ...PAGES.filter(([, label]) => !wanted || label.toLowerCase().includes(wanted)).map(([to, label]) => ({ id: to, label, note: 'page', go: () => navigate({ to }) })),
    ...(/^lead_[0-9a-z]{26}$/i.test(text.trim()) ? [{ id: text.trim(), label: text.trim(), note: 'lead', go: () => navigate({ to: '/leads/$leadId', params: { leadId: text.trim() } }) }] : []),
    ...(runs.data?.runs ?? []).map((run) => ({ id: run.runId, label: run.sectorName ?? run.pipelineName ?? run.runId, note: <><span className="mono text-2xs">{run.runId}</span> <Badge state={run.status} size="sm" /></>, go: () => navigate({ to: '/pipelines/$runId', params: { runId: run.runId } }) })),
  ]
  const current = Math.min(at, Math.max(0, entries.length - 1))
  const go = (entry: Entry | undefined) => {
    if (!entry) return
    onClose()
    entry.go()
  }
  const keyed = (event: React.KeyboardEvent) => {
    if (event.key === 'ArrowDown') setAt(Math.min(entries.length - 1, current + 1))
    else if (event.key === 'ArrowUp') setAt(Math.max(0, current - 1))
    else if (event.key === 'Enter') go(entries[current])
    else return
    event.preventDefault()
  }
  return (
    <Dialog open onClose={onClose} title="Go to">
      <input data-first className="field" role="combobox" aria-label="Run, page or id" aria-expanded="true" aria-controls="palette" aria-activedescendant={entries[current] ? `go-${current}` : undefined}
        placeholder="Run id, sector, pipeline, page or lead id" value={text} onChange={(e) => { setText(e.target.value); setAt(0) }} onKeyDown={keyed} />
      <ul id="palette" role="listbox" aria-label="Results" className="mt-3 max-h-96 overflow-y-auto">
        {entries.map((entry, i) => (
          <li key={entry.id} id={`go-${i}`} role="option" aria-selected={i === current} onMouseDown={() => go(entry)} onMouseEnter={() => setAt(i)} className="flex min-h-9 cursor-pointer items-center gap-3 rounded px-2 aria-selected:bg-raised">
            <span className="min-w-0 flex-1 truncate font-medium">{entry.label}</span><span className="flex items-center gap-2 text-xs text-ink3">{entry.note}</span>
          </li>
        ))}
      </ul>
      {entries.length === 0 && <p className="p-3 text-ink2">Nothing found for “{text}”.</p>}
    </Dialog>
  )
}
