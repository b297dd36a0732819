//! The message layer, one datagram at a time: what each kind of message causes.

use core::time::Duration;
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::{Code, Message, MessageWriter, Token};

type Small = FixedEndpoint<u8, 4, 16, 128, 256>;

struct Counter(u32);

impl Rng for Counter {
    fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0
    }
}

const NOW: Instant = Instant::from_secs(1000);
const PEER: u8 = 1;

fn endpoint() -> Small {
    Endpoint::fixed(TransmissionParameters::default(), &mut Counter(1))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| std::format!("{byte:02X}"))
        .collect()
}

/// What a datagram causes: the answer in hex, and what it means in a word.
fn handle(endpoint: &mut Small, datagram: &[u8]) -> (String, String) {
    let mut out = [0; 256];
    let handled = endpoint.handle(NOW, PEER, datagram, &mut out);
    let meaning = match handled.incoming {
        Incoming::Request { .. } => "request".into(),
        Incoming::Response { piggybacked, .. } => String::from(if piggybacked {
            "piggybacked"
        } else {
            "separate"
        }),
        Incoming::Unmatched { .. } => "unmatched".into(),
        Incoming::Acknowledged { finished, .. } => String::from(if finished {
            "delivered"
        } else {
            "acknowledged"
        }),
        Incoming::Reset { exchange, .. } => String::from(if exchange.is_some() {
            "reset"
        } else {
            "unknown reset"
        }),
        Incoming::Answered(answered) => std::format!("{answered:?}"),
        Incoming::Dropped(reason) => reason.name().into(),
    };
    (hex(&out[..handled.reply]), meaning)
}

#[track_caller]
fn causes(endpoint: &mut Small, datagram: &[u8], answer: &str, meaning: &str) {
    let (actual_answer, actual_meaning) = handle(endpoint, datagram);
    assert_eq!((&*actual_answer, &*actual_meaning), (answer, meaning));
}

/// Sends a CON GET with the token 0A0B0C0D; returns its Message ID.
fn get(endpoint: &mut Small) -> u16 {
    let request =
        Outgoing::confirmable(Code::GET).token(Token::new(&[0xA, 0xB, 0xC, 0xD]).unwrap());
    let sent = endpoint.request(NOW, &mut Counter(2), PEER, request, |_| {});
    sent.unwrap().message_id
}

fn with_id(message_id: u16, head: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let id = message_id.to_be_bytes();
    [&head[..], &id, rest].concat()
}

const TOKEN: [u8; 4] = [0xA, 0xB, 0xC, 0xD];

#[test]
fn noise_is_dropped_and_counted() {
    let mut e = endpoint();
    for (datagram, reason) in [
        (&[][..], DropReason::TooShort),
        (&[0x40, 0, 0], DropReason::TooShort),
        (&[0x00, 1, 0, 1], DropReason::UnknownVersion),
        (&[0x80, 1, 0, 1], DropReason::UnknownVersion),
        (&[0x50, 1, 0, 1, 0xFF], DropReason::Malformed),
        (&[0x60, 0, 0, 1, 0x00], DropReason::Malformed),
        (&[0x70, 0, 0, 1, 0x00], DropReason::Malformed),
        (&[0x50, 0, 0, 1], DropReason::EmptyNonConfirmable),
        (&[0x50, 0x20, 0, 1], DropReason::ReservedCode),
        (&[0x50, 0xC1, 0, 1], DropReason::ReservedCode),
        (&[0x50, 0xE1, 0, 1], DropReason::ReservedCode),
        (&[0x60, 0, 0, 1], DropReason::UnknownAcknowledgement),
        (&[0x60, 0x45, 0, 1], DropReason::UnknownAcknowledgement),
        (&[0x60, 0x01, 0, 1], DropReason::InvalidCode),
        (&[0x60, 0xE1, 0, 1], DropReason::InvalidCode),
        (&[0x70, 0x01, 0, 1], DropReason::InvalidCode),
        (&[0x70, 0x45, 0, 1], DropReason::InvalidCode),
        (&[0x50, 0x01, 0, 1, 0x10], DropReason::UnacceptableOption),
    ] {
        let before = e.stats().dropped(reason);
        causes(&mut e, datagram, "", reason.name());
        assert_eq!(e.stats().dropped(reason), before + 1);
    }
    assert_eq!(e.stats().dropped_total(), 18);
    assert_eq!(e.stats().received, 18);
}

