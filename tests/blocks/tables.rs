//! Tables of imports, suppressions and leads, apart from the stages.

use luci_leads::{
    read::{csv_row::Limits, layout::ReadOptions, upload::Counter},
    store::{
        imports::{self, ImportError, ImportStatus, NewImport},
        sectors,
        suppressions::{self, Kind, Reason},
    },
};
use luci_schema::{ImportId, Micros, TenantId, migrate};

use super::fixture::fixture;

#[tokio::test]
async fn an_import_is_announced_then_completed_or_refused_once() {
    let fixture = fixture().await;
    let tenant = fixture.tenant;
    let mut c = fixture.tools.pool.acquire().await.expect("a connection");
    let mut ids = Vec::new();
    for n in 0..3 {
        let id = ImportId::generate();
        let new = NewImport {
            id,
            file_name: format!("{n}.csv"),
            object_path: format!("{tenant}/imports/{n}"),
            staged: false,
            content_type: "text/csv".into(),
            size_bytes: Some(70),
            checksum: None,
            created_by: "system".into(),
            created_at: Micros::now(),
        };
        imports::begin(&mut c, tenant, &new).await.expect("begun");
        ids.push(id);
    }
    let mut counter = Counter::new(Limits::default(), ReadOptions::default());
    counter.push("Town,City\nJosé,1\n2,2\n3,3,3\n4,4\n5,5\n".as_bytes()).expect("read");
    let counted = counter.finish().expect("leads");
    let at = Micros::now();
    assert!(imports::complete(&mut c, tenant, ids[0], "ab", &counted, at).await.expect("completed"));
    assert!(!imports::complete(&mut c, tenant, ids[0], "ab", &counted, at).await.expect("completed before"));
    let error = ImportError { code: "empty_file".into(), message: "the file is empty".into() };
    assert!(imports::reject(&mut c, tenant, ids[1], &error, at).await.expect("rejected"));
    assert!(!imports::reject(&mut c, tenant, ids[0], &error, at).await.expect("completed before"));

    let done = imports::get(&mut c, tenant, ids[0]).await.expect("read").expect("there");
    assert_eq!(
        (done.status, done.rows, done.size_bytes, done.completed_at),
        (ImportStatus::Completed, Some(5), Some(36), Some(at))
    );
    assert_eq!((done.summary.as_ref(), done.preview.as_ref()), (Some(&counted.summary), Some(&counted.preview)));
    assert_eq!(imports::layout(&mut c, tenant, ids[0]).await.expect("read"), Some(counted.layout.clone()));
    assert!(imports::correct_layout(&mut c, tenant, ids[0], &counted).await.expect("corrected"));
    imports::fix_layout(&mut c, tenant, ids[0]).await.expect("fixed");
    assert!(!imports::correct_layout(&mut c, tenant, ids[0], &counted).await.expect("a run has it"));
    assert_eq!(imports::layout(&mut c, TenantId::generate(), ids[0]).await.expect("read"), None);
    let refused = imports::get(&mut c, tenant, ids[1]).await.expect("read").expect("there");
    assert_eq!((refused.status, refused.error), (ImportStatus::Rejected, Some(error)));
    assert_eq!(imports::get(&mut c, TenantId::generate(), ids[0]).await.expect("read"), None);

    let newest = imports::list(&mut c, tenant, None, 2).await.expect("a page");
    assert_eq!(newest.iter().map(|i| i.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
    let rest = imports::list(&mut c, tenant, Some(ids[1]), 2).await.expect("a page");
    assert_eq!(rest.iter().map(|i| i.id).collect::<Vec<_>>(), [ids[0]]);
}

#[tokio::test]
async fn permanent_suppressions_stay_and_others_expire() {
    let fixture = fixture().await;
    let tenant = fixture.tenant;
    let mut c = fixture.tools.pool.acquire().await.expect("a connection");
    let past = Some(Micros::now().plus_millis(-1_000));
    let future = Some(Micros::now().plus_millis(60_000));
    for (value, reason, until) in [
        ("+1", Reason::OptOut, None),
        ("+1", Reason::WrongNumber, past),
        ("+2", Reason::WrongNumber, past),
        ("+3", Reason::WrongNumber, future),
        ("+4", Reason::OptOut, past),
    ] {
        suppressions::add(&mut c, tenant, Kind::Phone, value, reason, until).await.expect("added");
    }
    suppressions::add(&mut c, tenant, Kind::Email, "a@b.co", Reason::Blacklist, None).await.expect("added");
    let mut found: Vec<_> = suppressions::among(
        &mut c,
        tenant,
        &crate::support::vault(),
        &["+1", "+2", "+3", "+4", "a@b.co"],
        &["a@b.co", "+1"],
    )
    .await
    .expect("read")
    .into_iter()
    .collect();
    found.sort();
    assert_eq!(found, ["+1", "+3", "+4", "a@b.co"]);
    let none =
        suppressions::among(&mut c, TenantId::generate(), &crate::support::vault(), &["+1"], &[]).await.expect("read");
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_reader_sees_its_own_tenant_only() {
    let fixture = fixture().await;
    let mine = sectors::Sector {
        id: luci_schema::SectorId::generate(),
        slug: "mine".into(),
        name: "Mine".into(),
        state: None,
        sic_codes: vec!["17".into()],
        legacy_bucket_id: None,
        created_at: Micros::now(),
    };
    let mut c = fixture.tools.pool.acquire().await.expect("a connection");
    sectors::create(&mut c, fixture.tenant, &mine).await.expect("a sector");
    let reader = fixture.reader().await;
    for (tenant, seen) in [(fixture.tenant, 1), (TenantId::generate(), 0)] {
        let mut tx = migrate::tenant_tx(&reader, tenant).await.expect("a transaction");
        // Without a tenant: row-level security behind the queries' own conditions.
        let count: i64 = sqlx::query_scalar("select count(*) from sectors").fetch_one(&mut *tx).await.expect("a count");
        assert_eq!(count, seen);
        assert_eq!(sectors::page(&mut tx, tenant, None, None, 1_000).await.expect("a list").len() as i64, seen);
    }
}
