//! Dashboards of features: their sources, labels, and the writing of stores.

pub mod browse;
pub mod build;
mod dashboard;
mod error;
mod fetch;
mod folder;
pub mod import;
mod inflate;
mod inform;
mod label;
pub mod labels;
mod library;
mod lines;
mod neuronpedia;
mod origin;
mod pieces;
pub mod record;
pub mod remote;
mod search;
mod site;
pub mod store;

pub use dashboard::{Dashboard, Example, Quantile};
pub use error::FeatureError;
pub use fetch::{Asking, FETCHING, Fetched};
pub use folder::Folder;
pub use label::{Label, LabelOrigin};
pub use library::{Found, Library};
pub use neuronpedia::Named;
pub use origin::{Kind, Origin};
pub use pieces::Piece;
pub use search::{Search, folder_name, imported_folder, own_folder};
pub use site::Site;

/// Number of features of each layer of a transcoder, `[L]`.
pub type Sizes = Vec<usize>;