#[test]
fn confirmable_messages_that_make_no_sense_are_reset() {
    let mut e = endpoint();
    causes(&mut e, &[0x40, 0, 0xA, 0xB], "70000A0B", "Ping");
    causes(&mut e, &[0x40, 0, 0xA, 0xB, 0xFF], "70000A0B", "Malformed");
    causes(&mut e, &[0x41, 0, 0xA, 0xB, 0x00], "70000A0B", "Malformed");
    causes(&mut e, &[0x49, 1, 0xA, 0xB], "70000A0B", "Malformed");
    causes(&mut e, &[0x40, 0x20, 0xA, 0xB], "70000A0B", "ReservedCode");
    causes(&mut e, &[0x40, 0xC0, 0xA, 0xB], "70000A0B", "ReservedCode");
    causes(&mut e, &[0x40, 0xE1, 0xA, 0xB], "70000A0B", "ReservedCode");
    assert_eq!((e.stats().resets_sent, e.stats().pings), (7, 1));
}

#[test]
fn an_unknown_critical_option_is_4_02_with_its_number() {
    let mut e = endpoint();
    let (answer, meaning) = handle(&mut e, &[0x42, 1, 0, 9, 7, 8, 0xD0, 0x0C]);
    assert!(answer.starts_with("628200090708FF"), "{answer}");
    assert_eq!(meaning, "Refused(25 (Unknown))");
    let mut out = [0; 128];
    let handled = e.handle(NOW, PEER, &[0x40, 1, 0, 10, 0xD0, 0x0C], &mut out);
    let text = Message::parse(&out[..handled.reply]).unwrap().payload;
    assert!(core::str::from_utf8(text).unwrap().contains("option 25"));
    // Its repetition gets the same.
    let again = handle(&mut e, &[0x42, 1, 0, 9, 7, 8, 0xD0, 0x0C]);
    assert_eq!(again.0, answer);
}

#[test]
fn a_proxy_request_is_5_05() {
    let mut e = endpoint();
    let (answer, _) = handle(&mut e, &[0x40, 1, 0, 9, 0xD1, 22, b'x']);
    assert!(answer.starts_with("60A50009"), "{answer}");
}

#[test]
fn an_unknown_elective_option_is_ignored() {
    let mut e = endpoint();
    causes(&mut e, &[0x40, 1, 0, 9, 0xD0, 0x0D], "", "request");
}

#[test]
fn an_unknown_method_is_for_the_caller() {
    let mut e = endpoint();
    causes(&mut e, &[0x40, 0x1F, 0, 9], "", "request");
}

#[test]
fn a_repeated_request_gets_the_identical_answer() {
    let mut e = endpoint();
    let mut out = [0; 128];
    let post = [0x41, 2, 0, 9, 0x77];
    let Incoming::Request { reply_to, message } = e.handle(NOW, PEER, &post, &mut out).incoming
    else {
        panic!()
    };
    causes(&mut e, &post, "", "duplicate_in_progress");
    let length = e.reply(
        &reply_to,
        Code::CREATED,
        message.token,
        &mut out,
        |writer| {
            writer.payload(b"once");
        },
    );
    let first = hex(&out[..length.unwrap()]);
    assert_eq!(first, "6141000977FF6F6E6365");
    causes(&mut e, &post, &first, "Repeated");
    // Same Message ID, other bytes: still a repetition (RFC 7252 §4.5).
    causes(&mut e, &[0x41, 2, 0, 9, 0x78, 0xFF, 1], &first, "Repeated");
    assert_eq!((e.stats().requests, e.stats().repeated), (1, 2));
}

fn reply(e: &mut Small, request: &[u8], payload: &[u8]) {
    let mut out = [0; 256];
    let Incoming::Request { reply_to, message } = e.handle(NOW, PEER, request, &mut out).incoming
    else {
        panic!()
    };
    let length = e.reply(
        &reply_to,
        Code::CHANGED,
        message.token,
        &mut out,
        |writer| {
            writer.payload(payload);
        },
    );
    length.unwrap();
}

