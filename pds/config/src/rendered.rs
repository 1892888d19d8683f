//! Collects settings as variables and their text. The opposite of `reader`.

use std::collections::BTreeMap;

use crate::variable::Setting;

/// The variables of [`crate::Settings::render`] while they are collected.
#[derive(Default)]
pub(crate) struct Rendered(pub(crate) BTreeMap<&'static str, String>);

impl Rendered {
    pub(crate) fn put<T>(&mut self, setting: &Setting<T>, value: &T) {
        self.0.insert(setting.variable.name, (setting.codec.render)(value));
    }

    pub(crate) fn put_some<T>(&mut self, setting: &Setting<T>, value: Option<&T>) {
        if let Some(value) = value {
            self.put(setting, value);
        }
    }

    /// Leaves an empty list out. An empty text would be read as "not set", which means the same.
    pub(crate) fn put_list<T>(&mut self, setting: &Setting<Vec<T>>, value: &Vec<T>) {
        self.put_some(setting, Some(value).filter(|list| !list.is_empty()));
    }
}
