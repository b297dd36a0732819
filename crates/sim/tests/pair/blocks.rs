//! Bodies of many blocks, both ways, on a bad network.

use dunlin_client::Version;
use dunlin_coap::Code;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use dunlin_server::api::OperateError;
use dunlin_sim::netem::Impairment;

use crate::device::BENCH_ID;
use crate::harness::{GOOD, Pair, bad};

const BLOB: Path = Path::resource(BENCH_ID, 0, 3);

#[test]
fn a_large_value_arrives_whole_or_not_at_all() {
    let (mut successes, mut timeouts) = (0, 0);
    for seed in 0..60 {
        let version = [Version::V1_0, Version::V1_1, Version::V1_2][seed as usize % 3];
        let mut pair = Pair::new(seed, GOOD);
        let index = pair.registered_device(version);
        pair.network.set_impairment(Impairment {
            loss: 0.2,
            ..bad(0.2)
        });
        let mut possible = vec![Vec::new()];
        for _ in 0..4 {
            let length = pair.rng.below(4001) as usize;
            let byte = pair.rng.below(256) as u8;
            let blob: Vec<u8> = (0..length).map(|at| byte.wrapping_add(at as u8)).collect();
            let formats = [ContentFormat::OPAQUE, ContentFormat::TLV];
            let format = Some(pair.rng.pick(&formats));
            let body = vec![OwnedRecord::new(BLOB, OwnedValue::Opaque(blob.clone()))];
            let mode = WriteMode::Replace;
            let id = pair.begin(
                index,
                Operation::Write {
                    path: BLOB,
                    mode,
                    body,
                },
                format,
            );
            match pair.outcome(id) {
                Ok(outcome) => {
                    assert_eq!(outcome.code, Code::CHANGED);
                    possible = vec![blob];
                    successes += 1;
                }
                Err(OperateError::Timeout | OperateError::RegistrationEnded) => {
                    possible.push(blob);
                    timeouts += 1;
                }
                Err(OperateError::UnknownEndpoint) => {}
                Err(other) => panic!("{other}"),
            }
            let stands = pair.devices[index].bench().blob.to_vec();
            assert!(
                possible.contains(&stands),
                "a mixture of {} bytes",
                stands.len()
            );
            let format = Some(pair.rng.pick(&formats));
            let id = pair.begin(
                index,
                Operation::Read {
                    path: BLOB,
                    accept: None,
                },
                format,
            );
            match pair.outcome(id) {
                Ok(outcome) => {
                    let value = OwnedValue::Opaque(stands);
                    assert_eq!(outcome.records, [OwnedRecord::new(BLOB, value)]);
                    successes += 1;
                }
                Err(OperateError::Timeout | OperateError::RegistrationEnded) => timeouts += 1,
                Err(OperateError::UnknownEndpoint) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(successes > 15 * timeouts, "{successes} and {timeouts}");
}

/// An observed value of several blocks that changes while they are fetched: each report is a
/// value that stood there as a whole.
#[test]
fn a_large_value_that_is_observed() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, GOOD);
        let index = pair.registered_device(Version::V1_1);
        pair.network.set_impairment(bad(0.1));
        let wish = pair.add_wish(index, BLOB, Vec::new());
        for round in 1..10_u8 {
            let pause = pair.rng.duration(std::time::Duration::from_secs(20));
            pair.pass(pause);
            pair.touch(index, |device| {
                let bench = device
                    .engine
                    .objects_mut()
                    .bench
                    .get_mut(0)
                    .expect("instance 0");
                bench.blob = core::iter::repeat_n(round, 3000 + usize::from(round)).collect();
            });
        }
        pair.network.set_impairment(GOOD);
        pair.seconds(700);
        pair.touch(index, |device| {
            let bench = device
                .engine
                .objects_mut()
                .bench
                .get_mut(0)
                .expect("instance 0");
            bench.blob = core::iter::repeat_n(10, 3010).collect();
        });
        pair.seconds(5);
        let mut last = 0;
        for (_, _, kind) in &pair.events {
            let dunlin_server::api::EventKind::Notification {
                wish: of, records, ..
            } = kind
            else {
                continue;
            };
            assert_eq!((*of, records.len()), (wish, 1));
            let Some(OwnedValue::Opaque(blob)) = &records[0].value else {
                panic!("{records:?}");
            };
            let round = blob.first().copied().unwrap_or(0);
            assert!(blob.iter().all(|byte| *byte == round), "a mixture");
            assert!(round >= last, "{round} after {last}");
            assert!(round == 0 || blob.len() == 3000 + usize::from(round));
            last = round;
        }
        assert_eq!(last, 10);
    }
}
