// The API client: JSON in, JSON out; a problem is thrown as an error with its detail.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server responded with status ${status}.`);
    this.status = status;
    this.requestId = problem.requestId;
  }
}

export async function api(method, path, body, headers = {}) {
  const json = body !== undefined && !(body instanceof Blob);
  const response = await fetch(path, {
    method,
    headers: json ? { 'content-type': 'application/json', ...headers } : headers,
    body: json ? JSON.stringify(body) : body,
  });
  const text = await response.text();
  let answer = {};
  try { answer = text ? JSON.parse(text) : {}; } catch { /* not ours: a proxy's page */ }
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

/** An idempotent command. */
export const command = (method, path, body) => api(method, path, body, { 'idempotency-key': crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` });
