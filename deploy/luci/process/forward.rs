//! Positions of a projector that may be restarted, for readers that stay.

use std::convert::Infallible;

use luci_schema::Position;
use tokio::sync::watch;

/// Forwards positions; never returns.
pub(super) async fn forward(mut from: watch::Receiver<Position>, to: watch::Sender<Position>) -> Infallible {
    while from.changed().await.is_ok() {
        to.send_replace(*from.borrow_and_update());
    }
    std::future::pending().await
}
