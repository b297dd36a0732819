//! Reads a stream of server-sent events.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::Value;

use crate::world::{PATIENCE, World};

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: u64,
    pub name: String,
    pub data: Value,
}

pub struct Events {
    body: Body,
    text: String,
}

impl Events {
    /// Opens `/events` with this query and `Last-Event-ID`.
    pub async fn open(world: &World, query: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(format!("/api/v1/events{query}"));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = world
            .api()
            .respond(request.body(Body::empty()).unwrap())
            .await;
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        // Neither a proxy nor the compressor may hold events back.
        assert!(!response.headers().contains_key("content-encoding"));
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event, read line by line as a browser does.
    pub async fn next(&mut self) -> Event {
        let next = async {
            loop {
                if let Some(event) = parse(&self.block().await) {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next)
            .await
            .expect("no event came")
    }

    /// The next id that comes without an event.
    pub async fn place(&mut self) -> u64 {
        let place = async {
            loop {
                let block = self.block().await;
                if let Some(id) = block.strip_prefix("id: ") {
                    return id.parse().unwrap();
                }
                assert!(block.starts_with(':'), "{block:?} is not a place");
            }
        };
        tokio::time::timeout(PATIENCE, place)
            .await
            .expect("no place came")
    }

    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return block;
            }
            let frame = self.body.frame().await.expect("the stream ended").unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(core::str::from_utf8(&data).unwrap());
        }
    }

    /// The next event, which must have this name.
    pub async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await;
        assert_eq!(event.name, name, "{event:?}");
        event
    }
}

/// An event of its lines; `None` for a comment.
fn parse(block: &str) -> Option<Event> {
    let (mut id, mut name, mut data) = (None, None, None);
    for line in block.split(['\n', '\r']) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        let place = match field {
            "" => continue,
            "id" => &mut id,
            "event" => &mut name,
            "data" => &mut data,
            other => panic!("unexpected field {other:?} in {block:?}"),
        };
        assert!(place.is_none(), "{field} is given twice in {block:?}");
        *place = Some(value.to_owned());
    }
    Some(Event {
        data: serde_json::from_str(&data?).unwrap(),
        id: id.unwrap().parse().unwrap(),
        name: name.unwrap(),
    })
}
