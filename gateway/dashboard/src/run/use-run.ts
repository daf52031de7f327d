// What the page of a run knows: the server's answer, and the whole history, folded at any version.
import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useSyncExternalStore } from 'react'
import { client, ok, type RunEvent } from '../lib/api'
import { type Detail, type Fold, Replayer } from '../lib/fold'
import { useInterval } from '../lib/hooks'
import { onFrames } from '../lib/live'

export function useRun(runId: string) {
  const interval = useInterval(2_000)
  return useQuery({ queryKey: ['run', runId], queryFn: () => ok(client.GET('/api/pipelines/{runId}', { params: { path: { runId } } })), refetchInterval: interval })
}

const PAGE = 500
/** Pause between two requests for newer events of one run. */
const PACE = 200

/** The events of one run, from version 1 on and without a hole: what comes next is asked for by the version known. */
export class History {
  readonly events: RunEvent[] = []
  readonly replayer = new Replayer(this.events)
  /** The newest version that is known to exist. */
  head = 0
  error: unknown = null
  /** All events of the time of opening were read; from then on the fold is more current than an answer of the server. */
  ready = false
  private readonly runId: string
  private readonly listeners = new Set<() => void>()
  private pulling = false
  private again = false
  private shown = 0

  constructor(runId: string) {
    this.runId = runId
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }
  /** Changes whenever there is something new to show. */
  snapshot = () => this.shown

  private tell() {
    this.shown += 1
    for (const listener of this.listeners) listener()
  }

  /** An event of this version exists. */
  expect(version: number) {
    if (version <= this.events.length) return
    this.head = Math.max(this.head, version)
    this.pull()
  }

  async pull() {
    if (this.pulling) {
      this.again = true
      return
    }
    this.pulling = true
    try {
      do {
        this.again = false
        let more = true
        while (more) {
          const page = await ok(client.GET('/api/pipelines/{runId}/events', { params: { path: { runId: this.runId }, query: { cursor: `v${this.events.length}`, limit: PAGE } } }))
          for (const event of page.events) if (event.version === this.events.length + 1) this.events.push(event)
          this.head = Math.max(this.head, page.version)
          more = !!page.nextCursor && page.events.length > 0
          this.error = null
          this.ready ||= !more
          this.tell()
        }
        if (this.again) await new Promise((resolve) => setTimeout(resolve, PACE))
      } while (this.again)
    } catch (error) {
      this.error = error
      this.tell()
    } finally {
      this.pulling = false
    }
  }
}

/** The history of a run, kept up by the frames of the tab's connection, or by polling while that is down. */
export function useHistory(runId: string) {
  const history = useMemo(() => new History(runId), [runId])
  const interval = useInterval(2_000)
  useEffect(() => {
    history.pull()
    return onFrames((frames) => {
      for (const frame of frames) {
        if (frame.type === 'snapshot') history.pull()
        else if (frame.runId === runId && frame.version && !frame.type.endsWith(':progress')) history.expect(frame.version)
      }
    })
  }, [history, runId])
  useEffect(() => {
    if (!interval) return
    const timer = setInterval(() => history.pull(), interval)
    return () => clearInterval(timer)
  }, [history, interval])
  const shown = useSyncExternalStore(history.subscribe, history.snapshot)
  return { history, shown }
}

export type Moment = { detail: Detail; fold: Fold; version: number }

/** The run after `at` events, or after all of them. */
export function useMoment(history: History, shown: number, at: number | undefined): Moment | null {
  // biome-ignore lint: `shown` stands for the events, which are one growing list
  return useMemo(() => {
    const version = Math.min(at ?? history.events.length, history.events.length)
    const fold = history.replayer.at(version)
    const detail = fold.detail()
    return detail && { detail, fold, version }
  }, [history, shown, at])
}
