//! TLS of the gateway itself: a certificate from PEM files, which are read again when they change.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use luci_schema::Hash;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use x509_cert::der::Decode as _;

/// Between two looks at the files; SIGHUP is a look at once.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The files of a certificate, in PEM: the chain with the server's own certificate first, and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why a certificate cannot be used. None contains a part of a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    #[error("{0} has no certificate in PEM form")]
    NoCertificate(PathBuf),
    #[error("{0} is not a certificate: {1}")]
    Certificate(PathBuf, x509_cert::der::Error),
    #[error("{0} is not valid PEM: {1}")]
    Pem(PathBuf, pem::Error),
    #[error("{0} is not the key of {1}: {2}")]
    Pair(PathBuf, PathBuf, rustls::Error),
}

impl TlsError {
    /// Whether the file of the key is to blame.
    pub fn is_of_key(&self, files: &TlsFiles) -> bool {
        match self {
            Self::Unreadable(path, _) | Self::Pem(path, _) | Self::Pair(path, ..) => *path == files.key,
            Self::NoCertificate(_) | Self::Certificate(..) => false,
        }
    }
}

/// The certificate that is shown to callers now.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    /// In seconds since 1970.
    not_after: u64,
    /// Of both files as they were when they were looked at last.
    seen: Hash,
}

impl Certificate {
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let (certificate, key) = read(&files)?;
        let seen = hash(&certificate, &key);
        let (key, not_after) = pair(&files, &certificate, &key)?;
        let current = Current { key, not_after, seen };
        Ok(Arc::new(Self { files, current: RwLock::new(current) }))
    }

    /// Reads the files again; returns whether they had changed.
    ///
    /// # Errors
    /// When they cannot be used. The certificate stays as it is, and files that stay as they are, are no error again.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let (certificate, key) = read(&self.files)?;
        let seen = hash(&certificate, &key);
        if self.current().seen == seen {
            return Ok(false);
        }
        let loaded = pair(&self.files, &certificate, &key);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.seen = seen;
        (current.key, current.not_after) = loaded?;
        Ok(true)
    }

    /// Reloads until `stop`: each minute, and at SIGHUP.
    pub async fn watch(&self, stop: CancellationToken) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => Some(hangup),
            Err(error) => {
                tracing::warn!(%error, "SIGHUP cannot be caught; the certificate is looked at each minute");
                None
            }
        };
        loop {
            metrics::gauge!("luci_tls_certificate_not_after_seconds").set(self.current().not_after as f64);
            let signalled = async {
                match &mut hangup {
                    Some(hangup) => {
                        hangup.recv().await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = signalled => {}
            }
            match self.reload() {
                Ok(true) => tracing::info!("certificate reloaded"),
                Ok(false) => {}
                Err(error) => {
                    metrics::counter!("luci_tls_reload_failures_total").increment(1);
                    tracing::error!(%error, "certificate not reloaded, the earlier one stays");
                }
            }
        }
    }

    /// TLS 1.2 and 1.3, with HTTP/2 for clients that offer it.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn current(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().key))
    }
}

fn read(files: &TlsFiles) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| TlsError::Unreadable(path.clone(), error));
    Ok((read(&files.certificate)?, read(&files.key)?))
}

fn hash(certificate: &[u8], key: &[u8]) -> Hash {
    Sha256::new().chain_update(Sha256::digest(certificate)).chain_update(Sha256::digest(key)).finalize().into()
}

/// The chain with its key, which must be that of the first certificate, and when that expires.
fn pair(files: &TlsFiles, certificate: &[u8], key: &[u8]) -> Result<(Arc<CertifiedKey>, u64), TlsError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |error| TlsError::Pem(path, error)
    };
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(pem(&files.certificate))?;
    let own = chain.first().ok_or_else(|| TlsError::NoCertificate(files.certificate.clone()))?;
    let own = x509_cert::Certificate::from_der(own);
    let own = own.map_err(|error| TlsError::Certificate(files.certificate.clone(), error))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(pem(&files.key))?;
    let paired = CertifiedKey::from_der(chain, key, &ring::default_provider());
    let paired = paired.map_err(|error| TlsError::Pair(files.key.clone(), files.certificate.clone(), error))?;
    let not_after = own.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
    Ok((Arc::new(paired), not_after))
}
