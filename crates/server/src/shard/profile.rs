//! The object list of a registration that names it by Profile ID (Core 1.2 §6.2.1).

use std::borrow::Cow;

use dunlin_lwm2m::registration::{ProfileIds, RegistrationError};

use super::Shard;
use super::io::Persist;

/// A Profile ID that came alone with a list: learned once the registration is accepted.
pub(super) struct Lesson<'a> {
    id: &'a str,
}

/// The list that is meant, and what it teaches.
pub(super) type Resolved<'a> = (Cow<'a, [u8]>, Option<Lesson<'a>>);

impl Shard {
    /// The list that a device means: that of the body, joined with those of its Profile IDs. A
    /// dynamic id that is unknown is learned when it comes alone with a list; any other that is
    /// unknown leaves the list undetermined, which is 4.09.
    pub(super) fn resolve<'a>(
        &self,
        ids: Option<ProfileIds<'a>>,
        body: &'a [u8],
    ) -> Result<Resolved<'a>, RegistrationError> {
        let Some(ids) = ids else {
            return Ok((Cow::Borrowed(body), None));
        };
        let alone = ids.iter().nth(1).is_none();
        let mut list = body.to_vec();
        for id in ids.iter() {
            match self.config.directory.profiles().get(id) {
                Some(text) => {
                    if !list.is_empty() {
                        list.push(b',');
                    }
                    list.extend_from_slice(text.as_bytes());
                }
                None if alone && !body.is_empty() && ProfileIds::is_dynamic(id) => {
                    return Ok((Cow::Borrowed(body), Some(Lesson { id })));
                }
                None => return Err(RegistrationError::ObjectsUndetermined),
            }
            if list.len() > self.config.limits.body_bytes {
                return Err(RegistrationError::ObjectsUndetermined);
            }
        }
        Ok((Cow::Owned(list), None))
    }

    /// Remembers the list of a Profile ID, also over a restart.
    pub(super) fn learn_profile(&mut self, lesson: Option<Lesson<'_>>, list: &[u8]) {
        let (Some(Lesson { id }), Ok(links)) = (lesson, str::from_utf8(list)) else {
            return;
        };
        let (new, forgotten) = self.config.directory.profiles().learn(id, links);
        if new {
            self.persist(Persist::Profile {
                id: id.to_owned(),
                links: links.to_owned(),
            });
        }
        for id in forgotten {
            self.persist(Persist::RemoveProfile { id });
        }
    }

    /// Puts a stored Profile ID back at start; any shard takes it for all.
    pub fn restore_profile(&mut self, id: &str, links: &str) {
        let _ = self.config.directory.profiles().learn(id, links);
    }
}
