export function BlueprintsPage() { return null }
