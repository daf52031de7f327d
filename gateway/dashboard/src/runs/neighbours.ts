// The order of the list that was last on screen: a run's page goes to its neighbours.
let order: string[] = []

export function rememberOrder(ids: string[]) {
  if (ids.length) order = ids
}

export function neighbours(runId: string): { at: number; of: number; previous?: string; next?: string } {
  const at = order.indexOf(runId)
  return { at, of: order.length, previous: at > 0 ? order[at - 1] : undefined, next: at >= 0 ? order[at + 1] : undefined }
}