#[test]
fn a_forgotten_answer_lets_only_idempotent_requests_be_done_again() {
    let mut e = endpoint();
    for (message_id, code) in (1..).zip([1, 2, 3, 4, 5, 6, 7]) {
        reply(&mut e, &[0x40, code, 0, message_id], b"answer");
    }
    // Fill the ring of 256 bytes.
    for message_id in 20..23 {
        reply(&mut e, &[0x40, 1, 0, message_id], &[0; 100]);
    }
    for (message_id, code, idempotent) in [
        (1, 1, true),
        (2, 2, false),
        (3, 3, true),
        (4, 4, true),
        (5, 5, true),
        (6, 6, false),
        (7, 7, true),
    ] {
        let meaning = if idempotent {
            "request"
        } else {
            "duplicate_forgotten"
        };
        causes(&mut e, &[0x40, code, 0, message_id], "", meaning);
    }
    assert_eq!(e.stats().processed_again, 5);
}

#[test]
fn a_repeated_non_is_dropped() {
    let mut e = endpoint();
    causes(&mut e, &[0x50, 1, 0, 9], "", "request");
    causes(&mut e, &[0x50, 1, 0, 9], "", "duplicate_non_confirmable");
}

/// Found by fuzzing: the NON got the acknowledgement of the CON.
#[test]
fn a_non_under_the_message_id_of_a_con_is_not_acknowledged() {
    let mut e = endpoint();
    reply(&mut e, &[0x40, 0x01, 0, 5], b"x");
    causes(&mut e, &[0x50, 0x01, 0, 5], "", "duplicate_non_confirmable");
    causes(&mut e, &[0x40, 0x01, 0, 5], "60440005FF78", "Repeated");
}

#[test]
fn lifetimes_of_message_ids() {
    for (first, seconds) in [(0x40, 247), (0x50, 145)] {
        let mut e = endpoint();
        let mut out = [0; 64];
        let datagram = [first, 2, 0, 9];
        let mut at = |seconds| {
            let now = NOW + Duration::from_secs(seconds);
            e.handle(now, PEER, &datagram, &mut out).incoming
        };
        assert!(matches!(at(0), Incoming::Request { .. }));
        assert!(matches!(at(seconds - 1), Incoming::Dropped(_)));
        assert!(matches!(at(seconds), Incoming::Dropped(_)), "not early");
        assert!(matches!(at(seconds + 1), Incoming::Request { .. }));
    }
}

#[test]
fn a_non_request_is_answered_by_a_non() {
    let mut e = endpoint();
    let mut out = [0; 64];
    let request = [0x51, 1, 0, 9, 0x77];
    let Incoming::Request { mut reply_to, .. } = e.handle(NOW, PEER, &request, &mut out).incoming
    else {
        panic!()
    };
    assert_eq!(e.acknowledge(&mut reply_to, &mut out), 0);
    let length = e
        .reply(&reply_to, Code::CONTENT, &[0x77], &mut out, |_| {})
        .unwrap();
    let message = Message::parse(&out[..length]).unwrap();
    assert_eq!(
        (message.ty, message.token),
        (Type::NonConfirmable, &[0x77][..])
    );
}

#[test]
fn extended_tokens_are_echoed() {
    let token: Vec<u8> = (0..100).collect();
    let mut e = endpoint();
    let mut buffer = [0; 128];
    let writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::GET, 5, &token);
    let length = writer.finish().unwrap();
    let mut out = [0; 128];
    let Incoming::Request { message, reply_to } =
        e.handle(NOW, PEER, &buffer[..length], &mut out).incoming
    else {
        panic!()
    };
    let length = e.reply(&reply_to, Code::CONTENT, message.token, &mut out, |_| {});
    let answer = Message::parse(&out[..length.unwrap()]).unwrap();
    assert_eq!(answer.token, token);
    let sent = e.send_confirmable(NOW, &mut Counter(3), PEER, Code::CONTENT, &token, |_| {});
    assert_eq!(Message::parse(sent.unwrap().bytes).unwrap().token, token);
}

#[test]
fn a_separate_response_acknowledges_first() {
    let mut e = endpoint();
    let mut out = [0; 64];
    let request = [0x41, 2, 0, 9, 0x77];
    let Incoming::Request { mut reply_to, .. } = e.handle(NOW, PEER, &request, &mut out).incoming
    else {
        panic!()
    };
    let length = e.acknowledge(&mut reply_to, &mut out);
    assert_eq!(hex(&out[..length]), "60000009");
    assert_eq!(e.acknowledge(&mut reply_to, &mut out), 0, "once");
    causes(&mut e, &request, "60000009", "Repeated");
    let sent = e.send_confirmable(NOW, &mut Counter(3), PEER, Code::CHANGED, &[0x77], |_| {});
    let message_id = sent.unwrap().message_id;
    causes(
        &mut e,
        &with_id(message_id, [0x60, 0], &[]),
        "",
        "delivered",
    );
    assert_eq!(e.open_exchanges(), 0);
    causes(&mut e, &request, "60000009", "Repeated");
}

