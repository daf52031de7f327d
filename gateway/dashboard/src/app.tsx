// Who is signed in decides what is shown: the sign-in, or the pages with their connection to the server.
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { SignIn } from './components/sign-in'
import { Shell } from './components/shell'
import { Empty } from './components/ui'
import { client, ok, Refused, request, type Session, sentence, whenSignedOut } from './lib/api'
import { type Frame, onFrames, startLine } from './lib/live'
import { usePrefs } from './lib/prefs'
import { useSession } from './lib/session'
import { toast } from './lib/toast'
import { startedHere } from './lib/started'

/** A key in the address is removed before anything else can read or store it. */
function keyOfAddress(): string | null {
  const key = new URLSearchParams(location.hash.slice(1)).get('key')
  if (key) history.replaceState(history.state, '', location.pathname + location.search)
  return key
}
const firstKey = keyOfAddress()

export function App({ children }: { children: React.ReactNode }) {
  const session = useSession((s) => s.session)
  const [problem, setProblem] = useState('')
  const begun = useRef(false)
  useEffect(() => {
    whenSignedOut(() => useSession.setState({ session: null }))
    if (begun.current) return
    begun.current = true
    const opened = firstKey ? request<Session>('POST', '/api/session', { key: firstKey }) : ok(client.GET('/api/session'))
    opened.then(
      (session) => useSession.setState({ session }),
      (error) => {
        if (error instanceof Refused) useSession.setState({ session: null })
        if (!(error instanceof Refused) || firstKey) setProblem(sentence(error))
      },
    )
  }, [])
  if (session === undefined) return problem ? <Empty title="LUCI does not answer" action={<a className="link" href=".">Try again</a>}>{problem}</Empty> : null
  if (session === null) return <SignIn problem={problem} />
  return <SignedIn>{children}</SignedIn>
}

function SignedIn({ children }: { children: React.ReactNode }) {
  useLine()
  return <div id="board"><Shell>{children}</Shell></div>
}

/** Keeps the tab's connection open and marks what a frame makes stale: lists at most twice a second, bars every 5 s. */
function useLine() {
  const queries = useQueryClient()
  useEffect(() => {
    const stop = startLine(() => ok(client.GET('/api/pipelines', { params: { query: { limit: 1 } } })))
    const due = new Map<string, ReturnType<typeof setTimeout>>()
    const stale = (key: string, ms: number, run?: string) => {
      const name = `${key} ${run ?? ''}`
      if (due.has(name)) return
      due.set(name, setTimeout(() => {
        due.delete(name)
        queries.invalidateQueries({ queryKey: run ? [key, run] : [key] })
      }, ms))
    }
    const end = onFrames((frames) => {
      for (const frame of frames) {
        if (frame.type === 'snapshot') {
          stale('runs', 0)
          stale('run', 0)
          stale('activity', 0)
        } else if (frame.runId && !frame.type.endsWith(':progress')) {
          stale('runs', 500)
          // What it waits for is known to the server only.
          stale('run', 1_500, frame.runId)
          if (frame.type.startsWith('run:')) stale('activity', 5_000)
          announce(frame)
        }
      }
    })
    return () => {
      end()
      stop()
      for (const timer of due.values()) clearTimeout(timer)
    }
  }, [queries])
}

function announce(frame: Frame) {
  const failed = frame.type === 'run:failed'
  if (!failed && frame.type !== 'run:completed') return
  const mine = !!frame.runId && startedHere.has(frame.runId)
  const text = failed ? `A run failed: ${frame.error?.message ?? frame.error?.code ?? 'see its page'}` : 'Your run completed.'
  if (failed || mine) toast(failed ? 'failed' : 'done', text, frame.runId)
  if (document.hidden && usePrefs.getState().notify && (failed || mine)) {
    const note = new Notification(text, { body: frame.runId, tag: frame.runId })
    note.onclick = () => {
      window.focus()
      location.assign(`/admin/pipelines/${frame.runId}`)
    }
  }
}
