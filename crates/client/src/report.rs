//! What a server has attached (Core 1.2 §7.3).

use dunlin_lwm2m::{Attribute, AttributeValue, Attributes, Path};
use heapless::Vec;

/// Attributes in half the memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    thresholds: [f64; 3],
    numbers: [u32; 5],
    /// A bit for each of [`Attribute::ALL`] that is set.
    set: u16,
    /// The same for those that are true.
    truths: u16,
}

impl Packed {
    pub(crate) const NONE: Self = Self {
        thresholds: [0.0; 3],
        numbers: [0; 5],
        set: 0,
        truths: 0,
    };

    pub(crate) const fn is_empty(&self) -> bool {
        self.set == 0
    }
}

impl From<Attributes> for Packed {
    fn from(attributes: Attributes) -> Self {
        let mut packed = Self::NONE;
        let (mut numbers, mut thresholds) = (0, 0);
        for (attribute, value) in attributes.iter() {
            packed.set |= 1 << attribute as u16;
            match value {
                AttributeValue::Integer(number) => {
                    if let Some(place) = packed.numbers.get_mut(numbers) {
                        *place = number;
                    }
                    numbers += 1;
                }
                AttributeValue::Float(number) => {
                    if let Some(place) = packed.thresholds.get_mut(thresholds) {
                        *place = number;
                    }
                    thresholds += 1;
                }
                AttributeValue::Boolean(truth) => {
                    packed.truths |= u16::from(truth) << attribute as u16;
                }
            }
        }
        packed
    }
}

impl From<Packed> for Attributes {
    fn from(packed: Packed) -> Self {
        let mut attributes = Self::NONE;
        let mut numbers = packed.numbers.into_iter();
        let mut thresholds = packed.thresholds.into_iter();
        for attribute in Attribute::ALL {
            if packed.set >> attribute as u16 & 1 == 0 {
                continue;
            }
            let value = match attribute {
                Attribute::Gt | Attribute::Lt | Attribute::St => {
                    thresholds.next().map(AttributeValue::Float)
                }
                Attribute::Edge | Attribute::Con => Some(AttributeValue::Boolean(
                    packed.truths >> attribute as u16 & 1 == 1,
                )),
                _ => numbers.next().map(AttributeValue::Integer),
            };
            if let Some(value) = value {
                let _is_of_its_form = attributes.set(attribute, value);
            }
        }
        attributes
    }
}

/// The attributes that the server attached, by path.
#[derive(Debug)]
pub(crate) struct AttributeTable<const N: usize> {
    entries: Vec<(Path, Packed), N>,
}

impl<const N: usize> AttributeTable<N> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// What is attached exactly here.
    pub(crate) fn own(&self, path: &Path) -> Attributes {
        self.entries
            .iter()
            .find(|entry| entry.0 == *path)
            .map_or(Attributes::NONE, |entry| entry.1.into())
    }

    /// What is in force here by inheritance, without the server's defaults.
    pub(crate) fn inherited(&self, path: &Path) -> Attributes {
        let mut attributes = self.own(path);
        let mut above = path.parent();
        while let Some(path) = above {
            attributes = attributes.inherit(&self.own(&path));
            above = path.parent();
        }
        attributes
    }

    /// Attaches; `false` when every place is taken.
    pub(crate) fn set(&mut self, path: Path, attributes: Attributes) -> bool {
        let index = self.entries.iter().position(|entry| entry.0 == path);
        match (index, attributes.is_empty()) {
            (Some(index), true) => {
                self.entries.swap_remove(index);
                true
            }
            (Some(index), false) => {
                if let Some(entry) = self.entries.get_mut(index) {
                    entry.1 = attributes.into();
                }
                true
            }
            (None, true) => true,
            (None, false) => self.entries.push((path, attributes.into())).is_ok(),
        }
    }

    /// Forgets what is attached at and below a deleted path.
    pub(crate) fn remove_below(&mut self, path: &Path) {
        self.entries.retain(|entry| !path.contains(&entry.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_out_as_they_went_in() {
        for text in [
            "",
            "pmin=1",
            "pmin=1&pmax=2&gt=3.5&lt=-4&st=0.5&epmin=6&epmax=7&edge=1&con=0&hqmax=9",
            "st=2&hqmax=3&con=1",
            "lt=1&edge=0",
        ] {
            let parts = text.split('&').filter(|part| !part.is_empty());
            let written = dunlin_lwm2m::WriteAttributes::from_queries(parts).unwrap();
            let attributes = *written.attributes();
            let packed = Packed::from(attributes);
            assert_eq!(packed.is_empty(), text.is_empty());
            assert_eq!(Attributes::from(packed), attributes, "{text}");
        }
    }
}
