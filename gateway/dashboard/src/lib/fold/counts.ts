// Counts of leads, and sums by key.

export type Counts = { input: number; success: number; noMatch: number; failed: number; skipped: number }
export type Sums = Record<string, number>

export const zeroCounts = (): Counts => ({ input: 0, success: 0, noMatch: 0, failed: 0, skipped: 0 })
export const processed = (c: Counts) => c.success + c.noMatch + c.failed
export const output = (c: Counts) => c.success + c.noMatch + c.skipped
export const balanced = (c: Counts) => c.input === processed(c) + c.skipped
/** Success over processed in percent, rounded to one decimal as Rust does. */
export const hitRate = (c: Counts) => (processed(c) ? Math.floor((c.success * 1000 + Math.floor(processed(c) / 2)) / processed(c)) / 10 : 0)

/** Adds the share, or takes it away; a sum that becomes 0 by that is removed. */
export function add(sums: Sums, share: Sums, sign: 1 | -1) {
  for (const [key, n] of Object.entries(share)) {
    const sum = (sums[key] ?? 0) + sign * n
    if (sum === 0 && sign < 0) delete sums[key]
    else sums[key] = sum
  }
}
