// Saved views of the list: those of LUCI, one's own, and those that others of the tenant share.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { client, ok, once } from '../lib/api'
import { parseSearch, type RunsSearch, runsSearch, stringifySearch } from '../lib/search'
import { failed } from '../lib/toast'

/** `id` is absent for those of LUCI. */
export type View = { id?: string; name: string; search: RunsSearch; shared: boolean; own: boolean }

const BUILT_IN: View[] = [
  { name: 'All', search: {}, shared: false, own: false },
  { name: 'Needs attention', search: { status: 'failed,paused' }, shared: false, own: false },
  { name: 'Running', search: { status: 'running' }, shared: false, own: false },
]
const KEY = ['views']

export function useViews() {
  const queries = useQueryClient()
  const saved = useQuery({ queryKey: KEY, staleTime: 60_000, queryFn: () => ok(client.GET('/api/views')) })
  const own = (saved.data?.views ?? []).filter((view) => view.page === 'runs').map((view): View => ({ id: view.viewId, name: view.name, search: runsSearch(parseSearch(view.query)), shared: view.shared, own: view.own }))
  const changed = () => queries.invalidateQueries({ queryKey: KEY })
  /** A view of the same name is replaced. */
  const save = async (name: string, search: RunsSearch, shared: boolean) => {
    const { peek: _, ...kept } = search
    try {
      await ok(client.POST('/api/views', { headers: once(), body: { name, page: 'runs', query: stringifySearch(kept).slice(1), shared } }))
    } catch (error) {
      failed(error)
    }
    return changed()
  }
  const remove = async (view: View) => {
    if (!view.id) return
    try {
      await ok(client.DELETE('/api/views/{viewId}', { params: { path: { viewId: view.id } }, headers: once() }))
    } catch (error) {
      failed(error)
    }
    return changed()
  }
  return { views: [...BUILT_IN, ...own], save, remove }
}
