// One socket per tab for all runs of the tenant; polling while it is down. The state it shows is what is true, not what is hoped.
import { create } from 'zustand'

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'polling' | 'offline'

/** A frame of the stream; of `block:progress` and `run:progress`, which are not events, only some fields are set. */
export type Frame = {
  type: string
  runId?: string
  position?: number
  version?: number
  at?: string
  progress?: number
  blockId?: string
  processed?: number
  total?: number
  lagMs?: number
  error?: { code?: string; message?: string }
  sectorName?: string
  pipelineName?: string
}

export type Telemetry = { progress: number; at: number }

type Live = {
  connection: Connection
  lagMs: number
  /** When the data was last known to be true, in milliseconds. */
  asOf: number
  position: number
  /** Progress of runs and blocks since the newest event, by id. */
  runs: Record<string, Telemetry>
  blocks: Record<string, { processed: number; total: number }>
}

export const useLive = create<Live>()(() => ({ connection: 'connecting', lagMs: 0, asOf: Date.now(), position: 0, runs: {}, blocks: {} }))

export type LineOptions = {
  url: () => string
  /** Answers when the server can be reached; throws otherwise. */
  poll: () => Promise<unknown>
  /** Called with the frames of one animation frame, in order. */
  onFrames: (frames: Frame[]) => void
  onState: (state: Connection, lagMs?: number) => void
  WebSocketImpl?: typeof WebSocket
  backoff?: (tries: number) => number
  schedule?: (run: () => void) => unknown
}

/** More than two heartbeats: a socket can be dead without being closed. */
const SILENCE = 12_000
const POLL = 5_000
/** Positions are dense, but those of other tenants are not sent: a gap cannot be seen here. Runs see it by their versions. */
export function openLine(options: LineOptions) {
  const WS = options.WebSocketImpl ?? WebSocket
  const backoff = options.backoff ?? ((tries: number) => Math.min(15_000, 400 * 2 ** Math.min(tries, 6)) * (0.5 + Math.random() / 2))
  const schedule = options.schedule ?? ((run: () => void) => (document.hidden ? setTimeout(run, 250) : requestAnimationFrame(run)))
  let socket: WebSocket | undefined
  let ended = false
  let tries = 0
  let silence: ReturnType<typeof setTimeout> | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  let polling: ReturnType<typeof setTimeout> | undefined
  let frames: Frame[] = []

  const flush = () => {
    const batch = frames
    frames = []
    if (!ended && batch.length) options.onFrames(batch)
  }
  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(() => socket?.close(), SILENCE)
  }
  const stopPolling = () => {
    clearTimeout(polling)
    polling = undefined
  }

  function open() {
    if (ended) return
    const current = new WS(options.url())
    socket = current
    heard()
    current.onmessage = (message) => {
      heard()
      const frame = JSON.parse(String(message.data)) as Frame
      if (frame.type === 'snapshot') {
        tries = 0
        stopPolling()
        options.onState('live', 0)
      }
      if (frame.type === 'heartbeat') options.onState('live', frame.lagMs)
      // Too slow: the server has closed the stream at a position, from which a new one goes on.
      if (frame.type === 'resume') return current.close()
      frames.push(frame)
      if (frames.length === 1) schedule(flush)
    }
    current.onclose = () => {
      if (socket === current) lost()
    }
  }

  function lost() {
    clearTimeout(silence)
    if (ended) return
    if (!polling) {
      options.onState('reconnecting')
      pollNow()
    }
    clearTimeout(retry)
    retry = setTimeout(open, backoff(tries++))
  }

  async function pollNow() {
    clearTimeout(polling)
    polling = setTimeout(pollNow, POLL)
    const mine = polling
    try {
      await options.poll()
      if (polling && !ended) options.onState('polling')
    } catch {
      if (polling === mine && !ended) options.onState('offline')
    }
  }

  open()
  return () => {
    ended = true
    clearTimeout(silence)
    clearTimeout(retry)
    stopPolling()
    socket?.close()
  }
}

type Listener = (frames: Frame[]) => void
const listeners = new Set<Listener>()
/** Calls `listener` with each batch of frames; returns what ends that. */
export function onFrames(listener: Listener) {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

/** The tab's connection: started once signed in. */
export function startLine(poll: () => Promise<unknown>) {
  return openLine({
    url: () => {
      const { position } = useLive.getState()
      const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
      return `${scheme}://${location.host}/ws/pipelines${position ? `?after=${position}` : ''}`
    },
    poll,
    onState: (connection, lagMs) => {
      const alive = connection === 'live' || connection === 'polling'
      useLive.setState((s) => ({ connection, lagMs: lagMs ?? s.lagMs, asOf: alive ? Date.now() : s.asOf }))
    },
    onFrames: (frames) => {
      record(frames)
      for (const listener of listeners) listener(frames)
    },
  })
}

function record(frames: Frame[]) {
  const { runs, blocks, position } = useLive.getState()
  const change = { runs, blocks, position }
  for (const frame of frames) {
    if (frame.position && frame.type !== 'run:progress' && frame.type !== 'block:progress') change.position = Math.max(change.position, frame.position)
    if (frame.type === 'run:progress' && frame.runId) change.runs = { ...change.runs, [frame.runId]: { progress: frame.progress ?? 0, at: Date.now() } }
    if (frame.type === 'block:progress' && frame.blockId) change.blocks = { ...change.blocks, [frame.blockId]: { processed: frame.processed ?? 0, total: frame.total ?? 0 } }
    if ((frame.type === 'block:completed' || frame.type === 'block:failed') && frame.blockId && change.blocks[frame.blockId]) {
      const { [frame.blockId]: _, ...rest } = change.blocks
      change.blocks = rest
    }
    if (frame.runId && /^run:(completed|failed|cancelled|deleted)$/.test(frame.type) && change.runs[frame.runId]) {
      const { [frame.runId]: _, ...rest } = change.runs
      change.runs = rest
    }
  }
  useLive.setState({ ...change, asOf: Date.now() })
}
