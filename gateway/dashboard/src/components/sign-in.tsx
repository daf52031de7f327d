// Sign-in with an API key, which is exchanged for a session cookie and not kept.
import { useState } from 'react'
import { request, type Session, sentence } from '../lib/api'
import { useTitle } from '../lib/hooks'
import { useSession } from '../lib/session'
import { Button } from './ui'

export function SignIn({ problem }: { problem: string }) {
  const [error, setError] = useState(problem)
  const [busy, setBusy] = useState(false)
  useTitle('Sign in')
  const signIn = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const key = String(new FormData(event.currentTarget).get('key') ?? '').trim()
    setBusy(true)
    try {
      useSession.setState({ session: await request<Session>('POST', '/api/session', { key }) })
    } catch (refused) {
      setError(sentence(refused))
      setBusy(false)
    }
  }
  return (
    <main className="grid min-h-dvh place-content-center p-4">
      <form id="sign-in" onSubmit={signIn} className="card grid w-[min(420px,calc(100vw-32px))] gap-3 p-6">
        <h1 className="text-lg font-semibold">Sign in to LUCI</h1>
        <p className="text-ink2">With an API key of your tenant. <code className="mono">luci env</code> prints the one of this installation.</p>
        <label htmlFor="key" className="text-xs font-medium text-ink2">API key</label>
        <input id="key" name="key" type="password" autoComplete="off" required autoFocus className="field" aria-describedby={error ? 'sign-in-problem' : undefined} />
        {error && <p id="sign-in-problem" role="alert" className="text-failed">{error}</p>}
        <Button kind="strong" type="submit" busy={busy}>Sign in</Button>
      </form>
    </main>
  )
}
