//! Where objects are kept, and where seals are remembered: a folder, or a bucket of an S3-compatible store.

use std::{collections::BTreeMap, path::PathBuf};

use luci_storage::S3Config;
use secrecy::ExposeSecret;

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

/// The variables of one store.
struct Names {
    url: &'static str,
    region: &'static str,
    endpoint: &'static str,
    key_id: &'static str,
    secret: &'static str,
}

const STORE: Names = Names {
    url: "LUCI_STORE_URL",
    region: "LUCI_STORE_REGION",
    endpoint: "LUCI_STORE_ENDPOINT",
    key_id: "LUCI_STORE_KEY_ID",
    secret: "LUCI_STORE_SECRET",
};
/// With credentials of its own: those of the store must not be able to change what witnesses it.
const SEALS: Names = Names {
    url: "LUCI_SEAL_BUCKET",
    region: "LUCI_SEAL_BUCKET_REGION",
    endpoint: "LUCI_SEAL_BUCKET_ENDPOINT",
    key_id: "LUCI_SEAL_BUCKET_KEY_ID",
    secret: "LUCI_SEAL_BUCKET_SECRET",
};

impl StoreAddress {
    pub(super) fn of_objects(reader: &mut VariableReader) -> Option<Self> {
        Self::read(reader, &STORE)
    }

    pub(super) fn of_seals(reader: &mut VariableReader) -> Option<Self> {
        Self::read(reader, &SEALS)
    }

    fn read(reader: &mut VariableReader, names: &Names) -> Option<Self> {
        let text = reader.text(names.url);
        let region = reader.text(names.region).unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = super::web_url(reader, names.endpoint);
        let (id, secret) = (reader.text(names.key_id), reader.secret(names.secret));
        let text = text?;
        if let Some(path) = text.strip_prefix("file://").filter(|path| path.starts_with('/')) {
            return Some(Self::Folder(PathBuf::from(path)));
        }
        let Some(bucket) = text.strip_prefix("s3://").filter(|bucket| !bucket.is_empty() && !bucket.contains('/'))
        else {
            reader.error(names.url, format!("`{text}` is neither file:///folder nor s3://bucket"));
            return None;
        };
        if id.is_none() {
            reader.error(names.key_id, format!("is not set, but {} names a bucket", names.url));
        }
        if secret.is_none() {
            reader.error(names.secret, format!("is not set, but {} names a bucket", names.url));
        }
        let (access_key_id, secret_access_key) = (id?, secret?);
        Some(Self::Bucket(S3Config { bucket: bucket.to_owned(), region, endpoint, access_key_id, secret_access_key }))
    }

    /// What `read` reads again; with the bucket's keys.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::from([(STORE.url.to_owned(), self.url())]);
        if let Self::Bucket(bucket) = self {
            let more = [
                (STORE.region, Some(bucket.region.as_str())),
                (STORE.endpoint, bucket.endpoint.as_deref()),
                (STORE.key_id, Some(bucket.access_key_id.as_str())),
                (STORE.secret, Some(bucket.secret_access_key.expose_secret())),
            ];
            all.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
        }
        all
    }

    /// The store of `variables`; none when they name none.
    pub fn of_variables(variables: &BTreeMap<String, String>) -> Option<Self> {
        Self::of_objects(&mut VariableReader::new(variables.clone()))
    }

    /// As `luci env` prints it: without keys.
    pub fn url(&self) -> String {
        match self {
            Self::Folder(path) => format!("file://{}", path.display()),
            Self::Bucket(bucket) => format!("s3://{}", bucket.bucket),
        }
    }
}
