//! The second door: an append inside the caller's own transaction, beside the table that it tells of.

use sqlx::PgConnection;

use super::{
    Log,
    append::{Append, AppendError, Appended, Prepared},
    batch::{Plan, Verdict, plan},
    statement,
    trouble::{Trouble, trouble},
};
use crate::Micros;

impl Log {
    /// Appends inside the caller's transaction. To be called last: from here to the commit every other append waits. Then
    /// commit and call `wake`. After any error the transaction must be rolled back; a rollback leaves no hole.
    ///
    /// The connection's role is `luci_engine`.
    pub async fn append_in(&self, c: &mut PgConnection, append: Append) -> Result<Appended, AppendError> {
        let mut append = Prepared::new(append)?;
        let now = Micros::now();
        match decide(c, &mut append, now).await? {
            Plan { verdicts, moves } if matches!(verdicts[..], [Verdict::Accepted]) => {
                match statement::append(c, &[&append], &moves, now).await {
                    Ok(head) => Ok(append.placed(head)),
                    Err(error) if trouble(&error) == Trouble::Overtaken => {
                        Err(self.overtaken(&mut append, error).await?)
                    }
                    Err(error) => Err(error.into()),
                }
            }
            plan => Err(refused(plan).unwrap_or(AppendError::NotFound)),
        }
    }

    /// The caller's transaction is broken by now: who was first is asked on another connection.
    async fn overtaken(&self, append: &mut Prepared, error: sqlx::Error) -> Result<AppendError, AppendError> {
        let mut c = self.pool().acquire().await?;
        let plan = decide(&mut c, append, Micros::now()).await?;
        Ok(refused(plan).unwrap_or(AppendError::Database(error)))
    }
}

async fn decide(c: &mut PgConnection, append: &mut Prepared, now: Micros) -> Result<Plan, sqlx::Error> {
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

/// What a plan of one append says when it is not accepted.
fn refused(plan: Plan) -> Option<AppendError> {
    match plan.verdicts.into_iter().next()? {
        Verdict::Lost { actual } => Some(AppendError::Conflict { actual }),
        Verdict::Foreign => Some(AppendError::NotFound),
        Verdict::Done(receipt) => Some(AppendError::AlreadyDone(receipt)),
        Verdict::Accepted | Verdict::Deferred | Verdict::Landed(_) => None,
    }
}
