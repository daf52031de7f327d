//! Routes of the live streams: WebSocket and server-sent events.

pub mod stream;
pub mod websocket;
