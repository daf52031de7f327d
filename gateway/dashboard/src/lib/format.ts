// Numbers, money, times and words as the page shows them. Unknown is a dash, never 0.
import type { Stage } from './api'

export const DASH = '—'

export const count = (n: number | null | undefined) => (n === undefined || n === null ? DASH : n.toLocaleString())

/** `1 block`, `2 blocks` */
export const counted = (n: number, noun: string) => `${count(n)} ${noun}${n === 1 ? '' : 's'}`

// Formats are kept: making one takes longer than drawing a row.
const DOLLARS = new Map([2, 4, 6].map((digits) => [digits, new Intl.NumberFormat(undefined, { style: 'currency', currency: 'USD', minimumFractionDigits: digits, maximumFractionDigits: digits })]))

export function money(micros: number | null | undefined): string {
  if (micros === undefined || micros === null) return DASH
  const dollars = micros / 1e6
  // The smallest amount is a microdollar.
  const digits = dollars === 0 || Math.abs(dollars) >= 0.01 ? 2 : Math.abs(micros) < 100 ? 6 : 4
  return DOLLARS.get(digits)!.format(dollars)
}

/** `6.6¢ / lead` */
export const perLead = (micros: number | null | undefined, leads: number | null | undefined) =>
  micros && leads ? `${(micros / 1e4 / leads).toFixed(1)}¢ / lead` : DASH

export const percent = (n: number | null | undefined) => (n === undefined || n === null ? DASH : `${n.toFixed(1)}%`)

const pad = (n: number) => String(n).padStart(2, '0')

/** `2:40`, `1:02:09` */
export function span(ms: number | null | undefined): string {
  if (ms === undefined || ms === null || Number.isNaN(ms)) return DASH
  const s = Math.max(0, Math.floor(ms / 1000))
  return s < 3600 ? `${Math.floor(s / 60)}:${pad(s % 60)}` : `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`
}

/** `850 ms`, `4.3 s`, `2:40` */
export function took(ms: number | null | undefined): string {
  if (ms === undefined || ms === null) return DASH
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : span(ms)
}

export function ago(iso: string, now: number): string {
  const s = Math.max(0, Math.round((now - Date.parse(iso)) / 1000))
  if (s < 60) return `${s}s ago`
  if (s < 3600) return `${Math.floor(s / 60)}m ago`
  return s < 86_400 ? `${Math.floor(s / 3600)}h ago` : `${Math.floor(s / 86_400)}d ago`
}

const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const
const FULL = { ...TIME, year: 'numeric', month: 'short', day: 'numeric' } as const
const inZones = (locale: string | undefined, options: Intl.DateTimeFormatOptions) => ({ local: new Intl.DateTimeFormat(locale, options), utc: new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' }) })
const CLOCKS = { time: inZones(undefined, TIME), full: inZones(undefined, FULL) }
const SECONDS = inZones('en-GB', TIME)

/** A time in the browser's zone or in UTC. */
export function clock(iso: string | null | undefined, zone: 'local' | 'utc', parts: 'time' | 'full' = 'full'): string {
  if (!iso) return DASH
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return DASH
  const text = CLOCKS[parts][zone].format(at)
  return zone === 'utc' ? `${text} UTC` : text
}

/** `21:09:06.282` */
export function millis(iso: string, zone: 'local' | 'utc'): string {
  const at = new Date(iso)
  return Number.isNaN(at.getTime()) ? DASH : `${SECONDS[zone].format(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`
}

export function bytes(n: number | null | undefined): string {
  if (n === undefined || n === null) return DASH
  if (n < 1024) return `${n} B`
  return n < 1 << 20 ? `${(n / 1024).toFixed(1)} kB` : `${(n / (1 << 20)).toFixed(1)} MB`
}

export const STAGES: Stage[] = ['import', 'validate', 'enrich', 'skip_trace', 'score', 'assign', 'push']

export const words = (text: string | null | undefined) => (text ?? DASH).replaceAll('_', ' ')
export const title = (text: string | null | undefined) => {
  const plain = words(text)
  return plain.charAt(0).toUpperCase() + plain.slice(1)
}

const PROVIDERS: Record<string, string> = {
  apollo: 'Apollo', realestate: 'RealEstateAPI', tracerfy: 'Tracerfy', trestle: 'Trestle', twilio: 'Twilio', signalhouse: 'SignalHouse', internal: 'Internal', queues: 'Message queues',
}
export const provider = (name: string | null | undefined) => (name ? (PROVIDERS[name] ?? name) : null)
/** A file name of more than 40 characters keeps its beginning and its end. */
export const short = (text: string, most = 40) => (text.length <= most ? text : `${text.slice(0, most - 12)}…${text.slice(-10)}`)
