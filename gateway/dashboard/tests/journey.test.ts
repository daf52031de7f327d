/** A journey through the API with the generated types: upload a CSV, start a run, wait for its end, read what it made. */

import createClient from 'openapi-fetch'
import { expect, test } from 'vitest'
import type { paths } from '../src/lib/api.gen'

const LEADS = 20
const { LUCI_URL, LUCI_API_KEY } = process.env

function rows(): string {
  const lines = Array.from({ length: LEADS }, (_, n) => `Firm ${n},Ada,M${n},(212) 555-${String(n + 100).padStart(4, '0')},New York,NY`)
  return ['Company,First Name,Last Name,Phone,City,State', ...lines, ''].join('\n')
}

test.skipIf(!LUCI_URL)('a file becomes artifacts', { timeout: 120_000 }, async () => {
  const client = createClient<paths>({ baseUrl: LUCI_URL, headers: { authorization: `Bearer ${LUCI_API_KEY}` } })
  const csv = rows()
  const upload = (await client.POST('/api/uploads', { body: { fileName: 'typescript.csv', sizeBytes: csv.length, contentType: 'text/csv' } })).data!
  const put = await fetch(upload.url, { method: upload.method, headers: upload.headers as Record<string, string>, body: csv })
  expect(put.status).toBe(200)
  const completed = await client.POST('/api/uploads/{importId}/complete', { params: { path: { importId: upload.importId } } })
  expect(completed.data?.rows).toBe(LEADS)

  const { data: started, error } = await client.POST('/api/pipelines', { body: { importId: upload.importId, options: { blockSize: 10 } } })
  expect(error).toBeUndefined()
  const runId = started!.runId
  const read = async () => (await client.GET('/api/pipelines/{runId}', { params: { path: { runId }, header: { 'Luci-Min-Position': started!.position } } })).data!
  let detail = await read()
  while (!['completed', 'failed', 'cancelled'].includes(detail.run.status)) {
    await new Promise((resolve) => setTimeout(resolve, 200))
    detail = await read()
  }
  expect([detail.run.status, detail.run.processedLeads]).toEqual(['completed', LEADS])

  const { data: page } = await client.GET('/api/pipelines/{runId}/artifacts', { params: { path: { runId } } })
  const artifactId = page!.artifacts[0]!.artifactId
  const preview = await client.GET('/api/pipelines/{runId}/artifacts/{artifactId}', { params: { path: { runId, artifactId }, query: { preview: true } } })
  expect(preview.data?.shown).toBeGreaterThan(0)
})
