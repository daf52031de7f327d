// Uploads a file. A large one goes in parts: each is sent again after an error, and what the server has is not sent twice, also
// after the page was loaded anew.
import { client, ok, Refused, type Schemas } from './api'

export type Summary = { rows: number; malformedRows: number; columns: number; mapping: Record<string, string>; encoding: string; delimiter: string; sizeBytes: number; lineageOf?: string }
export type Imported = { importId: string; fileName: string; rows: number; summary: Summary }
/** `waiting`: the connection was lost. */
export type Progress = { state: 'checking' | 'sending' | 'waiting' | 'counting'; percent: number; continued?: boolean }

type Status = Schemas['UploadStatus']
type Report = (progress: Progress) => void

/** Larger files are sent in parts. */
export const MORE_THAN = 8 << 20
const AT_ONCE = 3
/** Seconds before each further attempt; the last one again and again. */
const PAUSES = [1, 2, 4, 8, 15, 30]
/** Attempts that the server answered with an error. */
const MOST_ERRORS = 8
/** Parts that were lost after they had arrived are sent again so many times. */
const MOST_AGAIN = 3

/** The browser may not send to the store: another origin, which its policy or the bucket's does not allow. */
class Unreachable extends Error {}

export async function uploadFile(file: File, report: Report, signal: AbortSignal): Promise<Imported> {
  // Without TLS, a browser computes no hashes.
  if (file.size > MORE_THAN && globalThis.crypto?.subtle) {
    try {
      return await new Parts(file, report, signal).upload()
    } catch (problem) {
      if (!(problem instanceof Unreachable)) throw problem
    }
  }
  return whole(file, report, signal)
}

/** The parts of a file, each hashed when it is its turn. */
class Parts {
  private readonly file: File
  private readonly report: Report
  private readonly signal: AbortSignal
  /** Bytes by part that have left. */
  private readonly left = new Map<number, number>()
  private importId = ''
  private partBytes = 1
  private waiting = 0
  private continued = false
  private anyArrived = false

  constructor(file: File, report: Report, signal: AbortSignal) {
    this.file = file
    this.report = report
    this.signal = signal
  }

  async upload(): Promise<Imported> {
    this.report({ state: 'checking', percent: 0 })
    const known = await this.find()
    this.continued = !!known?.parts.length
    let status = known ?? (await this.announce())
    for (let again = 0; ; again++) {
      await this.send(status)
      this.report({ state: 'counting', percent: 100 })
      try {
        return await this.complete()
      } catch (problem) {
        // A part was lost after it had arrived.
        if (!(problem instanceof Refused) || problem.kind !== 'parts-missing' || again >= MOST_AGAIN) throw problem
        status = await this.status(this.importId)
      }
    }
  }

  /** An upload of the same file that was interrupted: the same name and size, and the first part that arrived is the file's. */
  private async find(): Promise<Status | undefined> {
    const query = { fileName: this.file.name, sizeBytes: this.file.size }
    const { uploads } = await ok(client.GET('/api/uploads', { params: { query } }))
    for (const one of uploads) {
      // What was announced with a hash of the whole file may differ in a part that we have not seen.
      if (one.checksum) continue
      const status = await this.status(one.importId)
      const first = status.parts[0]
      if (!first || (await sha256(this.part(first.number, status.partBytes))) === first.checksum) return status
    }
  }

  private async announce(): Promise<Status> {
    const body = { fileName: this.file.name, sizeBytes: this.file.size, contentType: 'text/csv' }
    const made = await ok(client.POST('/api/uploads/multipart', { body }))
    return this.status(made.importId)
  }

  private status(importId: string): Promise<Status> {
    return ok(client.GET('/api/uploads/{importId}', { params: { path: { importId } } }))
  }

  private part(number: number, partBytes: number): Blob {
    return this.file.slice((number - 1) * partBytes, number * partBytes)
  }

