//! Webhooks that the sandbox calls by itself. A test can hold them back, to post them in any order, twice, or never.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// One call of a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    pub url: String,
    pub body: Value,
}

/// The outgoing posts; `held` is `None` while they are sent at once.
#[derive(Debug, Default)]
pub struct Webhooks {
    held: Mutex<Option<Vec<Post>>>,
}

impl Webhooks {
    /// From now on posts are kept instead of sent.
    pub fn hold(&self) {
        self.held().get_or_insert_default();
    }

    /// The posts that were kept since the last call.
    pub fn take(&self) -> Vec<Post> {
        self.held().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Sends the posts one after another in the background, or keeps them.
    pub fn send(&self, posts: Vec<Post>, key: &str) {
        if let Some(held) = self.held().as_mut() {
            return held.extend(posts);
        }
        let key = key.to_owned();
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            for post in posts {
                // A provider does not retry; the receiver has a deadline of its own.
                let _ = deliver(&client, &post, &key).await;
            }
        });
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<Post>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Posts with the caller's own key, as the provider does.
pub async fn deliver(client: &reqwest::Client, post: &Post, key: &str) -> reqwest::Result<reqwest::Response> {
    client.post(&post.url).header("x-api-key", key).json(&post.body).send().await
}
