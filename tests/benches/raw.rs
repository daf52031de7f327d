//! The raw operations: Postgres with the same payload through the same driver, without the log.

use std::{sync::Arc, time::Duration};

use luci_schema::EventId;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;

use crate::load::{self, Load};

/// About the size of a run's event.
pub const DATA: &str = r#"{"blockId":"block_01JE5S9W3T4Y6Z8A0B2C4D6E8F","blockNumber":17,"counts":{"failed":12,"input":250,"noMatch":19,"skipped":63,"success":156},"costMicros":15600000,"provider":"apollo","stage":"enrich","startedAtMicros":1764000000000000,"totals":{"costMicros":93600000,"processedLeads":1200,"progress":41}}"#;
const METADATA: &str =
    r#"{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","worker":"engine-1"}"#;

const TABLE: &str = "create table if not exists raw_events (
    position bigint generated always as identity unique, tenant_id text not null, stream_id text not null,
    version bigint not null, event_id text not null, event_type text not null, data json not null, metadata json not null,
    recorded_at timestamptz not null default now(), primary key (stream_id, version))";
const ONE: &str = "insert into raw_events (tenant_id, stream_id, version, event_id, event_type, data, metadata)
    values ($1, $2, $3, $4, $5, $6::json, $7::json)";
const MANY: &str = "insert into raw_events (tenant_id, stream_id, version, event_id, event_type, data, metadata)
    select $1, $2, u.version, u.event_id, $5, u.data::json, u.metadata::json
    from unnest($3::bigint[], $4::text[], $6::text[], $7::text[]) u(version, event_id, data, metadata)";

/// One caller's connection and its position in its stream.
struct Caller {
    connection: PgConnection,
    stream: String,
    version: i64,
}

impl Caller {
    async fn insert(&mut self, rows: i64) -> anyhow::Result<u64> {
        let first = self.version + 1;
        self.version += rows;
        if rows == 1 {
            sqlx::query(ONE)
                .bind("tenant_1")
                .bind(&self.stream)
                .bind(first)
                .bind(EventId::generate())
                .bind("block:completed")
                .bind(DATA)
                .bind(METADATA)
                .execute(&mut self.connection)
                .await?;
            return Ok(1);
        }
        let count = rows as usize;
        sqlx::query(MANY)
            .bind("tenant_1")
            .bind(&self.stream)
            .bind((first..=self.version).collect::<Vec<_>>())
            .bind((0..rows).map(|_| EventId::generate()).collect::<Vec<_>>())
            .bind("block:completed")
            .bind(vec![DATA; count])
            .bind(vec![METADATA; count])
            .execute(&mut self.connection)
            .await?;
        Ok(rows as u64)
    }
}

/// `connections` callers inserting `rows` a commit for three seconds.
pub async fn insert(url: &str, connections: usize, rows: i64) -> anyhow::Result<Load> {
    let mut callers = Vec::new();
    for _ in 0..connections {
        let connection = PgConnection::connect(url).await?;
        let stream = EventId::generate().to_string();
        callers.push(Arc::new(Mutex::new(Caller { connection, stream, version: 0 })));
    }
    load::run(connections, 3.0, |number| {
        let caller = callers[number].clone();
        move || {
            let caller = caller.clone();
            async move { caller.lock().await.insert(rows).await }
        }
    })
    .await
}

/// An empty table, after a moment for the disk to finish earlier writes.
pub async fn fresh(pool: &PgPool) -> anyhow::Result<()> {
    sqlx::query(TABLE).execute(pool).await?;
    sqlx::query("truncate raw_events").execute(pool).await?;
    sqlx::query("checkpoint").execute(pool).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}
