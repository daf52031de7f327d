// A new run: a file or a sector, how LUCI reads it, what it would cost. Nothing is paid before "Start".
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { FileUp } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { Bar } from '../components/status'
import { Button, Dialog, Field, Problem } from '../components/ui'
import { client, command, ok, type Schemas, sentence } from '../lib/api'
import { parseCsv } from '../lib/csv'
import { bytes, count, money, provider, span, title, words } from '../lib/format'
import { useSettled } from '../lib/hooks'
import { useSession } from '../lib/session'
import { startedHere } from '../lib/started'
import { toast } from '../lib/toast'
import { type Imported, type Progress, type Summary, uploadFile } from '../lib/upload'
import { OpenUpload } from './open-upload'
import { useSectors } from './use-runs'

type Upload = { file: File; progress: Progress; imported?: Imported; error?: string; head: string[]; samples: string[][] }

/** What the line below the file says. */
const saying = ({ state, percent, continued }: Progress) =>
  state === 'checking' ? 'checking the file…'
    : state === 'counting' ? 'counting the rows…'
      : state === 'waiting' ? `paused at ${Math.floor(percent)}%: no connection. It goes on by itself.`
        : `${Math.floor(percent)}%${continued ? ', continued' : ''}`

/** Header and first rows, read in the browser: which column is which is the server's answer. */
async function samplesOf(file: File): Promise<{ head: string[]; samples: string[][] }> {
  const begin = await file.slice(0, 64 << 10).arrayBuffer()
  let text: string
  try {
    // A character cut off at the end of the slice is no error.
    text = new TextDecoder('utf-8', { fatal: true }).decode(begin, { stream: true })
  } catch {
    text = new TextDecoder('windows-1252').decode(begin)
  }
  text = text.replace(/^\uFEFF/, '')
  const line = text.split(/\r?\n/, 1)[0] ?? ''
  const delimiter = [',', ';', '\t', '|'].reduce((best, one) => (line.split(one).length > line.split(best).length ? one : best), ',')
  const [head = [], ...samples] = parseCsv(text, delimiter, 6)
  return { head, samples: samples.slice(0, 3) }
}

