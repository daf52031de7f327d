// What the pages of records share: a list that grows page by page, and commands that report.
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Button, type Column, Problem, Records, Skeleton } from '../components/ui'
import { command } from '../lib/api'
import { confirm, type Question } from '../lib/confirm'
import { count } from '../lib/format'
import { useInterval } from '../lib/hooks'
import { visible } from '../lib/runs'
import { failed, toast } from '../lib/toast'

type PageOf<T> = { rows: T[]; next: string | null | undefined }

export function Paged<T>({ name, load, columns, id, caption, empty, what }: { name: readonly unknown[]; load: (cursor: string | undefined) => Promise<PageOf<T>>; columns: Column<T>[]; id: (row: T) => string; caption: string; empty: React.ReactNode; what: string }) {
  const interval = useInterval(10_000)
  const found = useInfiniteQuery({
    queryKey: name, initialPageParam: undefined as string | undefined, refetchInterval: interval,
    queryFn: ({ pageParam }) => load(pageParam), getNextPageParam: (last: PageOf<T>) => last.next ?? undefined,
  })
  if (found.isPending) return <Skeleton rows={6} />
  if (found.error && !found.data) return <Problem error={found.error} what={what} onRetry={() => found.refetch()} />
  const rows = found.data?.pages.flatMap((page) => page.rows) ?? []
  return (
    <>
      <Records rows={rows} columns={columns} id={id} caption={caption} empty={empty} />
      {(found.hasNextPage || rows.length > 20) && <p className="flex items-center justify-center gap-3 p-3 text-xs text-ink2">{count(rows.length)} shown{found.hasNextPage && <Button small busy={found.isFetchingNextPage} onClick={() => found.fetchNextPage()}>Show more</Button>}</p>}
    </>
  )
}

type Order = { method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'; path: string; body?: unknown; done: string; ask?: Omit<Question, 'answer'>; stale: string[] }

/** Sends a command: asks first where it cannot be undone, says where it was accepted, and reads again. */
export function useCommand() {
  const queries = useQueryClient()
  const [busy, setBusy] = useState(false)
  const run = async <T extends { position?: number }>(order: Order): Promise<T | null> => {
    if (order.ask && !(await confirm(order.ask))) return null
    setBusy(true)
    try {
      const answer = await command<T>(order.method, order.path, order.body)
      if (answer.position) await visible(answer.position)
      toast('done', order.done, answer.position ? `Accepted at position ${answer.position}.` : undefined)
      for (const key of order.stale) queries.invalidateQueries({ queryKey: [key] })
      return answer
    } catch (error) {
      failed(error)
      return null
    } finally {
      setBusy(false)
    }
  }
  return { run, busy }
}

/** The named fields of a form; empty ones are left out. */
export function fieldsOf(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries([...new FormData(form)].flatMap(([key, value]) => (typeof value === 'string' && value.trim() ? [[key, value.trim()]] : [])))
}
