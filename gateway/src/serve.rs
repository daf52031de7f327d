//! The accept loop around warp's service: time limits, a cap on connections, and an end that lets streams finish.
//!
//! `warp::serve` sets no header timeout, has no cap and waits for ever on open streams, so the loop is our own.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::{
    CompressionLevel,
    catch_panic::{CatchPanicLayer, ResponseForPanic},
    compression::CompressionLayer,
};
use warp::reply::Response;

use crate::{App, routes};

/// How long streams and requests in flight get to end.
const DRAIN: Duration = Duration::from_secs(5);

/// The place of the connection that a request came on. A stream holds it too, so that it keeps counting against the cap.
#[derive(Clone)]
pub struct Connection {
    /// Held, never read: dropping the last clone frees the place.
    _place: Arc<OwnedSemaphorePermit>,
}

/// Answers on `listener` until `stop`, then drains. Returns when every connection has ended or the drain is over.
pub async fn run(app: Arc<App>, listener: TcpListener, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(app.options.max_connections));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => match place {
                Ok(place) => Arc::new(place),
                Err(_closed) => break,
            },
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _peer)) => accept(&app, &graceful, stream, Connection { _place: place }),
            Err(error) => {
                // Out of file descriptors, or the client was gone already: neither may spin the loop.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    app.streams.close();
    let ended = async { tokio::join!(graceful.shutdown(), app.streams.wait()) };
    if tokio::time::timeout(DRAIN, ended).await.is_err() {
        tracing::warn!(drain_s = DRAIN.as_secs(), "connections were cut at the end of the drain");
    }
}

fn accept(app: &Arc<App>, graceful: &GracefulShutdown, stream: TcpStream, connection: Connection) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a socket refused nodelay");
    }
    let stack = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(Panicked))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .service(warp::service(routes::filter(Arc::clone(app))));
    let asked = CancellationToken::new();
    let heard = asked.clone();
    let service = hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        heard.cancel();
        request.extensions_mut().insert(connection.clone());
        hyper::service::Service::call(&TowerToHyperService::new(stack.clone()), request)
    });
    let patience = app.options.head_patience;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(64 * 1024);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(patience).max_concurrent_streams(256);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let serving = graceful.watch(serving);
    tokio::spawn(async move {
        tokio::select! {
            ended = serving => if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            },
            () = silence(&asked, patience) => tracing::debug!("nothing was asked on a connection"),
        }
    });
}

/// Ends when nothing was asked for so long: hyper's own limit begins when the version of HTTP is known, which a client
/// that says nothing, or half of HTTP/2's greeting, never tells.
async fn silence(asked: &CancellationToken, patience: Duration) {
    if tokio::time::timeout(patience, asked.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

/// A panic is a bug of ours; the caller learns no more than that. (A closure or function here is "not general enough".)
#[derive(Clone, Copy)]
struct Panicked;

impl ResponseForPanic for Panicked {
    type ResponseBody = http_body_util::Full<bytes::Bytes>;

    fn response_for_panic(&mut self, _: Box<dyn std::any::Any + Send>) -> http::Response<Self::ResponseBody> {
        tracing::error!("a handler panicked");
        metrics::counter!("luci_http_panics_total").increment(1);
        let body = r#"{"type":"urn:luci:problem:internal","title":"Something broke on our side","status":500}"#;
        let mut response = http::Response::new(http_body_util::Full::from(body));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        response
    }
}

/// An answer with a JSON body that nobody may keep.
pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(bytes.into());
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => crate::problem::Problem::internal(&error).into_response(""),
    }
}
