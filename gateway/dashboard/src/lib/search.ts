// Addresses: search parameters as plain text, lists with commas, so that a link can be read and typed.
import type { RunStatus } from './api'

export const parseSearch = (text: string): Record<string, unknown> => Object.fromEntries(new URLSearchParams(text))
export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(search)) if (value !== undefined && value !== null && value !== '') params.set(key, String(value))
  const text = params.toString().replaceAll('%2C', ',').replaceAll('%3A', ':')
  return text ? `?${text}` : ''
}

const text = (value: unknown) => (typeof value === 'string' && value ? value : undefined)
const number = (value: unknown) => (value !== undefined && value !== '' && Number.isInteger(Number(value)) && Number(value) >= 0 ? Number(value) : undefined)
const oneOf = <T extends string>(value: unknown, all: readonly T[]) => all.find((one) => one === value)

export const STATUSES: RunStatus[] = ['running', 'paused', 'queued', 'completed', 'failed', 'cancelled']
export const DATE_FIELDS = ['createdAt', 'startedAt', 'completedAt'] as const

/** What the list of runs shows. `status` and `exclude` (sectors that are left out) are lists with commas. */
export type RunsSearch = { status?: string; sector?: string; exclude?: string; q?: string; field?: (typeof DATE_FIELDS)[number]; from?: string; to?: string; sort?: string; peek?: string }

export const runsSearch = (s: Record<string, unknown>): RunsSearch => ({
  status: text(s.status)?.split(',').filter((one) => STATUSES.includes(one as RunStatus)).join(',') || undefined,
  sector: text(s.sector), exclude: text(s.exclude), q: text(s.q), field: oneOf(s.field, DATE_FIELDS), from: text(s.from), to: text(s.to), sort: text(s.sort), peek: text(s.peek),
})

/** The filter of the list as the API takes it. */
export const runsQuery = (s: RunsSearch) => ({
  status: s.status ? (s.status.split(',') as RunStatus[]) : undefined, sectorId: s.sector, excludeSectorId: s.exclude?.split(','), q: s.q, from: s.from, to: s.to, dateField: s.from || s.to ? (s.field ?? 'createdAt') : undefined,
})

export const TABS = ['blocks', 'waterfall', 'events', 'artifacts', 'failed'] as const
/** What the page of a run shows: `at` is a version of the past, `event` the one in the inspector. */
export type RunSearch = { at?: number; tab?: (typeof TABS)[number]; stage?: string; block?: string; event?: number; filter?: string }

export const runSearch = (s: Record<string, unknown>): RunSearch => ({
  at: number(s.at), tab: oneOf(s.tab, TABS), stage: text(s.stage), block: text(s.block), event: number(s.event), filter: text(s.filter),
})

/** Parameters of the other pages: a filter and a place. */
export type ListSearch = { status?: string; q?: string; run?: string; sector?: string; lead?: string; channel?: string }
export const listSearch = (s: Record<string, unknown>): ListSearch => ({ status: text(s.status), q: text(s.q), run: text(s.run), sector: text(s.sector), lead: text(s.lead), channel: text(s.channel) })
