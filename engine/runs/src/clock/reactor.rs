//! A reactor: folds the log, and issues commands when they are due. The clock runs a list of them.

use futures::future::BoxFuture;
use luci_schema::{Micros, Recorded};
use sqlx::PgConnection;

/// A command being issued. It records its own outcome in the reactor's state, so that the next `take` sees it.
pub type Command = BoxFuture<'static, ()>;

/// Commands are idempotent: their ids derive from the event that caused them. After a crash the next clock issues them again.
pub trait Reactor: Send {
    /// Replaces the state with what the last `save` wrote.
    fn load<'a>(&'a mut self, c: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>>;

    fn fold(&mut self, recorded: &Recorded);

    /// When `take` has work again; `None` until an event brings more.
    fn next_due(&self) -> Option<Micros>;

    /// Everything that is due at `now`, once: what was taken is not taken again before its command has ended.
    fn take(&mut self, now: Micros) -> Vec<Command>;

    /// Writes what changed since the last save, in the transaction that moves the clock's checkpoint. When that transaction
    /// fails, the clock reloads the reactor.
    fn save<'a>(&'a mut self, c: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}
