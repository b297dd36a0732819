use core::fmt;

use dunlin_coap::link::{Link, LinkError, Links};

use super::{Fault, Faults, must_not_be_listed};
use crate::path::parse_id;
use crate::{ContentFormat, MAX_ID, ObjectVersion, Version};

/// Why an object list is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectListError {
    /// It is not link-format.
    Syntax(LinkError),
    /// It has more links than the limit.
    TooManyLinks,
    /// A link has an id above 65534 or with leading zeros.
    Id {
        /// Which link, from 1.
        link: usize,
    },
    /// `ver` is not `major.minor`.
    ObjectVersion {
        /// Which link, from 1.
        link: usize,
    },
    /// The alternate path has a numeric, empty, `.` or `..` segment, or there is more than one.
    Root {
        /// Which link, from 1.
        link: usize,
    },
}

impl fmt::Display for ObjectListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => error.fmt(f),
            Self::TooManyLinks => f.write_str("the object list has too many links"),
            Self::Id { link } => write!(
                f,
                "link {link} of the object list has a bad id; ids are 0 to 65534"
            ),
            Self::ObjectVersion { link } => write!(
                f,
                "link {link} of the object list has a bad ver; expected major.minor, as in 1.1"
            ),
            Self::Root { link } => write!(
                f,
                "link {link} of the object list has a bad alternate path; expected one, without \
                 numeric segments"
            ),
        }
    }
}

impl core::error::Error for ObjectListError {}

/// One entry of an object list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedObject {
    /// Object id.
    pub object: u16,
    /// Object instance id; `None` for a link to the object itself.
    pub instance: Option<u16>,
    /// `ver`, if the link has it. Where it stands on an instance it is meant for the object.
    pub version: Option<ObjectVersion>,
}

/// The object list of a Register or Update, checked.
///
/// Reading it twice costs no memory: the list borrows the payload and walks it again.
///
/// ```
/// use dunlin_lwm2m::{Version, registration::ObjectList};
/// let list = ObjectList::parse(b"</>;ct=\"110 112\",</1/0>,</3/0>;ver=1.1", Version::V1_1, 100);
/// let list = list.unwrap();
/// assert_eq!(list.root(), "/");
/// assert_eq!(list.content_formats().count(), 2);
/// assert_eq!(list.objects().count(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectList<'a> {
    payload: &'a [u8],
    version: Version,
    root: &'a str,
    faults: Faults,
}

impl<'a> ObjectList<'a> {
    /// Checks an object list by the rules of an enabler version. More than `max_links` links are
    /// an error.
    pub fn parse(
        payload: &'a [u8],
        version: Version,
        max_links: usize,
    ) -> Result<Self, ObjectListError> {
        let mut faults = Faults::NONE;
        let root = find_root(payload, max_links, &mut faults)?;
        let list = Self {
            payload,
            version,
            root,
            faults,
        };
        let (mut has_server, mut has_device) = (false, false);
        for (index, link) in list.links().enumerate() {
            let entry = list.entry(&link).map_err(|kind| kind.at(index + 1))?;
            match entry {
                Entry::Root => check_content_formats(&link, &mut faults),
                Entry::Skip(fault) => faults.insert(fault),
                Entry::Object(object) => {
                    has_server |= object.object == 1;
                    has_device |= object.object == 3;
                    let quoted = link.parameter("ver").is_some_and(|ver| ver.is_quoted());
                    if quoted && version > Version::V1_0 {
                        faults.insert(Fault::QuotedObjectVersion);
                    }
                    if link.target.len() > 1 && link.target.ends_with('/') {
                        faults.insert(Fault::TrailingSlash);
                    }
                }
            }
        }
        if !has_server {
            faults.insert(Fault::ServerObjectMissing);
        }
        if !has_device {
            faults.insert(Fault::DeviceObjectMissing);
        }
        Ok(Self { faults, ..list })
    }

    /// The alternate path, starting with a slash; `/` when there is none.
    pub const fn root(&self) -> &'a str {
        self.root
    }

    /// What was tolerated.
    pub const fn faults(&self) -> Faults {
        self.faults
    }

    /// The content formats the device announced.
    pub fn content_formats(&self) -> impl Iterator<Item = ContentFormat> + use<'a> {
        let root = self.root;
        self.links()
            .filter(move |link| is_root(link.target, root))
            .flat_map(|link| link.parameters())
            .filter(|parameter| parameter.name.eq_ignore_ascii_case("ct"))
            .filter_map(|parameter| parameter.value)
            .flat_map(|value| value.entries())
            .filter_map(read_content_format)
    }

    /// The objects and instances in the order of the list; an object may come in several entries,
    /// and an entry may repeat.
    pub fn objects(&self) -> impl Iterator<Item = ListedObject> + use<'a> {
        let list = *self;
        self.links()
            .filter_map(move |link| match list.entry(&link) {
                Ok(Entry::Object(object)) => Some(object),
                _ => None,
            })
    }

    fn links(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        // The list was checked when it was parsed.
        let text = str::from_utf8(self.payload).unwrap_or_default();
        Links::new(text).filter_map(Result::ok)
    }

    fn entry(&self, link: &Link<'a>) -> Result<Entry, BadEntry> {
        if is_root(link.target, self.root) || is_root(link.target, "/") {
            return Ok(Entry::Root);
        }
        let foreign = Ok(Entry::Skip(Fault::ForeignLink));
        let path = match self.root {
            "/" => link.target.strip_prefix('/'),
            root => link
                .target
                .strip_prefix(root)
                .and_then(|path| path.strip_prefix('/')),
        };
        let Some(path) = path else {
            return foreign;
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_numeric = |segment: &str| {
            !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
        };
        let mut segments = path.split('/');
        if !segments.clone().all(is_numeric) {
            return foreign;
        }
        let read = |segment: &str| {
            parse_id(segment)
                .filter(|id| *id != MAX_ID)
                .ok_or(BadEntry::Id)
        };
        let object = read(segments.next().unwrap_or(""))?;
        let instance = segments.next().map(read).transpose()?;
        if segments.next().is_some() {
            return Ok(Entry::Skip(Fault::ResourceListed));
        }
        if must_not_be_listed(self.version, object) {
            return Ok(Entry::Skip(Fault::SecretObjectListed));
        }
        let version = match link.parameter("ver") {
            Some(ver) => Some(read_object_version(ver.raw()).ok_or(BadEntry::ObjectVersion)?),
            None if link.has("ver") => return Err(BadEntry::ObjectVersion),
            None => None,
        };
        Ok(Entry::Object(ListedObject {
            object,
            instance,
            version,
        }))
    }
}

