//! What erasures and retention did to the objects of artifacts, for responses: the rows say what was recorded.

use luci_projections::artifacts::Artifact;
use luci_schema::{TenantId, object_version};
use serde_json::json;
use sqlx::PgConnection;

use crate::problem::Problem;

/// Adds `expiredAt`, and `metadata.erased` with size and checksum of the version without the erased people.
pub async fn mark(c: &mut PgConnection, tenant: TenantId, artifacts: &mut [Artifact]) -> Result<(), Problem> {
    let paths: Vec<&str> = artifacts.iter().map(|artifact| artifact.object_path.as_str()).collect();
    let versions = object_version::among(c, tenant, &paths).await?;
    for artifact in artifacts {
        let Some(version) = versions.get(&artifact.object_path) else { continue };
        artifact.expired_at = version.expired_at.map(luci_schema::Micros::date_time);
        if let (Some(at), Some(metadata)) = (version.erased_at, artifact.metadata.as_object_mut()) {
            let now = version.now.as_ref();
            let erased = json!({"at": at.rfc3339(), "sizeBytes": now.map(|(_, digest)| digest.size_bytes),
                "checksum": now.map(|(_, digest)| digest.checksum.as_str())});
            metadata.insert("erased".into(), erased);
        }
    }
    Ok(())
}