#[test]
fn a_piggybacked_response_ends_the_exchange() {
    let mut e = endpoint();
    let id = get(&mut e);
    assert_eq!((e.outstanding(PEER), e.is_busy(PEER)), (1, true));
    causes(
        &mut e,
        &with_id(id, [0x64, 0x45], &TOKEN),
        "",
        "piggybacked",
    );
    assert_eq!((e.outstanding(PEER), e.is_busy(PEER)), (0, false));
    causes(
        &mut e,
        &with_id(id, [0x64, 0x45], &TOKEN),
        "",
        "unknown_acknowledgement",
    );
}

#[test]
fn an_acknowledgement_must_fit_in_all_parts() {
    let mut e = endpoint();
    let id = get(&mut e);
    let foreign = [0xA, 0xB, 0xC, 0xE];
    causes(
        &mut e,
        &with_id(id, [0x64, 0x45], &foreign),
        "",
        "foreign_token",
    );
    causes(&mut e, &with_id(id, [0x60, 0x45], &[]), "", "foreign_token");
    causes(
        &mut e,
        &with_id(id ^ 1, [0x64, 0x45], &TOKEN),
        "",
        "unknown_acknowledgement",
    );
    causes(
        &mut e,
        &with_id(id, [0x64, 0x01], &TOKEN),
        "",
        "invalid_code",
    );
    let critical = [&TOKEN[..], &[0x90]].concat();
    causes(
        &mut e,
        &with_id(id, [0x64, 0x45], &critical),
        "",
        "unacceptable_option",
    );
    assert_eq!(e.open_exchanges(), 1);
    let mut out = [0; 8];
    let ack = with_id(id, [0x64, 0x45], &TOKEN);
    let other = e.handle(NOW, PEER + 1, &ack, &mut out).incoming;
    assert!(matches!(
        other,
        Incoming::Dropped(DropReason::UnknownAcknowledgement)
    ));
    causes(&mut e, &ack, "", "piggybacked");
}

#[test]
fn a_separate_response_is_acknowledged_and_delivered_once() {
    let mut e = endpoint();
    let id = get(&mut e);
    causes(&mut e, &with_id(id, [0x60, 0], &[]), "", "acknowledged");
    assert_eq!(e.outstanding(PEER), 0, "NSTART does not count it any more");
    let response = with_id(0x0A0B, [0x44, 0x45], &TOKEN);
    causes(&mut e, &response, "60000A0B", "separate");
    causes(&mut e, &response, "60000A0B", "Repeated");
    assert_eq!(e.next_timeout(), None);
}

#[test]
fn a_separate_response_may_overtake_the_acknowledgement() {
    let mut e = endpoint();
    let id = get(&mut e);
    causes(&mut e, &with_id(7, [0x54, 0x45], &TOKEN), "", "separate");
    causes(
        &mut e,
        &with_id(id, [0x60, 0], &[]),
        "",
        "unknown_acknowledgement",
    );
}

#[test]
fn a_response_with_an_unknown_critical_option_is_reset() {
    let mut e = endpoint();
    get(&mut e);
    let response = with_id(0x0A0B, [0x44, 0x45], &[&TOKEN[..], &[0x90]].concat());
    causes(&mut e, &response, "70000A0B", "Rejected(9 (OSCORE))");
    causes(&mut e, &response, "70000A0B", "Repeated");
    assert_eq!(e.open_exchanges(), 1);
}

#[test]
fn an_unmatched_response_is_accepted_or_rejected_and_stays_so() {
    for (accept, first, answer) in [
        (true, 0x41, "60000009"),
        (true, 0x51, ""),
        (false, 0x41, "70000009"),
        (false, 0x51, "70000009"),
    ] {
        let mut e = endpoint();
        let mut out = [0; 16];
        let notification = [first, 0x45, 0, 9, 0x77, 0x61, 5];
        let Incoming::Unmatched { reply_to, message } =
            e.handle(NOW, PEER, &notification, &mut out).incoming
        else {
            panic!()
        };
        assert_eq!(message.observe(), Some(5));
        let length = if accept {
            e.accept(&reply_to, &mut out)
        } else {
            e.reject(&reply_to, &mut out)
        };
        assert_eq!(hex(&out[..length]), answer);
        if first == 0x41 {
            causes(&mut e, &notification, answer, "Repeated");
        } else {
            causes(&mut e, &notification, "", "duplicate_non_confirmable");
        }
    }
}

