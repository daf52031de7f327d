// Above the list: views, filters as chips, columns and export; with a selection, what can be done with it.
import { Columns3, Download, ListFilter, Save, Search, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Button, Dialog, Field, IconButton, Menu } from '../components/ui'
import { client, ok, type Run } from '../lib/api'
import { download } from '../lib/download'
import { clock, count, title, words } from '../lib/format'
import { useSettled } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { DATE_FIELDS, type RunsSearch, runsQuery, STATUSES } from '../lib/search'
import { useMay } from '../lib/session'
import { failed } from '../lib/toast'
import { BulkActions } from './bulk'
import { COLUMNS, OPTIONAL } from './columns'
import { useSectors } from './use-runs'
import { useViews } from './views'

type Props = {
  search: RunsSearch
  set: (change: Partial<RunsSearch>) => void
  total: number
  capped: boolean
  selected: ReadonlySet<string>
  everything: boolean
  onEverything: () => void
  onDone: () => void
}

const NOTHING: Partial<RunsSearch> = { status: undefined, sector: undefined, exclude: undefined, q: undefined, from: undefined, to: undefined, field: undefined, sort: undefined }

export function Toolbar(props: Props) {
  const { search, set, total, capped, selected, everything } = props
  const prefs = usePrefs()
  const [text, setText] = useState(search.q ?? '')
  const settled = useSettled(text.trim())
  const [filtering, setFiltering] = useState(false)
  const [naming, setNaming] = useState(false)
  const mayBulk = useMay('administer')
  // biome-ignore lint: only the typed text starts a search
  useEffect(() => { if (settled !== (search.q ?? '')) set({ q: settled || undefined }) }, [settled])
  useEffect(() => { if (!search.q) setText('') }, [search.q])

  const same = (view: Partial<RunsSearch>) => Object.keys(NOTHING).every((key) => (search[key as keyof RunsSearch] ?? undefined) === (view[key as keyof RunsSearch] ?? undefined))
  const { views, save, remove } = useViews()
  const hide = (id: string) => {
    const flag = OPTIONAL.includes(id) ? `+${id}` : id
    prefs.set({ hidden: prefs.hidden.includes(flag) ? prefs.hidden.filter((one) => one !== flag) : [...prefs.hidden, flag] })
  }
  const shown = (id: string) => (OPTIONAL.includes(id) ? prefs.hidden.includes(`+${id}`) : !prefs.hidden.includes(id))
  return (
    <header className="sticky top-12 z-10 grid gap-2 rounded-t-[10px] border-b border-line bg-surface px-3 py-2">
      <div className="flex flex-wrap items-center gap-2">
        <div className="flex max-w-full gap-1 overflow-x-auto" role="group" aria-label="Views">
          {views.map((view) => (
            <button key={view.id ?? view.name} type="button" title={view.shared && !view.own ? 'Shared by another person' : undefined} aria-pressed={same(view.search)} onClick={() => set({ ...NOTHING, ...view.search })} className="min-h-7 rounded-md px-2 text-sm whitespace-nowrap text-ink2 hover:bg-raised aria-pressed:bg-raised aria-pressed:font-semibold aria-pressed:text-ink max-md:min-h-11">{view.name}</button>
          ))}
        </div>
        <span id="total" className="ml-auto text-xs text-ink2" role="status">{count(total)}{capped ? '+' : ''} {total === 1 ? 'run' : 'runs'}</span>
        <div className="relative min-w-44 max-w-64 flex-1">
          <Search size={14} aria-hidden className="absolute top-1/2 left-2 -translate-y-1/2 text-ink3" />
          <input id="filter-text" className="field pl-7!" type="search" aria-label="Run id, pipeline or sector begins with" placeholder="Id, pipeline or sector…" value={text} onChange={(e) => setText(e.target.value)} onKeyDown={(e) => e.key === 'Escape' && e.currentTarget.blur()} />
        </div>
        <Button icon={ListFilter} onClick={() => setFiltering(true)}>Filter</Button>
        <Menu label="Columns" trigger={<IconButton label="Columns and density" icon={Columns3} className="max-md:hidden" />}
          items={[...COLUMNS.filter((c) => c.id !== 'sector').map((c) => ({ label: c.label, checked: shown(c.id), onSelect: () => hide(c.id) })), 'line' as const,
            { label: 'Compact rows', checked: prefs.density === 'compact', onSelect: () => prefs.set({ density: prefs.density === 'compact' ? 'comfortable' : 'compact' }) }]} />
        <Menu label="Save and export" trigger={<IconButton label="Save the view, export the list" icon={Download} />}
          items={[
            { label: 'Export as CSV', onSelect: () => exportRuns(search, 'csv') }, { label: 'Export as JSON lines', onSelect: () => exportRuns(search, 'jsonl') }, 'line' as const,
            { label: 'Save this view…', onSelect: () => setNaming(true) },
            ...views.filter((v) => v.own || (v.shared && mayBulk)).map((v) => ({ label: `Remove “${v.name}”`, danger: true, onSelect: () => remove(v) })),
          ]} />
      </div>
      <div className="flex flex-wrap items-center gap-2 empty:hidden">
        {selected.size > 0 || everything ? <BulkActions {...props} allowed={mayBulk} /> : <Chips search={search} set={set} />}
      </div>
      {filtering && <FilterDialog search={search} set={set} onClose={() => setFiltering(false)} />}
      {naming && <NameDialog onClose={() => setNaming(false)} onSave={(name, shared) => { setNaming(false); save(name, search, shared) }} />}
    </header>
  )
}

