// The frame of every page: navigation, the state of the connection, the menu of the user.
import { Link, useLocation, useNavigate } from '@tanstack/react-router'
import clsx from 'clsx'
import { Activity, Ban, Blocks, Clock3, Database, FileText, Import, Key, Keyboard, MapPinned, MessageSquare, Monitor, Moon, MoreHorizontal, Plug, ScrollText, Search, Sun, User, Users } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { request } from '../lib/api'
import { clock } from '../lib/format'
import { useKeys } from '../lib/hooks'
import { useLive } from '../lib/live'
import { type Theme, usePrefs } from '../lib/prefs'
import { useSession } from '../lib/session'
import { failed, toast } from '../lib/toast'
import { KeySheet, Question, Toasts } from './overlays'
import { IconButton, Menu } from './ui'

const Palette = lazy(() => import('./palette').then((m) => ({ default: m.Palette })))

export const PAGES = [
  ['/pipelines', 'Runs', Activity], ['/imports', 'Imports', Import], ['/leads', 'Leads', Users], ['/sectors', 'Sectors', MapPinned],
  ['/messages', 'Messages', MessageSquare], ['/templates', 'Templates', FileText], ['/suppressions', 'Suppressions', Ban],
  ['/blueprints', 'Blueprints', Blocks], ['/automations', 'Automations', Clock3], ['/providers', 'Providers', Plug], ['/keys', 'Keys', Key],
  ['/audit', 'Audit log', ScrollText], ['/system', 'System', Database],
] as const

/** The state of the connection in words: five states, each of them true. */
export function useConnection(): { state: string; text: string } {
  const { connection, lagMs, asOf } = useLive()
  const zone = usePrefs((s) => s.zone)
  const at = clock(new Date(asOf).toISOString(), zone, 'time')
  switch (connection) {
    case 'live':
      return lagMs > 2000 ? { state: 'late', text: `Live · ${(lagMs / 1000).toFixed(1)} s behind` } : { state: 'live', text: `Live · ${lagMs} ms` }
    case 'polling':
      return { state: 'polling', text: 'Polling every 5 s' }
    case 'reconnecting':
      return { state: 'reconnecting', text: 'Reconnecting…' }
    case 'offline':
      return { state: 'offline', text: `Offline since ${at}` }
    case 'connecting':
      return { state: 'connecting', text: 'Connecting…' }
  }
}

function ConnectionBadge() {
  const { state, text } = useConnection()
  const connection = useLive((s) => s.connection)
  return (
    <span role="status" id="connection" data-state={connection} data-state-of={state} className="state inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap">
      <span aria-hidden className={clsx('size-1.5 bg-(--s)', connection === 'live' ? 'rounded-full' : connection === 'offline' ? 'rotate-45' : 'rounded-[1px]')} />
      <span className="max-sm:max-w-32 truncate">{text}</span>
    </span>
  )
}

const THEMES: [Theme, string, typeof Sun][] = [['system', 'System theme', Monitor], ['light', 'Light theme', Sun], ['dark', 'Dark theme', Moon]]

function UserMenu({ onKeys }: { onKeys: () => void }) {
  const session = useSession((s) => s.session)
  const prefs = usePrefs()
  const signOut = async () => {
    try {
      await request('DELETE', '/api/session')
      location.reload()
    } catch (error) {
      failed(error)
    }
  }
  const notify = async () => {
    if (prefs.notify) return prefs.set({ notify: false })
    if (!('Notification' in window)) return void toast('failed', 'This browser has no notifications.')
    const permission = await Notification.requestPermission()
    prefs.set({ notify: permission === 'granted' })
    if (permission !== 'granted') toast('info', 'The browser does not allow notifications.')
  }
  return (
    <Menu label="Your settings" trigger={<IconButton id="user" label={`${session?.tenantName ?? 'Tenant'}, ${session?.role}`} icon={User} />}
      items={[
        ...THEMES.map(([theme, label]) => ({ label, checked: prefs.theme === theme, onSelect: () => prefs.set({ theme }) })),
        'line' as const,
        { label: 'Times in UTC', checked: prefs.zone === 'utc', onSelect: () => prefs.set({ zone: prefs.zone === 'utc' ? 'local' : 'utc' }) },
        { label: 'Exact times', checked: prefs.times === 'absolute', onSelect: () => prefs.set({ times: prefs.times === 'absolute' ? 'relative' : 'absolute' }) },
        { label: 'Compact rows', checked: prefs.density === 'compact', onSelect: () => prefs.set({ density: prefs.density === 'compact' ? 'comfortable' : 'compact' }) },
        { label: 'Notify when a run ends', checked: prefs.notify, onSelect: notify },
        'line' as const,
        { label: 'Keyboard', onSelect: onKeys, hint: '?' },
        { label: 'Sign out', onSelect: signOut },
      ]} />
  )
}

