// The state of a run, folded from its events: the same fold as `runs::as_of` of projections/, checked over random runs by
// tests/page/fold.rs.
export { rfc3339 } from './answers'
export { Fold } from './fold'
export { Replayer } from './replayer'
export type { BlockRow, BlockStatus, Detail, RunRow, StageRow } from './rows'
