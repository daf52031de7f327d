// Blueprints: the stages of a run and their settings, in versions. A run keeps the version it began with.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Page } from '../components/shell'
import { Badge } from '../components/status'
import { Button, Dialog, Empty, Field, Problem, Records, Skeleton } from '../components/ui'
import { client, ok, type Schemas, type Stage } from '../lib/api'
import { STAGES, title } from '../lib/format'
import { useTitle } from '../lib/hooks'
import { useMay } from '../lib/session'
import { useCommand } from './paged'

type Blueprint = Schemas['Blueprint']
type Spec = { name: string; stage: Stage; config: string }

export function BlueprintsPage() {
  const may = useMay('administer')
  const { run, busy } = useCommand()
  const [edited, setEdited] = useState<Blueprint | 'new' | null>(null)
  useTitle('Blueprints')
  const found = useQuery({ queryKey: ['blueprints'], queryFn: () => ok(client.GET('/api/blueprints')) })
  return (
    <Page title="Blueprints" actions={<Button kind="strong" disabled={!may} onClick={() => setEdited('new')}>New blueprint</Button>}>
      <section className="card">
        {found.isPending && <Skeleton />}
        {found.error && <Problem error={found.error} what="The blueprints cannot be listed." onRetry={() => found.refetch()} />}
        {found.data && (
          <Records rows={found.data.blueprints} id={(b) => `${b.blueprintId}${b.version}`} caption="Blueprints" empty={<Empty title="No blueprints" />}
            columns={[
              { label: 'Blueprint', wide: true, render: (b) => <><b className="font-semibold">{b.name}</b>{b.system && <span className="ml-2 text-2xs text-ink3">built in</span>}<span className="mono block text-2xs! text-ink3">{b.blueprintId}</span></> },
              { label: 'Stages', wide: true, render: (b) => b.stages.map((s) => title(s.stage)).join(' → ') },
              { label: 'Version', right: true, render: (b) => <>v{b.version}{b.activeVersion === b.version && <Badge state="completed" size="sm">active</Badge>}</> },
              { label: 'Actions', right: true, render: (b) => <span className="inline-flex gap-1"><Button small onClick={() => setEdited(b)}>{b.system ? 'Copy' : 'Change'}</Button>{!b.system && b.activeVersion !== b.version && <Button small disabled={!may || busy} onClick={() => run({ method: 'POST', path: `/api/blueprints/${b.blueprintId}/activate`, body: { version: b.version }, done: `v${b.version} is active.`, stale: ['blueprints'] })}>Activate</Button>}{!b.system && !b.archived && <Button small kind="danger" disabled={!may || busy} onClick={() => run({ method: 'DELETE', path: `/api/blueprints/${b.blueprintId}`, done: 'Archived.', stale: ['blueprints'], ask: { title: `Archive ${b.name}?`, action: 'Archive', danger: true, text: 'No new run can use it. Runs that began with it go on.' } })}>Archive</Button>}</span> },
            ]} />
        )}
      </section>
      {edited && <Edit blueprint={edited === 'new' ? null : edited} may={may} onClose={() => setEdited(null)} />}
    </Page>
  )
}

const specsOf = (b: Blueprint | null): Spec[] => (b?.stages ?? STAGES.map((stage) => ({ name: stage, stage, config: {} }))).map((s) => ({ name: s.name, stage: s.stage as Stage, config: JSON.stringify(s.config ?? {}, null, 2) }))

/** The settings of one stage; what is wrong with them. */
function problemOf(config: string): string | undefined {
  try {
    const value: unknown = JSON.parse(config)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'An object: { … }'
  } catch (error) {
    return error instanceof Error ? error.message : 'Not JSON'
  }
}

function Edit({ blueprint, may, onClose }: { blueprint: Blueprint | null; may: boolean; onClose: () => void }) {
  const { run, busy } = useCommand()
  const [specs, setSpecs] = useState(() => specsOf(blueprint))
  const own = blueprint && !blueprint.system ? blueprint : null
  const change = (i: number, part: Partial<Spec>) => setSpecs((old) => old.map((s, at) => (at === i ? { ...s, ...part } : s)))
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const body = { name: String(form.get('name')), activate: form.get('activate') === 'on', stages: specs.map((s) => ({ name: s.name, stage: s.stage, config: JSON.parse(s.config) as Record<string, unknown> })), ...(own && { blueprintId: own.blueprintId }) }
    // The server checks every setting and names the wrong one by its path.
    if (await run({ method: 'POST', path: '/api/blueprints', body, done: 'Published: its settings are valid.', stale: ['blueprints'] })) onClose()
  }
  const unused = STAGES.filter((s) => !specs.some((one) => one.stage === s))
  return (
    <Dialog open onClose={onClose} title={own ? `${own.name}, next version` : 'New blueprint'} footer={<><Button onClick={onClose}>Cancel</Button><Button kind="strong" type="submit" form="blueprint" busy={busy} disabled={!may || specs.some((s) => problemOf(s.config))}>Publish</Button></>}>
      <form id="blueprint" onSubmit={submit} className="grid gap-4">
        <Field label="Name">{(ids) => <input {...ids} name="name" required defaultValue={own?.name ?? (blueprint ? `${blueprint.name}_copy` : '')} className="field" />}</Field>
        {specs.map((s, i) => (
          <div key={s.stage} className="grid gap-2 rounded-lg border border-line p-3">
            <div className="flex items-center gap-2"><b className="flex-1 font-semibold">{title(s.stage)}</b>{s.stage !== 'import' && <Button small kind="quiet" onClick={() => setSpecs((old) => old.filter((_, at) => at !== i))}>Leave out</Button>}</div>
            <Field label="Name of the stage">{(ids) => <input {...ids} required value={s.name} onChange={(e) => change(i, { name: e.target.value })} className="field" />}</Field>
            <Field label="Settings (JSON)" error={problemOf(s.config)}>{(ids) => <textarea {...ids} rows={Math.min(8, s.config.split('\n').length)} value={s.config} spellCheck={false} onChange={(e) => change(i, { config: e.target.value })} className="field mono" />}</Field>
          </div>
        ))}
        {unused.length > 0 && <p className="flex flex-wrap gap-2">{unused.map((stage) => <Button key={stage} small onClick={() => setSpecs((old) => [...old, { name: stage, stage, config: '{}' }].sort((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage)))}>Add {title(stage)}</Button>)}</p>}
        <label className="flex items-center gap-2"><input type="checkbox" name="activate" defaultChecked className="size-4" />New runs use this version at once</label>
      </form>
    </Dialog>
  )
}
