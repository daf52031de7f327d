//! Presigned URLs: a time-limited permission to put or get one object. URLs of a bucket use the scheme of S3. URLs of the
//! local folder use HMAC-SHA256 over all parameters; the gateway checks them in constant time at `/api/blobs/{key}`.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use luci_schema::{Micros, object_key::ObjectKey};
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::{Url, form_urlencoded};

use crate::{Signing, Storage, StorageError, path};

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
    /// PUT of a body with this content type and at most `max_bytes` bytes.
    Upload { key: ObjectKey, content_type: String, max_bytes: u64 },
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
        let (valid, expires_at) = clamp(valid);
        let url = match &self.0.signing {
            Signing::Local { key: secret, public_url } => {
                let grant = Grant::Upload { content_type, max_bytes };
                local_url(secret, public_url, &key.to_string(), expires_at, &grant)?
            }
            Signing::S3(s3) => {
                let value = HeaderValue::from_str(content_type)
                    .map_err(|_| StorageError::Setup("a content type is not a valid header value".into()))?;
                let options =
                    SignedUrlOptions::new().with_signed_header(HeaderName::from_static("content-type"), value);
                s3.signed_url_opts(Method::PUT, &path(&key.to_string())?, valid, &options).await?.into()
            }
        };
        let headers = vec![("content-type".into(), content_type.into())];
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
            Signing::S3(s3) => {
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
            Grant::Upload { content_type, max_bytes } => BlobAccess::Upload {
                key: object_path.parse().map_err(|_| BlobRefused::Signature)?,
                content_type: content_type.into(),
                max_bytes,
            },
            Grant::Download { file_name } => {
                BlobAccess::Download { object_path: object_path.into(), disposition: disposition(file_name) }
            }
        })
    }
}

enum Grant<'a> {
    Upload { content_type: &'a str, max_bytes: u64 },
    Download { file_name: &'a str },
}

/// The query of a signed URL: known parameters, each at most once.
#[derive(Default)]
struct SignedQuery {
    exp: i64,
    content_type: Option<String>,
    max: Option<u64>,
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
                "name" => signed.name = Some(value.into_owned()),
                "sig" => signed.sig = value.into_owned(),
                _ => return None,
            }
            seen.push(name);
        }
        Some(signed)
    }

    fn grant(&self, method: &str) -> Option<Grant<'_>> {
        match (method, &self.content_type, self.max, &self.name) {
            ("PUT", Some(content_type), Some(max_bytes), None) => Some(Grant::Upload { content_type, max_bytes }),
            ("GET" | "HEAD", None, None, Some(file_name)) => Some(Grant::Download { file_name }),
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
    let (verb, first, second) = match grant {
        Grant::Upload { content_type, max_bytes } => ("PUT", *content_type, max_bytes.to_string()),
        Grant::Download { file_name } => ("GET", *file_name, String::new()),
    };
    for field in ["luci-blob-1", verb, object_path, &exp.to_string(), first, &second] {
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
        Grant::Upload { content_type, max_bytes } => {
            query.append_pair("type", content_type).append_pair("max", &max_bytes.to_string())
        }
        Grant::Download { file_name } => query.append_pair("name", file_name),
    };
    query.append_pair("sig", &sig);
    drop(query);
    Ok(url.into())
}

/// The Content-Disposition of a file name: characters with a meaning in headers or shells become `_`.
fn disposition(file_name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = file_name.chars().take(120).map(plain).collect();
    format!("attachment; filename=\"{name}\"")
}