#[test]
fn a_reset_ends_the_exchange_and_names_a_notification() {
    let mut e = endpoint();
    let id = get(&mut e);
    causes(&mut e, &with_id(id, [0x70, 0], &[]), "", "reset");
    assert_eq!(e.open_exchanges(), 0);
    let mut out = [0; 64];
    let (message_id, _) = e
        .send_non_confirmable(PEER, Code::CONTENT, &[1], &mut out, |_| {})
        .unwrap();
    let mut buffer = [0; 8];
    let rst = with_id(message_id, [0x70, 0], &[]);
    let Incoming::Reset {
        message_id: named,
        exchange: None,
    } = e.handle(NOW, PEER, &rst, &mut buffer).incoming
    else {
        panic!()
    };
    assert_eq!(named, message_id);
}

#[test]
fn a_ping_is_answered_by_a_reset() {
    let mut e = endpoint();
    let sent = e.ping(NOW, &mut Counter(1), PEER).unwrap();
    let (id, bytes) = (sent.message_id, hex(sent.bytes));
    assert_eq!(bytes, std::format!("4000{id:04X}"));
    causes(&mut e, &with_id(id, [0x70, 0], &[]), "", "reset");
}

#[test]
fn requests_without_a_token_work() {
    let mut e = endpoint();
    let request = Outgoing::confirmable(Code::GET).token(Token::EMPTY);
    let sent = e
        .request(NOW, &mut Counter(1), PEER, request, |_| {})
        .unwrap();
    let id = sent.message_id;
    causes(&mut e, &with_id(id, [0x60, 0x45], &[]), "", "piggybacked");
}

#[test]
fn a_token_is_used_once_at_a_time_towards_a_peer() {
    let mut e = endpoint();
    get(&mut e);
    let request = Outgoing::confirmable(Code::GET).token(Token::new(&TOKEN).unwrap());
    let again = e.request(NOW, &mut Counter(1), PEER, request, |_| {});
    assert_eq!(again.unwrap_err(), SendError::TokenInUse);
    let other = e.request(NOW, &mut Counter(1), PEER + 1, request, |_| {});
    assert!(other.is_ok());
}

