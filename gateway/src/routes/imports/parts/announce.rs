//! `POST /api/uploads/multipart`: announces an upload in parts. URLs are asked for part by part.

use std::sync::Arc;

use http::StatusCode;
use luci_leads::store::imports;
use luci_storage::PartPlan;
use serde::Deserialize;

use super::view;
use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reply,
    request::Request,
    routes::{HandlerResult, imports::new_upload::NewUpload},
};

/// S3 takes no more parts of one upload either.
const MAX_PARTS: u64 = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    file_name: String,
    size_bytes: u64,
    content_type: String,
    /// SHA-256 of the whole file in hex.
    checksum: Option<String>,
    part_bytes: Option<u64>,
}

/// The plan for a file, or what is wrong with the size of its parts.
fn plan(size_bytes: u64, part_bytes: Option<u64>) -> Result<PartPlan, String> {
    let (least, most) = (PartPlan::MIN_PART, PartPlan::MAX_PART);
    // Larger where there would be too many.
    let default = PartPlan::DEFAULT_PART.max(size_bytes.div_ceil(MAX_PARTS));
    let part_bytes = part_bytes.unwrap_or(default);
    if !(least..=most).contains(&part_bytes) {
        return Err(format!("{least} to {most} bytes, found {part_bytes}"));
    }
    if size_bytes.div_ceil(part_bytes) > MAX_PARTS {
        return Err(format!("at least {} bytes, for at most {MAX_PARTS} parts", size_bytes.div_ceil(MAX_PARTS)));
    }
    Ok(PartPlan { size_bytes, part_bytes })
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (Body { file_name, size_bytes, content_type, checksum, part_bytes }, _) = request.json::<Body>().await?;
    let mut upload = NewUpload { file_name, size_bytes, content_type, checksum };
    let mut errors = upload.errors(app.options.upload_limit);
    let plan = plan(size_bytes, part_bytes).map_err(|reason| errors.push(("partBytes".into(), reason)));
    let (Ok(plan), true) = (plan, errors.is_empty()) else { return Err(Problem::invalid_fields(errors).into()) };
    let new = upload.into_import(&caller);
    let mut tx = app.engine_pool.begin().await?;
    imports::begin_in_parts(&mut tx, caller.tenant, &new, plan.part_bytes).await?;
    let import = imports::get(&mut tx, caller.tenant, new.id).await?.ok_or_else(|| Problem::not_found("upload"))?;
    tx.commit().await?;
    Ok(reply::json(StatusCode::CREATED, &view(&import, plan)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_neither_too_small_nor_too_large_nor_too_many() {
        const MIB: u64 = 1 << 20;
        for (size_bytes, part_bytes, expected) in [
            (1, None, Ok(8 * MIB)),
            (100 * MIB, Some(5 * MIB), Ok(5 * MIB)),
            (100 * MIB, Some(64 * MIB), Ok(64 * MIB)),
            (100 * MIB, Some(5 * MIB - 1), Err("5242880 to 67108864 bytes, found 5242879")),
            (100 * MIB, Some(64 * MIB + 1), Err("5242880 to 67108864 bytes, found 67108865")),
            (100_000 * MIB, None, Ok(10 * MIB)),
            (100_000 * MIB, Some(8 * MIB), Err("at least 10485760 bytes, for at most 10000 parts")),
        ] {
            let found = plan(size_bytes, part_bytes).map(|plan| plan.part_bytes);
            assert_eq!(found, expected.map_err(str::to_owned), "{size_bytes} in {part_bytes:?}");
        }
    }
}