export function NewRun({ onClose, sector }: { onClose: () => void; sector?: string }) {
  const navigate = useNavigate()
  const session = useSession((s) => s.session)
  const [upload, setUpload] = useState<Upload | null>(null)
  const [over, setOver] = useState(false)
  const [source, setSource] = useState<'file' | 'sector'>(sector ? 'sector' : 'file')
  const [sectorId, setSectorId] = useState(sector ?? '')
  const [blueprintId, setBlueprintId] = useState('')
  const [name, setName] = useState('')
  const [budget, setBudget] = useState('')
  const [most, setMost] = useState('')
  const [existing, setExisting] = useState<'attach' | 'skip'>('attach')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(undefined)
  const sectors = useSectors()
  const blueprints = useQuery({ queryKey: ['blueprints'], queryFn: () => ok(client.GET('/api/blueprints')) })
  const abort = useRef<AbortController>(undefined)
  useEffect(() => () => abort.current?.abort(), [])

  const choose = async (file: File | undefined) => {
    if (!file) return
    abort.current?.abort()
    const control = new AbortController()
    abort.current = control
    setError(undefined)
    setUpload({ file, progress: { state: 'checking', percent: 0 }, head: [], samples: [] })
    const part = (change: Partial<Upload>) => !control.signal.aborted && setUpload((old) => old && { ...old, ...change })
    try {
      part(await samplesOf(file))
      part({ imported: await uploadFile(file, (progress) => part({ progress }), control.signal) })
    } catch (problem) {
      part({ error: sentence(problem) })
    }
  }

  const imported = upload?.imported
  const rows = source === 'file' ? imported?.rows : undefined
  const maxLeads = most ? Number(most) : Math.max(2000, rows ?? 0)
  const body: Schemas['StartRun'] | null = source === 'file' && !imported ? null : source === 'sector' && !sectorId ? null : {
    ...(source === 'file' ? { importId: imported!.importId } : { sectorId }),
    ...(source === 'file' && sectorId && { sectorId }),
    ...(blueprintId && { blueprintId }), ...((name.trim() || (source === 'file' && imported)) && { pipelineName: name.trim() || imported!.fileName.slice(0, 200) }),
    ...(imported?.summary.lineageOf && source === 'file' && { parentRunId: imported.summary.lineageOf }),
    options: { maxLeads, onExisting: existing, ...(budget && Number(budget) > 0 && { budgetMicros: Math.round(Number(budget) * 1e6) }) },
  }
  const asked = useSettled<string | null>(body ? JSON.stringify(body) : null)
  const estimate = useQuery({ queryKey: ['estimate', asked], enabled: !!asked, retry: false, queryFn: () => ok(client.POST('/api/pipelines/estimate', { body: JSON.parse(asked!) as Schemas['StartRun'] })) })
  const start = async (event: React.FormEvent) => {
    event.preventDefault()
    if (!body) return
    setBusy(true)
    try {
      const run = await command<Schemas['RunAccepted']>('POST', '/api/pipelines', body)
      startedHere.add(run.runId)
      toast('done', `${rows === undefined ? '' : `${count(rows)} rows imported, `}run accepted at position ${run.position}.`)
      onClose()
      navigate({ to: '/pipelines/$runId', params: { runId: run.runId } })
    } catch (problem) {
      setError(problem)
      setBusy(false)
    }
  }
  const blueprint = blueprints.data?.blueprints.find((b) => b.blueprintId === blueprintId) ?? blueprints.data?.blueprints.find((b) => b.system)
  return (
    <Dialog open onClose={onClose} title="New run" look="modal"
      footer={<><span className="mr-auto text-xs text-ink3">Nothing is paid before you start.</span><Button onClick={onClose}>Cancel</Button><Button id="start-run" kind="strong" type="submit" form="new-run" busy={busy} disabled={!body || !!upload?.error}>Start the run</Button></>}>
      <form id="new-run" onSubmit={start} className="grid gap-5">
        <div role="group" aria-label="Leads from" className="flex gap-2"><Button aria-pressed={source === 'file'} className="aria-pressed:ring-2 aria-pressed:ring-accent" onClick={() => setSource('file')}>A CSV file</Button><Button aria-pressed={source === 'sector'} className="aria-pressed:ring-2 aria-pressed:ring-accent" onClick={() => setSource('sector')}>A sector's leads</Button></div>
        {source === 'file' && (
          <div>
            <label htmlFor="file" onDragOver={(e) => { e.preventDefault(); setOver(true) }} onDragLeave={() => setOver(false)} onDrop={(e) => { e.preventDefault(); setOver(false); choose(e.dataTransfer.files[0]) }}
              className={`grid cursor-pointer justify-items-center gap-1 rounded-lg border border-dashed border-control px-4 text-center ${upload ? 'py-2' : 'py-6'} focus-within:ring-2 focus-within:ring-accent hover:bg-raised ${over ? 'bg-raised' : ''}`}>
              {!upload && <FileUp size={20} aria-hidden className="text-ink3" />}
              <span className="font-medium">{upload ? upload.file.name : 'Drop a CSV here, or choose one'}</span>
              <span className="text-xs text-ink3">{upload ? `${bytes(upload.file.size)} · choose another` : 'UTF-8, UTF-16, Windows-1252 and others; comma, semicolon, tab or bar'}</span>
              <input id="file" type="file" accept=".csv,text/csv,.txt" className="sr-only" onChange={(e) => choose(e.target.files?.[0])} />
            </label>
            {upload && !imported && !upload.error && <div className="mt-2 flex items-center gap-3 text-xs text-ink2"><Bar state={upload.progress.state === 'waiting' ? 'paused' : 'running'} percent={upload.progress.percent} label="Upload" className="h-1.5 flex-1" /><span id="upload-progress" data-state={upload.progress.state}>{saying(upload.progress)}</span></div>}
            {!upload && <OpenUpload />}
            {upload?.error && <div role="alert" id="upload-problem" data-state-of="failed" className="state mt-2 flex items-center gap-3 rounded-lg px-3 py-2"><span className="flex-1">{upload.error}</span><Button small className="text-ink" onClick={() => choose(upload.file)}>Try again</Button></div>}
            {imported && <Mapping upload={upload} summary={imported.summary} />}
          </div>
        )}
        {body !== null && <Estimate estimate={estimate.data} error={estimate.error} pending={estimate.isFetching} budget={budget ? Number(budget) * 1e6 : null} blueprint={blueprint} activeRuns={session?.activeRuns} />}
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={source === 'file' ? 'Sector of the leads' : 'Sector'} hint={source === 'file' ? 'Leave open to assign each lead by its state and SIC code' : 'Its members that are not marked “do not contact”'}>{(ids) => <select {...ids} required={source === 'sector'} className="field" value={sectorId} onChange={(e) => setSectorId(e.target.value)}><option value="">{source === 'file' ? 'By state and SIC code' : 'Choose a sector'}</option>{sectors.data?.sectors.map((s) => <option key={s.sectorId} value={s.sectorId}>{s.name}</option>)}</select>}</Field>
          <Field label="Blueprint" hint={(blueprint?.stages ?? []).map((s) => title(String(s.stage))).join(' → ')}>{(ids) => <select {...ids} className="field" value={blueprintId} onChange={(e) => setBlueprintId(e.target.value)}>{[...(blueprints.data?.blueprints ?? [])].filter((b) => !b.archived).sort((a, b) => Number(b.system ?? false) - Number(a.system ?? false)).map((b) => <option key={b.blueprintId} value={b.system ? '' : b.blueprintId}>{b.name}{b.system ? ' (default)' : ''}</option>)}</select>}</Field>
          <Field label="Budget in dollars" hint="The run pauses before a block that could exceed it">{(ids) => <input {...ids} type="number" min="0.01" step="0.01" inputMode="decimal" placeholder="no limit" className="field" value={budget} onChange={(e) => setBudget(e.target.value)} />}</Field>
          <Field label="Most leads" hint="More rows than this are refused, not cut">{(ids) => <input {...ids} type="number" min="1" max="10000000" inputMode="numeric" placeholder={count(maxLeads)} className="field" value={most} onChange={(e) => setMost(e.target.value)} />}</Field>
          <Field label="Name" hint="Default: the name of the file or the blueprint">{(ids) => <input {...ids} maxLength={200} className="field" value={name} onChange={(e) => setName(e.target.value)} />}</Field>
          <Field label="Leads of earlier imports" hint="Recognised by phone number or address">{(ids) => <select {...ids} className="field" value={existing} onChange={(e) => setExisting(e.target.value as 'attach' | 'skip')}><option value="attach">Process them again, as the same lead</option><option value="skip">Skip them</option></select>}</Field>
        </div>
        {error !== undefined && <Problem error={error} what="The run was not started." />}
      </form>
    </Dialog>
  )
}

