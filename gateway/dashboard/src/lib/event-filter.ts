// The filter of the event history: `type:block.* failed:true -type:progress stage:enrich /429/ word`.
import type { RunEvent } from './api'

type Test = (event: RunEvent) => boolean

function term(text: string): Test | null {
  if (text.startsWith('-') && text.length > 1) {
    const inner = term(text.slice(1))
    return inner && ((event) => !inner(event))
  }
  const [key, ...rest] = text.split(':')
  const value = rest.join(':').toLowerCase()
  if (key === 'type' && value) {
    const pattern = new RegExp(`^${value.replaceAll('.', ':').replace(/[+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)
    return (event) => pattern.test(event.type) || event.type.split(':')[1] === value
  }
  if (key === 'failed' && value) return (event) => event.type.endsWith(':failed') === (value === 'true')
  if (key === 'stage' && value) return (event) => (event.data as { stage?: string }).stage === value
  if (key === 'actor' && value) return (event) => (event.actor ?? '').toLowerCase().includes(value)
  const regex = text.match(/^\/(.+)\/$/)
  if (regex) {
    const pattern = new RegExp(regex[1]!, 'i')
    return (event) => pattern.test(event.type) || pattern.test(JSON.stringify(event.data))
  }
  const wanted = text.toLowerCase()
  return (event) => event.type.includes(wanted) || JSON.stringify(event.data).toLowerCase().includes(wanted) || (event.eventId ?? '').toLowerCase() === wanted
}

/** The test of a filter, or what is wrong with it. */
export function parseFilter(text: string): Test | string {
  try {
    const tests = (text.match(/-?\/.+?\/(?=\s|$)|\S+/g) ?? []).map(term).filter((t): t is Test => t !== null)
    return (event) => tests.every((test) => test(event))
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
