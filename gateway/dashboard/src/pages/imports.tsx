// Uploaded files, and how each was read.
import { useState } from 'react'
import { Page } from '../components/shell'
import { Badge } from '../components/status'
import { Button, Dialog, Empty } from '../components/ui'
import { client, ok, type Schemas } from '../lib/api'
import { bytes, clock, count, words } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { usePrefs } from '../lib/prefs'
import { useMay } from '../lib/session'
import { startedHere } from '../lib/started'
import { router } from '../router'
import { Paged, useCommand } from './paged'

type Import = Schemas['Import']
type Summary = { columns?: number; malformedRows?: number; mapping?: Record<string, string>; encoding?: string; delimiter?: string }

export function ImportsPage() {
  const zone = usePrefs((s) => s.zone)
  const may = useMay('operate')
  const { run, busy } = useCommand()
  const [shown, setShown] = useState<Import | null>(null)
  useTitle('Imports')
  const start = async (i: Import) => {
    const answer = await run<Schemas['RunAccepted']>({ method: 'POST', path: '/api/pipelines', body: { importId: i.importId, pipelineName: i.fileName.slice(0, 200), options: { maxLeads: Math.max(2000, i.rows ?? 0) } }, done: `A run on ${i.fileName}.`, stale: ['runs'],
      ask: { title: `Start a run on ${i.fileName}?`, action: 'Start the run', text: `${count(i.rows)} leads go through the default blueprint. New run shows what it would cost.` } })
    if (!answer) return
    startedHere.add(answer.runId)
    router.navigate({ to: '/pipelines/$runId', params: { runId: answer.runId } })
  }
  return (
    <Page title="Imports" note="Files of leads">
      <section className="card">
        <Paged name={['imports']} what="The imports cannot be listed." caption="Imports, newest first" id={(i: Import) => i.importId} empty={<Empty title="No file was imported yet">Choose one with New run on the page of runs.</Empty>}
          load={async (cursor) => { const page = await ok(client.GET('/api/imports', { params: { query: { limit: 50, cursor } } })); return { rows: page.imports, next: page.nextCursor } }}
          columns={[
            { label: 'File', wide: true, render: (i) => <button type="button" className="link text-left font-medium break-all" onClick={() => setShown(i)}>{i.fileName}</button> },
            { label: 'Status', render: (i) => <Badge state={i.status === 'rejected' ? 'failed' : i.status}>{words(i.status)}</Badge> },
            { label: 'Rows', right: true, render: (i) => count(i.rows) },
            { label: 'Size', right: true, render: (i) => bytes(i.sizeBytes) },
            { label: 'Imported', right: true, render: (i) => clock(i.createdAt, zone) },
            { label: 'Run', right: true, render: (i) => (i.status === 'completed' ? <Button small busy={busy} disabled={!may} onClick={() => start(i)}>Start a run</Button> : '') },
          ]} />
      </section>
      {shown && (
        <Dialog open onClose={() => setShown(null)} title={shown.fileName}>
          <dl className="grid grid-cols-[8rem_1fr] gap-y-1">
            <dt className="text-ink3">Id</dt><dd className="mono break-all">{shown.importId}</dd>
            <dt className="text-ink3">Checksum</dt><dd className="mono break-all">{shown.checksum ?? '—'}</dd>
            <dt className="text-ink3">Rows</dt><dd>{count(shown.rows)}, {count((shown.summary as Summary | null)?.malformedRows)} malformed</dd>
            <dt className="text-ink3">Encoding</dt><dd>{(shown.summary as Summary | null)?.encoding ?? '—'}, separated by “{(shown.summary as Summary | null)?.delimiter ?? '—'}”</dd>
            {shown.error && <><dt className="text-ink3">Refused</dt><dd className="text-failed">{String((shown.error as { message?: string; detail?: string }).message ?? (shown.error as { detail?: string }).detail ?? JSON.stringify(shown.error))}</dd></>}
          </dl>
          <h3 className="mt-4 mb-1 text-xs font-semibold text-ink2">Columns that are read</h3>
          <ul className="grid gap-1 sm:grid-cols-2">{Object.entries((shown.summary as Summary | null)?.mapping ?? {}).map(([column, field]) => <li key={column}><b className="font-medium">{column}</b> → {words(field)}</li>)}</ul>
        </Dialog>
      )}
    </Page>
  )
}
