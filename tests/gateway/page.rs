//! The page and its files: content types, caching by content, content security policy.

use super::fixture::still;

#[tokio::test]
async fn the_page_and_every_file_it_names_are_served() {
    let system = still().await;
    let url = &system.api.url;
    let page = reqwest::get(format!("{url}/admin/pipelines")).await.expect("an answer");
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let tag = page.headers()["etag"].clone();
    let text = page.text().await.expect("text");
    assert!(!text.contains("style=") && !text.contains("onclick="), "the policy allows none inline");
    let mut files: Vec<String> =
        text.split('"').filter(|part| part.starts_with("/admin/assets/")).map(Into::into).collect();
    files.extend(["api.js", "fold.js", "live.js", "proof.js", "view.js"].map(|file| format!("/admin/assets/{file}")));
    for file in files {
        let answer = reqwest::get(format!("{url}{file}")).await.expect("an answer");
        let kind = if file.ends_with(".css") { "text/css" } else { "text/javascript" };
        assert!(answer.headers()["content-type"].to_str().expect("text").starts_with(kind), "{file}");
    }
    let again = reqwest::Client::new().get(format!("{url}/admin/pipelines")).header("if-none-match", tag);
    assert_eq!(again.send().await.expect("an answer").status(), 304);
    assert_eq!(reqwest::get(url).await.expect("an answer").url().path(), "/admin/pipelines");
}
