//! Points in time as text (RFC 3339), as CBOR tag 0 carries them.

/// The seconds since 1970 of `2013-05-02T12:00:15Z` or `...+02:00`; `None` when the text is
/// something else, or lies between two seconds.
pub(super) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let field = |from: usize, length: usize| -> Option<i64> {
        let digits = bytes.get(from..from + length)?;
        digits.iter().try_fold(0, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let is = |at: usize, what: &[u8]| bytes.get(at).is_some_and(|byte| what.contains(byte));
    let (year, month, day) = (field(0, 4)?, field(5, 2)?, field(8, 2)?);
    let (hour, minute, second) = (field(11, 2)?, field(14, 2)?, field(17, 2)?);
    let punctuated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !punctuated || !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 60
    {
        return None;
    }
    let mut at = 19;
    if is(at, b".") {
        let digits = bytes
            .iter()
            .skip(at + 1)
            .take_while(|byte| byte.is_ascii_digit());
        let (count, zero) = digits.fold((0, true), |(count, zero), byte| {
            (count + 1, zero && *byte == b'0')
        });
        if count == 0 || !zero {
            return None;
        }
        at += 1 + count;
    }
    let offset = if is(at, b"Zz") {
        at += 1;
        0
    } else {
        let (hours, minutes) = (field(at + 1, 2)?, field(at + 4, 2)?);
        if !is(at, b"+-") || !is(at + 3, b":") || hours > 23 || minutes > 59 {
            return None;
        }
        let offset = hours * 3600 + minutes * 60;
        let west = is(at, b"-");
        at += 6;
        if west { -offset } else { offset }
    };
    if at != bytes.len() {
        return None;
    }
    // Days since 0000-03-01, so that the leap day ends a year, less those until 1970-01-01.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}
