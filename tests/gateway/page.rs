//! The dashboard's files: content types, caching by content, content security policy; a page that explains when it is not built.

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
    // Without node the binary has no files, and the page says how to build them.
    let files: Vec<&str> = text.split('"').filter(|part| part.starts_with("/admin/assets/")).collect();
    assert!(files.len() >= 3 || text.contains("make dashboard"), "{text}");
    for file in files {
        let request = reqwest::Client::new().get(format!("{url}{file}")).header("accept-encoding", "gzip, br");
        let answer = request.send().await.expect("an answer");
        let kind = if file.ends_with(".css") { "text/css" } else { "text/javascript" };
        assert!(answer.headers()["content-type"].to_str().expect("text").starts_with(kind), "{file}");
        assert_eq!(answer.headers()["content-encoding"], "br", "{file}");
        assert!(answer.headers()["cache-control"].to_str().expect("text").contains("immutable"), "{file}");
    }
    let again = reqwest::Client::new().get(format!("{url}/admin/pipelines")).header("if-none-match", tag);
    assert_eq!(again.send().await.expect("an answer").status(), 304);
    assert_eq!(reqwest::get(url).await.expect("an answer").url().path(), "/admin/pipelines");
    // Every address of the dashboard is the same page; a file that does not exist is not.
    let deep = reqwest::get(format!("{url}/admin/leads/lead_01M8MD9ZD300009C2W4Q6YT6C5")).await.expect("an answer");
    assert_eq!(deep.text().await.expect("text"), text);
    for missing in ["assets/none.js", "assets/../index.html", "assets/index.html"] {
        let answer = reqwest::get(format!("{url}/admin/{missing}")).await.expect("an answer");
        assert!(answer.status() == 404 || answer.headers()["content-type"] == "text/html; charset=utf-8", "{missing}");
    }
}
