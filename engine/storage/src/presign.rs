//! Presigned URLs: a time-limited permission to put or get one object. URLs of a bucket use the scheme of S3. URLs of the
//! local folder use HMAC-SHA256 over all parameters; the gateway checks them in constant time at `/api/blobs/{key}`.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use luci_schema::{Micros, event::ObjectDigest, object_key::ObjectKey};
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::{Url, form_urlencoded};

use crate::{Signing, StagedPart, Storage, StorageError, path};

/// By which S3 compares what it is sent; a presigned URL fixes the value.
const CHECKSUM_HEADER: &str = "x-amz-checksum-sha256";
/// The longest validity that S3 allows.
const MAX_VALID: Duration = Duration::from_secs(7 * 24 * 3600);

/// A URL, when it expires, and the headers that the request must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUrl {
    pub url: String,
    pub method: &'static str,
    pub expires_at: Micros,
    pub headers: Vec<(String, String)>,
}

/// What a valid URL of the local store allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobAccess {
    /// PUT of a body with this content type, at most `max_bytes` bytes, and this SHA-256 (lower hex) if there is one.
    Upload { key: ObjectKey, content_type: String, max_bytes: u64, checksum: Option<String> },
    /// GET; `disposition` is the value of Content-Disposition.
    Download { object_path: String, disposition: String },
}

/// Why a URL of the local store is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobRefused {
    #[error("this installation serves objects from its bucket")]
    NotLocal,
    #[error("the signature of the URL is not valid")]
    Signature,
    #[error("the URL has expired")]
    Expired,
}

impl Storage {
    pub const UPLOAD_VALID: Duration = Duration::from_secs(3600);
    pub const UPLOAD_MAX_BYTES: u64 = 100 << 20;
    pub const DOWNLOAD_VALID: Duration = Duration::from_secs(24 * 3600);

    /// A URL to put one object of this content type; `valid` is clamped to 1 second … 7 days. The local store limits the size
    /// of the request; for every store, `complete_upload` checks it.
    pub async fn upload_url(
        &self,
        key: &ObjectKey,
        content_type: &str,
        max_bytes: u64,
        valid: Duration,
    ) -> Result<SignedUrl, StorageError> {
        self.sign_put(key, &Grant::Upload { content_type, max_bytes, checksum: None }, valid).await
    }

    /// A URL to put this content and no other. Both stores compare its SHA-256 before they take it, so the size is fixed too; an
    /// S3 store that does not know the header is found out when the parts are joined.
    pub async fn part_url(
        &self,
        part: &StagedPart,
        content_type: &str,
        valid: Duration,
    ) -> Result<SignedUrl, StorageError> {
        let ObjectDigest { size_bytes: max_bytes, checksum } = &part.digest;
        let grant = Grant::Upload { content_type, max_bytes: *max_bytes, checksum: Some(checksum) };
        self.sign_put(&part.key, &grant, valid).await
    }

    async fn sign_put(&self, key: &ObjectKey, grant: &Grant<'_>, valid: Duration) -> Result<SignedUrl, StorageError> {
        let (valid, expires_at) = clamp(valid);
        let headers = grant.headers();
        let url = match &self.0.signing {
            Signing::Local { key: secret, public_url } => {
                local_url(secret, public_url, &key.to_string(), expires_at, grant)?
            }
            Signing::S3(s3, _) => {
                let mut options = SignedUrlOptions::new();
                for (name, value) in &headers {
                    let value = HeaderValue::from_str(value)
                        .map_err(|_| StorageError::Setup(format!("`{name}` is not a valid header value")))?;
                    options = options.with_signed_header(HeaderName::from_static(name), value);
                }
                s3.signed_url_opts(Method::PUT, &path(&key.to_string())?, valid, &options).await?.into()
            }
        };
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(SignedUrl { url, method: "PUT", expires_at, headers })
    }

    /// A URL to download one object under this file name; `valid` is clamped to 1 second … 7 days.
    pub async fn download_url(
        &self,
        object_path: &str,
        file_name: &str,
        valid: Duration,
    ) -> Result<SignedUrl, StorageError> {
        let (valid, expires_at) = clamp(valid);
        let at = path(object_path)?;
        let url = match &self.0.signing {
            Signing::Local { key, public_url } => {
                local_url(key, public_url, object_path, expires_at, &Grant::Download { file_name })?
            }
            Signing::S3(s3, _) => {
                let query = [("response-content-disposition", disposition(file_name))];
                let options = SignedUrlOptions::new().with_query(query);
                s3.signed_url_opts(Method::GET, &at, valid, &options).await?.into()
            }
        };
        Ok(SignedUrl { url, method: "GET", expires_at, headers: Vec::new() })
    }

    /// Checks a request for `/api/blobs/{object_path}?{query}` and returns what it may do.
    pub fn blob_access(&self, method: &str, object_path: &str, query: &str) -> Result<BlobAccess, BlobRefused> {
        self.blob_access_at(method, object_path, query, Micros::now())
    }

