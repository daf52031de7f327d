// The small parts: filters, CSV, numbers, addresses, hashes, and the contrast of the colours.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { RunEvent } from '../src/lib/api'
import { csvLine, parseCsv } from '../src/lib/csv'
import { parseFilter } from '../src/lib/event-filter'
import { rfc3339 } from '../src/lib/fold'
import { counted, money, perLead, span, took } from '../src/lib/format'
import { canonical } from '../src/lib/proof'
import { parseSearch, runSearch, runsSearch, stringifySearch } from '../src/lib/search'
import { scaleOf } from '../src/run/waterfall'

const event = (type: string, data: object = {}) => ({ type, data, actor: 'system', eventId: 'ev_1' }) as unknown as RunEvent

describe('the filter of events', () => {
  const keeps = (filter: string, one: RunEvent) => {
    const test = parseFilter(filter)
    return typeof test === 'function' && test(one)
  }
  it('reads types, failures, negation, expressions and words', () => {
    expect(keeps('type:block.*', event('block:failed'))).toBe(true)
    expect(keeps('type:block.*', event('run:failed'))).toBe(false)
    expect(keeps('type:started', event('block:started'))).toBe(true)
    expect(keeps('failed:true', event('block:failed'))).toBe(true)
    expect(keeps('-type:block.started', event('block:started'))).toBe(false)
    expect(keeps('stage:enrich /4\\d\\d/', event('block:failed', { stage: 'enrich', message: 'HTTP 429' }))).toBe(true)
    expect(keeps('apollo', event('block:started', { provider: 'apollo' }))).toBe(true)
  })
  it('says what is wrong with an expression', () => {
    expect(typeof parseFilter('/(/')).toBe('string')
  })
})

it('reads and writes CSV as RFC 4180', () => {
  expect(parseCsv('a,b\r\n"x, ""y""\n z",2\n\n3,4')).toEqual([['a', 'b'], ['x, "y"\n z', '2'], ['3', '4']])
  expect(parseCsv('a;b\n1;2', ';', 1)).toEqual([['a', 'b']])
  expect(csvLine(['a,b', 'say "hi"', 'plain'])).toBe('"a,b","say ""hi""",plain')
})

it('shows numbers once rounded, and unknown as a dash', () => {
  expect([money(1_250_000), money(null), money(0), money(40)]).toEqual(['$1.25', '—', '$0.00', '$0.000040'])
  expect([counted(1, 'block'), counted(1_200, 'block')]).toEqual(['1 block', '1,200 blocks'])
  expect([perLead(31_200_000, 474), perLead(5, 0)]).toEqual(['6.6¢ / lead', '—'])
  expect([span(160_000), span(3_729_000), span(null)]).toEqual(['2:40', '1:02:09', '—'])
  expect([took(850), took(4_300), took(160_000)]).toEqual(['850 ms', '4.3 s', '2:40'])
  expect(rfc3339(1_700_000_000_000_120)).toBe('2023-11-14T22:13:20.00012Z')
})

it('keeps what an address says, and nothing else', () => {
  const search = runsSearch(parseSearch('?status=failed,odd&q=NY&from=2026-11-22T00:00:00Z&x=1'))
  expect(search).toMatchObject({ status: 'failed', q: 'NY' })
  expect(stringifySearch(search)).toBe('?status=failed&q=NY&from=2026-11-22T00:00:00Z')
  expect(runSearch({ at: '143', tab: 'odd' })).toMatchObject({ at: 143, tab: undefined })
})

it('orders the fields of JSON as RFC 8785', () => {
  expect(canonical({ b: [1, { z: null, a: 'ä' }], a: 1e21 })).toBe('{"a":1e+21,"b":[1,{"a":"ä","z":null}]}')
})

it('cuts idle gaps and keeps the order of times', () => {
  const block = (queuedAt: number, completedAt: number) => ({ queuedAt, startedAt: queuedAt, completedAt }) as never
  const scale = scaleOf([block(0, 1e6), block(600e6, 601e6)], 601e6, true)
  expect(scale.cuts.length).toBe(1)
  const xs = [0, 1e6, 300e6, 600e6, 601e6].map(scale.x)
  expect(xs).toEqual([...xs].sort((a, b) => a - b))
  expect(xs[3]! - xs[1]!).toBeLessThan(10)
  expect(scaleOf([block(0, 1e6), block(600e6, 601e6)], 601e6, false).cuts).toEqual([])
})

describe('the colours', () => {
  const css = readFileSync(new URL('../src/styles.css', import.meta.url), 'utf8')
  const tokens = (block: string) => Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{3,6})/g)].map((m) => [m[1]!, m[2]!]))
  const light = tokens(css.slice(css.indexOf(':root'), css.indexOf("[data-theme='dark']")))
  const dark = { ...light, ...tokens(css.slice(css.indexOf("[data-theme='dark']"), css.indexOf('@theme'))) }
  const luminance = (hex: string) => {
    const full = hex.length === 4 ? hex.replace(/[0-9a-f]/g, '$&$&') : hex
    const [r, g, b] = [1, 3, 5].map((i) => Number.parseInt(full.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  }
  const contrast = (a: string, b: string) => {
    const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m)
    return (x! + 0.05) / (y! + 0.05)
  }
  it.each([['light', light], ['dark', dark]] as const)('are readable in %s', (_, of) => {
    for (const text of ['text', 'text2', 'text3', 'accent']) for (const on of ['surface', 'bg', 'raised']) expect(contrast(of[text]!, of[on]!), `${text} on ${on}`).toBeGreaterThan(4.5)
    for (const state of ['queued', 'running', 'paused', 'completed', 'failed', 'cancelled', 'skipped']) {
      expect(contrast(of[state]!, of[`${state}-bg`]!), `${state} on its tint`).toBeGreaterThan(5)
      expect(contrast(of[`${state}-solid`]!, of.surface!), `${state} solid`).toBeGreaterThan(3)
    }
  })
})
