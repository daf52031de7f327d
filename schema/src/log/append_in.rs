//! Appends inside the caller's transaction, so that events and the table they describe change together.

use sqlx::PgConnection;

use super::{
    Log,
    append::{Append, AppendError, Appended, Prepared},
    append_failure::{AppendFailure, append_failure, is_past_head, message, past_head},
    batch::{AppendVerdict, BatchPlan, plan},
    statement,
};
use crate::Micros;

impl Log {
    /// Appends inside the caller's transaction, as its last statement: until the commit all other appends wait. After the
    /// commit, call `wake`. The connection's role must be `luci_engine`.
    ///
    /// # Errors
    /// After any error the transaction must be rolled back; a rollback leaves no hole in the positions.
    #[tracing::instrument(
        name = "append",
        level = "debug",
        skip_all,
        fields(tenant.id = %append.tenant, stream.id = %append.stream, events = append.events.len()),
    )]
    pub async fn append_in(&self, c: &mut PgConnection, append: Append) -> Result<Appended, AppendError> {
        let mut append = Prepared::new(append)?;
        let now = Micros::now();
        match decide(c, &mut append, now).await? {
            BatchPlan { verdicts, moves } if matches!(verdicts[..], [AppendVerdict::Accepted]) => {
                match statement::append(c, &[&append], &moves, now, self.inner.state.known()).await {
                    Ok(head) => Ok(append.placed(head)),
                    Err(error) if append_failure(&error) == AppendFailure::Conflict => {
                        Err(self.conflict(&mut append, error).await?)
                    }
                    Err(error) if append_failure(&error) == AppendFailure::Halted => {
                        Err(AppendError::Halted(message(&error)))
                    }
                    Err(error) if is_past_head(&error) => {
                        let position = past_head(Some(&mut *self.pool().acquire().await?), &error).await;
                        Err(position.map_or(AppendError::Database(error), AppendError::Beyond))
                    }
                    Err(error) => Err(error.into()),
                }
            }
            plan => Err(refused(plan).unwrap_or(AppendError::NotFound)),
        }
    }

    /// The caller's transaction has failed, so what it conflicted with is read on another connection.
    async fn conflict(&self, append: &mut Prepared, error: sqlx::Error) -> Result<AppendError, AppendError> {
        let mut c = self.pool().acquire().await?;
        let plan = decide(&mut c, append, Micros::now()).await?;
        Ok(refused(plan).unwrap_or(AppendError::Database(error)))
    }
}

async fn decide(c: &mut PgConnection, append: &mut Prepared, now: Micros) -> Result<BatchPlan, sqlx::Error> {
    let receipt = match append.receipt {
        Some(_) => statement::receipts(c, &[(append.tenant, append.command.clone())]).await?.pop(),
        None => None,
    };
    let head = statement::heads(c, &[append.stream]).await?.pop();
    Ok(plan(
        std::iter::once(append),
        |_| head.as_ref().map(|(_, head)| *head),
        |_, _| receipt.as_ref().map(|(_, receipt)| receipt.clone()),
        now,
    ))
}

/// The error of a plan of one append; `None` when it was accepted.
fn refused(plan: BatchPlan) -> Option<AppendError> {
    match plan.verdicts.into_iter().next()? {
        AppendVerdict::Conflict { actual } => Some(AppendError::Conflict { actual }),
        AppendVerdict::OtherTenant => Some(AppendError::NotFound),
        AppendVerdict::AlreadyDone(receipt) => Some(AppendError::AlreadyDone(receipt)),
        AppendVerdict::Accepted | AppendVerdict::Deferred | AppendVerdict::AlreadyAppended(_) => None,
    }
}
