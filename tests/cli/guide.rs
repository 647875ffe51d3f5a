//! The page that documents what commands print with `--json`, read as a schema.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A field as the page has it.
struct Field {
    of_type: String,
    may_be_absent: bool,
}

/// The page's sections, each with its fields, and which of them were seen.
pub struct Guide {
    sections: BTreeMap<String, BTreeMap<String, Field>>,
    seen: BTreeSet<(String, String)>,
}

impl Guide {
    /// Reads the page: a heading is a section, a table's row a field.
    pub fn open() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/guide/json.md");
        let mut sections: BTreeMap<String, BTreeMap<String, Field>> = BTreeMap::new();
        let mut section = String::new();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            if let Some(heading) = line.strip_prefix("### ") {
                section = heading.replace(' ', "-");
                assert!(sections.insert(section.clone(), BTreeMap::new()).is_none(), "there are two {heading}");
            } else if let Some(row) = line.strip_prefix("| `") {
                let (name, rest) = row.split_once("` | ").unwrap();
                let (of_type, _) = rest.split_once(" | ").unwrap();
                let may_be_absent = of_type.ends_with(", may be absent");
                let of_type = of_type.trim_end_matches(", may be absent").to_owned();
                let field = Field { of_type, may_be_absent };
                assert!(
                    sections.get_mut(&section).unwrap().insert(name.to_owned(), field).is_none(),
                    "{section}: {name}"
                );
            }
        }
        Self { sections, seen: BTreeSet::new() }
    }

    /// Checks what a command printed: it says its schema, and has the fields of these sections, no other ones, and of the
    /// types that they are said to have.
    pub fn check(&mut self, sections: &[&str], printed: &Value) {
        let mut printed = printed.clone();
        let schema = printed.as_object_mut().and_then(|fields| fields.remove("schema"));
        assert_eq!(schema, Some(1.into()), "{sections:?}: {printed:#}");
        self.object(sections, &printed).unwrap_or_else(|wrong| panic!("{}: {wrong}", sections.join(" and ")));
    }

    fn object(&mut self, sections: &[&str], value: &Value) -> Result<(), String> {
        let fields = value.as_object().ok_or_else(|| format!("{value} is no object"))?;
        for (name, value) in fields {
            let found = sections.iter().find_map(|section| {
                let field = self.sections.get(*section)?.get(name)?;
                Some((section.to_string(), field.of_type.clone()))
            });
            let Some((section, of_type)) = found else { return Err(format!("`{name}` ({value}) is not documented")) };
            self.fits(&of_type, value).map_err(|wrong| format!("{name}: {wrong}"))?;
            self.seen.insert((section, name.clone()));
        }
        for section in sections {
            let all = self.sections.get(*section).ok_or_else(|| format!("there is no section {section}"))?;
            if let Some((name, _)) =
                all.iter().find(|(name, field)| !field.may_be_absent && !fields.contains_key(*name))
            {
                return Err(format!("`{name}` is documented, and is not there"));
            }
        }
        Ok(())
    }

    fn fits(&mut self, of_type: &str, value: &Value) -> Result<(), String> {
        let wrong = || Err(format!("{value} is no {of_type}"));
        if let Some(of_type) = of_type.strip_suffix(", or null") {
            return if value.is_null() { Ok(()) } else { self.fits(of_type, value) };
        }
        if let Some(of_type) = of_type.strip_prefix("list of ") {
            let Some(list) = value.as_array() else { return wrong() };
            return list.iter().try_for_each(|value| self.fits(of_type, value));
        }
        if let Some((one, other)) = of_type.split_once(" or ") {
            return self.fits(one, value).or_else(|_| self.fits(other, value));
        }
        if let Some((_, section)) = of_type.split_once("](#") {
            return self.object(&[section.trim_end_matches(')')], value);
        }
        let is = match of_type {
            "text" => value.is_string(),
            "number" => value.is_number(),
            "whole" => value.is_u64() || value.is_i64(),
            "flag" => value.is_boolean(),
            "object" => value.is_object(),
            "null" => value.is_null(),
            _ => return Err(format!("{of_type} is no type")),
        };
        if is { Ok(()) } else { wrong() }
    }

    /// What is documented and was never seen, but for whole sections of these names.
    pub fn unseen(&self, elsewhere: &[&str]) -> Vec<String> {
        let sections = self.sections.iter().filter(|(section, _)| !elsewhere.contains(&section.as_str()));
        let all = sections.flat_map(|(section, fields)| fields.keys().map(move |name| (section.clone(), name.clone())));
        all.filter(|field| !self.seen.contains(field)).map(|(section, name)| format!("{section}: {name}")).collect()
    }
}