export function Shell({ children }: { children: React.ReactNode }) {
  const session = useSession((s) => s.session)
  const { theme, set } = usePrefs()
  const navigate = useNavigate()
  const path = useLocation({ select: (l) => l.pathname })
  const [keys, setKeys] = useState(false)
  const [palette, setPalette] = useState(false)
  useKeys({ '?': () => setKeys(true) })
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        setPalette((open) => !open)
      }
    }
    document.addEventListener('keydown', pressed)
    return () => document.removeEventListener('keydown', pressed)
  }, [])
  const here = (to: string) => path === to || path.startsWith(`${to}/`)
  const page = PAGES.find(([to]) => here(to))
  const next = THEMES[(THEMES.findIndex(([t]) => t === theme) + 1) % THEMES.length]!
  const ThemeIcon = THEMES.find(([t]) => t === theme)![2]
  return (
    <div className="min-h-dvh md:grid md:grid-cols-[56px_1fr] 2xl:grid-cols-[200px_1fr]">
      <a href="#main" className="sr-only z-50 rounded bg-surface p-2 focus:not-sr-only focus:absolute">Skip to the content</a>
      <nav aria-label="Main" className="z-30 border-r border-line bg-surface max-md:hidden md:sticky md:top-0 md:h-dvh md:overflow-y-auto">
        <Link to="/pipelines" className="grid h-12 place-items-center text-sm font-bold text-accent" aria-label="LUCI, all runs">L</Link>
        <ul className="grid justify-items-center gap-1 2xl:justify-items-stretch 2xl:px-2">
          {PAGES.map(([to, label, Icon]) => (
            <li key={to}>
              <Link to={to} title={label} aria-label={label} aria-current={here(to) ? 'page' : undefined}
                className={clsx('flex size-9 items-center justify-center gap-3 rounded-lg 2xl:w-full 2xl:justify-start 2xl:px-3', here(to) ? 'state' : 'text-ink2 hover:bg-raised hover:text-ink')} data-state-of="running">
                <Icon size={18} aria-hidden /><span className="hidden text-sm 2xl:inline">{label}</span>
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className="flex min-w-0 flex-col">
        <header className="sticky top-0 z-30 flex h-12 items-center gap-2 border-b border-line bg-surface px-4 md:gap-3 md:px-6">
          <span className="font-semibold max-sm:hidden">{page?.[1] === 'Runs' ? 'Pipelines' : page?.[1]}</span>
          <span id="tenant" className="max-w-40 truncate rounded-md border border-line px-2 py-0.5 text-xs text-ink2" title={`${session?.tenantName ?? ''} · ${session?.role}`}>{session?.tenantName ?? session?.tenantId}</span>
          <button type="button" onClick={() => setPalette(true)} className="ml-auto flex h-8 items-center gap-2 rounded-md px-2 text-xs text-ink3 hover:text-ink md:w-64 md:border md:border-control md:bg-bg max-md:size-11 max-md:justify-center">
            <Search size={14} aria-hidden /><span className="max-md:sr-only">Search runs, pages, ids</span><kbd aria-hidden className="mono ml-auto rounded border border-line px-1 text-2xs max-md:hidden">⌘K</kbd>
          </button>
          <ConnectionBadge />
          <IconButton label={`Theme: ${theme}. Change to ${next[0]}`} icon={ThemeIcon} onClick={() => set({ theme: next[0] })} className="max-md:hidden" />
          <IconButton label="Keyboard" icon={Keyboard} onClick={() => setKeys(true)} className="max-lg:hidden" />
          <UserMenu onKeys={() => setKeys(true)} />
        </header>
        <main id="main" tabIndex={-1} className="min-w-0 flex-1 outline-none max-md:pb-16">{children}</main>
      </div>
      <nav aria-label="Main, at the bottom" className="fixed inset-x-0 bottom-0 z-40 grid h-14 grid-cols-4 border-t border-line bg-surface md:hidden">
        {PAGES.filter(([to]) => ['/pipelines', '/leads', '/messages'].includes(to)).map(([to, label, Icon]) => (
          <Link key={to} to={to} aria-current={here(to) ? 'page' : undefined} className={clsx('grid place-content-center justify-items-center text-2xs', here(to) ? 'text-accent' : 'text-ink2')}><Icon size={20} aria-hidden />{label}</Link>
        ))}
        <Menu label="Other pages" trigger={<button type="button" className="grid place-content-center justify-items-center text-2xs text-ink2"><MoreHorizontal size={20} aria-hidden />More</button>}
          items={PAGES.filter(([to]) => !['/pipelines', '/leads', '/messages'].includes(to)).map(([to, label]) => ({ label, onSelect: () => navigate({ to }) }))} />
      </nav>
      <Toasts />
      <Question />
      <KeySheet open={keys} onClose={() => setKeys(false)} />
      {palette && <Suspense><Palette onClose={() => setPalette(false)} /></Suspense>}
    </div>
  )
}

/** Title row of a page. */
export function Page({ title, note, actions, children }: { title: React.ReactNode; note?: React.ReactNode; actions?: React.ReactNode; children: React.ReactNode }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4 p-4 md:p-6">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="text-lg font-semibold tracking-tight">{title}</h1>
        {note && <span className="text-xs text-ink2">{note}</span>}
        <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div>
      </div>
      {children}
    </div>
  )
}
