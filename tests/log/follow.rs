//! Leases and checkpoints: one at work, and the one before can do no harm.

use std::time::Duration;

use luci_schema::{
    Position,
    log::{Lease, LogError, checkpoint, follower_position, followers, forget_follower},
    migrate::{self, Role},
};

use crate::support;

const TTL: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_holds_the_lease_and_the_next_takes_it_when_it_is_over() {
    let database = support::database().await;
    let pool = migrate::connect(database.url(), Role::Projector, 3).await.expect("a pool");
    let mut first = Lease::acquire(&pool, "projector", "one", TTL).await.expect("asked").expect("free");
    assert!(Lease::acquire(&pool, "projector", "two", TTL).await.expect("asked").is_none());
    assert!(Lease::acquire(&pool, "relay", "two", TTL).await.expect("asked").is_some(), "another name is free");
    assert!(first.renew().await.expect("renewed"));
    first.release().await;
    let short = Duration::from_millis(50);
    let mut second = Lease::acquire(&pool, "projector", "two", short).await.expect("asked").expect("released");
    assert_eq!(second.epoch(), 2);
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(second.renew().await.expect("late, but nobody else came"), "late, but nobody else came");
    tokio::time::sleep(Duration::from_millis(120)).await;
    let third = Lease::acquire(&pool, "projector", "three", TTL).await.expect("asked").expect("over");
    assert_eq!((third.epoch(), third.name()), (3, "projector"));
    assert!(!second.renew().await.expect("asked"), "taken over");
}

#[tokio::test]
async fn a_checkpoint_is_fenced_by_epoch_and_position() {
    let database = support::database().await;
    let pool = migrate::connect(database.url(), Role::Projector, 3).await.expect("a pool");
    let old = Lease::acquire(&pool, "projector", "one", Duration::from_millis(1)).await.expect("asked").expect("free");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let lease = Lease::acquire(&pool, "projector", "two", TTL).await.expect("asked").expect("over");

    let mut tx = pool.begin().await.expect("a transaction");
    let zombie = checkpoint(&mut tx, "projector", old.epoch(), Position(0), Position(9)).await;
    assert!(matches!(zombie, Err(LogError::Fenced { .. })), "{zombie:?}");
    checkpoint(&mut tx, "projector", lease.epoch(), Position(0), Position(5)).await.expect("moved");
    let again = checkpoint(&mut tx, "projector", lease.epoch(), Position(0), Position(5)).await;
    assert!(matches!(again, Err(LogError::Fenced { .. })), "{again:?}");
    tx.rollback().await.expect("rolled back");

    let mut c = pool.acquire().await.expect("a connection");
    assert_eq!(follower_position(&mut c, "projector").await.expect("asked"), Position(0), "rolled back with its rows");
    checkpoint(&mut c, "projector", lease.epoch(), Position(0), Position(5)).await.expect("moved");
    lease.report(Some("stage 8 is not a stage")).await.expect("kept");
    let all = followers(&mut c).await.expect("listed");
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].position, all[0].held, all[0].owner.as_deref()), (Position(5), true, Some("two")));
    assert_eq!(all[0].last_error.as_deref(), Some("stage 8 is not a stage"));
    lease.release().await;
    let next = Lease::acquire(&pool, "projector", "three", TTL).await.expect("asked").expect("released");
    assert_eq!(next.position(), Position(5));
    forget_follower(&mut c, "projector").await.expect("forgotten");
    assert_eq!(follower_position(&mut c, "projector").await.expect("asked"), Position(0));
}
