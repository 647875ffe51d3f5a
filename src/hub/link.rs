//! Links to graphs on Neuronpedia, with the state of its viewer in them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::borrow::Cow;
use std::fmt;

/// Address of Neuronpedia.
pub const SITE: &str = "https://www.neuronpedia.org";

/// Parameters of the viewer's address for its state. The others, such as the set of sources, are in the graph's file.
const STATE: [&str; 6] = ["pinnedIds", "supernodes", "clerps", "pruningThreshold", "densityThreshold", "clickedId"];

/// Characters of a value that are escaped: all but those that stand for themselves anywhere in an address.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b',');

/// Length of the longest model's name and the longest slug.
const LONGEST: usize = 200;

/// A link to a graph: `https://www.neuronpedia.org/{model}/graph?slug=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphLink {
    /// Neuronpedia's name of the model.
    pub model: String,
    /// Name of the graph there.
    pub slug: String,
    /// Pins, supernodes, labels, thresholds, as they stand in the address, in its order.
    pub state: Vec<(String, String)>,
}

impl GraphLink {
    /// Returns true where a text is meant as a link, to any site.
    pub fn is_link(text: &str) -> bool {
        text.starts_with("https://") || text.starts_with("http://")
    }

    /// Reads a link to a graph on Neuronpedia, or on `site`, which replaces it; `None` where it is none.
    pub fn parse(text: &str, site: &str) -> Option<Self> {
        let text = text.split_once('#').map_or(text, |(text, _)| text);
        let hosts = [site, SITE, "https://neuronpedia.org", "http://www.neuronpedia.org", "http://neuronpedia.org"];
        let path = hosts.iter().find_map(|host| text.strip_prefix(host)?.strip_prefix('/'))?;
        let (path, query) = path.split_once('?')?;
        let model = decoded(path.trim_end_matches('/').strip_suffix("/graph")?)?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: Option<Vec<(&str, String)>> = pairs.map(|(key, value)| Some((key, decoded(value)?))).collect();
        let pairs = pairs?;
        let slug = pairs.iter().find(|(key, _)| *key == "slug").map(|(_, slug)| slug.clone())?;
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= LONGEST
                && !name.contains(['/', '\\'])
                && !name.chars().any(char::is_control)
        };
        let state = pairs.into_iter().filter(|(key, value)| STATE.contains(key) && !value.is_empty());
        let state = state.map(|(key, value)| (key.to_owned(), value)).collect();
        (is_name(&model) && is_name(&slug)).then_some(Self { model, slug, state })
    }

    /// Returns the path of the graph's record below the site's address.
    #[cfg(feature = "hub")]
    pub(super) fn record(&self) -> String {
        format!("/api/graph/{}/{}", escaped(&self.model), escaped(&self.slug))
    }
}

impl fmt::Display for GraphLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SITE}/{}/graph?slug={}", escaped(&self.model), escaped(&self.slug))?;
        self.state.iter().try_for_each(|(key, value)| write!(f, "&{key}={}", escaped(value)))
    }
}

fn escaped(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, ESCAPED)
}

/// Decodes a value of a query, in which `+` may stand for a space.
fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_link_is_read_wherever_it_was_copied() {
        let link = "https://www.neuronpedia.org/gemma-2-2b/graph?sourceSet=clt-hp&slug=a-b&pinnedIds=27_1_8%2CE_2_5&\
                    supernodes=%5B%5B%22say+big%22%2C%2227_1_8%22%5D%5D&pruningThreshold=0.7&densityThreshold=&x#top";
        let parsed = GraphLink::parse(link, SITE).unwrap();
        let state =
            [("pinnedIds", "27_1_8,E_2_5"), ("supernodes", "[[\"say big\",\"27_1_8\"]]"), ("pruningThreshold", "0.7")];
        let state = state.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!((parsed.model.as_str(), parsed.slug.as_str(), &parsed.state[..]), ("gemma-2-2b", "a-b", &state[..]));
        for other in ["http://neuronpedia.org/m/graph?slug=s", "http://127.0.0.1:7/m/graph/?slug=s"] {
            let parsed = GraphLink::parse(other, "http://127.0.0.1:7").unwrap();
            assert_eq!((parsed.model.as_str(), parsed.slug.as_str()), ("m", "s"), "{other}");
        }
        for other in [
            "https://www.neuronpedia.org/gemma-2-2b/graph",
            "https://www.neuronpedia.org/gemma-2-2b/3-set/7?slug=s",
            "https://www.neuronpedia.org.evil.example/m/graph?slug=s",
            "https://www.neuronpedia.org/m/graph?slug=..%2F..%2Fa",
            "https://www.neuronpedia.org/a/b/graph?slug=s",
            "https://www.neuronpedia.org/m/graph?slug=%ff",
            "graph?slug=s",
        ] {
            assert_eq!(GraphLink::parse(other, SITE), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_link_that_is_written_is_read_back(
            model in "[a-z0-9.-]{1,12}", slug in "[^/\\\\\\p{C}]{1,20}", pins in "[^\\p{C}]{1,20}", label in "\\PC{1,12}",
        ) {
            let state = vec![("pinnedIds".to_owned(), pins), ("clerps".to_owned(), label)];
            let link = GraphLink { model, slug, state };
            prop_assert_eq!(GraphLink::parse(&link.to_string(), SITE), Some(link));
        }
    }
}
