//! Presigned URLs: a time-limited right to put or get one object. A bucket's are signed by S3's own scheme; the local
//! folder's by HMAC-SHA256 over every parameter, checked in constant time where the gateway answers `/api/blobs/{key}`.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use luci_schema::{Micros, object_key::ObjectKey};
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::{Url, form_urlencoded};

use super::{Signing, Storage, StorageError, path};

/// S3 refuses longer ones.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A URL, when it ends, and the headers that its request must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUrl {
    pub url: String,
    pub method: &'static str,
    pub expires_at: Micros,
    pub headers: Vec<(String, String)>,
}

/// What a URL of the local store allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobAccess {
    /// PUT of a body of this type and at most so many bytes.
    Upload { key: ObjectKey, content_type: String, max_bytes: u64 },
    /// GET; `disposition` is the value of Content-Disposition.
    Download { object_path: String, disposition: String },
}

/// Why a URL of the local store is not honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobRefused {
    #[error("objects of this installation are served by its bucket")]
    NotLocal,
    #[error("the address is not one that was signed here")]
    Signature,
    #[error("the address has expired")]
    Expired,
}

impl Storage {
    pub const UPLOAD_VALID: Duration = Duration::from_secs(3600);
    pub const UPLOAD_MAX_BYTES: u64 = 100 << 20;
    pub const DOWNLOAD_VALID: Duration = Duration::from_secs(24 * 3600);

    /// A URL to put one object of this content type; `valid` is clamped to 1 second … 7 days. The size is limited by
    /// the local store at once, and for every store by `complete_upload`.
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
                    .map_err(|_| StorageError::Setup("a content type is not a header value".into()))?;
                let options =
                    SignedUrlOptions::new().with_signed_header(HeaderName::from_static("content-type"), value);
                s3.signed_url_opts(Method::PUT, &path(&key.to_string())?, valid, &options).await?.into()
            }
        };
        let headers = vec![("content-type".into(), content_type.into())];
        Ok(SignedUrl { url, method: "PUT", expires_at, headers })
    }

    /// A URL to get one object as a file of this name; `valid` is clamped to 1 second … 7 days.
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

    /// Checks a request for `/api/blobs/{object_path}?{query}` and says what it may do.
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
        let asked = Asked::parse(query).ok_or(BlobRefused::Signature)?;
        let grant = asked.grant(method).ok_or(BlobRefused::Signature)?;
        let signature = hex::decode(&asked.sig).map_err(|_| BlobRefused::Signature)?;
        mac(key, object_path, asked.exp, &grant).verify_slice(&signature).map_err(|_| BlobRefused::Signature)?;
        // Only after the signature, so that nobody learns which addresses once were good.
        if now.seconds() >= asked.exp {
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

/// The query of a signed URL: every parameter at most once, no other.
#[derive(Default)]
struct Asked {
    exp: i64,
    content_type: Option<String>,
    max: Option<u64>,
    name: Option<String>,
    sig: String,
}

impl Asked {
    fn parse(query: &str) -> Option<Self> {
        let mut seen = Vec::new();
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return None;
            }
            match &*name {
                "exp" => asked.exp = value.parse().ok()?,
                "type" => asked.content_type = Some(value.into_owned()),
                "max" => asked.max = Some(value.parse().ok()?),
                "name" => asked.name = Some(value.into_owned()),
                "sig" => asked.sig = value.into_owned(),
                _ => return None,
            }
            seen.push(name);
        }
        Some(asked)
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
    let valid = Duration::from_secs(valid.as_secs()).clamp(Duration::from_secs(1), LONGEST);
    // At most 604,800.
    let millis = i64::try_from(valid.as_millis()).unwrap_or(i64::MAX);
    (valid, Micros::now().plus_millis(millis))
}

/// Each field with its length before it, so that no two grants have the same bytes.
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
    let wrong = || StorageError::Setup(format!("{public_url} is not a public URL"));
    let mut url = Url::parse(public_url).map_err(|_| wrong())?;
    url.path_segments_mut()
        .map_err(|()| wrong())?
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

/// A file name that no header or shell takes for something else.
fn disposition(file_name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = file_name.chars().take(120).map(plain).collect();
    format!("attachment; filename=\"{name}\"")
}
