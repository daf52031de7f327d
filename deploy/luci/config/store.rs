//! Where objects are kept: a folder, or a bucket of an S3-compatible store.

use std::path::PathBuf;

use luci_storage::S3Config;

use super::VariableReader;

/// `LUCI_STORE_URL`: `file:///srv/luci/objects` or `s3://outreachglobal-prod`.
///
/// A bucket needs `LUCI_STORE_REGION` (default `us-east-1`), `LUCI_STORE_ENDPOINT` (absent for AWS itself),
/// `LUCI_STORE_KEY_ID` and `LUCI_STORE_SECRET`.
#[derive(Debug, Clone)]
pub enum StoreAddress {
    Folder(PathBuf),
    Bucket(S3Config),
}

impl StoreAddress {
    pub(super) fn read(reader: &mut VariableReader) -> Option<Self> {
        let text = reader.text("LUCI_STORE_URL");
        let region = reader.text("LUCI_STORE_REGION").unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = super::web_url(reader, "LUCI_STORE_ENDPOINT");
        let (id, secret) = (reader.text("LUCI_STORE_KEY_ID"), reader.secret("LUCI_STORE_SECRET"));
        let text = text?;
        if let Some(path) = text.strip_prefix("file://").filter(|path| path.starts_with('/')) {
            return Some(Self::Folder(PathBuf::from(path)));
        }
        let Some(bucket) = text.strip_prefix("s3://").filter(|bucket| !bucket.is_empty() && !bucket.contains('/'))
        else {
            reader.error("LUCI_STORE_URL", format!("`{text}` is neither file:///folder nor s3://bucket"));
            return None;
        };
        if id.is_none() {
            reader.error("LUCI_STORE_KEY_ID", "is not set, but LUCI_STORE_URL names a bucket");
        }
        if secret.is_none() {
            reader.error("LUCI_STORE_SECRET", "is not set, but LUCI_STORE_URL names a bucket");
        }
        let (access_key_id, secret_access_key) = (id?, secret?);
        Some(Self::Bucket(S3Config { bucket: bucket.to_owned(), region, endpoint, access_key_id, secret_access_key }))
    }

    /// As `luci env` prints it: without keys.
    pub fn url(&self) -> String {
        match self {
            Self::Folder(path) => format!("file://{}", path.display()),
            Self::Bucket(bucket) => format!("s3://{}", bucket.bucket),
        }
    }
}
