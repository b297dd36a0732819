//! Profile IDs: names of object lists (Core 1.2 §6.2.1).

/// The Profile IDs of a `pid` parameter: one, or several in quotes with commas between.
///
/// ```
/// use dunlin_lwm2m::registration::ProfileIds;
/// let ids = ProfileIds::parse("\"6:27354b9a,v:meter-1\"").unwrap();
/// assert_eq!(ids.iter().collect::<Vec<_>>(), ["6:27354b9a", "v:meter-1"]);
/// assert!(ProfileIds::is_dynamic("6:27354b9a") && !ProfileIds::is_dynamic("v:meter-1"));
/// assert_eq!(ProfileIds::parse("6:27354B9A"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileIds<'a> {
    ids: &'a str,
}

impl<'a> ProfileIds<'a> {
    /// Reads the value of `pid`; `None` when it does not follow the grammar.
    pub fn parse(value: &'a str) -> Option<Self> {
        let ids = match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?,
            // Several without quotes are against the grammar, and nothing else can be meant.
            None => value,
        };
        let ids = Self { ids };
        ids.iter().all(is_profile_id).then_some(ids)
    }

    /// The ids in their order, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.ids.split(',')
    }

    /// Whether an id is the hash of an object list, as in `6:27354b9a`, and not a name that was
    /// agreed upon before.
    pub fn is_dynamic(id: &str) -> bool {
        id.starts_with(|first: char| first.is_ascii_digit())
    }
}

fn is_profile_id(id: &str) -> bool {
    let Some((kind, rest)) = id.split_once(':') else {
        return false;
    };
    let all =
        |text: &str, legal: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(legal);
    match kind {
        "oma" | "v" => all(rest, |byte| byte.is_ascii_alphanumeric() || *byte == b'-'),
        // The hash has 32 bits at least; shorter ones are told apart by nobody, but are legal by
        // the grammar.
        suite => {
            all(suite, u8::is_ascii_digit)
                && all(rest, |byte| {
                    byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProfileIds;

    #[test]
    fn only_the_grammar_is_read() {
        for legal in [
            "6:27354b9a",
            "1:0",
            "oma:x-1",
            "v:A",
            "\"6:0,v:x\"",
            "6:0,6:1",
        ] {
            assert!(ProfileIds::parse(legal).is_some(), "{legal}");
        }
        for bad in [
            "", "\"\"", "\"", "6", "6:", ":1", "6:g", "6:A", "x:1", "v:", "v:a_b", "\"6:0",
            "6:0\"", "6:0,", "6:0,,6:1", "6:0 ", "-1:0",
        ] {
            assert_eq!(ProfileIds::parse(bad), None, "{bad}");
        }
    }
}
