//! From value to value through nested maps.

use crate::Path;
use crate::format::FormatError;
use crate::format::cbor_item::{
    ARRAY, Cursor, Head, Item, MAP, TEXT, UNSIGNED, container, has_next,
};

/// Maps that can be open at once: the payload, one below a prefix, and one below each of three ids.
const MAX_OPEN: usize = 5;

/// The keys around something, from the outside.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    ids: [u16; 4],
    length: u8,
    /// Whether the prefix of the device stands in front.
    pub(super) prefixed: bool,
}

impl Keys {
    const NONE: Self = Self {
        ids: [0; 4],
        length: 0,
        prefixed: false,
    };

    pub(super) fn ids(&self) -> &[u16] {
        &self.ids[..usize::from(self.length)]
    }

    /// The keys as a path.
    #[inline]
    pub(super) fn path(&self) -> Path {
        Path::from_ids(self.ids()).unwrap_or(Path::ROOT)
    }

    #[inline]
    fn push(&mut self, id: Head) -> Result<(), FormatError> {
        let name = FormatError::Name { at: id.at };
        let id = u16::try_from(id.argument).map_err(|_| name)?;
        *self.ids.get_mut(usize::from(self.length)).ok_or(name)? = id;
        self.length += 1;
        Ok(())
    }
}

/// A value and where it stands.
pub(super) struct Leaf<'a> {
    /// Where its own key stands.
    pub(super) at: usize,
    pub(super) keys: Keys,
    /// `None` for null.
    pub(super) value: Option<Item<'a>>,
    pub(super) value_at: usize,
}

#[derive(Clone, Copy)]
struct Open {
    /// Members to come, `None` until a break.
    left: Option<u64>,
    keys: Keys,
}

/// Walks without recursion.
pub(super) struct Walker<'a> {
    pub(super) cursor: Cursor<'a>,
    /// The prefix that keys may have; empty when there is none.
    prefix: &'a str,
    open: [Open; MAX_OPEN],
    depth: usize,
}

impl<'a> Walker<'a> {
    /// Begins at the head of the payload. An empty map is no payload by the letter, but the only
    /// answer there is when nothing can be said.
    pub(super) fn new(payload: &'a [u8], prefix: &'a str) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(payload);
        let head = container(&mut cursor, MAP, "a map")?;
        Ok(Self::inside(cursor, head.count(), prefix))
    }

    /// Begins behind the head of the payload.
    pub(super) fn inside(cursor: Cursor<'a>, left: Option<u64>, prefix: &'a str) -> Self {
        let top = Open {
            left,
            keys: Keys::NONE,
        };
        Self {
            cursor,
            prefix,
            open: [top; MAX_OPEN],
            depth: 1,
        }
    }

    /// The next value, `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Leaf<'a>>, FormatError> {
        while let Some(innermost) = self.depth.checked_sub(1) {
            let open = &mut self.open[innermost];
            if !has_next(&mut self.cursor, &mut open.left)? {
                self.depth = innermost;
                continue;
            }
            let at = self.cursor.at;
            let mut keys = open.keys;
            self.key(&mut keys)?;
            let value_at = self.cursor.at;
            if self.cursor.is_next(MAP) {
                let head = self.cursor.head()?;
                self.enter(head, keys)?;
                continue;
            }
            let value = match self.cursor.takes_null() {
                true => None,
                false => Some(self.cursor.item()?),
            };
            return Ok(Some(Leaf {
                at,
                keys,
                value,
                value_at,
            }));
        }
        Ok(None)
    }

    fn enter(&mut self, head: Head, keys: Keys) -> Result<(), FormatError> {
        let mut left = head.count();
        // Looks ahead: the break of an empty map must not be taken twice.
        if left == Some(0) || (left.is_none() && !has_next(&mut self.cursor, &mut left)?) {
            return Err(FormatError::Syntax {
                at: head.at,
                expected: "a map with members",
            });
        }
        if keys.length == 4 {
            return Err(FormatError::TooDeep { at: head.at });
        }
        *self
            .open
            .get_mut(self.depth)
            .ok_or(FormatError::TooDeep { at: head.at })? = Open { left, keys };
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn key(&mut self, keys: &mut Keys) -> Result<(), FormatError> {
        let head = self.cursor.head()?;
        match head.major {
            UNSIGNED => keys.push(head),
            TEXT => self.take_prefix(head, keys),
            ARRAY => {
                let mut left = head.count();
                let mut first = true;
                let before = keys.length;
                while has_next(&mut self.cursor, &mut left)? {
                    let element = self.cursor.head()?;
                    match element.major {
                        UNSIGNED => keys.push(element)?,
                        TEXT if first => self.take_prefix(element, keys)?,
                        _ => {
                            return Err(FormatError::Syntax {
                                at: element.at,
                                expected: "an id",
                            });
                        }
                    }
                    first = false;
                }
                if keys.length == before {
                    return Err(FormatError::Syntax {
                        at: head.at,
                        expected: "an array with ids",
                    });
                }
                Ok(())
            }
            _ => Err(FormatError::Syntax {
                at: head.at,
                expected: "an id or an array of ids",
            }),
        }
    }

    /// The prefix stands in front of all ids, and is the one of the device asked.
    fn take_prefix(&mut self, head: Head, keys: &mut Keys) -> Result<(), FormatError> {
        let text = self.cursor.string(head)?;
        let outside = FormatError::OutOfScope { at: head.at };
        let mut rest = self.prefix.as_bytes();
        text.each(|piece| {
            rest = rest.strip_prefix(piece).ok_or(outside)?;
            Ok(())
        })?;
        if self.prefix.is_empty() || !rest.is_empty() || keys.prefixed || keys.length > 0 {
            return Err(outside);
        }
        keys.prefixed = true;
        Ok(())
    }
}