/** Which column became which field, with values; columns that LUCI keeps but does not use. */
function Mapping({ upload, summary }: { upload: Upload; summary: Summary }) {
  const known = upload.head.filter((h) => summary.mapping[h] !== undefined || summary.mapping[h.trim()] !== undefined)
  const unread = upload.head.filter((h) => !known.includes(h))
  const sample = (h: string) => upload.samples.map((row) => row[upload.head.indexOf(h)]).filter(Boolean).slice(0, 2).join(' · ')
  const mapped = known.length ? known.map((h): [string, string] => [h, summary.mapping[h] ?? summary.mapping[h.trim()] ?? '']) : Object.entries(summary.mapping)
  return (
    <section id="mapping" aria-label="How the file is read" className="mt-3 rounded-lg border border-line">
      <p className="flex flex-wrap gap-x-4 border-b border-line px-3 py-2 text-xs text-ink2"><b className="font-semibold text-ink">{count(summary.rows)} rows</b><span>{summary.encoding}</span><span>separated by {summary.delimiter === '\t' ? 'tabs' : `“${summary.delimiter}”`}</span>{summary.malformedRows > 0 && <span className="text-failed">{count(summary.malformedRows)} malformed: they become failed leads to correct</span>}{summary.lineageOf && <span>corrected leads of run …{summary.lineageOf.slice(-6)}</span>}</p>
      <div className="max-h-44 overflow-y-auto" tabIndex={0} role="group" aria-label="Columns">
        <table className="w-full text-xs">
          <caption className="sr-only">Columns of the file</caption>
          <thead><tr className="text-left text-ink3"><th scope="col" className="px-3 py-1 font-medium">Column</th><th scope="col" className="px-3 py-1 font-medium">Read as</th><th scope="col" className="px-3 py-1 font-medium">For example</th></tr></thead>
          <tbody>
            {mapped.map(([h, field]) => <tr key={h} className="border-t border-line"><td className="px-3 py-1 font-medium">{h}</td><td className="px-3 py-1">{words(field)}</td><td className="max-w-40 truncate px-3 py-1 text-ink3">{sample(h)}</td></tr>)}
            {unread.map((h) => <tr key={h} data-unread className="border-t border-line text-ink3"><td className="px-3 py-1">{h || '(no name)'}</td><td className="px-3 py-1">kept, not used</td><td className="max-w-40 truncate px-3 py-1">{sample(h)}</td></tr>)}
          </tbody>
        </table>
      </div>
    </section>
  )
}