#[test]
fn fresh_tokens_differ() {
    let mut e = endpoint();
    let mut tokens = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        let request = Outgoing::confirmable(Code::GET);
        let sent = e
            .request(NOW, &mut Counter(1), PEER, request, |_| {})
            .unwrap();
        let (exchange, token) = (sent.exchange, sent.token);
        assert!(tokens.insert(token));
        assert!(e.cancel(exchange));
        assert!(!e.cancel(exchange));
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_leaves_no_exchange() {
    let mut e = endpoint();
    let large = e.request(
        NOW,
        &mut Counter(1),
        PEER,
        Outgoing::confirmable(Code::PUT),
        |w| {
            w.payload(&[0; 128]);
        },
    );
    assert_eq!(
        large.unwrap_err(),
        SendError::Write(crate::WriteError::BufferTooSmall)
    );
    assert_eq!(e.open_exchanges(), 0);
    for _ in 0..4 {
        let get = Outgoing::confirmable(Code::GET);
        assert!(e.request(NOW, &mut Counter(1), PEER, get, |_| {}).is_ok());
    }
    let get = Outgoing::confirmable(Code::GET);
    let fifth = e.request(NOW, &mut Counter(1), PEER, get, |_| {});
    assert_eq!(fifth.unwrap_err(), SendError::NoFreeExchange);
}

#[test]
fn an_answer_that_does_not_fit_is_dropped() {
    let mut e = endpoint();
    let mut out = [0; 3];
    let handled = e.handle(NOW, PEER, &[0x40, 0, 0, 1], &mut out);
    assert!(matches!(
        handled.incoming,
        Incoming::Dropped(DropReason::OutputTooSmall)
    ));
    let handled = e.handle(NOW, PEER, &[0x40, 1, 0, 1, 0x10], &mut out);
    assert!(matches!(
        handled.incoming,
        Incoming::Dropped(DropReason::OutputTooSmall)
    ));
}

#[test]
fn the_callers_timeout_ends_a_request() {
    for (confirmable, acknowledge) in [(true, true), (true, false), (false, false)] {
        let mut e = endpoint();
        let request = Outgoing {
            confirmable,
            ..Outgoing::confirmable(Code::GET).timeout(Duration::from_secs(1))
        };
        let id = e
            .request(NOW, &mut Counter(1), PEER, request, |_| {})
            .unwrap()
            .message_id;
        if acknowledge {
            causes(&mut e, &with_id(id, [0x60, 0], &[]), "", "acknowledged");
        }
        let deadline = NOW + Duration::from_secs(1);
        assert_eq!(e.next_timeout(), Some(deadline));
        let Some(Action::ExchangeFailed { why, .. }) = e.handle_timeout(deadline) else {
            panic!()
        };
        assert_eq!(why, Failure::NoResponse);
        assert_eq!((e.next_timeout(), e.handle_timeout(deadline)), (None, None));
    }
}

#[test]
fn an_unanswered_request_waits_for_the_exchange_lifetime() {
    let mut e = endpoint();
    let id = get(&mut e);
    causes(&mut e, &with_id(id, [0x60, 0], &[]), "", "acknowledged");
    assert_eq!(e.next_timeout(), Some(NOW + Duration::from_secs(247)));
}

#[test]
fn forgetting_a_peer_forgets_its_exchanges_and_message_ids() {
    let mut e = endpoint();
    get(&mut e);
    causes(&mut e, &[0x50, 1, 0, 9], "", "request");
    let mut cancelled = 0;
    e.forget_peer(PEER, |_| cancelled += 1);
    assert_eq!((cancelled, e.open_exchanges()), (1, 0));
    causes(&mut e, &[0x50, 1, 0, 9], "", "request");
}

#[test]
fn the_same_message_id_from_many_peers_is_not_a_repetition() {
    let mut e = endpoint();
    let mut out = [0; 64];
    for peer in 0..=255 {
        let handled = e.handle(NOW, peer, &[0x40, 1, 0, 9], &mut out);
        assert!(matches!(handled.incoming, Incoming::Request { .. }));
    }
}

#[test]
fn caller_owned_memory_serves_many_peers() {
    let storage = SliceStorage {
        exchanges: std::vec![ExchangeSlot::<u32>::EMPTY; 1000],
        seen: std::vec![SeenSlot::<u32>::EMPTY; 8192].into_boxed_slice(),
        datagrams: std::vec![0_u8; 64_000],
        replies: std::vec![0_u8; 32_000],
    };
    let parameters = TransmissionParameters::default();
    let mut e = Endpoint::new(storage, parameters, &mut Counter(1));
    let mut ids = Vec::new();
    for peer in 0..1000 {
        let get = Outgoing::confirmable(Code::GET);
        let sent = e
            .request(NOW, &mut Counter(peer), peer, get, |_| {})
            .unwrap();
        ids.push((sent.message_id, sent.exchange.index(), sent.token));
    }
    let mut out = [0; 64];
    for (peer, (id, index, token)) in ids.into_iter().enumerate() {
        let response = with_id(id, [0x68, 0x45], token.as_bytes());
        let handled = e.handle(NOW, peer as u32, &response, &mut out);
        let Incoming::Response { exchange, .. } = handled.incoming else {
            panic!("{peer}")
        };
        assert_eq!(exchange.index(), index);
    }
    assert_eq!(e.open_exchanges(), 0);
}

#[test]
fn without_any_memory_nothing_panics() {
    let mut e: FixedEndpoint<u8, 0, 0, 0, 0> =
        Endpoint::fixed(TransmissionParameters::default(), &mut Counter(1));
    let mut out = [0; 64];
    let handled = e.handle(NOW, PEER, &[0x40, 1, 0, 9], &mut out);
    let Incoming::Request { reply_to, .. } = handled.incoming else {
        panic!()
    };
    assert!(
        e.reply(&reply_to, Code::CONTENT, &[], &mut out, |_| {})
            .is_ok()
    );
    let get = Outgoing::confirmable(Code::GET);
    let refused = e.request(NOW, &mut Counter(1), PEER, get, |_| {});
    assert_eq!(refused.unwrap_err(), SendError::NoFreeExchange);
    assert_eq!(e.next_timeout(), None);
    assert!(matches!(
        e.handle(NOW, PEER, &[0x70, 0, 0, 9], &mut out).incoming,
        Incoming::Reset { exchange: None, .. }
    ));
}
