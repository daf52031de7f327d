// The data of events, as far as they are folded.
import type { Counts, Sums } from './counts'

export type Data = Record<string, unknown>

/** What a completed, failed or cancelled block reports. */
export type Report = {
  counts: Counts
  failures?: Sums
  reasons?: Sums
  warnings?: Sums
  costMicros: number
  scoreSum?: number | null
  artifacts?: NewArtifact[]
  next?: unknown
}
export type NewArtifact = { artifactId: string; artifactType: string; objectPath: string; mimeType: string; sizeBytes: number; checksum: string; leads: number; parentArtifactIds?: string[] }
export type Totals = { processedLeads: number; progress: number; costMicros: number }

export function reportOf(type: string, data: Data): Report | null {
  if (type === 'block:completed' || type === 'block:failed') return data as unknown as Report
  return type === 'block:cancelled' ? ((data.report as Report | undefined) ?? null) : null
}
