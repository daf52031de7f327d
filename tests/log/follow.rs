//! Leases and checkpoints: one holder at a time, and an earlier holder is fenced.

use std::time::Duration;

use luci_schema::{
    Position,
    log::{Lease, LogError, checkpoint, delete_follower, follower_position, followers},
    migrate::{self, DatabaseRole},
};
use sqlx::PgPool;

use crate::support;

const TTL: Duration = Duration::from_secs(60);

/// Waits until nobody holds the projector's lease any more.
async fn expired(pool: &PgPool) {
    support::eventually("the lease expires", async || {
        let all = followers(&mut pool.acquire().await.expect("a connection")).await.expect("listed");
        all.iter().any(|follower| follower.name == "projector" && !follower.held)
    })
    .await;
}

#[tokio::test]
async fn one_process_holds_a_lease_and_the_next_takes_it_after_expiry() {
    let database = support::database().await;
    let pool = migrate::connect(database.url(), DatabaseRole::Projector, 3).await.expect("a pool");
    let mut first = Lease::acquire(&pool, "projector", "one", TTL).await.expect("answered").expect("free");
    assert!(Lease::acquire(&pool, "projector", "two", TTL).await.expect("answered").is_none());
    assert!(Lease::acquire(&pool, "relay", "two", TTL).await.expect("answered").is_some(), "another name is free");
    assert!(first.renew().await.expect("renewed"));
    first.release().await;
    let short = Duration::from_millis(50);
    let mut second = Lease::acquire(&pool, "projector", "two", short).await.expect("answered").expect("released");
    assert_eq!(second.epoch(), 2);
    expired(&pool).await;
    assert!(second.renew().await.expect("late, but nobody else came"), "late, but nobody else came");
    expired(&pool).await;
    let third = Lease::acquire(&pool, "projector", "three", TTL).await.expect("answered").expect("over");
    assert_eq!((third.epoch(), third.name()), (3, "projector"));
    assert!(!second.renew().await.expect("answered"), "taken over");
}

#[tokio::test]
async fn a_checkpoint_is_fenced_by_epoch_and_position() {
    let database = support::database().await;
    let pool = migrate::connect(database.url(), DatabaseRole::Projector, 3).await.expect("a pool");
    let old =
        Lease::acquire(&pool, "projector", "one", Duration::from_millis(1)).await.expect("answered").expect("free");
    expired(&pool).await;
    let lease = Lease::acquire(&pool, "projector", "two", TTL).await.expect("answered").expect("over");

    let mut tx = pool.begin().await.expect("a transaction");
    let zombie = checkpoint(&mut tx, "projector", old.epoch(), Position(0), Position(9)).await;
    assert!(matches!(zombie, Err(LogError::Fenced { .. })), "{zombie:?}");
    checkpoint(&mut tx, "projector", lease.epoch(), Position(0), Position(5)).await.expect("moved");
    let again = checkpoint(&mut tx, "projector", lease.epoch(), Position(0), Position(5)).await;
    assert!(matches!(again, Err(LogError::Fenced { .. })), "{again:?}");
    tx.rollback().await.expect("rolled back");

    let mut c = pool.acquire().await.expect("a connection");
    assert_eq!(
        follower_position(&mut c, "projector").await.expect("answered"),
        Position(0),
        "rolled back with its rows"
    );
    checkpoint(&mut c, "projector", lease.epoch(), Position(0), Position(5)).await.expect("moved");
    lease.report(Some("stage 8 is not a stage")).await.expect("kept");
    let all = followers(&mut c).await.expect("listed");
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].position, all[0].held, all[0].owner.as_deref()), (Position(5), true, Some("two")));
    assert_eq!(all[0].last_error.as_deref(), Some("stage 8 is not a stage"));
    lease.release().await;
    let next = Lease::acquire(&pool, "projector", "three", TTL).await.expect("answered").expect("released");
    assert_eq!(next.position(), Position(5));
    delete_follower(&mut c, "projector").await.expect("deleted");
    assert_eq!(follower_position(&mut c, "projector").await.expect("answered"), Position(0));
}
