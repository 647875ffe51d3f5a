//! `circuitscope guide`: the pages of the guide.

use crate::cli::output::{print_json, tell};
use crate::cli::pager;
use crate::guide::{self, TOPICS, Topic};
use crate::tui::{Keymap, keys_page};
use anyhow::Result;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use serde_json::json;
use std::ffi::OsStr;

/// Topic of the keys.
const KEYS: &str = "keys";

/// Shows a page of the guide, or lists its topics.
///
/// On a terminal a page is shown by $PAGER, or by `less -R`.
#[derive(Clone, Debug, clap::Args)]
pub struct GuideArgs {
    /// What the page is about; without it all topics are listed
    #[arg(value_parser = TopicParser)]
    topic: Option<&'static Topic>,
    /// Print it as JSON, the page in Markdown
    #[arg(long)]
    json: bool,
}

/// Prints the page, or the topics.
///
/// # Errors
/// Fails where stdout cannot be written to.
pub fn run(args: &GuideArgs) -> Result<()> {
    match args.topic {
        Some(topic) if args.json => {
            print_json(&json!({ "topic": topic.name, "about": topic.about, "markdown": topic.markdown }))
        }
        // The page lists the keys as they are, which the user may have changed.
        Some(topic) if topic.name == KEYS => {
            pager::show(&guide::text_of(&keys_page(topic.markdown, &Keymap::of_user().0)))
        }
        Some(topic) => pager::show(&topic.text()),
        None => tell(
            args.json,
            || {
                let listed = |topic: &Topic| json!({ "topic": topic.name, "about": topic.about });
                json!({ "topics": TOPICS.iter().map(listed).collect::<Vec<_>>() })
            },
            || {
                let longest = TOPICS.iter().map(|topic| topic.name.len()).max().unwrap_or(0);
                let line = |topic: &Topic| format!("{:<longest$}  {}", topic.name, topic.about);
                let mut lines: Vec<_> = TOPICS.iter().map(line).collect();
                lines.push("`circuitscope guide TOPIC` shows a page".to_owned());
                lines
            },
        ),
    }
}

/// Parser of a topic, which names the nearest ones where there is none of that name.
#[derive(Clone)]
struct TopicParser;

impl TypedValueParser for TopicParser {
    type Value = &'static Topic;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Self::Value, Error> {
        let word = value.to_string_lossy();
        guide::topic(&word).ok_or_else(|| {
            let nearest = guide::nearest(&word).join(", ");
            let message = format!("the guide has no topic {word:?}; the nearest are {nearest}\n");
            Error::raw(ErrorKind::InvalidValue, message)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(TOPICS.iter().map(|topic| PossibleValue::new(topic.name).help(topic.about))))
    }
}