type StageEstimate = { stage: string; leads: number; priceMicros: number; lowMicros: number; highMicros: number }
const PAID: Record<string, string> = { enrich: 'apollo', skip_trace: 'realestate' }

function Estimate({ estimate, error, pending, budget, blueprint, activeRuns }: { estimate?: Schemas['Estimate']; error: unknown; pending: boolean; budget: number | null; blueprint?: Schemas['Blueprint']; activeRuns?: number }) {
  const providers = useQuery({ queryKey: ['providers'], queryFn: () => ok(client.GET('/api/providers')) })
  if (error) return <Problem error={error} what="It cannot be estimated." />
  if (!estimate) return <p className="text-xs text-ink3" role="status">{pending ? 'Estimating…' : ''}</p>
  const most = estimate.cost.mostMicros ?? 0
  const stages = (estimate.stages as StageEstimate[]).filter((s) => s.priceMicros > 0)
  const missing = (blueprint?.stages ?? []).map((s) => String((s.config as { provider?: string } | undefined)?.provider ?? PAID[s.stage] ?? '')).filter((name) => { const p = providers.data?.providers.find((one) => one.provider === name); return p && !p.configured })
  return (
    <section id="estimate" aria-label="Estimate" aria-busy={pending} className="rounded-lg bg-raised px-4 py-3">
      <div className="grid grid-cols-2 gap-3 sm:grid-cols-4">
        {[['Leads', count(estimate.leads)], ['Cost', `${money(estimate.cost.lowMicros)} – ${money(estimate.cost.highMicros)}`], ['At most', money(most)], ['Duration', `≈ ${span((estimate.duration.seconds ?? 0) * 1000)}`]].map(([k, v]) => <div key={k}><p className="text-2xs text-ink2">{k}</p><p className="text-base font-semibold">{v}</p></div>)}
      </div>
      <p className="mt-2 text-xs text-ink2">{estimate.basis.runs ? `From ${count(estimate.basis.runs)} earlier runs.` : 'No earlier runs: assumed hit rates.'} {stages.map((s) => `${title(s.stage)} ${money(s.priceMicros)} a lead`).join(', ')}</p>
      {budget !== null && most > budget && <p className="mt-1 text-xs text-paused">The budget may not be enough: the run would pause and ask.</p>}
      {missing.map((name) => <p key={name} className="mt-1 text-xs text-failed">{provider(name)} has no credentials: the run cannot start. Set them under Providers.</p>)}
      {(estimate.limits ?? []).map((l) => <p key={l.stage} data-limit={l.provider} className="mt-1 text-xs text-paused">{title(l.stage)}: {provider(l.provider)} allows {count(l.leftToday)} of {count(l.leads)} leads today ({count(l.perDay)} a day). The run will wait for {l.days === 1 ? 'midnight UTC' : `${count(l.days)} midnights UTC`}.</p>)}
      {activeRuns !== undefined && <p className="mt-1 text-2xs text-ink3">At most {count(activeRuns)} runs of this tenant are active at once; others wait.</p>}
    </section>
  )
}
