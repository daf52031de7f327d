/** The runs that this tab has started: it reports when they complete. */
export const startedHere = new Set<string>()