function Chips({ search, set }: { search: RunsSearch; set: Props['set'] }) {
  const zone = usePrefs((s) => s.zone)
  const sectors = useSectors()
  const chips: [string, Partial<RunsSearch>][] = []
  if (search.status) chips.push([`status: ${search.status.split(',').join(' or ')}`, { status: undefined }])
  const name = (id: string) => sectors.data?.sectors.find((s) => s.sectorId === id)?.name ?? id
  if (search.sector) chips.push([`sector: ${name(search.sector)}`, { sector: undefined }])
  const excluded = search.exclude?.split(',') ?? []
  for (const id of excluded) chips.push([`not sector: ${name(id)}`, { exclude: excluded.filter((one) => one !== id).join(',') || undefined }])
  if (search.q) chips.push([`begins with: ${search.q}`, { q: undefined }])
  const field = words((search.field ?? 'createdAt').replace('At', ''))
  if (search.from) chips.push([`${field} from ${clock(search.from, zone)}`, { from: undefined }])
  if (search.to) chips.push([`${field} before ${clock(search.to, zone)}`, { to: undefined }])
  return (
    <>
      {chips.map(([label, without]) => (
        <span key={label} className="inline-flex min-h-6 items-center gap-1 rounded-full border border-line bg-raised pl-2.5 text-xs">
          {label}<button type="button" aria-label={`Remove the filter ${label}`} onClick={() => set(without)} className="grid size-6 place-items-center rounded-full hover:bg-surface"><X size={12} aria-hidden /></button>
        </span>
      ))}
      {chips.length > 1 && <Button small kind="quiet" onClick={() => set({ ...NOTHING, sort: search.sort })}>Clear all</Button>}
    </>
  )
}

