//! What the sandbox posts by itself: answers to the addresses that came with a batch. They can be held back, to be posted in
//! any order, twice, or never.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// One call to an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    pub url: String,
    pub body: Value,
}

/// Posts that are held back, when they are.
#[derive(Debug, Default)]
pub struct Posts {
    held: Mutex<Option<Vec<Post>>>,
}

impl Posts {
    /// From now on posts are kept.
    pub fn hold(&self) {
        self.held().get_or_insert_default();
    }

    /// Those that were kept so far.
    pub fn take(&self) -> Vec<Post> {
        self.held().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Posts all one after another, or keeps them.
    pub fn send(&self, posts: Vec<Post>, key: &str) {
        if let Some(held) = self.held().as_mut() {
            return held.extend(posts);
        }
        let key = key.to_owned();
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            for post in posts {
                // Posted once; whoever does not hear has a deadline.
                let _unheard = one(&client, &post, &key).await;
            }
        });
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Vec<Post>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Posts with the caller's own key, as the provider does.
pub async fn one(client: &reqwest::Client, post: &Post, key: &str) -> reqwest::Result<reqwest::Response> {
    client.post(&post.url).header("x-api-key", key).json(&post.body).send().await
}
