use dunlin_coap::WriteError;
use dunlin_coap::link::LinkWriter;

use crate::scratch::Scratch;
use crate::{ContentFormat, ObjectVersion};

/// Writes an object list into a lent buffer.
///
/// ```
/// use dunlin_lwm2m::{ContentFormat, registration::ObjectListWriter};
/// let mut buffer = [0; 64];
/// let mut writer = ObjectListWriter::new(&mut buffer, "/");
/// writer
///     .root(&[ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR])
///     .instance(1, 0, None)
///     .instance(3, 0, None)
///     .object(5, None);
/// let length = writer.finish().unwrap();
/// assert_eq!(&buffer[..length], b"</>;ct=\"110 112\",</1/0>,</3/0>,</5>");
/// ```
#[derive(Debug)]
pub struct ObjectListWriter<'b, 'r> {
    links: LinkWriter<'b>,
    root: &'r str,
}

impl<'b, 'r> ObjectListWriter<'b, 'r> {
    /// A writer for a device with the given alternate path, `/` or empty for none.
    pub fn new(buffer: &'b mut [u8], root: &'r str) -> Self {
        Self {
            links: LinkWriter::new(buffer),
            root: root.trim_end_matches('/'),
        }
    }

    /// Writes the link of the root path: its type when it is an alternate path, and the content
    /// formats of the device, at most 16 of them. Nothing is written when there is nothing to
    /// say.
    pub fn root(&mut self, formats: &[ContentFormat]) -> &mut Self {
        if self.root.is_empty() && formats.is_empty() {
            return self;
        }
        if self.root.is_empty() {
            self.links.link("/");
        } else {
            self.links.link(self.root).quoted("rt", "oma.lwm2m");
        }
        match formats {
            [] => {}
            [format] => {
                self.links.uint("ct", u64::from(format.0));
            }
            formats => {
                // A number of five digits and a space for each.
                let mut list = Scratch::<96>::EMPTY;
                for (index, format) in formats.iter().take(16).enumerate() {
                    let separator = if index == 0 { "" } else { " " };
                    list.put(format_args!("{separator}{}", format.0));
                }
                self.links.quoted("ct", list.as_str());
            }
        }
        self
    }

    /// Writes the link of an object: one without instances, or with a version that its instances
    /// share. The version is left out when the enabler version implies it
    /// ([`implied_object_version`](super::implied_object_version)).
    pub fn object(&mut self, object: u16, version: Option<ObjectVersion>) -> &mut Self {
        let root = self.root;
        self.links.link_args(format_args!("{root}/{object}"));
        self.version(version)
    }

    /// Writes the link of an object instance; with a version only when it is the only instance
    /// and the object has no link of its own.
    pub fn instance(
        &mut self,
        object: u16,
        instance: u16,
        version: Option<ObjectVersion>,
    ) -> &mut Self {
        let root = self.root;
        self.links
            .link_args(format_args!("{root}/{object}/{instance}"));
        self.version(version)
    }

    /// The length in bytes, or the first error.
    pub fn finish(&self) -> Result<usize, WriteError> {
        self.links.finish()
    }

    fn version(&mut self, version: Option<ObjectVersion>) -> &mut Self {
        if let Some(version) = version {
            // Without quotes, as the ABNF of `ver` has it (Core 1.2 Table 7.3.1-1).
            self.links.args("ver", format_args!("{version}"));
        }
        self
    }
}