  private async send(status: Status) {
    this.importId = status.importId
    this.partBytes = status.partBytes
    const arrived = new Map(status.parts.map((part) => [part.number, part.checksum]))
    let next = 1
    const one = async () => {
      while (next <= status.partCount) {
        const number = next++
        await this.sendPart(number, arrived.get(number))
      }
    }
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, one))
    } finally {
      // After an error, the others end with their part.
      next = Number.POSITIVE_INFINITY
    }
  }

  private async sendPart(number: number, arrived: string | undefined) {
    const part = this.part(number, this.partBytes)
    const checksum = await sha256(part)
    if (arrived !== checksum) await this.retried(() => this.put(number, part, checksum), () => this.sent(number, 0))
    this.anyArrived = true
    this.sent(number, part.size)
  }

  private sent(number: number, bytes: number) {
    this.left.set(number, bytes)
    const all = [...this.left.values()].reduce((sum, one) => sum + one, 0)
    this.report({ state: this.waiting ? 'waiting' : 'sending', percent: (all / this.file.size) * 100, continued: this.continued })
  }

  /** Each attempt has a URL of its own: the earlier one may have expired. */
  private async put(number: number, part: Blob, checksum: string) {
    const { parts } = await ok(client.POST('/api/uploads/{importId}/parts', { params: { path: { importId: this.importId } }, body: { parts: [{ number, checksum }] } }))
    const signed = parts[0]
    if (!signed) throw new Error('The server signed no URL.')
    try {
      await send(signed.method, signed.url, signed.headers as Record<string, string>, part, (bytes) => this.sent(number, bytes), this.signal)
    } catch (problem) {
      const foreign = new URL(signed.url).origin !== location.origin
      if (problem instanceof TypeError && foreign && !this.anyArrived) throw new Unreachable()
      throw problem
    }
  }

  private async complete(): Promise<Imported> {
    const path = { importId: this.importId }
    const done = await this.retried(() => ok(client.POST('/api/uploads/{importId}/complete', { params: { path }, body: {} })), () => {})
    return done as unknown as Imported
  }

  /** Tries for as long as there is no connection; a few times when the server answers with an error. */
  private async retried<T>(attempt: () => Promise<T>, failed: () => void): Promise<T> {
    for (let tried = 0, errors = 0; ; tried++) {
      try {
        return await attempt()
      } catch (problem) {
        if (this.signal.aborted || !passes(problem) || (problem instanceof Refused && ++errors >= MOST_ERRORS)) throw problem
        this.waiting++
        failed()
        await pause(PAUSES[Math.min(tried, PAUSES.length - 1)] ?? 30, this.signal)
        this.waiting--
      }
    }
  }
}

/** No connection, a server that restarts or is too busy, a part that was cut off on its way. */
function passes(problem: unknown): boolean {
  if (problem instanceof Refused) return problem.status >= 500 || [408, 429].includes(problem.status) || problem.kind === 'checksum-differs'
  return problem instanceof TypeError
}

/** Until the time is over, or the browser is online again. */
function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer)
      removeEventListener('online', done)
      signal.removeEventListener('abort', done)
      if (signal.aborted) reject(signal.reason)
      else resolve()
    }
    const timer = setTimeout(done, seconds * 1000)
    addEventListener('online', done)
    signal.addEventListener('abort', done)
  })
}

async function sha256(part: Blob): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await part.arrayBuffer()))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** One request with the whole file. */
async function whole(file: File, report: Report, signal: AbortSignal): Promise<Imported> {
  const onBytes = (bytes: number) => report({ state: bytes < file.size ? 'sending' : 'counting', percent: (bytes / file.size) * 100 })
  return (await send('POST', `/api/imports?fileName=${encodeURIComponent(file.name)}`, { 'content-type': 'text/csv' }, file, onBytes, signal)) as Imported
}

/** A request that reports how much of its body has left; `fetch` does not. */
function send(method: string, url: string, headers: Record<string, string>, body: Blob, onBytes: (bytes: number) => void, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open(method, url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = (event) => onBytes(event.loaded)
    request.onerror = () => reject(new TypeError('The upload was interrupted.'))
    request.onabort = () => reject(signal.reason)
    request.onload = () => {
      let answer: unknown = {}
      try {
        answer = JSON.parse(request.responseText)
      } catch {
        // Not ours: a bucket, or the page of a proxy.
      }
      if (request.status < 300) resolve(answer)
      else reject(new Refused(request.status, answer as Partial<Schemas['Problem']>))
    }
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', () => request.abort())
    request.send(body)
  })
}
