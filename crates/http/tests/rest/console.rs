//! The console's files.

use axum::body::Body;
use axum::http::Request;

use crate::world::{Answer, World};

async fn get(world: &World, uri: &str, known: Option<&str>) -> Answer {
    let mut request = Request::get(uri);
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    world.send(request.body(Body::empty()).unwrap()).await
}

/// What the page loads, as in `/assets/index-….js`.
fn loaded(page: &str) -> Vec<String> {
    page.split('"')
        .filter_map(|part| part.strip_prefix("./"))
        .map(|path| format!("/{path}"))
        .collect()
}

#[tokio::test]
async fn the_page_and_what_it_loads_are_there() {
    let world = World::new();
    let page = get(&world, "/", None).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(get(&world, "/index.html", None).await.body, page.body);
    let loaded = loaded(page.text());
    assert!(
        loaded.iter().any(|path| path.ends_with(".js")),
        "{loaded:?}"
    );
    assert!(
        loaded.iter().any(|path| path.ends_with(".css")),
        "{loaded:?}"
    );
    for path in loaded {
        let asset = get(&world, &path, None).await;
        assert_eq!(asset.status, 200, "{path}");
        let kind = match path.rsplit('.').next().unwrap() {
            "js" => "text/javascript",
            "css" => "text/css",
            "svg" => "image/svg+xml",
            other => panic!("{other}"),
        };
        assert_eq!(asset.header("content-type"), kind);
        let caching = asset.header("cache-control");
        assert_eq!(caching, "public, max-age=31536000, immutable");
    }
}

#[tokio::test]
async fn nothing_inline_and_nothing_from_elsewhere() {
    let world = World::new();
    let page = get(&world, "/", None).await;
    let policy = page.header("content-security-policy");
    let rules: Vec<&str> = policy.split(';').map(str::trim).collect();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(rules.contains(&rule), "{rule} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    // A page that breaks its own policy would not work.
    for forbidden in ["<style", " style=", " onload=", "src=\"http", "href=\"http"] {
        assert!(!page.text().contains(forbidden), "{forbidden}");
    }
    for script in page.text().split("<script").skip(1) {
        assert!(
            script.split('>').next().unwrap().contains("src="),
            "inline: {script}"
        );
    }
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let world = World::new();
    let page = get(&world, "/", None).await;
    let tag = page.header("etag");
    assert!(
        tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10,
        "{tag}"
    );
    for known in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let again = get(&world, "/", Some(&known)).await;
        again.empty(304);
        assert_eq!(
            (again.header("etag"), again.header("cache-control")),
            (tag, "no-cache")
        );
    }
    for other in ["\"x\"", "", "x", tag.trim_matches('"')] {
        assert_eq!(get(&world, "/", Some(other)).await.status, 200, "{other}");
    }
}

#[tokio::test]
async fn nothing_outside_the_assets_can_be_reached() {
    let world = World::new();
    for uri in [
        "/../Cargo.toml",
        "/assets/../../Cargo.toml",
        "/..%2FCargo.toml",
        "/%2e%2e/Cargo.toml",
        "/assets/..%5c..%5cCargo.toml",
        "/assets//index.html",
        "//etc/passwd",
        "/assets/",
        "/assets",
        "/./index.html/.",
        "/index.html%00",
    ] {
        get(&world, uri, None).await.problem(404);
    }
}

#[tokio::test]
async fn large_answers_are_compressed_when_wanted() {
    let world = World::new();
    let page = get(&world, "/", None).await;
    let script = loaded(page.text())
        .into_iter()
        .find(|path| path.ends_with(".js"))
        .unwrap();
    let request = Request::get(&script).header("accept-encoding", "gzip");
    let packed = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.body[..2], [0x1F, 0x8B]);
    assert!(packed.body.len() < get(&world, &script, None).await.body.len());
}
