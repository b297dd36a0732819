//! The answer to Discover: links with attributes (Core 1.2 §6.3.2, §7.3).

use dunlin_coap::WriteError;
pub use dunlin_coap::link::LinkError;
use dunlin_coap::link::{self, LinkWriter};

use crate::path::parse_id;
use crate::{Attributes, ObjectVersion, Path};

/// Writes the answer to a Discover into a lent buffer.
///
/// ```
/// use dunlin_lwm2m::{Attributes, Path, link::{LinkProperties, LinksWriter}};
/// let mut buffer = [0; 64];
/// let mut writer = LinksWriter::new(&mut buffer, "/");
/// let periods = Attributes { pmin: Some(10), pmax: Some(60), ..Attributes::NONE };
/// writer.link(Path::instance(3, 0), LinkProperties::NONE, &periods);
/// let sources = LinkProperties { dimension: Some(2), ..LinkProperties::NONE };
/// writer.link(Path::resource(3, 0, 6), sources, &Attributes::NONE);
/// let length = writer.finish().unwrap();
/// assert_eq!(&buffer[..length], b"</3/0>;pmin=10;pmax=60,</3/0/6>;dim=2");
/// ```
#[derive(Debug)]
pub struct LinksWriter<'b, 'r> {
    links: LinkWriter<'b>,
    root: &'r str,
}

/// What a link tells besides attributes (Core 1.2 Table 7.3.1-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkProperties {
    /// `ver`: version of an object.
    pub version: Option<ObjectVersion>,
    /// `dim`: how many instances a multiple resource has.
    pub dimension: Option<u16>,
    /// `ssid`: Short Server ID, in Bootstrap-Discover.
    pub short_server_id: Option<u16>,
}

impl LinkProperties {
    /// No property.
    pub const NONE: Self = Self {
        version: None,
        dimension: None,
        short_server_id: None,
    };
}

impl<'b, 'r> LinksWriter<'b, 'r> {
    /// A writer for a device with the given alternate path, `/` or empty for none.
    pub fn new(buffer: &'b mut [u8], root: &'r str) -> Self {
        Self {
            links: LinkWriter::new(buffer),
            root: root.trim_end_matches('/'),
        }
    }

    /// Adds a link.
    pub fn link(
        &mut self,
        path: Path,
        properties: LinkProperties,
        attributes: &Attributes,
    ) -> &mut Self {
        let root = self.root;
        self.links.link_args(format_args!("{root}{path}"));
        if let Some(version) = properties.version {
            self.links.args("ver", format_args!("{version}"));
        }
        if let Some(id) = properties.short_server_id {
            self.links.uint("ssid", u64::from(id));
        }
        if let Some(dimension) = properties.dimension {
            self.links.uint("dim", u64::from(dimension));
        }
        for (attribute, value) in attributes.iter() {
            self.links.args(attribute.name(), format_args!("{value}"));
        }
        self
    }

    /// The length in bytes, or that the buffer is too small.
    pub fn finish(&self) -> Result<usize, WriteError> {
        self.links.finish()
    }
}

/// Reads the answer to a Discover. Links to something else than a path are left out; the iterator
/// ends after the first error.
///
/// ```
/// use dunlin_lwm2m::{Path, link::Links};
/// let mut links = Links::new(b"</3/0>;pmin=10,</3/0/6>;dim=2", "/");
/// let instance = links.next().unwrap().unwrap();
/// assert_eq!(instance.path, Path::instance(3, 0));
/// assert_eq!(instance.attributes().pmin, Some(10));
/// assert_eq!(links.next().unwrap().unwrap().dimension(), Some(2));
/// ```
#[derive(Clone, Debug)]
pub struct Links<'a, 'r> {
    links: Result<link::Links<'a>, LinkError>,
    root: &'r str,
}

impl<'a, 'r> Links<'a, 'r> {
    /// A reader of what a device with the given alternate path answered, `/` or empty for none.
    pub fn new(payload: &'a [u8], root: &'r str) -> Self {
        Self {
            links: link::Links::from_bytes(payload),
            root: root.trim_end_matches('/'),
        }
    }
}

impl<'a> Iterator for Links<'a, '_> {
    type Item = Result<Link<'a>, LinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let links = match &mut self.links {
            Ok(links) => links,
            Err(error) => {
                let error = *error;
                self.links = Ok(link::Links::new(""));
                return Some(Err(error));
            }
        };
        loop {
            let link = match links.next()? {
                Ok(link) => link,
                Err(error) => return Some(Err(error)),
            };
            // Devices differ in whether an answer repeats the alternate path.
            let target = link.target;
            let below = target
                .strip_prefix(self.root)
                .filter(|rest| rest.starts_with('/') || rest.is_empty())
                .unwrap_or(target);
            let below = match below {
                "/" => below,
                below => below.strip_suffix('/').unwrap_or(below),
            };
            if let Ok(path) = below.parse() {
                return Some(Ok(Link { path, link }));
            }
        }
    }
}

