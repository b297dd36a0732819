//! Which format may carry what: one table (Core 1.2 §7.5, Transport 1.2 Table 6.4.4-1).

use crate::{ContentFormat, Version};

/// What a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// One value: a resource that is not multiple, or a resource instance.
    Value,
    /// Several values: a multiple resource, an object instance, an object.
    Values,
    /// A Create, or a Bootstrap-Write to an object.
    Create,
    /// The path list of a Read-Composite or Observe-Composite.
    Paths,
    /// The values of a Write-Composite.
    WriteComposite,
    /// The answer to a Read-Composite, notifications of an Observe-Composite, a Send, a bootstrap
    /// pack.
    Pack,
    /// The arguments of an Execute.
    Arguments,
    /// Links: the object list of a Register, the answer to a Discover.
    Links,
}

impl Content {
    /// Everything.
    pub const ALL: [Self; 8] = [
        Self::Value,
        Self::Values,
        Self::Create,
        Self::Paths,
        Self::WriteComposite,
        Self::Pack,
        Self::Arguments,
        Self::Links,
    ];
}

impl ContentFormat {
    /// Whether the format may carry this between a client of this version and its servers. The
    /// answer to a payload in another is 4.15, the one to an Accept of another 4.06.
    ///
    /// What a format cannot express is no matter of this table: opaque carries one value, but only
    /// one of type Opaque.
    ///
    /// ```
    /// use dunlin_lwm2m::{Content, ContentFormat, Version};
    /// assert!(ContentFormat::TEXT.carries(Content::Value, Version::V1_1));
    /// assert!(!ContentFormat::TEXT.carries(Content::Values, Version::V1_1));
    /// assert!(!ContentFormat::LWM2M_CBOR.carries(Content::Paths, Version::V1_2));
    /// ```
    pub const fn carries(self, content: Content, version: Version) -> bool {
        use Content::{Arguments, Create, Links, Pack, Paths, Value, Values, WriteComposite};
        let format = self.current();
        format.is_in(version)
            && match format {
                Self::TEXT => matches!(content, Value | Arguments),
                Self::OPAQUE | Self::CBOR => matches!(content, Value),
                Self::TLV | Self::LWM2M_JSON => matches!(content, Value | Values | Create),
                Self::SENML_JSON | Self::SENML_CBOR => matches!(
                    content,
                    Value | Values | Create | Paths | WriteComposite | Pack
                ),
                Self::LWM2M_CBOR => {
                    matches!(content, Value | Values | Create | WriteComposite | Pack)
                }
                Self::SENML_ETCH_JSON | Self::SENML_ETCH_CBOR => {
                    matches!(content, Paths | WriteComposite)
                }
                Self::LINK => matches!(content, Links),
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as the standard has it, by hand: the first version in which a cell is a yes.
    /// Columns: text, opaque, CBOR, TLV, JSON of 1.0, SenML (110, 112), LwM2M CBOR, ETCH (320, 322).
    const TABLE: [(Content, [&str; 8]); 7] = [
        (
            Content::Value,
            ["1.0", "1.0", "1.1", "1.0", "=1.0", "1.1", "1.2", "no"],
        ),
        (
            Content::Values,
            ["no", "no", "no", "1.0", "=1.0", "1.1", "1.2", "no"],
        ),
        (
            Content::Create,
            ["no", "no", "no", "1.0", "=1.0", "1.1", "1.2", "no"],
        ),
        (
            Content::Paths,
            ["no", "no", "no", "no", "no", "1.1", "no", "1.2"],
        ),
        (
            Content::WriteComposite,
            ["no", "no", "no", "no", "no", "1.1", "1.2", "1.2"],
        ),
        (
            Content::Pack,
            ["no", "no", "no", "no", "no", "1.1", "1.2", "no"],
        ),
        (
            Content::Arguments,
            ["1.0", "no", "no", "no", "no", "no", "no", "no"],
        ),
    ];

    const COLUMNS: [&[u16]; 8] = [
        &[0, 1541],
        &[42, 1544],
        &[60],
        &[11542, 1542],
        &[11543, 1543],
        &[110, 112],
        &[11544],
        &[320, 322],
    ];

    const VERSIONS: [Version; 3] = [Version::V1_0, Version::V1_1, Version::V1_2];

    #[test]
    fn every_cell_of_the_table() {
        for (content, row) in TABLE {
            for (cell, numbers) in row.into_iter().zip(COLUMNS) {
                for version in VERSIONS {
                    let expected = match cell {
                        "no" => false,
                        "=1.0" => version == Version::V1_0,
                        since => version >= since.parse().unwrap(),
                    };
                    for number in numbers {
                        assert_eq!(
                            ContentFormat(*number).carries(content, version),
                            expected,
                            "{content:?} in {number} of {version}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn links_stand_in_link_format_and_nothing_else_does() {
        for content in Content::ALL {
            for number in 0..=65535 {
                for version in VERSIONS {
                    let carries = ContentFormat(number).carries(content, version);
                    let known = number == 40 || COLUMNS.concat().contains(&number);
                    assert!(!carries || known, "{number}");
                    if number == 40 || content == Content::Links {
                        assert_eq!(carries, number == 40 && content == Content::Links);
                    }
                }
            }
        }
    }
}
