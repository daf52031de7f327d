//! The accept loop: TLS, timeouts, a limit on connections, and a bounded drain on shutdown.
//!
//! `warp::serve` has no header timeout and no connection limit, and waits for open streams without a bound.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::{
    CompressionLevel,
    catch_panic::{CatchPanicLayer, ResponseForPanic},
    compression::CompressionLayer,
};

use crate::{App, connection::Connection, routes};

/// How long requests and streams in flight may take to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves `listener` until `stop`, then drains. Returns when every connection has ended, or was closed when the drain had timed
/// out.
pub async fn run(app: Arc<App>, listener: TcpListener, stop: CancellationToken) {
    let Some(acceptor) = acceptor(&app, &stop) else { return };
    let permits = Arc::new(Semaphore::new(app.options.max_connections));
    let (graceful, close) = (GracefulShutdown::new(), CancellationToken::new());
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => match permit {
                Ok(permit) => permit,
                Err(_closed) => break,
            },
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = Connection::new(peer.ip(), permit);
                let served = accept(Arc::clone(&app), acceptor.clone(), graceful.watcher(), stream, connection);
                let close = close.clone();
                tokio::spawn(async move { close.run_until_cancelled(served).await });
            }
            Err(error) => {
                // Out of file descriptors, or the client disconnected: the pause keeps the loop from spinning.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    app.streams.close();
    let ended = async { tokio::join!(graceful.shutdown(), app.streams.wait()) };
    if tokio::time::timeout(DRAIN_TIMEOUT, ended).await.is_err() {
        tracing::warn!(timeout_s = DRAIN_TIMEOUT.as_secs(), "drain timed out, connections closed");
        close.cancel();
    }
}

/// With a certificate, connections begin with TLS. `None` if it cannot be used.
fn acceptor(app: &App, stop: &CancellationToken) -> Option<Option<TlsAcceptor>> {
    let Some(certificate) = &app.options.certificate else { return Some(None) };
    match certificate.server_config() {
        Ok(config) => {
            let (certificate, stop) = (Arc::clone(certificate), stop.clone());
            tokio::spawn(async move { certificate.watch(stop).await });
            Some(Some(TlsAcceptor::from(config)))
        }
        Err(error) => {
            tracing::error!(%error, "TLS cannot be used");
            None
        }
    }
}

async fn accept(
    app: Arc<App>,
    acceptor: Option<TlsAcceptor>,
    drain: Watcher,
    stream: TcpStream,
    connection: Connection,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY not set");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(app.options.write_timeout));
    let stream = Box::pin(stream);
    let Some(acceptor) = acceptor else { return serve(app, drain, stream, connection).await };
    match tokio::time::timeout(app.options.header_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => serve(app, drain, stream, connection).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("connection closed: no TLS handshake"),
    }
}

async fn serve<S>(app: Arc<App>, drain: Watcher, stream: S, connection: Connection)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stack = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(PanicResponse))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .service(warp::service(routes::filter(Arc::clone(&app))));
    let first_request = CancellationToken::new();
    let received = first_request.clone();
    let service = hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        received.cancel();
        with_path(&mut request);
        request.extensions_mut().insert(connection.clone());
        name_host(&mut request);
        hyper::service::Service::call(&TowerToHyperService::new(stack.clone()), request)
    });
    let timeout = app.options.header_timeout;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(timeout).max_buf_size(64 * 1024);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(timeout).max_concurrent_streams(256);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    tokio::select! {
        ended = drain.watch(serving) => if let Err(error) = ended {
            tracing::debug!(%error, "connection ended with an error");
        },
        () = no_request(&first_request, timeout) => tracing::debug!("connection closed: no request received"),
    }
}

/// HTTP/2 has the host in the address of the request; handlers read it from the header.
fn name_host<B>(request: &mut http::Request<B>) {
    let authority = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let (Some(host), false) = (authority, request.headers().contains_key(header::HOST)) {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// `CONNECT host:port` and `OPTIONS *` have no path, which warp takes for granted: they are answered as requests for `/`.
fn with_path<B>(request: &mut http::Request<B>) {
    if !request.uri().path().starts_with('/') {
        *request.uri_mut() = http::Uri::from_static("/");
    }
}

/// Completes when no request arrives within `timeout`. The header timeout of hyper starts when the version of HTTP is known,
/// which it never is for a client that sends nothing, or half of the HTTP/2 preface.
async fn no_request(first_request: &CancellationToken, timeout: Duration) {
    if tokio::time::timeout(timeout, first_request.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

/// The response after a panic: an internal error without detail. (A closure does not satisfy the bound.)
#[derive(Clone, Copy)]
struct PanicResponse;

impl ResponseForPanic for PanicResponse {
    type ResponseBody = http_body_util::Full<bytes::Bytes>;

    fn response_for_panic(&mut self, _: Box<dyn std::any::Any + Send>) -> http::Response<Self::ResponseBody> {
        tracing::error!("handler panicked");
        metrics::counter!("luci_http_panics_total").increment(1);
        let body = r#"{"type":"urn:luci:problem:internal","title":"Internal error","status":500}"#;
        let mut response = http::Response::new(http_body_util::Full::from(body));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        response
    }
}
