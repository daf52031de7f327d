//! Every column that can hold a text is in the list of what erasures do.

use crate::support::database;

/// Columns of tenants' tables that hold texts, documents or bytes, and are not in `personal_data`; or the other way round.
const DIFFERENCE: &str = "
    with stored as (
        select c.table_name::text, c.column_name::text from information_schema.columns c
          join information_schema.tables t using (table_schema, table_name)
         where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.table_name not in ('_sqlx_migrations', 'personal_data')
           and (c.data_type in ('text', 'json', 'jsonb', 'bytea', 'ARRAY', 'character varying', 'xml', 'hstore', 'USER-DEFINED'))
    )
    select coalesce(s.table_name, p.table_name) || '.' || coalesce(s.column_name, p.column_name)
           || case when p.table_name is null then ': not in personal_data' else ': no such column' end
      from stored s full join personal_data p on p.table_name = s.table_name and p.column_name = s.column_name
     where s.table_name is null or p.table_name is null order by 1";

#[tokio::test]
async fn every_column_says_what_an_erasure_does_with_it() {
    let database = database().await;
    let pool = database.pool().await;
    let unlisted: Vec<String> = sqlx::query_scalar(DIFFERENCE).fetch_all(&pool).await.expect("read");
    assert!(unlisted.is_empty(), "enter these in `personal_data`, by a migration: {unlisted:#?}");
    // The test sees a table that is added without an entry.
    sqlx::query("create table new_notes (tenant_id text, note text)").execute(&pool).await.expect("created");
    let unlisted: Vec<String> = sqlx::query_scalar(DIFFERENCE).fetch_all(&pool).await.expect("read");
    assert_eq!(unlisted, ["new_notes.note: not in personal_data", "new_notes.tenant_id: not in personal_data"]);
    // What is deleted or cleared is named by the functions that do it.
    let functions: String =
        sqlx::query_scalar("select string_agg(prosrc, ' ') from pg_proc where proname = 'erase_person_rows'")
            .fetch_one(&pool)
            .await
            .expect("read");
    let deleted: Vec<String> =
        sqlx::query_scalar("select distinct table_name from personal_data where treatment = 'deleted'")
            .fetch_all(&pool)
            .await
            .expect("read");
    for table in deleted {
        assert!(functions.contains(&format!("delete from {table} ")), "{table} is not deleted from");
    }
}