    pub(super) fn blob_access_at(
        &self,
        method: &str,
        object_path: &str,
        query: &str,
        now: Micros,
    ) -> Result<BlobAccess, BlobRefused> {
        let Signing::Local { key, .. } = &self.0.signing else { return Err(BlobRefused::NotLocal) };
        let signed = SignedQuery::parse(query).ok_or(BlobRefused::Signature)?;
        let grant = signed.grant(method).ok_or(BlobRefused::Signature)?;
        let signature = hex::decode(&signed.sig).map_err(|_| BlobRefused::Signature)?;
        mac(key, object_path, signed.exp, &grant).verify_slice(&signature).map_err(|_| BlobRefused::Signature)?;
        // Checked after the signature, so that a forged URL does not reveal that it once was valid.
        if now.seconds() >= signed.exp {
            return Err(BlobRefused::Expired);
        }
        Ok(match grant {
            Grant::Upload { content_type, max_bytes, checksum } => BlobAccess::Upload {
                key: object_path.parse().map_err(|_| BlobRefused::Signature)?,
                content_type: content_type.into(),
                max_bytes,
                checksum: checksum.map(str::to_owned),
            },
            Grant::Download { file_name } => {
                BlobAccess::Download { object_path: object_path.into(), disposition: disposition(file_name) }
            }
        })
    }
}

enum Grant<'a> {
    Upload { content_type: &'a str, max_bytes: u64, checksum: Option<&'a str> },
    Download { file_name: &'a str },
}

impl Grant<'_> {
    /// The headers that the request must have.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let Grant::Upload { content_type, checksum, .. } = self else { return Vec::new() };
        let content_type = ("content-type", (*content_type).to_owned());
        let checksum = checksum.and_then(checksum_header).map(|value| (CHECKSUM_HEADER, value));
        std::iter::once(content_type).chain(checksum).collect()
    }
}

/// The query of a signed URL: known parameters, each at most once.
#[derive(Default)]
struct SignedQuery {
    exp: i64,
    content_type: Option<String>,
    max: Option<u64>,
    checksum: Option<String>,
    name: Option<String>,
    sig: String,
}

impl SignedQuery {
    fn parse(query: &str) -> Option<Self> {
        let mut seen = Vec::new();
        let mut signed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return None;
            }
            match &*name {
                "exp" => signed.exp = value.parse().ok()?,
                "type" => signed.content_type = Some(value.into_owned()),
                "max" => signed.max = Some(value.parse().ok()?),
                "sha256" => signed.checksum = Some(value.into_owned()),
                "name" => signed.name = Some(value.into_owned()),
                "sig" => signed.sig = value.into_owned(),
                _ => return None,
            }
            seen.push(name);
        }
        Some(signed)
    }

    fn grant(&self, method: &str) -> Option<Grant<'_>> {
        let checksum = self.checksum.as_deref();
        match (method, &self.content_type, self.max, &self.name) {
            ("PUT", Some(content_type), Some(max_bytes), None) => {
                Some(Grant::Upload { content_type, max_bytes, checksum })
            }
            ("GET" | "HEAD", None, None, Some(file_name)) if checksum.is_none() => Some(Grant::Download { file_name }),
            _ => None,
        }
    }
}

fn clamp(valid: Duration) -> (Duration, Micros) {
    let valid = Duration::from_secs(valid.as_secs()).clamp(Duration::from_secs(1), MAX_VALID);
    // At most 604,800.
    let millis = i64::try_from(valid.as_millis()).unwrap_or(i64::MAX);
    (valid, Micros::now().plus_millis(millis))
}

/// The MAC over all parameters. Each is prefixed with its length, so that no two sets of parameters have the same bytes.
fn mac(key: &SecretString, object_path: &str, exp: i64, grant: &Grant<'_>) -> Hmac<Sha256> {
    // HMAC takes a key of any length.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).expect("any length");
    let (verb, first, second, third) = match grant {
        Grant::Upload { content_type, max_bytes, checksum } => ("PUT", *content_type, max_bytes.to_string(), *checksum),
        Grant::Download { file_name } => ("GET", *file_name, String::new(), None),
    };
    let exp = exp.to_string();
    for field in ["luci-blob-1", verb, object_path, &exp, first, &second].into_iter().chain(third) {
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field.as_bytes());
    }
    mac
}

fn local_url(
    key: &SecretString,
    public_url: &str,
    object_path: &str,
    expires_at: Micros,
    grant: &Grant<'_>,
) -> Result<String, StorageError> {
    let exp = expires_at.seconds();
    let sig = hex::encode(mac(key, object_path, exp, grant).finalize().into_bytes());
    let invalid = || StorageError::Setup(format!("{public_url} is not a valid public URL"));
    let mut url = Url::parse(public_url).map_err(|_| invalid())?;
    url.path_segments_mut()
        .map_err(|()| invalid())?
        .pop_if_empty()
        .extend(["api", "blobs"])
        .extend(object_path.split('/'));
    let mut query = url.query_pairs_mut();
    query.append_pair("exp", &exp.to_string());
    match grant {
        Grant::Upload { content_type, max_bytes, checksum } => {
            query.append_pair("type", content_type).append_pair("max", &max_bytes.to_string());
            query.extend_pairs(checksum.map(|checksum| ("sha256", checksum)));
        }
        Grant::Download { file_name } => {
            query.append_pair("name", file_name);
        }
    }
    query.append_pair("sig", &sig);
    drop(query);
    Ok(url.into())
}

/// The value of `x-amz-checksum-sha256` for a SHA-256 in hex; `None` if it is none.
pub fn checksum_header(checksum: &str) -> Option<String> {
    hex::decode(checksum).ok().map(|digest| BASE64.encode(digest))
}

/// The Content-Disposition of a file name: characters with a meaning in headers or shells become `_`.
fn disposition(file_name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = file_name.chars().take(120).map(plain).collect();
    format!("attachment; filename=\"{name}\"")
}
