// What a user prefers, kept in this browser: theme, density, columns, time zone, keys.
import { create } from 'zustand'

export type Theme = 'system' | 'light' | 'dark'
export type Prefs = {
  theme: Theme
  density: 'comfortable' | 'compact'
  zone: 'local' | 'utc'
  times: 'relative' | 'absolute'
  singleKeys: boolean
  notify: boolean
  hidden: string[]
}

const KEY = 'luci.preferences'
const DEFAULTS: Prefs = { theme: 'system', density: 'comfortable', zone: 'local', times: 'relative', singleKeys: true, notify: false, hidden: [] }

function stored(): Prefs {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') }
  } catch {
    // No storage, or not ours: the defaults.
    return DEFAULTS
  }
}

export const usePrefs = create<Prefs & { set: (change: Partial<Prefs>) => void }>()((set, get) => ({
  ...stored(),
  set: (change) => {
    set(change)
    const { set: _, ...prefs } = get()
    try {
      localStorage.setItem(KEY, JSON.stringify(prefs))
    } catch {
      // Kept for this tab only.
    }
    if (change.theme) applyTheme()
  },
}))

const dark = globalThis.matchMedia?.('(prefers-color-scheme: dark)')

export function applyTheme() {
  const { theme } = usePrefs.getState()
  document.documentElement.dataset.theme = theme === 'system' ? (dark?.matches ? 'dark' : 'light') : theme
}
dark?.addEventListener('change', applyTheme)
