//! Where something stands: object, object instance, resource, resource instance.

use core::fmt;
use core::str::FromStr;

/// The id 65535, reserved in every id space (Core 1.2 §7.1).
pub const MAX_ID: u16 = 65535;

/// How deep a path reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// `/`: everything, for composite and bootstrap operations.
    Root = 0,
    /// `/3`
    Object = 1,
    /// `/3/0`
    ObjectInstance = 2,
    /// `/3/0/9`
    Resource = 3,
    /// `/3/0/7/1`
    ResourceInstance = 4,
}

/// A path of up to four ids.
///
/// Paths sort as a tree is walked: a parent directly before its children.
///
/// ```
/// use dunlin_lwm2m::{Level, Path};
/// let path: Path = "/3/0/9".parse().unwrap();
/// assert_eq!(path, Path::resource(3, 0, 9));
/// assert_eq!(path.level(), Level::Resource);
/// assert!(Path::instance(3, 0).contains(&path));
/// assert_eq!(path.to_string(), "/3/0/9");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    ids: [u16; 4],
    length: u8,
}

impl Path {
    /// `/`
    pub const ROOT: Self = Self {
        ids: [0; 4],
        length: 0,
    };

    /// `/object`
    pub const fn object(object: u16) -> Self {
        Self {
            ids: [object, 0, 0, 0],
            length: 1,
        }
    }

    /// `/object/instance`
    pub const fn instance(object: u16, instance: u16) -> Self {
        Self {
            ids: [object, instance, 0, 0],
            length: 2,
        }
    }

    /// `/object/instance/resource`
    pub const fn resource(object: u16, instance: u16, resource: u16) -> Self {
        Self {
            ids: [object, instance, resource, 0],
            length: 3,
        }
    }

    /// `/object/instance/resource/resource instance`
    pub const fn resource_instance(
        object: u16,
        instance: u16,
        resource: u16,
        resource_instance: u16,
    ) -> Self {
        Self {
            ids: [object, instance, resource, resource_instance],
            length: 4,
        }
    }

    /// A path of the given ids; `None` when there are more than four.
    pub fn from_ids(ids: &[u16]) -> Option<Self> {
        let mut path = Self {
            length: ids.len() as u8,
            ..Self::ROOT
        };
        path.ids.get_mut(..ids.len())?.copy_from_slice(ids);
        Some(path)
    }

    /// The ids.
    pub fn ids(&self) -> &[u16] {
        &self.ids[..usize::from(self.length)]
    }

    /// How deep the path reaches.
    pub const fn level(&self) -> Level {
        match self.length {
            0 => Level::Root,
            1 => Level::Object,
            2 => Level::ObjectInstance,
            3 => Level::Resource,
            _ => Level::ResourceInstance,
        }
    }

    /// The object id, if the path names one.
    pub fn object_id(&self) -> Option<u16> {
        self.ids().first().copied()
    }

    /// The object instance id, if the path names one.
    pub fn instance_id(&self) -> Option<u16> {
        self.ids().get(1).copied()
    }

    /// The resource id, if the path names one.
    pub fn resource_id(&self) -> Option<u16> {
        self.ids().get(2).copied()
    }

    /// The resource instance id, if the path names one.
    pub fn resource_instance_id(&self) -> Option<u16> {
        self.ids().get(3).copied()
    }

    /// The path one level down; `None` below a resource instance.
    pub fn child(&self, id: u16) -> Option<Self> {
        let mut path = *self;
        *path.ids.get_mut(usize::from(self.length))? = id;
        path.length += 1;
        Some(path)
    }

    /// The path one level up; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        self.ids()
            .split_last()
            .and_then(|(_, ids)| Self::from_ids(ids))
    }

    /// The path cut to at most `level`.
    pub fn truncated(&self, level: Level) -> Self {
        let length = usize::from(self.length.min(level as u8));
        Self::from_ids(&self.ids[..length]).unwrap_or(Self::ROOT)
    }

    /// Whether `other` is this path or below it.
    #[inline]
    pub fn contains(&self, other: &Self) -> bool {
        // Four compares are quicker than a comparison of slices of unknown length.
        let pairs = self.ids.iter().zip(&other.ids).enumerate();
        let length = usize::from(self.length);
        let differ = |(index, (left, right))| index < length && left != right;
        self.length <= other.length && !pairs.into_iter().any(differ)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == 0 {
            return f.write_str("/");
        }
        self.ids().iter().try_for_each(|id| write!(f, "/{id}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// An id is missing, not decimal, has leading zeros or is above 65535.
    Id,
    /// More than four ids.
    TooDeep,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "a path is made of decimal ids from 0 to 65535, as in /3/0/9",
            Self::TooDeep => {
                "a path has at most four ids: object, instance, resource, resource instance"
            }
        })
    }
}

impl core::error::Error for PathError {}

impl FromStr for Path {
    type Err = PathError;

    /// Reads `/3/0/9`; the leading slash may be left out.
    fn from_str(text: &str) -> Result<Self, PathError> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let mut path = Self::ROOT;
        if text.is_empty() {
            return Ok(path);
        }
        for segment in text.split('/') {
            path = path
                .child(parse_id(segment).ok_or(PathError::Id)?)
                .ok_or(PathError::TooDeep)?;
        }
        Ok(path)
    }
}

/// Reads a decimal id without sign and without leading zeros.
pub(crate) fn parse_id(text: &str) -> Option<u16> {
    let canonical = text.len() == 1 || !text.starts_with('0');
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
