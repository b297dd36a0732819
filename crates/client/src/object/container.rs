//! Objects made of instance structs: one instance, or several.

use core::ops::{Deref, DerefMut};

use dunlin_coap::{Code, Instant};
use dunlin_lwm2m::definition::ObjectDefinition;
use heapless::Vec;

use super::{Changes, Instance, Object, ObjectInstance, Tick};

/// An object with exactly one instance, 0, that is never created or deleted.
///
/// It dereferences to the instance struct; taking it mutably marks the object as changed, so that
/// a forgotten "notify" cannot happen.
#[derive(Clone, Debug, Default)]
pub struct Single<T> {
    instance: T,
    changed: bool,
}

impl<T> Single<T> {
    /// An object of this instance.
    pub const fn new(instance: T) -> Self {
        Self {
            instance,
            changed: false,
        }
    }

    /// Changes the instance without marking it: for values that move by themselves, such as a
    /// clock, and shall not cause notifications.
    pub fn unmarked(&mut self) -> &mut T {
        &mut self.instance
    }
}

impl<T> Deref for Single<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.instance
    }
}

impl<T> DerefMut for Single<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.changed = true;
        &mut self.instance
    }
}

impl<T: ObjectInstance> Object for Single<T> {
    fn definition(&self) -> &'static ObjectDefinition {
        T::DEFINITION
    }

    fn instance_id(&self, position: usize) -> Option<u16> {
        (position == 0).then_some(0)
    }

    fn instance(&self, id: u16) -> Option<&dyn Instance> {
        (id == 0).then_some(&self.instance)
    }

    fn transaction(
        &mut self,
        id: u16,
        change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<(), Code> {
        if id != 0 {
            return Err(Code::NOT_FOUND);
        }
        let mut copy = self.instance.clone();
        change(&mut copy)?;
        self.instance = copy;
        self.changed = true;
        Ok(())
    }

    fn tick(&mut self, now: Instant) -> Tick {
        let tick = self.instance.tick(now);
        self.changed |= tick.changed;
        tick
    }

    fn changes(&self) -> Changes {
        Changes {
            values: self.changed,
            instances: false,
        }
    }

    fn clear_changes(&mut self) {
        self.changed = false;
    }
}

/// An object with up to `N` instances.
///
/// The server may create and delete instances unless the set is [`Instances::fixed`].
#[derive(Clone, Debug)]
pub struct Instances<T, const N: usize> {
    items: Vec<(u16, T), N>,
    changes: Changes,
    fixed: bool,
}

impl<T, const N: usize> Default for Instances<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Instances<T, N> {
    /// An object without instances.
    pub const fn new() -> Self {
        Self {
            items: Vec::new(),
            changes: Changes {
                values: false,
                instances: false,
            },
            fixed: false,
        }
    }

