// The list of runs, in pages of which only those on screen are asked for: 10,000 runs scroll like 10.
import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query'
import { client, ok, type Run } from '../lib/api'
import { useInterval } from '../lib/hooks'
import { type RunsSearch, runsQuery } from '../lib/search'

export const PAGE = 100
export const DEFAULT_SORT = '-created'

const load = (search: RunsSearch, page: number, before: string | undefined) => {
  const query = runsQuery(search)
  const upTo = before && !query.to ? { to: before, dateField: query.dateField ?? ('createdAt' as const) } : {}
  return ok(client.GET('/api/pipelines', { params: { query: { ...query, ...upTo, sort: search.sort ?? DEFAULT_SORT, limit: PAGE, offset: page * PAGE } } }))
}

export type Rows = { at: (index: number) => Run | undefined; total: number; capped: boolean; loaded: Run[] }

/** `pages` are those on screen; `before` holds the list as it was when the reader scrolled away from its top. */
export function useRuns(search: RunsSearch, pages: number[], before: string | undefined) {
  const interval = useInterval(5_000)
  const { peek: _, ...filter } = search
  const options = (page: number) => ({ queryKey: ['runs', filter, before, page], queryFn: () => load(search, page, before), refetchInterval: interval })
  const first = useQuery({ ...options(0), placeholderData: keepPreviousData })
  const others = pages.filter((page) => page > 0)
  const rest = useQueries({ queries: others.map(options) })
  const found = new Map<number, Run[]>()
  if (first.data) found.set(0, first.data.runs)
  others.forEach((page, i) => {
    const data = rest[i]?.data
    if (data) found.set(page, data.runs)
  })
  const rows: Rows = {
    at: (index) => found.get(Math.floor(index / PAGE))?.[index % PAGE],
    total: first.data?.total ?? 0,
    capped: first.data?.totalCapped ?? false,
    loaded: [...found.entries()].sort(([a], [b]) => a - b).flatMap(([, runs]) => runs),
  }
  return { first, rows }
}

export function useActivity() {
  const interval = useInterval(30_000)
  return useQuery({ queryKey: ['activity'], queryFn: () => ok(client.GET('/api/pipelines/activity')), refetchInterval: interval || 60_000, staleTime: 10_000 })
}

export function useSectors() {
  return useQuery({ queryKey: ['sectors'], staleTime: 60_000, queryFn: () => ok(client.GET('/api/sectors', { params: { query: { limit: 200 } } })) })
}