/// One link of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// What it is about; without the alternate path.
    pub path: Path,
    link: link::Link<'a>,
}

impl<'a> Link<'a> {
    /// Every parameter: its name, and its value without quotes but with its escapes.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone + use<'a> {
        self.link
            .parameters()
            .map(|parameter| (parameter.name, parameter.value.map(|value| value.raw())))
    }

    /// The attributes; what is not a legal value is left out.
    pub fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::NONE;
        for (name, value) in self.parameters() {
            if let Some(value) = value {
                attributes.read_link_parameter(name, value);
            }
        }
        attributes
    }

    /// `dim`
    pub fn dimension(&self) -> Option<u16> {
        parse_id(self.link.parameter("dim")?.raw())
    }

    /// `ver`
    pub fn version(&self) -> Option<ObjectVersion> {
        self.link.parameter("ver")?.raw().parse().ok()
    }

    /// `ssid`
    pub fn short_server_id(&self) -> Option<u16> {
        parse_id(self.link.parameter("ssid")?.raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Core 1.2 §6.3.2.
    const EXAMPLE: &str = "</3/0>;pmin=10;pmax=60,</3/0/1>,</3/0/6>;dim=2,</3/0/7>;dim=2;gt=50;lt=42.2,</3/0/11>;dim=1";

    fn read(text: &str, root: &str) -> Vec<(Path, LinkProperties, Attributes)> {
        Links::new(text.as_bytes(), root)
            .map(|link| {
                let link = link.unwrap();
                let properties = LinkProperties {
                    version: link.version(),
                    dimension: link.dimension(),
                    short_server_id: link.short_server_id(),
                };
                (link.path, properties, link.attributes())
            })
            .collect()
    }

    fn write(links: &[(Path, LinkProperties, Attributes)], root: &str) -> String {
        let mut buffer = [0; 512];
        let mut writer = LinksWriter::new(&mut buffer, root);
        for (path, properties, attributes) in links {
            writer.link(*path, *properties, attributes);
        }
        let length = writer.finish().unwrap();
        str::from_utf8(&buffer[..length]).unwrap().to_owned()
    }

    #[test]
    fn reads_and_writes_the_example_of_the_standard() {
        let links = read(EXAMPLE, "/");
        let paths: Vec<String> = links.iter().map(|(path, ..)| path.to_string()).collect();
        assert_eq!(paths, ["/3/0", "/3/0/1", "/3/0/6", "/3/0/7", "/3/0/11"]);
        assert_eq!(links[0].2.pmax, Some(60));
        assert_eq!(links[3].1.dimension, Some(2));
        assert_eq!((links[3].2.gt, links[3].2.lt), (Some(50.0), Some(42.2)));
        assert_eq!(write(&links, "/"), EXAMPLE);
    }

    #[test]
    fn alternate_path_is_added_and_stripped() {
        let links = read("</3/0>,</lwm2m/3/0/1>;dim=1,</lwm2m>;ct=110", "/lwm2m");
        let paths: Vec<Path> = links.iter().map(|(path, ..)| *path).collect();
        assert_eq!(
            paths,
            [Path::instance(3, 0), Path::resource(3, 0, 1), Path::ROOT]
        );
        assert_eq!(write(&links[..1], "/lwm2m"), "</lwm2m/3/0>");
    }

    #[test]
    fn reads_versions_and_server_ids() {
        let links = read(
            "</>;lwm2m=1.1,</0/1>;ssid=101,</4>;ver=1.3,</foo>,</1/2/>",
            "/",
        );
        assert_eq!(links.len(), 4);
        assert_eq!(links[1].1.short_server_id, Some(101));
        assert_eq!(
            links[2].1.version,
            Some(ObjectVersion { major: 1, minor: 3 })
        );
        assert_eq!(links[3].0, Path::instance(1, 2));
    }

    #[test]
    fn tells_errors_and_full_buffers() {
        let mut links = Links::new(b"</3>,x", "/");
        assert!(links.next().is_some_and(|link| link.is_ok()));
        let error = links.next().and_then(Result::err);
        assert_eq!(error.map(|error| error.position), Some(5));
        assert_eq!(links.next(), None);
        let mut links = Links::new(b"</3>,\xFF", "/");
        let error = links.next().and_then(Result::err);
        assert_eq!(error.map(|error| error.position), Some(5));
        assert_eq!(links.next(), None);
        let mut buffer = [0; 8];
        let mut writer = LinksWriter::new(&mut buffer, "");
        writer.link(Path::object(3), LinkProperties::NONE, &Attributes::NONE);
        assert_eq!(writer.finish(), Ok(4));
        writer.link(Path::object(33), LinkProperties::NONE, &Attributes::NONE);
        assert_eq!(writer.finish(), Err(WriteError::BufferTooSmall));
    }
}