enum Entry {
    Root,
    Object(ListedObject),
    Skip(Fault),
}

enum BadEntry {
    Id,
    ObjectVersion,
}

impl BadEntry {
    const fn at(self, link: usize) -> ObjectListError {
        match self {
            Self::Id => ObjectListError::Id { link },
            Self::ObjectVersion => ObjectListError::ObjectVersion { link },
        }
    }
}

/// Checks the syntax of the whole list and finds its alternate path, which may stand behind links
/// that need it.
fn find_root<'a>(
    payload: &'a [u8],
    max_links: usize,
    faults: &mut Faults,
) -> Result<&'a str, ObjectListError> {
    let mut root = None;
    let mut links = Links::from_bytes(payload).map_err(ObjectListError::Syntax)?;
    let mut count = 0;
    for link in links.by_ref() {
        let link = link.map_err(ObjectListError::Syntax)?;
        count += 1;
        if count > max_links {
            return Err(ObjectListError::TooManyLinks);
        }
        let is_lwm2m = link
            .parameter("rt")
            .is_some_and(|rt| rt.entries().any(|rt| rt == "oma.lwm2m"));
        if is_lwm2m {
            let path = match link.target {
                "/" => "/",
                target => target.strip_suffix('/').unwrap_or(target),
            };
            if !is_legal_root(path) || root.is_some_and(|root| root != path) {
                return Err(ObjectListError::Root { link: count });
            }
            root = Some(path);
        }
    }
    let spelling = links.faults();
    if spelling.white_space {
        faults.insert(Fault::WhiteSpace);
    }
    if spelling.empty_element {
        faults.insert(Fault::EmptyElement);
    }
    Ok(root.unwrap_or("/"))
}

/// Core 1.2 §6.2.1: the alternate path has no segment that is a number.
fn is_legal_root(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    segments.is_empty()
        || segments.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && !segment.bytes().all(|byte| byte.is_ascii_digit())
        })
}

fn is_root(target: &str, root: &str) -> bool {
    target == root || target.strip_suffix('/') == Some(root)
}

fn check_content_formats(link: &Link<'_>, faults: &mut Faults) {
    let mut seen = false;
    for parameter in link.parameters() {
        if !parameter.name.eq_ignore_ascii_case("ct") {
            continue;
        }
        if seen {
            faults.insert(Fault::DuplicateContentFormats);
        }
        seen = true;
        let Some(value) = parameter.value else {
            faults.insert(Fault::BadContentFormats);
            continue;
        };
        if !value.is_quoted() && value.entries().count() > 1 {
            faults.insert(Fault::UnquotedContentFormats);
        }
        let mut formats = value.entries().map(read_content_format).peekable();
        if formats.peek().is_none() || formats.any(|format| format.is_none()) {
            faults.insert(Fault::BadContentFormats);
        }
    }
}

fn read_content_format(text: &str) -> Option<ContentFormat> {
    parse_id(text).map(ContentFormat)
}

/// `1*DIGIT "." 1*DIGIT`; leading zeros are refused, since `1.01` is more likely a mistake than
/// version 1.1.
fn read_object_version(text: &str) -> Option<ObjectVersion> {
    let version: ObjectVersion = text.parse().ok()?;
    let canonical = text
        .split('.')
        .all(|number| number.len() == 1 || !number.starts_with('0'));
    canonical.then_some(version)
}

#[cfg(feature = "std")]
pub use grouped::RegisteredObject;

#[cfg(feature = "std")]
mod grouped {
    use super::ObjectList;
    use crate::ObjectVersion;
    use crate::registration::implied_object_version;

    /// An object of a registration with all its instances.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct RegisteredObject {
        /// Object id.
        pub id: u16,
        /// Version announced, or implied by the enabler version.
        pub version: ObjectVersion,
        /// Instance ids in ascending order.
        pub instances: Vec<u16>,
    }

    impl ObjectList<'_> {
        /// The list grouped by object, both in ascending order and without repetition. A `ver` of
        /// the object's own link goes before those of its instances.
        pub fn to_objects(&self) -> Vec<RegisteredObject> {
            let mut entries: Vec<_> = self.objects().collect();
            // Links to objects (no instance) sort before links to their instances.
            entries.sort_unstable();
            let mut objects: Vec<RegisteredObject> = Vec::new();
            for chunk in entries.chunk_by(|a, b| a.object == b.object) {
                let id = chunk.first().map_or(0, |entry| entry.object);
                let version = chunk
                    .iter()
                    .find_map(|entry| entry.version)
                    .unwrap_or_else(|| implied_object_version(self.version, id));
                let mut instances: Vec<u16> =
                    chunk.iter().filter_map(|entry| entry.instance).collect();
                instances.dedup();
                objects.push(RegisteredObject {
                    id,
                    version,
                    instances,
                });
            }
            objects
        }
    }
}
