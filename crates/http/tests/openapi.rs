//! The committed OpenAPI document is the one the code gives.

use std::path::Path;

#[test]
fn committed_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let generated = dunlin_http::openapi();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/openapi.json is not current: run `UPDATE_OPENAPI=1 cargo test -p dunlin-http --test openapi`"
    );
}

#[test]
fn the_paths_of_the_api_are_there() {
    let document: serde_json::Value = serde_json::from_str(&dunlin_http::openapi()).unwrap();
    for (path, methods) in [
        ("/api/v1/devices", "get"),
        ("/api/v1/devices/{endpoint}", "get delete"),
        (
            "/api/v1/devices/{endpoint}/data/{path}",
            "get put patch post delete",
        ),
        ("/api/v1/devices/{endpoint}/discover/{path}", "get"),
        ("/api/v1/devices/{endpoint}/attributes/{path}", "put"),
        ("/api/v1/devices/{endpoint}/observations", "get post"),
        ("/api/v1/devices/{endpoint}/observations/{id}", "delete"),
        ("/api/v1/credentials", "get post"),
        ("/api/v1/credentials/{id}", "get delete"),
        ("/api/v1/credentials/{id}/rotate", "post"),
        ("/api/v1/credentials/import", "post"),
        ("/api/v1/credentials/server", "get put"),
        ("/api/v1/credentials/trust", "get post"),
        ("/api/v1/credentials/trust/{id}", "delete"),
        ("/api/v1/events", "get"),
        ("/api/v1/models", "get"),
        ("/api/v1/models/{id}", "get"),
        ("/api/v1/health", "get"),
        ("/api/v1/metrics", "get"),
    ] {
        for method in methods.split(' ') {
            let operation = &document["paths"][path][method];
            assert!(operation.is_object(), "{method} {path} is missing");
            let parameters: Vec<_> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .collect();
            for name in path.split(['{', '}']).skip(1).step_by(2) {
                assert!(
                    parameters.iter().any(|parameter| parameter["name"] == name),
                    "{method} {path} does not describe {name}"
                );
            }
        }
    }
}
