//! The sector that a client of the older platform names: by its bucket, or by a SIC code.

use luci_leads::{
    normalise::amount,
    store::sectors::{self, Sector},
};
use sqlx::PgConnection;

use super::{bad_field, bad_fields};
use crate::{caller::Caller, problem::Problem};

/// The sector of `bucketId`, or else of `sicCode`.
///
/// # Errors
/// 400 when neither is given, or the code is none; 404 when the tenant has no such sector.
pub async fn find(
    c: &mut PgConnection,
    caller: &Caller,
    (bucket, sic): (Option<&str>, Option<&str>),
) -> Result<Sector, Problem> {
    let found = match (bucket, sic) {
        (Some(bucket), _) => sectors::of_bucket(c, caller.tenant, bucket).await?,
        (None, Some(text)) => {
            let code = amount::sic(text).filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
            let code = code.ok_or_else(|| bad_field("sicCode", "a SIC code of three or four digits"))?;
            match sectors::index(c, caller.tenant).await?.of_sic(&code) {
                Some(id) => sectors::get(c, caller.tenant, &id.to_string()).await?,
                None => None,
            }
        }
        (None, None) => {
            let expected = "bucketId or sicCode is required";
            return Err(bad_fields(vec![("bucketId".into(), expected.into()), ("sicCode".into(), expected.into())]));
        }
    };
    let field = if bucket.is_some() { "bucketId" } else { "sicCode" };
    found.ok_or_else(|| {
        Problem::not_found("bucket").detail(format!("{field}: no sector of this tenant has it")).with("field", field)
    })
}

/// The id of a bucket in replies.
pub fn bucket_id(sector: &Sector) -> &str {
    sector.legacy_bucket_id.as_deref().unwrap_or(&sector.slug)
}
