// The API client: typed by openapi.yaml; a problem is thrown as `Refused`.
import createClient from 'openapi-fetch'
import type { components, paths } from './api.gen'

export type Schemas = components['schemas']
export type Run = Schemas['Run']
export type RunStatus = Schemas['RunStatus']
export type Stage = Schemas['Stage']
export type Block = Schemas['Block']
export type StageSum = Schemas['StageSum']
export type Artifact = Schemas['Artifact']
export type RunEvent = Schemas['Event']
export type Session = Schemas['Session']

/** What the server refused, and the id under which its log has the request. */
export class Refused extends Error {
  readonly status: number
  readonly requestId?: string
  /** Machine-readable, like `parts-missing`. */
  readonly kind?: string
  readonly fields: { field?: string; reason?: string }[]
  constructor(status: number, problem: Partial<Schemas['Problem']>) {
    super(problem.detail || problem.title || `The server responded with status ${status}.`)
    this.status = status
    this.requestId = problem.requestId
    this.kind = problem.type?.split(':').pop()
    this.fields = problem.errors ?? []
  }
}

export const client = createClient<paths>({ baseUrl: globalThis.location?.origin ?? '' })

let onSignedOut = () => {}
/** Calls `then` when the session has ended. */
export function whenSignedOut(then: () => void) {
  onSignedOut = then
}

type Answer<T> = { data?: T; error?: unknown; response: Response }

/** The body of a successful answer. */
export async function ok<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer
  if (!response.ok) {
    if (response.status === 401) onSignedOut()
    throw new Refused(response.status, (error ?? {}) as Partial<Schemas['Problem']>)
  }
  return data as T
}

/** The header that makes a command idempotent: its repetition after a lost answer is executed once. */
export const once = () => ({ 'Idempotency-Key': crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` })

/** A request to a path that is built at run time (downloads, generic pages). */
export async function request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const binary = body instanceof Blob
  const response = await fetch(path, {
    method,
    headers: body === undefined || binary ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : binary ? body : JSON.stringify(body),
  })
  const text = await response.text()
  let answer: unknown = {}
  try {
    answer = text ? JSON.parse(text) : {}
  } catch {
    // Not ours: the page of a proxy.
  }
  if (!response.ok) {
    if (response.status === 401) onSignedOut()
    throw new Refused(response.status, answer as Partial<Schemas['Problem']>)
  }
  return answer as T
}

export const command = <T>(method: string, path: string, body?: unknown) => request<T>(method, path, body, once())

/** The sentence of an error, with the request id that finds it in the log. */
export function sentence(error: unknown): string {
  if (error instanceof Refused) {
    const fields = error.fields.map((f) => `${f.field}: ${f.reason}`).join('; ')
    const text = fields && !error.message.includes(fields) ? `${error.message} (${fields})` : error.message
    return error.requestId ? `${text} (request ${error.requestId})` : text
  }
  if (error instanceof TypeError) return 'The server cannot be reached.'
  return error instanceof Error ? error.message : String(error)
}
