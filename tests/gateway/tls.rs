//! TLS of the gateway itself: both versions of HTTP, and a certificate that is replaced.

use std::{path::PathBuf, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use luci::process::ProcessRole;
use luci_gateway::{
    Options,
    tls::{Certificate, TlsFiles},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer},
};

use crate::support::{DEADLINE, System, SystemOptions, output, system_with, temp_dir};

/// A new certificate of its own for `localhost`, written to the files; the caller trusts what is returned.
fn write_certificate(files: &TlsFiles) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(&files.certificate, made.cert.pem()).expect("written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    made.cert.der().clone()
}

fn new_files() -> TlsFiles {
    let folder: PathBuf = temp_dir("tls");
    std::fs::create_dir_all(&folder).expect("a folder");
    TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
}

async fn secure(certificate: Arc<Certificate>) -> System {
    let gateway = Options { tls: true, certificate: Some(certificate), ..Options::default() };
    let roles = vec![ProcessRole::Gateway, ProcessRole::Projections];
    system_with(SystemOptions { roles, gateway, ..SystemOptions::default() }).await
}

async fn tcp(system: &System) -> TcpStream {
    TcpStream::connect(system.api.url.trim_start_matches("http://")).await.expect("a connection")
}

/// A connection of a client that trusts only `trusted` and speaks only `protocol`.
async fn connect(
    system: &System,
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a root");
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().expect("a name"), tcp(system).await).await
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let files = new_files();
    let trusted = write_certificate(&files);
    let system = secure(Certificate::load(files).expect("a certificate")).await;
    let mut first = connect(&system, &trusted, "http/1.1").await.expect("TLS");
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.expect("open");
    let mut answer = String::new();
    // The end without a close notification is an end too.
    let _ended = timeout(DEADLINE, first.read_to_string(&mut answer)).await.expect("an end");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("strict-transport-security"), "{answer}");

    let second = connect(&system, &trusted, "h2").await.expect("TLS");
    assert_eq!(second.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut http, served) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(second)).await.expect("HTTP/2");
    tokio::spawn(served);
    let mut send = async |method: &str, path: &str, headers: &[(&str, &str)], body: serde_json::Value| {
        let request = hyper::Request::builder().method(method).uri(format!("https://localhost{path}"));
        let request = request.header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Full::new(bytes::Bytes::from(body.to_string()))).expect("a request");
        let (head, body) = http.send_request(request).await.expect("an answer").into_parts();
        (head, body.collect().await.expect("a body").to_bytes())
    };
    let (head, _) = send("POST", "/api/session", &[], json!({"key": system.api.key})).await;
    let cookie = head.headers["set-cookie"].to_str().expect("text");
    assert!(head.status == 201 && cookie.ends_with("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    // A browser's request has no header `Host` in HTTP/2; the origin is compared with the host all the same.
    for (origin, status) in [("https://localhost", 422), ("https://evil.example", 403)] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        let (head, body) = send("POST", "/api/pipelines/estimate", &headers, json!({})).await;
        assert_eq!(head.status, status, "{origin}: {body:?}");
    }
}

#[tokio::test]
async fn a_plain_client_gets_nothing() {
    let files = new_files();
    write_certificate(&files);
    let system = secure(Certificate::load(files).expect("a certificate")).await;
    let mut plain = tcp(&system).await;
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("open");
    let mut answer = Vec::new();
    let _reset = timeout(DEADLINE, plain.read_to_end(&mut answer)).await.expect("closed");
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_a_broken_one_is_not() {
    let files = new_files();
    let first = write_certificate(&files);
    let certificate = Certificate::load(files.clone()).expect("a certificate");
    let system = secure(Arc::clone(&certificate)).await;
    let shows = async |trusted: &CertificateDer<'static>| connect(&system, trusted, "http/1.1").await.is_ok();
    assert!(shows(&first).await);
    assert!(!certificate.reload().expect("readable"), "nothing changed");
    let second = write_certificate(&files);
    assert!(certificate.reload().expect("a certificate"));
    assert!(shows(&second).await && !shows(&first).await);
    // A key without its certificate, as long as only one of the files is replaced.
    let old = std::fs::read(&files.certificate).expect("readable");
    let third = write_certificate(&files);
    let new = std::fs::read(&files.certificate).expect("readable");
    for broken in [old, b"no PEM".to_vec(), new[..new.len() / 2].to_vec()] {
        std::fs::write(&files.certificate, &broken).expect("written");
        let error = certificate.reload().expect_err("not a pair").to_string();
        assert!(error.contains("cert.pem") && !error.contains("PRIVATE"), "{error}");
        assert!(!certificate.reload().expect("seen already"));
        assert!(shows(&second).await, "the earlier one stays: {error}");
    }
    std::fs::remove_file(&files.certificate).expect("removed");
    assert!(certificate.reload().is_err() && shows(&second).await);
    std::fs::write(&files.certificate, new).expect("written");
    assert!(certificate.reload().expect("a certificate"));
    assert!(shows(&third).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_trust_a_private_certificate() {
    let files = new_files();
    let trusted = files.certificate.clone();
    write_certificate(&files);
    let system = secure(Certificate::load(files).expect("a certificate")).await;
    let url = system.api.url.replace("http://127.0.0.1", "https://localhost");
    let (dir, trusted) = (temp_dir("trust"), trusted.to_str().expect("text"));
    let access = [("LUCI_URL", url.as_str()), ("LUCI_API_KEY", &system.api.key)];
    let refused = output(&dir, &["run", "list"], &access).await;
    assert_eq!(refused.status.code(), Some(1), "an unknown certificate");
    let [url, key] = access;
    let listed = output(&dir, &["run", "list"], &[url, key, ("LUCI_CA_CERT", trusted)]).await;
    assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stderr));
    system.stop().await;
}
