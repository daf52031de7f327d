// Verifies the history of a run in the browser: the hash of each event, the hash chain, and the seal. The formulas are those
// of schema/src/log/chain.rs, merkle.rs and seal.rs.
import type { RunEvent, Schemas } from './api'

const HEADER = ['eventId', 'tenantId', 'streamId', 'version', 'type', 'schemaVersion', 'recordedAtMicros', 'commandId', 'correlationId', 'causationId', 'actor'] as const

type Bytes = Uint8Array<ArrayBuffer>
const utf8 = (text: string): Bytes => new TextEncoder().encode(text) as Bytes
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const unhex = (text: string): Bytes => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const number = (n: number) => unhex(BigInt(n).toString(16).padStart(16, '0'))

async function sha256(...parts: Uint8Array[]): Promise<Bytes> {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', whole))
}

/** RFC 8785, the bytes that were hashed: what JSON.stringify writes, the fields in order. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const fields = value as Record<string, unknown>
  return `{${Object.keys(fields).sort().map((key) => `${JSON.stringify(key)}:${canonical(fields[key])}`).join(',')}}`
}

export async function eventHash(event: RunEvent): Promise<string> {
  const header = HEADER.map((field) => event[field] ?? '').join('\x1f')
  const parts = await Promise.all([header, canonical(event.data), canonical(event.metadata)].map((text) => sha256(utf8(text))))
  return hex(await sha256(Uint8Array.of(1), unhex(event.previousHash), ...parts))
}

/** The history does not match at a version. */
export class Broken extends Error {
  readonly version: number
  constructor(version: number, why: string) {
    super(`Broken at #${version}: ${why}`)
    this.version = version
  }
}

/** Checks the events of one stream from version 1 on; throws at the first that does not match. */
export class Chain {
  version = 0
  hash = '0'.repeat(64)

  async follow(event: RunEvent) {
    const at = this.version + 1
    if (event.version !== at) throw new Broken(at, `found version ${event.version} instead`)
    if (event.previousHash !== this.hash) throw new Broken(at, 'its previous hash is not the hash of the event before it')
    if ((await eventHash(event)) !== event.hash) throw new Broken(at, 'its bytes do not match its hash')
    this.version = at
    this.hash = event.hash
  }
}

async function rootBy(leaf: Uint8Array, index: number, leaves: number, path: string[]): Promise<Uint8Array | null> {
  if (leaves === 1) return path.length ? null : leaf
  const last = path[path.length - 1]
  if (last === undefined) return null
  const beside = unhex(last)
  const below = path.slice(0, -1)
  const split = 2 ** (Math.ceil(Math.log2(leaves)) - 1)
  const here = index < split ? await rootBy(leaf, index, split, below) : await rootBy(leaf, index - split, leaves - split, below)
  if (!here) return null
  return index < split ? sha256(Uint8Array.of(1), here, beside) : sha256(Uint8Array.of(1), beside, here)
}

/** Checks that the seal covers the event and that its signature is valid. Returns `signed`, or `unsigned` in a browser without Ed25519. */
export async function underSeal({ position, hash, path, seal }: Schemas['Sealed']): Promise<'signed' | 'unsigned'> {
  const leaf = await sha256(Uint8Array.of(0), number(position), unhex(hash))
  const root = await rootBy(leaf, position - seal.fromPosition, seal.toPosition - seal.fromPosition + 1, path)
  if (!root || hex(root) !== seal.root) throw new Error('The seal does not cover this history.')
  const numbers = [seal.sealId, seal.fromPosition, seal.toPosition, seal.sealedAtMicros].map(number)
  const sealHash = await sha256(Uint8Array.of(2), unhex(seal.previousHash), ...numbers, unhex(seal.root))
  if (hex(sealHash) !== seal.sealHash) throw new Error('The hash of the seal does not match its content.')
  let key: CryptoKey
  try {
    key = await crypto.subtle.importKey('raw', unhex(seal.publicKey), 'Ed25519', false, ['verify'])
  } catch {
    return 'unsigned'
  }
  if (!(await crypto.subtle.verify('Ed25519', key, unhex(seal.signature), sealHash))) throw new Error('The signature of the seal is not valid.')
  return 'signed'
}

export type Verdict = { state: 'sealed' | 'unsealed' | 'broken'; text: string; version?: number }
type Load = {
  seal: () => Promise<Schemas['Sealed'] | null>
  page: (cursor: string) => Promise<Schemas['EventPage']>
  onProgress: (text: string) => void
}

/** Downloads and checks a whole history. Throws only what `load` throws. */
export async function verifyHistory(load: Load): Promise<Verdict> {
  // Requested first, so that the sealed event is among the events that follow.
  const sealed = await load.seal()
  const chain = new Chain()
  try {
    let cursor: string | null = 'v0'
    while (cursor) {
      const page: Schemas['EventPage'] = await load.page(cursor)
      for (const event of page.events) {
        await chain.follow(event)
        if (event.version === sealed?.version && (event.hash !== sealed.hash || event.position !== sealed.position)) throw new Broken(event.version, 'it is not the event that was sealed')
      }
      load.onProgress(`Checking #${chain.version} of #${page.version}…`)
      cursor = page.nextCursor ?? null
      if (!cursor && chain.version < page.version) throw new Broken(chain.version + 1, 'the end is missing')
    }
    if (!sealed) return { state: 'unsealed', text: `Chain intact to #${chain.version}, not sealed yet.` }
    const signed = await underSeal(sealed)
    const unsealed = chain.version - sealed.version
    if (unsealed > 0) return { state: 'unsealed', text: `Chain intact to #${chain.version}; newest ${unsealed} events not sealed yet.` }
    const at = new Date(sealed.seal.sealedAtMicros / 1000).toLocaleTimeString()
    const by = signed === 'signed' ? ` by key ${sealed.seal.publicKey.slice(0, 16)}` : ', signature not checked by this browser'
    return { state: 'sealed', text: `Chain intact to #${chain.version}, sealed ${at}${by}.` }
  } catch (error) {
    if (error instanceof Broken) return { state: 'broken', text: error.message, version: error.version }
    if (error instanceof Error && /seal/i.test(error.message)) return { state: 'broken', text: error.message }
    throw error
  }
}
