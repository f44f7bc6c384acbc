//! `holdfastd openapi`: the API document, as it is committed at `openapi/openapi.json`.

use super::{Failure, print};
use crate::http::router;

pub(super) fn run() -> Result<(), Failure> {
    let text = router::document().to_pretty_json().map_err(|error| Failure(error.to_string()))?;
    print(&text)
}
