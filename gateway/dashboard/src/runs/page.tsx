// The list of runs.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { Page } from '../components/shell'
import { Button } from '../components/ui'
import { useTitle } from '../lib/hooks'
import type { RunsSearch } from '../lib/search'
import { useMay } from '../lib/session'
import { ActivityStrip } from './activity-strip'
import { RunList } from './list'
import { Tiles } from './tiles'
import { useActivity, useRuns } from './use-runs'

const NewRun = lazy(() => import('./new-run').then((m) => ({ default: m.NewRun })))

export function RunsPage() {
  const search = useSearch({ from: '/pipelines' })
  const navigate = useNavigate({ from: '/pipelines' })
  const mayStart = useMay('operate')
  const [starting, setStarting] = useState(false)
  const activity = useActivity()
  const { first } = useRuns(search, [], undefined)
  useTitle('Pipeline runs')
  const set = (change: Partial<RunsSearch>) => navigate({ search: (old) => ({ ...old, ...change }), replace: true, resetScroll: false })
  const start = mayStart ? () => setStarting(true) : undefined
  return (
    <Page title="Pipeline runs" actions={start && <Button id="start" kind="strong" icon={Plus} onClick={start}>New run<kbd aria-hidden className="mono ml-1 text-2xs opacity-70 max-md:hidden">N</kbd></Button>}>
      <Tiles counts={first.data?.counts} activity={activity.data} status={search.status} onToggle={(status) => set({ status })} />
      <ActivityStrip activity={activity.data} from={search.from} to={search.to} onChange={(from, to) => set({ from, to, field: from ? 'createdAt' : undefined })} />
      <RunList search={search} set={set} onStart={start} />
      {starting && <Suspense><NewRun onClose={() => setStarting(false)} sector={search.sector} /></Suspense>}
    </Page>
  )
}
