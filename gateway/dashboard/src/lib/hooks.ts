// Hooks that several pages use.
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useLive } from './live'
import { usePrefs } from './prefs'

/** The time, once a second while the server can be reached: offline, nothing pretends to go on. */
export function useNow(active = true): number {
  const connection = useLive((s) => s.connection)
  const asOf = useLive((s) => s.asOf)
  const [now, setNow] = useState(() => Date.now())
  const ticking = active && connection !== 'offline'
  useEffect(() => {
    if (!ticking) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [ticking])
  return connection === 'offline' ? asOf : now
}

/** How often a query asks again: never while live, `polling` milliseconds while the socket is down. */
export function useInterval(polling: number): number | false {
  const connection = useLive((s) => s.connection)
  return connection === 'live' || connection === 'connecting' ? false : polling
}

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = matchMedia(query)
      media.addEventListener('change', changed)
      return () => media.removeEventListener('change', changed)
    },
    () => matchMedia(query).matches,
  )
}
/** Cards fit, and the columns of the list do not. */
export const useCards = () => useMedia('(max-width: 1023px)')

export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · LUCI`
  }, [title])
}

/** Whether a key was typed into a field, a dialog or a menu, which have keys of their own. */
function elsewhere(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null
  if (document.querySelector('dialog[open]') && event.key !== '?') return true
  return !!target?.closest('input:not([type=checkbox]), select, textarea, [contenteditable], [role=menu], [role=tablist], dialog')
}

export type Keys = Record<string, (event: KeyboardEvent) => void>

/** Single keys of a page. They can be switched off; keys on a focused control stay its own. */
export function useKeys(keys: Keys) {
  const latest = useLatest(keys)
  const enabled = usePrefs((s) => s.singleKeys)
  useEffect(() => {
    if (!enabled) return
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || elsewhere(event)) return
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
      const run = latest.current[key]
      if (!run) return
      const target = event.target as HTMLElement | null
      if ((key === 'Enter' || key === ' ') && target?.closest('a, button, input, summary')) return
      run(event)
    }
    document.addEventListener('keydown', pressed)
    return () => document.removeEventListener('keydown', pressed)
  }, [enabled])
}

/** The newest value, in an object that stays the same. */
export function useLatest<T>(value: T) {
  const latest = useRef(value)
  latest.current = value
  return latest
}

/** The value, once it has not changed for `ms`. */
export function useSettled<T>(value: T, ms = 250): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return settled
}
