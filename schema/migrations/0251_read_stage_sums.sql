-- The sums by stage are kept in fewer bytes than before (`projections/src/stages.rs`): the read tables are folded anew from
-- the log, since rows of both forms would never be equal.
set local role luci_projector;
truncate read_a.pipeline_runs, read_a.block_executions, read_a.artifacts, read_a.run_metrics, read_a.run_counters,
         read_b.pipeline_runs, read_b.block_executions, read_b.artifacts, read_b.run_metrics, read_b.run_counters;
reset role;
update read_versions set position = 0;
-- A projector that runs meanwhile is fenced by the epoch.
update log.followers set position = 0, epoch = epoch + 1 where name = 'projector';
