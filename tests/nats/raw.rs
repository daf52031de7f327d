//! A client that writes the protocol itself, so that nothing is checked before the server sees it.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::support::DEADLINE;

/// An open connection.
pub struct Raw(BufReader<TcpStream>);

/// What the server said until its next PONG, or until it closed the connection.
#[derive(Debug, Default)]
pub struct Answers {
    /// The text of each `-ERR`.
    pub errors: Vec<String>,
    /// The subject of each message.
    pub messages: Vec<String>,
    pub closed: bool,
}

impl Raw {
    /// Connects with a token, or with user and password, as `options` say.
    pub async fn connect(port: u16, options: &Value) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
        let mut raw = Self(BufReader::new(stream));
        let mut options = options.clone();
        (options["verbose"], options["pedantic"], options["headers"]) = (false.into(), false.into(), true.into());
        raw.send(&format!("CONNECT {options}\r\n")).await;
        raw
    }

    pub async fn send(&mut self, text: &str) {
        // A server that has closed the connection shows when it is read.
        let _closed = self.0.get_mut().write_all(text.as_bytes()).await;
    }

    /// Sends PING and reads up to its PONG.
    pub async fn answers(&mut self) -> Answers {
        self.send("PING\r\n").await;
        self.read_until(|line| line == "PONG").await
    }

    /// Reads until the server closes the connection; fails when it does not.
    pub async fn end(&mut self) -> Answers {
        tokio::time::timeout(DEADLINE, self.read_until(|_| false)).await.expect("the connection ends")
    }

    async fn read_until(&mut self, last: impl Fn(&str) -> bool) -> Answers {
        let mut answers = Answers::default();
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).await;
            if !matches!(read, Ok(bytes) if bytes > 0) {
                answers.closed = true;
                return answers;
            }
            let line = line.trim_end();
            if last(line) {
                return answers;
            }
            if line == "PING" {
                self.send("PONG\r\n").await;
            } else if let Some(error) = line.strip_prefix("-ERR ") {
                answers.errors.push(error.trim_matches('\'').to_owned());
            } else if line.starts_with("MSG ") || line.starts_with("HMSG ") {
                let mut words = line.split(' ');
                answers.messages.push(words.nth(1).expect("a subject").to_owned());
                let size: usize = words.next_back().expect("a size").parse().expect("a number");
                let mut body = vec![0; size + 2];
                self.0.read_exact(&mut body).await.expect("a body");
            }
        }
    }
}
