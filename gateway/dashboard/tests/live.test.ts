// The line to the server: it resumes, falls back to polling, says offline, and leaves no timer behind.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Connection, type Frame, openLine } from '../src/lib/live'

class Socket {
  static all: Socket[] = []
  onmessage?: (message: { data: string }) => void
  onclose?: () => void
  closed = false
  constructor(public url: string) {
    Socket.all.push(this)
  }
  hear(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }
  close() {
    if (this.closed) return
    this.closed = true
    this.onclose?.()
  }
}

function line(poll: () => Promise<unknown>) {
  const frames: Frame[] = []
  const states: Connection[] = []
  let position = 0
  const stop = openLine({
    url: () => `ws://x?after=${position}`, poll, backoff: () => 10, schedule: (run) => setTimeout(run, 1), WebSocketImpl: Socket as unknown as typeof WebSocket,
    onFrames: (batch) => { for (const frame of batch) { frames.push(frame); position = Math.max(position, frame.position ?? 0) } },
    onState: (state) => { if (states.at(-1) !== state) states.push(state) },
  })
  return { frames, states, stop, last: () => Socket.all.at(-1)! }
}

beforeEach(() => {
  vi.useFakeTimers()
  Socket.all = []
})
afterEach(() => vi.useRealTimers())

describe('the line', () => {
  it('is live after the snapshot and resumes after the last position', async () => {
    const { frames, states, last, stop } = line(async () => {})
    expect(states).toEqual([])
    last().hear({ type: 'snapshot', position: 7 })
    last().hear({ type: 'run:started', position: 8, version: 2 })
    await vi.advanceTimersByTimeAsync(5)
    expect(frames.map((f) => f.type)).toEqual(['snapshot', 'run:started'])
    expect(states).toEqual(['live'])
    last().close()
    await vi.advanceTimersByTimeAsync(15)
    expect(last().url).toBe('ws://x?after=8')
    stop()
  })

  it('polls while the socket is down, and says offline when the server is gone', async () => {
    let up = true
    const { states, last, stop } = line(async () => { if (!up) throw new TypeError('gone') })
    last().close()
    expect(states).toEqual(['reconnecting'])
    await vi.advanceTimersByTimeAsync(1)
    expect(states.at(-1)).toBe('polling')
    up = false
    for (let i = 0; i < 3; i++) {
      last().close()
      await vi.advanceTimersByTimeAsync(5_000)
    }
    expect(states.at(-1)).toBe('offline')
    last().hear({ type: 'snapshot', position: 1 })
    expect(states.at(-1)).toBe('live')
    stop()
  })

  it('takes a silent socket for a lost one', async () => {
    const { states, last, stop } = line(async () => {})
    last().hear({ type: 'snapshot', position: 1 })
    await vi.advanceTimersByTimeAsync(12_100)
    expect(Socket.all.length).toBeGreaterThan(1)
    expect(states).toContain('polling')
    stop()
  })

  it('goes on from its position when the server says it was too slow', async () => {
    const { last, stop } = line(async () => {})
    last().hear({ type: 'snapshot', position: 4 })
    await vi.advanceTimersByTimeAsync(5)
    last().hear({ type: 'resume', after: 4 })
    await vi.advanceTimersByTimeAsync(15)
    expect(Socket.all.length).toBe(2)
    expect(last().url).toBe('ws://x?after=4')
    stop()
  })

  it('leaves nothing behind after 200 openings and closings', async () => {
    for (let i = 0; i < 200; i++) {
      const { last, stop } = line(async () => {})
      last().hear({ type: 'snapshot', position: 1 })
      if (i % 2) last().close()
      stop()
    }
    await vi.advanceTimersByTimeAsync(20)
    const opened = Socket.all.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect(Socket.all.length).toBe(opened)
    expect(vi.getTimerCount()).toBe(0)
    expect(Socket.all.every((socket) => socket.closed)).toBe(true)
  })
})