    /// The same, but only the device itself can add and remove instances: Create and Delete are
    /// answered with 4.05.
    #[must_use]
    pub fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }

    /// The same with one more instance, which is dropped when all `N` places are taken.
    #[must_use]
    pub fn with(mut self, id: u16, instance: T) -> Self {
        let _full = self.insert(id, instance);
        self
    }

    /// Puts an instance in place; gives it back when all `N` places are taken, and always for the
    /// reserved id 65535.
    pub fn insert(&mut self, id: u16, instance: T) -> Result<(), T> {
        if id == dunlin_lwm2m::MAX_ID {
            return Err(instance);
        }
        match self.position(id) {
            Ok(index) => {
                if let Some(item) = self.items.get_mut(index) {
                    item.1 = instance;
                }
            }
            Err(index) => {
                self.items
                    .insert(index, (id, instance))
                    .map_err(|item| item.1)?;
                self.changes.instances = true;
            }
        }
        self.changes.values = true;
        Ok(())
    }

    /// Takes an instance away.
    pub fn remove(&mut self, id: u16) -> Option<T> {
        let index = self.position(id).ok()?;
        self.changes = Changes {
            values: true,
            instances: true,
        };
        Some(self.items.remove(index).1)
    }

    /// An instance.
    pub fn get(&self, id: u16) -> Option<&T> {
        let index = self.position(id).ok()?;
        self.items.get(index).map(|item| &item.1)
    }

    /// An instance, to be changed; marks the object as changed.
    pub fn get_mut(&mut self, id: u16) -> Option<&mut T> {
        let index = self.position(id).ok()?;
        self.changes.values = true;
        self.items.get_mut(index).map(|item| &mut item.1)
    }

    /// Changes an instance without marking it; see [`Single::unmarked`].
    pub fn unmarked(&mut self, id: u16) -> Option<&mut T> {
        let index = self.position(id).ok()?;
        self.items.get_mut(index).map(|item| &mut item.1)
    }

    /// The first instance of a set that is never empty.
    pub(crate) fn first(&self) -> &T {
        &self.items.first().expect("is never empty").1
    }

    /// The same, to be changed; marks the object as changed.
    pub(crate) fn first_mut(&mut self) -> &mut T {
        self.changes.values = true;
        &mut self.items.first_mut().expect("is never empty").1
    }

    /// The instances in ascending order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &T)> {
        self.items.iter().map(|(id, instance)| (*id, instance))
    }

    fn position(&self, id: u16) -> Result<usize, usize> {
        self.items.binary_search_by_key(&id, |item| item.0)
    }

    /// The lowest id that is not taken.
    pub(crate) fn free_id(&self) -> u16 {
        let mut free = 0;
        for (id, _) in &self.items {
            if *id != free {
                break;
            }
            free += 1;
        }
        free
    }
}

impl<T: ObjectInstance + Default, const N: usize> Object for Instances<T, N> {
    fn definition(&self) -> &'static ObjectDefinition {
        T::DEFINITION
    }

    fn instance_id(&self, position: usize) -> Option<u16> {
        self.items.get(position).map(|item| item.0)
    }

    fn instance(&self, id: u16) -> Option<&dyn Instance> {
        self.get(id).map(|instance| instance as &dyn Instance)
    }

    fn transaction(
        &mut self,
        id: u16,
        change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<(), Code> {
        let mut copy = self.get(id).ok_or(Code::NOT_FOUND)?.clone();
        change(&mut copy)?;
        if let Some(instance) = self.get_mut(id) {
            *instance = copy;
        }
        Ok(())
    }

    fn create(
        &mut self,
        id: Option<u16>,
        change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<u16, Code> {
        if self.fixed {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        let id = id.unwrap_or_else(|| self.free_id());
        if id == dunlin_lwm2m::MAX_ID || self.position(id).is_ok() {
            return Err(Code::BAD_REQUEST);
        }
        if self.items.is_full() {
            return Err(Code::INTERNAL_SERVER_ERROR);
        }
        let mut instance = T::default();
        change(&mut instance)?;
        self.insert(id, instance)
            .map_err(|_| Code::INTERNAL_SERVER_ERROR)?;
        Ok(id)
    }

    fn delete(&mut self, id: u16) -> Result<(), Code> {
        if self.position(id).is_err() {
            return Err(Code::NOT_FOUND);
        }
        if self.fixed {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        self.remove(id);
        Ok(())
    }

    fn tick(&mut self, now: Instant) -> Tick {
        let mut all = Tick::default();
        for (_, instance) in &mut self.items {
            let tick = instance.tick(now);
            all = Tick {
                next: [all.next, tick.next].into_iter().flatten().min(),
                changed: all.changed | tick.changed,
                reboot: all.reboot | tick.reboot,
            };
        }
        self.changes.values |= all.changed;
        all
    }

    fn changes(&self) -> Changes {
        self.changes
    }

    fn clear_changes(&mut self) {
        self.changes = Changes::default();
    }
}