const local = (iso: string | undefined) => {
  if (!iso) return ''
  const at = new Date(iso)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

function FilterDialog({ search, set, onClose }: { search: RunsSearch; set: Props['set']; onClose: () => void }) {
  const sectors = useSectors()
  const [draft, setDraft] = useState(search)
  const statuses = draft.status?.split(',') ?? []
  const change = (part: Partial<RunsSearch>) => setDraft((old) => ({ ...old, ...part }))
  const toggle = (status: string) => {
    const next = statuses.includes(status) ? statuses.filter((one) => one !== status) : [...statuses, status]
    change({ status: next.join(',') || undefined })
  }
  const excluded = draft.exclude?.split(',') ?? []
  const exclude = (sector: string) => {
    const next = excluded.includes(sector) ? excluded.filter((one) => one !== sector) : [...excluded, sector]
    change({ exclude: next.join(',') || undefined })
  }
  const apply = (event: React.FormEvent) => {
    event.preventDefault()
    set(draft)
    onClose()
  }
  return (
    <Dialog open onClose={onClose} title="Filter the runs" look="modal narrow" footer={<><Button onClick={() => { set(NOTHING); onClose() }}>Clear</Button><Button kind="strong" type="submit" form="filter">Show</Button></>}>
      <form id="filter" onSubmit={apply} className="grid gap-4">
        <fieldset>
          <legend className="mb-1 text-xs font-medium text-ink2">Status</legend>
          <div className="grid grid-cols-2 gap-1">{STATUSES.map((s) => <label key={s} className="flex min-h-7 items-center gap-2"><input type="checkbox" className="size-4" checked={statuses.includes(s)} onChange={() => toggle(s)} />{title(s)}</label>)}</div>
          <div className="mt-1 flex gap-2"><Button small kind="quiet" onClick={() => change({ status: STATUSES.filter((s) => !statuses.includes(s)).join(',') || undefined })}>All but these</Button></div>
        </fieldset>
        <Field label="Sector">{(ids) => <select {...ids} className="field" value={draft.sector ?? ''} onChange={(e) => change({ sector: e.target.value || undefined, exclude: e.target.value ? undefined : draft.exclude })}><option value="">Any</option>{sectors.data?.sectors.map((s) => <option key={s.sectorId} value={s.sectorId}>{s.name}</option>)}</select>}</Field>
        {!draft.sector && !!sectors.data?.sectors.length && (
          <fieldset>
            <legend className="mb-1 text-xs font-medium text-ink2">Leave out</legend>
            <div className="grid max-h-40 grid-cols-2 gap-1 overflow-y-auto">{sectors.data.sectors.map((s) => <label key={s.sectorId} className="flex min-h-7 items-center gap-2"><input type="checkbox" className="size-4" checked={excluded.includes(s.sectorId)} onChange={() => exclude(s.sectorId)} />{s.name}</label>)}</div>
          </fieldset>
        )}
        <Field label="Time">{(ids) => <select {...ids} className="field" value={draft.field ?? 'createdAt'} onChange={(e) => change({ field: e.target.value as RunsSearch['field'] })}>{DATE_FIELDS.map((f) => <option key={f} value={f}>{f === 'createdAt' ? 'Created' : f === 'startedAt' ? 'Started' : 'Ended'}</option>)}</select>}</Field>
        <div className="grid grid-cols-2 gap-3">
          <Field label="From">{(ids) => <input {...ids} type="datetime-local" className="field" value={local(draft.from)} onChange={(e) => change({ from: e.target.value ? new Date(e.target.value).toISOString() : undefined })} />}</Field>
          <Field label="Before">{(ids) => <input {...ids} type="datetime-local" className="field" value={local(draft.to)} onChange={(e) => change({ to: e.target.value ? new Date(e.target.value).toISOString() : undefined })} />}</Field>
        </div>
      </form>
    </Dialog>
  )
}

function NameDialog({ onClose, onSave }: { onClose: () => void; onSave: (name: string, shared: boolean) => void }) {
  const mayShare = useMay('operate')
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const name = String(form.get('name') ?? '').trim()
    if (name) onSave(name, form.get('shared') === 'on')
  }
  return (
    <Dialog open onClose={onClose} title="Save this view" look="modal narrow" footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" icon={Save} type="submit" form="name-view">Save</Button></>}>
      <form id="name-view" onSubmit={submit} className="grid gap-3">
        <Field label="Name" hint="A view of yours with this name is replaced. Its address can be sent as a link as well.">{(ids) => <input {...ids} name="name" required maxLength={80} className="field" data-first />}</Field>
        {mayShare && <label className="flex min-h-7 items-center gap-2 text-sm"><input type="checkbox" name="shared" />Share it with everyone of this tenant</label>}
      </form>
    </Dialog>
  )
}

const cell = (value: unknown) => {
  const text = value === null || value === undefined ? '' : String(value)
  // A spreadsheet would run it.
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
const FIELDS: (keyof Run)[] = ['runId', 'status', 'sectorName', 'pipelineName', 'progress', 'currentStage', 'totalLeads', 'processedLeads', 'costMicros', 'createdAt', 'startedAt', 'completedAt', 'triggerType', 'triggeredBy']

/** Downloads all runs that the filter matches. */
async function exportRuns(search: RunsSearch, kind: 'csv' | 'jsonl') {
  try {
    const lines: string[] = kind === 'csv' ? [FIELDS.join(',')] : []
    let cursor: string | undefined
    do {
      const page = await ok(client.GET('/api/pipelines', { params: { query: { ...runsQuery(search), sort: search.sort ?? '-created', limit: 200, cursor } } }))
      for (const run of page.runs) lines.push(kind === 'csv' ? FIELDS.map((f) => cell(run[f])).join(',') : JSON.stringify(run))
      cursor = page.nextCursor ?? undefined
    } while (cursor)
    download(`runs.${kind}`, kind === 'csv' ? 'text/csv' : 'application/x-ndjson', lines)
  } catch (error) {
    failed(error)
  }
}
